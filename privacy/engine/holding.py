"""What is held on one person: groups of rows, how each belongs to the person, and what speaks against it.

A *group* is all rows of a collection that share the values of its group columns (links, keys, identities, dates of keep rules).
Rows are judged by nothing else, so a group is judged once, however many rows it has, and no row key need be remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.identity import InvalidIdentity, canonical
from privacy.stores.base import NO_MATCH, Values
from privacy.stores.values import convert

NEWCOMER = "n"
ROOT, OWNED, REFERRED = "root", "owned", "referred"
_ALIKE = ("int", "text", "uuid", "bytes")  # families in which equal keys are equal Python values


@dataclass(frozen=True)
class Reason:
    """Why rows are contested (R10): a = another owner, b = somebody else points at them, c, d = another's identity, s = spelling,
    t = reached only through contested rows, n = came after the erasure whose remnant this is. `answer` is the map's standing
    answer; `foreign`: judged from another store."""

    letter: str
    link: str = ""
    answer: str = "ask"
    foreign: bool = False


@dataclass(slots=True)
class Member:
    """One group in a person's set."""

    count: int
    role: str
    reasons: tuple[Reason, ...] = ()
    given: bool = False  # staff gave these contested rows to the person, before the plan that is being made

    @property
    def contested(self) -> bool:
        return bool(self.reasons)

    @property
    def came_later(self) -> bool:
        return any(reason.letter == NEWCOMER for reason in self.reasons)

    @property
    def standing(self) -> str:
        """The map's answer to all that speaks against these rows: keep beats redact, any open question asks."""
        answers = {reason.answer for reason in self.reasons}
        return "ask" if "ask" in answers else "keep" if "keep" in answers else "redact"


@dataclass
class Holding:
    """One person's set over all stores that could be read.

    `undisputed`: nothing is contested, every row that a link of the person's own rows owns is there, and no other row points at
    what they refer to. `inbound`: the keys ((link id, downwards) → keys) that led in without an owner row of this search.
    `passed`: rows without personal data that are nobody's and lead on to somebody's. `astray`: planned rows that stand, but to
    which nothing of this person's leads any more. `changed`: where planned root rows are gone, and others stand that may be they.
    """

    members: dict[Node, dict[Values, Member]] = field(default_factory=dict)
    others: dict[Node, dict[Values, int]] = field(default_factory=dict)
    inbound: dict[tuple[str, bool], list[Values]] = field(default_factory=dict)
    passed: dict[Node, list[Values]] = field(default_factory=dict)
    astray: dict[Node, int] = field(default_factory=dict)
    changed: set[Node] = field(default_factory=set)
    undisputed: bool = False

    def __iter__(self) -> Iterator[tuple[Node, Values, Member]]:
        for node, groups in self.members.items():
            for values, member in groups.items():
                yield node, values, member

    def in_store(self, store: str) -> dict[Node, dict[Values, Member]]:
        return {node: groups for node, groups in self.members.items() if node[0] == store}

    @property
    def empty(self) -> bool:
        return not any(self.members.values())


class Keys:
    """Reads link keys out of groups, in the type of the link's parent, so that both ends compare (R12).

    A reader is made once per key: where both ends have the same exact type nothing is converted, which is nearly always.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._places: dict[tuple[Node, tuple[str, ...]], tuple[int, ...]] = {}
        self._alike: dict[tuple[Node, tuple[str, ...], Node, tuple[str, ...]], bool] = {}
        self._readers: dict[tuple[Node, tuple[str, ...], Node, tuple[str, ...]], Callable[[Values], Values | None]] = {}

    def places(self, node: Node, columns: tuple[str, ...]) -> tuple[int, ...]:
        known = self._places.get((node, columns))
        if known is None:
            by = self.graph.group_columns[node]
            known = self._places[node, columns] = tuple(by.index(name) for name in columns)
        return known

    def raw(self, node: Node, columns: tuple[str, ...], values: Values) -> Values | None:
        """The key as it stands in the row, or None where a part is NULL."""
        places = self.places(node, columns)
        if len(places) == 1:
            value = values[places[0]]
            return None if value is None else (value,)
        key = tuple(values[i] for i in places)
        return None if None in key else key

    def raws(self, node: Node, columns: tuple[str, ...], groups: Iterable[Values]) -> list[Values | None]:
        """`raw` of many groups, in their order."""
        places = self.places(node, columns)
        if len(places) == 1:
            (i,) = places
            return [None if (value := values[i]) is None else (value,) for values in groups]
        return [self.raw(node, columns, values) for values in groups]

    def tagged(self, node: Node, columns: tuple[str, ...], groups: Iterable[Values]) -> list[Values | None]:
        """`raw` of many groups (tag, *values), each with its tag: (tag, *key)."""
        places = [i + 1 for i in self.places(node, columns)]
        if len(places) == 1:
            (i,) = places
            return [None if (value := group[i]) is None else (group[0], value) for group in groups]
        keys = [tuple([group[i] for i in (0, *places)]) for group in groups]
        return [None if None in key else key for key in keys]

    def tagged_normals(
        self, node: Node, columns: tuple[str, ...], groups: Iterable[Values], parent: Node, parent_columns: tuple[str, ...]
    ) -> list[Values | None]:
        """`normal` of the same."""
        if self._same(node, columns, parent, parent_columns):
            return self.tagged(node, columns, groups)
        keys = ((group[0], self.normal(node, columns, group[1:], parent, parent_columns)) for group in groups)
        return [None if key is None else (tag, *key) for tag, key in keys]

    def normals(
        self, node: Node, columns: tuple[str, ...], groups: Iterable[Values], parent: Node, parent_columns: tuple[str, ...]
    ) -> list[Any]:
        """`normal` of many groups, in their order."""
        if self._same(node, columns, parent, parent_columns):
            return self.raws(node, columns, groups)
        return [self.normal(node, columns, values, parent, parent_columns) for values in groups]

    def normal(self, node: Node, columns: tuple[str, ...], values: Values, parent: Node, parent_columns: tuple[str, ...]) -> Any:
        """The key in the parent's type, comparable with the keys of every row that points there; None matches nothing."""
        reader = self._readers.get((node, columns, parent, parent_columns))
        if reader is None:
            reader = self._readers[node, columns, parent, parent_columns] = self._reader(node, columns, parent, parent_columns)
        return reader(values)

    def _reader(
        self, node: Node, columns: tuple[str, ...], parent: Node, parent_columns: tuple[str, ...]
    ) -> Callable[[Values], Values | None]:
        if self._same(node, columns, parent, parent_columns):
            return lambda values: self.raw(node, columns, values)
        return lambda values: None if (key := self.raw(node, columns, values)) is None else self.of(key, parent, parent_columns)

    def _same(self, node: Node, columns: tuple[str, ...], parent: Node, parent_columns: tuple[str, ...]) -> bool:
        """Whether the keys of both ends are equal Python values without being converted."""
        known = self._alike.get((node, columns, parent, parent_columns))
        if known is None:
            ends = [
                (self.graph.column(node, a), self.graph.column(parent, b)) for a, b in zip(columns, parent_columns, strict=True)
            ]
            known = all(a.family == b.family and a.family in _ALIKE and b.exact for a, b in ends)
            self._alike[node, columns, parent, parent_columns] = known
        return known

    def alike(self, link: Link) -> bool:
        """Whether both ends hold equal keys as equal values, so that nothing is converted or folded."""
        ends = zip(link.child_columns, link.parent_columns, strict=True)
        return all(
            (a := self.graph.column(link.child, own)).family == (b := self.graph.column(link.parent, target)).family
            and a.family in _ALIKE
            and a.exact
            and b.exact
            for own, target in ends
        )

    def of(self, key: Values, parent: Node, parent_columns: tuple[str, ...]) -> Any:
        out = []
        for value, name in zip(key, parent_columns, strict=True):
            column = self.graph.column(parent, name)
            converted = convert(value, column)
            if converted is NO_MATCH:
                return None
            out.append(
                _leniently(converted, column.collation or "") if isinstance(converted, str) and not column.exact else converted
            )
        return tuple(out)

    def child(self, link: Link, values: Values) -> Any:
        return self.normal(link.child, link.child_columns, values, link.parent, link.parent_columns)

    def parent(self, link: Link, values: Values) -> Any:
        return self.normal(link.parent, link.parent_columns, values, link.parent, link.parent_columns)

    def holds(self, node: Node, when: Mapping[str, Any], values: Values) -> bool:
        """Whether a group satisfies a polymorphic link's `when`."""
        by = self.graph.group_columns[node]
        for name, wanted in when.items():
            value = values[by.index(name)]
            if value is None or convert(wanted, self.graph.column(node, name)) != value:
                return False
        return True


def _leniently(text: str, collation: str) -> str:
    """A lenient collation pads and folds; the store's own foreign keys do so too. A binary one at most pads."""
    text = text.rstrip(" ")
    return text if collation == "RTRIM" or collation.endswith("_bin") else text.casefold()


def lasting(graph: Graph, node: Node, values: Values) -> Values:
    """What an erasure does not change of a group: a unique key without personal data, else every value that is not personal."""
    columns, fields = graph.group_columns[node], graph.collection(node).fields
    names = [name for name in columns if name not in fields or not fields[name].personal]
    key = next((unique for unique in graph.table(node).uniques if set(unique) <= set(names)), names)
    return tuple(values[columns.index(name)] for name in key)


def identities_of(graph: Graph, node: Node, values: Values) -> list[tuple[str, str, str]]:
    """(kind, column, canonical value) of the identities a group carries; what is no identity of its kind says nothing."""
    out = []
    by = graph.group_columns[node]
    for name in _identity_columns(graph, node):
        value = values[by.index(name)]
        if value is None or value == "":
            continue
        kind = graph.collection(node).fields[name].identity or ""
        try:
            out.append((kind, name, canonical(kind, value)))
        except InvalidIdentity:
            continue
    return out


def carries_identity(graph: Graph, node: Node, values: Values) -> bool:
    by = graph.group_columns[node]
    return any(values[by.index(name)] not in (None, "") for name in _identity_columns(graph, node))


def _identity_columns(graph: Graph, node: Node) -> list[str]:
    return [f.name for f in graph.collection(node).fields.values() if f.identity]
