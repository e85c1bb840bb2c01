"""Facts: what the judgement needs beyond the groups that were reached, asked for all people of a batch at once (R14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from privacy.datamap.graph import Graph, Link
from privacy.engine.holding import Keys, identities_of
from privacy.engine.locate.reached import Group, Reached, Tagged
from privacy.engine.locate.subject import Subject
from privacy.stores.base import Count, Session, Values

Pointing = dict[int, dict[Values, int]]  # pointer number → parent key → rows pointing there


@dataclass
class Facts:
    """What the stores said beyond the groups themselves."""

    owners: dict[str, set[Values]] = field(default_factory=dict)  # link id → parent keys that exist
    pointing: Pointing = field(default_factory=dict)
    carried: dict[Group, list[tuple[str, str, str]]] = field(default_factory=dict)  # (node, tagged) → kind, column, identity
    occurrences: dict[tuple[str, str], dict[Group, int]] = field(
        default_factory=dict
    )  # identity → groups that carry it, and rows


def gather(
    graph: Graph,
    keys: Keys,
    sessions: Mapping[str, Session],
    subjects: Sequence[Subject],
    reached: Reached,
    fetched: Mapping[str, int],
    *,
    heartbeat: Callable[[], None],
) -> Facts:
    """Ask for them. `fetched`: {link id: groups that an owner of theirs led to}, which need not be asked for their owners."""
    asking = _Asking(graph, keys, sessions, subjects, reached, fetched, heartbeat)
    facts = Facts()
    asking.owners(facts)
    facts.pointing = count_pointing(graph, keys, sessions, asking.referred(), heartbeat=heartbeat)
    asking.occurrences(facts)
    return facts


def count_pointing(
    graph: Graph,
    keys: Keys,
    sessions: Mapping[str, Session],
    targets: Mapping[int, Iterable[Tagged]],
    *,
    heartbeat: Callable[[], None],
) -> Pointing:
    """How many rows point at each of the targets ({pointer number: groups of its parent}): one statement a store."""
    asked: dict[str, list[tuple[int, list[Values], Count]]] = {}
    for number, groups in targets.items():
        pointer = graph.pointers[number]
        wanted = {key[1:]: None for key in keys.tagged(pointer.parent, pointer.parent_columns, groups) if key is not None}
        if wanted:
            rows = [(i, *key) for i, key in enumerate(wanted)]
            count = Count(pointer.child[1], pointer.child_columns, rows, pointer.when)
            asked.setdefault(pointer.child[0], []).append((number, list(wanted), count))
    found: Pointing = {}
    for store, counts in asked.items():
        heartbeat()
        answers = sessions[store].counts([count for _, _, count in counts])
        for (number, order, _), totals in zip(counts, answers, strict=True):
            pointer = graph.pointers[number]
            found[number] = {keys.of(order[i], pointer.parent, pointer.parent_columns): total for i, total in totals.items()}
    return found


@dataclass
class _Asking:
    graph: Graph
    keys: Keys
    sessions: Mapping[str, Session]
    subjects: Sequence[Subject]
    reached: Reached
    fetched: Mapping[str, int]
    heartbeat: Callable[[], None]

    def owners(self, facts: Facts) -> None:
        """Which parents outside a person's groups exist (R10a). One statement per ownership link, none where owners led there."""
        for link in self.graph.links:
            if not link.owns or link.parent[0] not in self.sessions or self._all_by_owners(link):
                continue
            wanted: dict[Values, set[int]] = {}
            parents = self.reached.members.get(link.parent, ())
            inside = {(tagged[0], self.keys.parent(link, tagged[1:])) for tagged in parents}
            roots = self.reached.roots.get(link.child, ())
            for tagged in self.reached.members.get(link.child, ()):
                tag, values = tagged[0], tagged[1:]
                if link.when_node == link.child and not self.keys.holds(link.child, link.when, values):
                    continue
                key = None if tagged in roots else self.keys.child(link, values)
                if key is not None and (tag, key) not in inside:
                    wanted.setdefault(key, set()).add(tag)
            if wanted:
                keys = list(wanted)
                constants = link.when if link.when_node == link.parent else {}
                rows = [(number, *key) for number, key in enumerate(keys)]
                hits = self.sessions[link.parent[0]].find(link.parent[1], link.parent_columns, rows, (), constants)
                facts.owners[link.id] = {keys[number] for number, _, _ in hits}
                for key in facts.owners[link.id]:
                    self.reached.disputed |= wanted[key]

    def _all_by_owners(self, link: Link) -> bool:
        """Whether every group of the link's child was reached by this very link, from an owner in the same person's set."""
        return self.keys.alike(link) and self.fetched.get(link.id, 0) == len(self.reached.members.get(link.child, ()))

    def referred(self) -> dict[int, Iterable[Tagged]]:
        """The referenced (and jointly owned) rows at which others may point, by link and live key (R10b)."""
        out: dict[int, Iterable[Tagged]] = {}
        for number, pointer in enumerate(self.graph.pointers):
            joint = pointer.link is not None and pointer.link.joint
            groups = (self.reached.members if joint else self.reached.referred).get(pointer.parent)
            if groups and pointer.child[0] in self.sessions:
                roots = self.reached.roots.get(pointer.parent, ())
                out[number] = [tagged for tagged in groups if tagged not in roots]
        return out

    def occurrences(self, facts: Facts) -> None:
        """Where the other identities on this person's rows stand (R10c, d). One statement per identity column."""
        wanted: dict[str, set[str]] = {}
        for node in {node for places in self.graph.identities.values() for node, _ in places}:
            for tagged in self.reached.members.get(node, ()):
                if carried := identities_of(self.graph, node, tagged[1:]):
                    facts.carried[node, tagged] = carried
                    mine = self.subjects[tagged[0]].identities
                    for kind, _, value in carried:
                        if value not in mine.get(kind, ()):
                            wanted.setdefault(kind, set()).add(value)
        for kind, values in wanted.items():
            order = sorted(values)
            numbers = {value: [i] for i, value in enumerate(order)}
            for node, column in self.graph.identities.get(kind, ()):
                if node[0] in self.sessions:
                    by = self.graph.group_columns[node]
                    for i, group, count in self.sessions[node[0]].find_identity(node[1], column, kind, numbers, by):
                        facts.occurrences.setdefault((kind, order[i]), {})[node, group] = count
