"""Locate: which rows are a person's (DESIGN §4).

Three steps. *Reach*: from the rows that carry a verified identity along the links, one statement per link and round for all
people of the batch, remembering groups of link values. *Facts*: whatever else the judgement needs, again one statement per link.
*Judge* (`contest.py`): in memory, drop what only contested rows lead to, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.contest import Facts, judge
from privacy.engine.holding import OWNED, REFERRED, ROOT, Holding, Keys, Reason, carries_identity, identities_of
from privacy.engine.identity import canonical
from privacy.stores.base import Session, Values

Walk = tuple[Link, bool]  # True: from parent to child


@dataclass(frozen=True)
class Subject:
    """A person of the batch: canonical identities by kind, or what a plan remembered of an earlier search."""

    identities: Mapping[str, frozenset[str]]
    frozen: Frozen | None = None
    disclosed: Container[tuple[Node, Values]] = frozenset()  # contested groups that staff gave to this person

    @classmethod
    def of(cls, identities: Iterable[tuple[str, str]], **more: Any) -> Subject:
        """Raises InvalidIdentity."""
        found: dict[str, set[str]] = {}
        for kind, value in identities:
            found.setdefault(kind, set()).add(canonical(kind, value))
        return cls({kind: frozenset(values) for kind, values in found.items()}, **more)


@dataclass(frozen=True)
class Frozen:
    """What one store's plan remembers: its root groups, the keys that led in from other stores, and what those stores said."""

    store: str
    roots: Mapping[Node, Sequence[Values]] = field(default_factory=dict)
    inbound: Mapping[tuple[str, bool], Sequence[Values]] = field(default_factory=dict)  # (link id, downwards) → keys
    foreign: Mapping[str, frozenset[Values]] = field(default_factory=dict)  # link id → keys of the person's rows elsewhere
    known: Mapping[Node, Mapping[Values, tuple[Reason, ...]]] = field(default_factory=dict)  # every planned group
    referred: Mapping[Node, AbstractSet[Values]] = field(default_factory=dict)  # those that were only pointed at


@dataclass
class Found:
    """All groups fetched for one person, with the strongest role seen; the judgement may weaken or drop them."""

    counts: dict[Node, dict[Values, int]] = field(default_factory=dict)
    roots: dict[Node, set[Values]] = field(default_factory=dict)
    roles: dict[Node, dict[Values, str]] = field(default_factory=dict)
    referred: dict[Node, set[Values]] = field(default_factory=dict)  # by some link at least: the judgement may leave only that


def locate(
    graph: Graph,
    sessions: Mapping[str, Session],
    subjects: Sequence[Subject],
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[Holding]:
    """One Holding per subject, judged per person, whoever shares the batch. Stores without a session take no part."""
    search = _Search(graph, sessions, subjects, heartbeat)
    search.reach()
    search.remember()
    facts = search.facts()
    return [
        judge(graph, search.keys, subject, found.counts, found.roots, facts, tag, set(sessions))
        for tag, (subject, found) in enumerate(zip(search.subjects, search.found, strict=True))
    ]


class _Search:
    def __init__(
        self, graph: Graph, sessions: Mapping[str, Session], subjects: Sequence[Subject], heartbeat: Callable[[], None]
    ) -> None:
        self.graph = graph
        self.sessions = sessions
        self.subjects = list(subjects)
        self.heartbeat = heartbeat
        self.keys = Keys(graph)
        self.found = [Found() for _ in subjects]
        self.asked: dict[tuple[str, bool], set[tuple[int, Values]]] = {}
        self.pending: dict[tuple[str, bool], tuple[Walk, dict[tuple[int, Values], None]]] = {}

    # -- reach --------------------------------------------------------------------------------------------------------

    def reach(self) -> None:
        self._roots()
        self._frozen()
        self._walk()

    def _walk(self) -> None:
        while self.pending:
            (key, downwards), (walk, rows) = next(iter(self.pending.items()))
            del self.pending[key, downwards]
            self._follow(walk, list(rows))

    def _roots(self) -> None:
        for kind, places in self.graph.identities.items():
            wanted: dict[str, list[int]] = {}
            for tag, subject in enumerate(self.subjects):
                if subject.frozen is None:
                    for value in subject.identities.get(kind, ()):
                        wanted.setdefault(value, []).append(tag)
            for node, column in places:
                if wanted and node[0] in self.sessions:
                    self.heartbeat()
                    by = self.graph.group_columns[node]
                    for tag, values, count in self.sessions[node[0]].find_identity(node[1], column, kind, wanted, by):
                        self._admit(tag, node, values, count, ROOT)

    def _frozen(self) -> None:
        """A resumed run starts from remembered link values, never from identities (R19)."""
        links = {link.id: link for link in self.graph.links}
        roots: dict[tuple[Node, tuple[str, ...]], list[Values]] = {}
        doubted: set[tuple[int, Node, Values]] = set()
        for tag, subject in enumerate(self.subjects):
            if subject.frozen is None:
                continue
            for node, groups in subject.frozen.roots.items():
                for values in groups:
                    columns = self._handle(node, values)
                    key = tuple(values[i] for i in self.keys.places(node, columns))
                    roots.setdefault((node, columns), []).append((tag, *key))
                    if subject.frozen.known.get(node, {}).get(values) and (node, values) not in subject.disclosed:
                        doubted.add((tag, node, key))
            for (link_id, downwards), keys in subject.frozen.inbound.items():
                if link_id in links:
                    for key in keys:
                        self._ask((links[link_id], downwards), tag, key)
        for (node, columns), rows in roots.items():
            by = self.graph.group_columns[node]
            for tag, values, count in self.sessions[node[0]].find(node[1], columns, rows, by, {}):
                key = tuple(values[i] for i in self.keys.places(node, columns))
                if (tag, node, key) not in doubted or self._still_named(tag, node, values):
                    self._admit(tag, node, values, count, ROOT)

    def _still_named(self, tag: int, node: Node, values: Values) -> bool:
        """A contested row from which this person's part was taken is no longer theirs."""
        mine = self.subjects[tag].identities
        return any(value in mine.get(kind, ()) for kind, _, value in identities_of(self.graph, node, values))

    def remember(self) -> None:
        """What a planned row pointed at is still looked for when that row has gone: what stayed of the plan stays in sight."""
        for tag, node, values in list(self._gone()):
            frozen = self.subjects[tag].frozen
            assert frozen is not None
            weak = values in frozen.referred.get(node, ()) or bool(frozen.known[node][values])
            for link, downwards in self.graph.links_from.get(node, ()):
                if downwards or link.parent[0] != node[0] or (link.joint and weak):
                    continue
                if link.when_node == node and not self.keys.holds(node, link.when, values):
                    continue
                if (key := self.keys.raw(node, link.child_columns, values)) is not None:
                    self._ask((link, False), tag, key)
                    frozen = replace(
                        frozen, inbound={**frozen.inbound, (link.id, False): [*frozen.inbound.get((link.id, False), ()), key]}
                    )
            self.subjects[tag] = replace(self.subjects[tag], frozen=frozen)
        self._walk()

    def _gone(self) -> Iterator[tuple[int, Node, Values]]:
        """The planned groups that are no longer there. On a first run everything was found and nothing is asked."""
        lost: dict[tuple[Node, tuple[str, ...]], list[tuple[int, Values]]] = {}
        for tag, subject in enumerate(self.subjects):
            for node, groups in subject.frozen.known.items() if subject.frozen else ():
                found = self.found[tag].counts.get(node, {})
                for values in groups:
                    if values not in found and (columns := self._handle(node, values)):
                        lost.setdefault((node, columns), []).append((tag, values))
        for (node, columns), missing in lost.items():
            places = self.keys.places(node, columns)
            rows = [(number, *(values[i] for i in places)) for number, (_, values) in enumerate(missing)]
            standing = {number for number, _, _ in self.sessions[node[0]].find(node[1], columns, rows, (), {})}
            yield from ((tag, node, values) for number, (tag, values) in enumerate(missing) if number not in standing)

    def _handle(self, node: Node, values: Values) -> tuple[str, ...]:
        """The columns by which a remembered root is found again: a unique key if it has one, else all that is not NULL."""
        by = self.graph.group_columns[node]
        given = [name for name, value in zip(by, values, strict=True) if value is not None]
        for unique in self.graph.table(node).uniques:
            if set(unique) <= set(given):
                return tuple(unique)
        return tuple(given)

    def _follow(self, walk: Walk, rows: list[tuple[int, Values]]) -> None:
        link, downwards = walk
        target = link.child if downwards else link.parent
        if target[0] not in self.sessions:
            return
        self.heartbeat()
        columns = link.child_columns if downwards else link.parent_columns
        constants = link.when if link.when_node == target else {}
        role = OWNED if downwards or link.joint else REFERRED
        by = self.graph.group_columns[target]
        tagged = [(tag, *key) for tag, key in rows]
        for tag, values, count in self.sessions[target[0]].find(target[1], columns, tagged, by, constants):
            self._admit(tag, target, values, count, role)

    def _admit(self, tag: int, node: Node, values: Values, count: int, role: str) -> None:
        found = self.found[tag]
        roles = found.roles.setdefault(node, {})
        before = roles.get(values)
        found.counts.setdefault(node, {})[values] = count
        if role == ROOT:
            found.roots.setdefault(node, set()).add(values)
        if role == REFERRED:
            found.referred.setdefault(node, set()).add(values)
        if before in (ROOT, OWNED) or before == role:
            return
        roles[values] = role
        if role == REFERRED and self._somebody_else(node, values):
            return
        for link, downwards in self.graph.links_from.get(node, ()):
            if (downwards and role == REFERRED) or (not downwards and link.joint and not link.refers and role == REFERRED):
                continue
            if link.when_node == node and not self.keys.holds(node, link.when, values):
                continue
            columns = link.parent_columns if downwards else link.child_columns
            key = self.keys.raw(node, columns, values)
            if key is not None:
                self._ask((link, downwards), tag, key)

    def _somebody_else(self, node: Node, values: Values) -> bool:
        """R9: a referenced row with an identity is somebody's record; were it this person's it would be a root."""
        return carries_identity(self.graph, node, values)

    def _ask(self, walk: Walk, tag: int, key: Values) -> None:
        link, downwards = walk
        asked = self.asked.setdefault((link.id, downwards), set())
        if (tag, key) not in asked:
            asked.add((tag, key))
            self.pending.setdefault((link.id, downwards), (walk, {}))[1][tag, key] = None

    # -- facts --------------------------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        facts = Facts()
        self._owners(facts)
        self._pointers(facts)
        self._occurrences(facts)
        return facts

    def _owners(self, facts: Facts) -> None:
        """Which parents outside a person's groups exist (R10a). One statement per ownership link."""
        for link in self.graph.links:
            if not link.owns or link.parent[0] not in self.sessions:
                continue
            wanted: dict[Values, None] = {}
            for found in self.found:
                groups = found.counts.get(link.child)
                if not groups:
                    continue
                inside = {self.keys.parent(link, values) for values in found.counts.get(link.parent, ())}
                for values in groups:
                    if link.when_node == link.child and not self.keys.holds(link.child, link.when, values):
                        continue
                    key = None if values in found.roots.get(link.child, ()) else self.keys.child(link, values)
                    if key is not None and key not in inside:
                        wanted[key] = None
            if wanted:
                keys = list(wanted)
                constants = link.when if link.when_node == link.parent else {}
                rows = [(number, *key) for number, key in enumerate(keys)]
                hits = self.sessions[link.parent[0]].find(link.parent[1], link.parent_columns, rows, (), constants)
                facts.owners[link.id] = {keys[number] for number, _, _ in hits}

    def _pointers(self, facts: Facts) -> None:
        """How many rows point at referenced (and jointly owned) rows, by every link and live key (R10b)."""
        for number, pointer in enumerate(self.graph.pointers):
            if pointer.child[0] not in self.sessions:
                continue
            wanted: dict[Values, None] = {}
            joint = pointer.link is not None and pointer.link.joint
            for found in self.found:
                for values in (found.counts if joint else found.referred).get(pointer.parent, ()):
                    asked = values not in found.roots.get(pointer.parent, ())
                    if asked and (key := self.keys.raw(pointer.parent, pointer.parent_columns, values)) is not None:
                        wanted[key] = None
            if wanted:
                keys = list(wanted)
                rows = [(i, *key) for i, key in enumerate(keys)]
                hits = self.sessions[pointer.child[0]].find(pointer.child[1], pointer.child_columns, rows, (), pointer.when)
                totals = facts.pointing.setdefault(number, {})
                for i, _, count in hits:
                    totals[self.keys.of(keys[i], pointer.parent, pointer.parent_columns)] = count

    def _occurrences(self, facts: Facts) -> None:
        """Where the other identities on this person's rows stand (R10c, d). One statement per identity column."""
        wanted: dict[str, set[str]] = {}
        for subject, found in zip(self.subjects, self.found, strict=True):
            for node, groups in found.counts.items():
                for kind, _, value in (i for values in groups for i in identities_of(self.graph, node, values)):
                    if value not in subject.identities.get(kind, ()):
                        wanted.setdefault(kind, set()).add(value)
        for kind, values in wanted.items():
            order = sorted(values)
            numbers = {value: [i] for i, value in enumerate(order)}
            for node, column in self.graph.identities.get(kind, ()):
                if node[0] in self.sessions:
                    by = self.graph.group_columns[node]
                    for i, group, _ in self.sessions[node[0]].find_identity(node[1], column, kind, numbers, by):
                        facts.occurrences.setdefault((kind, order[i]), set()).add((node, group))
