"""The data map joined with the live schemas: which collections hang together, by which keys, and who owns whom (R6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from privacy.datamap.model import Collection, Dataset
from privacy.stores.base import Column, Schema, Table

Node = tuple[str, str]  # (store key, collection)
Pair = tuple[str, str]  # (column of the field's end, column of the target's end)


@dataclass(frozen=True)
class Link:
    """A key between two collections. Parent to child is *owns*, child to parent is *refers* (R6); flags say what is walked."""

    child: Node
    child_columns: tuple[str, ...]
    parent: Node
    parent_columns: tuple[str, ...]
    owns: bool
    refers: bool
    joint: bool = False
    when: Mapping[str, Any] = field(default_factory=dict)
    when_node: Node | None = None
    contested: str = "ask"
    on_parent_erased: str | None = None

    @cached_property
    def id(self) -> str:
        child = f"{'.'.join(self.child)}({','.join(self.child_columns)})"
        where = "".join(f"[{k}={v}]" for k, v in sorted(self.when.items()))
        return f"{child}{where}->{'.'.join(self.parent)}({','.join(self.parent_columns)})"


@dataclass(frozen=True)
class Pointer:
    """Whatever points at a mapped collection: a link of the map or a live foreign key, mapped or not (R10b, R20)."""

    child: Node  # the collection may be an unmapped table
    child_columns: tuple[str, ...]
    parent: Node
    parent_columns: tuple[str, ...]
    mapped: bool  # whether the child is a collection of the map
    enforced: bool  # a live foreign key
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    link: Link | None = None

    @property
    def when(self) -> Mapping[str, Any]:
        return self.link.when if self.link and self.link.when_node == self.child else {}


@dataclass(frozen=True)
class Graph:
    datasets: Mapping[str, Dataset]
    schemas: Mapping[str, Schema]
    links: tuple[Link, ...]
    pointers: tuple[Pointer, ...]

    def digest(self, store: str) -> str:
        """SHA-256 of the shape of the store's mapped tables (R29); computed once per graph."""
        if store not in self._digests:
            self._digests[store] = self.schemas[store].digest([name for key, name in self.nodes if key == store])
        return self._digests[store]

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {}

    def collection(self, node: Node) -> Collection:
        return self.datasets[node[0]].collections[node[1]]

    def table(self, node: Node) -> Table:
        return self.schemas[node[0]].tables[node[1]]

    def column(self, node: Node, name: str) -> Column:
        return self.table(node).columns[name]

    def is_node(self, node: Node) -> bool:
        return node in self._nodes

    @cached_property
    def _nodes(self) -> frozenset[Node]:
        return frozenset(nodes_of(self.datasets, self.schemas))

    @property
    def nodes(self) -> frozenset[Node]:
        return self._nodes

    @cached_property
    def identities(self) -> Mapping[str, tuple[tuple[Node, str], ...]]:
        """{kind: every (node, column) that carries such an identity}."""
        found: dict[str, list[tuple[Node, str]]] = {}
        for node in sorted(self._nodes):
            for item in self.collection(node).fields.values():
                if item.identity:
                    found.setdefault(item.identity, []).append((node, item.name))
        return {kind: tuple(places) for kind, places in found.items()}

    @cached_property
    def group_columns(self) -> Mapping[Node, tuple[str, ...]]:
        """The columns by which rows of a collection are told apart: those of links, live keys, identities and keep rules."""
        found: dict[Node, dict[str, None]] = {node: {} for node in sorted(self._nodes)}
        for pointer in self.pointers:
            if pointer.mapped:
                found[pointer.child].update(dict.fromkeys(pointer.child_columns))
            if pointer.parent in found:
                found[pointer.parent].update(dict.fromkeys(pointer.parent_columns))
        for link in self.links:
            if link.when_node in found:
                found[link.when_node].update(dict.fromkeys(link.when))
        for (store, _), columns in found.items():
            node = (store, _)
            collection = self.collection(node)
            columns.update(dict.fromkeys(f.name for f in collection.fields.values() if f.identity))
            if collection.keeps or collection.on_erasure in ("anonymize", "keep") or node in self._kept_along:
                # Such rows stay when their identity has gone: by their key they are known again.
                named = any(f.identity for f in collection.fields.values()) or self._may_lose_its_links(node)
                columns.update(dict.fromkeys(self.table(node).primary_key if named else ()))
            for keep in collection.keeps:
                place, name = start_of(collection, keep.start)
                if (target := (store, place)) in found:
                    found[target].setdefault(name)
        return {node: tuple(columns) for node, columns in found.items()}

    @cached_property
    def _kept_along(self) -> frozenset[Node]:
        """The collections of which a row of another may keep rows (`with`)."""
        every = [(store, collection) for store, dataset in self.datasets.items() for collection in dataset.collections.values()]
        return frozenset((store, name) for store, collection in every for keep in collection.keeps for name, _ in keep.needs)

    @cached_property
    def json_alike(self) -> frozenset[Node]:
        """The collections of which a group's values are the same in JSON."""
        return frozenset(
            node
            for node, columns in self.group_columns.items()
            if all(self.column(node, name).family in ("int", "text", "bool") for name in columns)
        )

    @cached_property
    def feeds(self) -> Mapping[str, frozenset[str]]:
        """{store key: the other stores in which its rows lead to more}."""
        found: dict[str, set[str]] = {key: set() for key in self.datasets}
        for link in self.links:
            if link.owns:
                found[link.parent[0]].add(link.child[0])
            if link.refers or link.joint:
                found[link.child[0]].add(link.parent[0])
        return {key: frozenset(fed - {key}) for key, fed in found.items()}

    def _may_lose_its_links(self, node: Node) -> bool:
        """Whether anonymizing a row may take the keys that lead to it: they are personal and no foreign key holds them."""
        fields = self.collection(node).fields
        own = (p for p in self.pointers if p.child == node and not p.enforced)
        return any(name in fields and fields[name].personal for pointer in own for name in pointer.child_columns)

    @cached_property
    def suppliers_first(self) -> tuple[str, ...]:
        """Store keys, those that lead into others before these (R19 acts in the opposite order)."""
        order: list[str] = []
        left = set(self.datasets)
        while left:
            last = sorted(key for key in left if not self.feeds[key] & left) or self._cut(left)
            order = last + order
            left -= set(last)
        return tuple(order)

    def _cut(self, left: set[str]) -> list[str]:
        """Where stores lead into each other in a circle: of one that leads nowhere else those that own nothing in it, or any."""
        beyond: dict[str, set[str]] = {}
        for key in left:
            seen = beyond[key] = {key}
            ask = [key]
            while ask:
                more = self.feeds[ask.pop()] & left - seen
                seen |= more
                ask += more
        circle = next(beyond[key] for key in sorted(left) if all(key in beyond[other] for other in beyond[key]))
        owning = {
            link.parent[0]
            for link in self.links
            if link.owns and {link.parent[0], link.child[0]} <= circle and link.child[0] != link.parent[0]
        }
        return sorted(circle - owning) or sorted(circle)[:1]

    @cached_property
    def erased_before(self) -> Mapping[str, frozenset[str]]:
        """{store key: the stores it feeds, which an erasure empties before it (R19)}; a circle of stores is cut somewhere."""
        place = {key: number for number, key in enumerate(self.suppliers_first)}
        return {key: frozenset(other for other in fed if place[other] > place[key]) for key, fed in self.feeds.items()}

    @cached_property
    def links_from(self) -> Mapping[Node, tuple[tuple[Link, bool], ...]]:
        """{node: (link, whether it is walked from parent to child)} of what may be walked from a node."""
        found: dict[Node, list[tuple[Link, bool]]] = {}
        for link in self.links:
            if link.owns:
                found.setdefault(link.parent, []).append((link, True))
            if link.refers or link.joint:
                found.setdefault(link.child, []).append((link, False))
        return {node: tuple(links) for node, links in found.items()}


def start_of(collection: Collection, path: str) -> tuple[str, str]:
    """(collection, column) of a keep or retention rule's `from`."""
    if path in collection.fields:
        return collection.name, path
    place, _, name = path.rpartition(".")
    return place, name


def nodes_of(datasets: Mapping[str, Dataset], schemas: Mapping[str, Schema]) -> Iterator[Node]:
    for key, dataset in datasets.items():
        for collection in dataset.collections.values():
            table = schemas[key].tables.get(collection.name)
            if not collection.skip and table is not None and table.kind == "table":
                yield key, collection.name
