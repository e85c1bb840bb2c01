"""Contested rows before the decision: which groups there are, why, what ties them to the person, a look at their fields (R11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from privacy import collection_words
from privacy.datamap.graph import Graph, Link, Node
from privacy.engine import plan as plans
from privacy.engine.contested.answers import group_key
from privacy.engine.contested.planned import values_of
from privacy.engine.holding import REFERRED, ROOT, Keys, Member, Reason, identities_of
from privacy.engine.identity import InvalidIdentity, canonical
from privacy.maps import dataset_of, open_maps, policy
from privacy.models import DatasetVersion
from privacy.stores import base
from privacy.stores.base import Groups, Values
from privacy.stores.registry import open_store
from privacy.terms import Person, StoreUnavailable

LOOKED_AT = 20  # rows of a group; they share all that was judged
LONGEST_TEXT = 500


@dataclass(frozen=True)
class Against:
    """Why rows are contested: R10's letter, the field that says so, and the collection that it leads to or that points here."""

    letter: str
    field: str = ""
    collection: str = ""


@dataclass(frozen=True)
class ContestedGroup:
    """Rows of one collection that stand and fall together. No value of theirs: `key` is a salted hash."""

    key: str
    collection: str
    rows: int
    standing: str  # what the data map answers: keep, redact, or ask
    against: tuple[Against, ...] = ()
    ties: tuple[str, ...] = ()  # fields that lead from the person to these rows


def contested_groups(plan: Mapping[str, Any]) -> Iterator[ContestedGroup]:
    """The contested groups of a plan, without why."""
    for collection, raw, count, role, reasons in _planned(plan):
        yield ContestedGroup(group_key(plan, collection, raw), collection, count, Member(count, role, reasons).standing)


def explained_groups(plan: Mapping[str, Any]) -> list[ContestedGroup]:
    """The same with what speaks against each group and what ties it to the person; the store itself is not asked."""
    if not plan.get("groups"):
        return []
    ways = _Ways(open_maps(only=()).graph, plan)
    return [
        replace(
            group,
            against=tuple(dict.fromkeys(ways.against(reason, collection) for reason in reasons)),
            ties=tuple(dict.fromkeys(ways.to((plan["store"], collection), raw, role))),
        )
        for group, (collection, raw, _count, role, reasons) in zip(contested_groups(plan), _planned(plan), strict=True)
    ]


def _planned(plan: Mapping[str, Any]) -> Iterator[tuple[str, list[Any], int, str, tuple[Reason, ...]]]:
    for collection, groups in plan.get("groups", {}).items():
        for raw, count, role, reasons in groups:
            if reasons:
                yield collection, raw, count, role, tuple(Reason(*reason) for reason in reasons)


class _Ways:
    """The links that lead to a group: from the person's own rows, and from others'."""

    def __init__(self, graph: Graph, plan: Mapping[str, Any]) -> None:
        self.graph, self.plan, self.keys = graph, plan, Keys(graph)
        self.frozen = plans.read(graph, plan)
        self.links = {link.id: link for link in graph.links}
        self._own: dict[tuple[str, bool], set[Any]] = {}

    def against(self, reason: Reason, collection: str) -> Against:
        link = self.links.get(reason.link)
        if link is None:
            # A field's name, or `store.table` of a foreign key that the map does not know.
            place = reason.link.partition(".")[2] if reason.letter == "b" else ""
            return Against(reason.letter, "" if place else f"{collection}.{reason.link}" if reason.link else "", place)
        field = f"{link.child[1]}.{', '.join(link.child_columns)}"
        return Against(reason.letter, field, link.parent[1] if reason.letter == "a" else link.child[1])

    def to(self, node: Node, raw: list[Any], role: str) -> Iterator[str]:
        if not self.graph.is_node(node):
            return
        values = values_of(self.graph, self.plan, node, raw)
        if role == ROOT:
            yield from (f"{node[1]}.{item.name}" for item in self.graph.collection(node).fields.values() if item.identity)
            return
        for link in self.graph.links:
            if link.child == node and (link.owns or link.joint) and self.keys.child(link, values) in self._keys(link, down=True):
                yield f"{node[1]}.{', '.join(link.child_columns)}"
            if link.parent == node and self.keys.parent(link, values) in self._keys(link, down=False):
                yield f"{link.child[1]}.{', '.join(link.child_columns)}"

    def _keys(self, link: Link, *, down: bool) -> set[Any]:
        """Keys of the person's own rows at the near end of a link: the parents of what they own, or what points at a parent."""
        known = self._own.get((link.id, down))
        if known is None:
            near = link.parent if down else link.child
            known = self._own[link.id, down] = set()
            for raw, _count, role, reasons in self.plan["groups"].get(near[1], ()) if near[0] == self.plan["store"] else ():
                if not reasons and (role != REFERRED or not down):
                    values = values_of(self.graph, self.plan, near, raw)
                    known.add(self.keys.parent(link, values) if down else self.keys.child(link, values))
            if near[0] != self.plan["store"]:
                found = self.frozen.inbound.get((link.id, down), ())
                known |= {self.keys.of(key, link.parent, link.parent_columns) for key in found}
            known.discard(None)
        return known


# -- a look -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """One field of one row, as staff see it. `whose`: "own" where it holds the person's identity, "other" another's, or ""."""

    name: str
    label: str
    value: str
    whose: str


def look(*, person: Person, plan: Mapping[str, Any], key: str, language: str) -> list[list[Seen]]:
    """The fields of a contested group's rows, read through the store's read-only URL where it has one; nothing is written.

    Raises StoreUnavailable, and LookupError where the plan has no such group.
    """
    store_key = plan["store"]
    found = (item for item in _planned(plan) if group_key(plan, item[0], item[1]) == key)
    collection, raw, *_rest = next(found, ("", []))
    graph = open_maps(only=()).graph
    node = (store_key, collection)
    if not graph.is_node(node):
        raise LookupError(collection)
    values = values_of(graph, plan, node, raw)
    version = DatasetVersion.objects.select_related("store").get(store__key=store_key, is_current=True)
    url = version.store.read_url or version.store.url
    columns = collection_words.columns(graph.collection(node))
    names = tuple(column.name for column in columns)
    whose = _whose(graph, node, values, person)
    try:
        store = open_store(store_key, url, policy=policy(), schema=dataset_of(version).schema)
        with store.read() as session:
            rows = list(session.rows(Groups(collection, graph.group_columns[node], (values,)), names, limit=LOOKED_AT))
    except base.StoreError as error:
        raise StoreUnavailable(str(error)) from None
    return [
        [
            Seen(column.name, column.label.get(language) or column.name, _text(value), whose.get(column.name, ""))
            for column, value in zip(columns, row, strict=True)
        ]
        for row in rows
    ]


def _whose(graph: Graph, node: Node, values: Values, person: Person) -> dict[str, str]:
    own = set()
    for identity in person.identities:
        try:
            own.add((identity.kind, canonical(identity.kind, identity.value)))
        except InvalidIdentity:
            continue
    found = identities_of(graph, node, values)
    return {name: "own" if (kind, value) in own else "other" for kind, name, value in found}


def _text(value: Any) -> str:
    if value is None or isinstance(value, bytes | memoryview):
        return ""
    text = str(value)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " …"
