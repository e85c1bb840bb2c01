"""What is held on one person: groups of rows, how each belongs to the person, and what speaks against it.

A *group* is all rows of a collection that share the values of its group columns (links, keys, identities, dates of keep rules).
Rows are judged by nothing else, so a group is judged once, however many rows it has, and no row key need be remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.identity import InvalidIdentity, canonical
from privacy.stores.base import NO_MATCH, Values
from privacy.stores.values import convert

ROOT, OWNED, REFERRED = "root", "owned", "referred"


@dataclass(frozen=True)
class Reason:
    """Why rows are contested (R10): a = another owner, b = somebody else points at them, c, d = another's identity, s = spelling,
    t = reached only through contested rows. `answer` is the map's standing answer; `foreign`: judged from another store."""

    letter: str
    link: str = ""
    answer: str = "ask"
    foreign: bool = False


@dataclass
class Member:
    """One group in a person's set."""

    count: int
    role: str
    reasons: tuple[Reason, ...] = ()

    @property
    def contested(self) -> bool:
        return bool(self.reasons)

    @property
    def standing(self) -> str:
        """The map's answer to all that speaks against these rows: keep beats redact, any open question asks."""
        answers = {reason.answer for reason in self.reasons}
        return "ask" if "ask" in answers else "keep" if "keep" in answers else "redact"


@dataclass
class Holding:
    """One person's set over all stores that could be read."""

    members: dict[Node, dict[Values, Member]] = field(default_factory=dict)
    others: dict[Node, dict[Values, int]] = field(default_factory=dict)

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
    """Reads link keys out of groups, in the type of the link's parent, so that both ends compare (R12)."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._places: dict[tuple[Node, tuple[str, ...]], tuple[int, ...]] = {}

    def places(self, node: Node, columns: tuple[str, ...]) -> tuple[int, ...]:
        known = self._places.get((node, columns))
        if known is None:
            by = self.graph.group_columns[node]
            known = self._places[node, columns] = tuple(by.index(name) for name in columns)
        return known

    def raw(self, node: Node, columns: tuple[str, ...], values: Values) -> Values | None:
        """The key as it stands in the row, or None where a part is NULL."""
        key = tuple(values[i] for i in self.places(node, columns))
        return None if None in key else key

    def normal(self, node: Node, columns: tuple[str, ...], values: Values, parent: Node, parent_columns: tuple[str, ...]) -> Any:
        """The key in the parent's type, comparable with the keys of every row that points there; None matches nothing."""
        key = self.raw(node, columns, values)
        return None if key is None else self.of(key, parent, parent_columns)

    def of(self, key: Values, parent: Node, parent_columns: tuple[str, ...]) -> Any:
        out = []
        for value, name in zip(key, parent_columns, strict=True):
            column = self.graph.column(parent, name)
            converted = convert(value, column)
            if converted is NO_MATCH:
                return None
            # A lenient collation pads and folds; the store's own foreign keys do so too.
            out.append(converted.casefold().rstrip(" ") if isinstance(converted, str) and not column.exact else converted)
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
