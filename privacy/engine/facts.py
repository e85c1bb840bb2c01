"""Facts: what the judgement needs beyond the groups that were reached, asked for all people of a batch at once (R14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.holding import Keys, Member, Reason, identities_of
from privacy.engine.subject import Subject
from privacy.stores.base import Count, Session, Values

Group = tuple[Node, Values]


@dataclass
class Facts:
    """What the stores said beyond the groups themselves."""

    owners: dict[str, set[Values]] = field(default_factory=dict)  # link id → parent keys that exist
    pointing: dict[int, dict[Values, int]] = field(default_factory=dict)  # pointer number → parent key → rows pointing there
    occurrences: dict[tuple[str, str], set[Group]] = field(default_factory=dict)  # identity → groups that carry it


@dataclass
class Found:
    """All groups fetched for one person, with the strongest role seen; the judgement may weaken or drop them."""

    members: dict[Node, dict[Values, Member]] = field(default_factory=dict)
    roots: dict[Node, set[Values]] = field(default_factory=dict)
    referred: dict[Node, set[Values]] = field(default_factory=dict)  # by some link at least: the judgement may leave only that
    inbound: dict[tuple[str, bool], list[Values]] = field(default_factory=dict)  # (link id, downwards) → keys without an owner
    parted: dict[Group, tuple[Reason, ...]] = field(
        default_factory=dict
    )  # contested rows whose part of this person was taken out
    astray: dict[Node, int] = field(default_factory=dict)  # planned rows that stand, and were not reached
    changed: set[Node] = field(default_factory=set)  # where planned roots are gone, and others stand under the same identity
    disputed: bool = False  # something was reached that only a judge can place


def gather(
    graph: Graph,
    keys: Keys,
    sessions: Mapping[str, Session],
    subjects: Sequence[Subject],
    found: Sequence[Found],
    fetched: Mapping[str, int],
    *,
    heartbeat: Callable[[], None],
) -> Facts:
    """Ask for them. `fetched`: {link id: groups that an owner of theirs led to}, which need not be asked for their owners."""
    asking = _Asking(graph, keys, sessions, subjects, found, fetched, heartbeat)
    facts = Facts()
    asking.owners(facts)
    asking.pointers(facts)
    asking.occurrences(facts)
    return facts


@dataclass
class _Asking:
    graph: Graph
    keys: Keys
    sessions: Mapping[str, Session]
    subjects: Sequence[Subject]
    found: Sequence[Found]
    fetched: Mapping[str, int]
    heartbeat: Callable[[], None]

    def owners(self, facts: Facts) -> None:
        """Which parents outside a person's groups exist (R10a). One statement per ownership link, none where owners led there."""
        for link in self.graph.links:
            if not link.owns or link.parent[0] not in self.sessions or self._all_by_owners(link):
                continue
            wanted: dict[Values, set[int]] = {}
            for tag, found in enumerate(self.found):
                groups = found.members.get(link.child)
                if not groups:
                    continue
                inside = {self.keys.parent(link, values) for values in found.members.get(link.parent, ())}
                for values in groups:
                    if not (link.when_node != link.child or self.keys.holds(link.child, link.when, values)):
                        continue
                    key = None if values in found.roots.get(link.child, ()) else self.keys.child(link, values)
                    if key is not None and key not in inside:
                        wanted.setdefault(key, set()).add(tag)
            if wanted:
                keys = list(wanted)
                constants = link.when if link.when_node == link.parent else {}
                rows = [(number, *key) for number, key in enumerate(keys)]
                hits = self.sessions[link.parent[0]].find(link.parent[1], link.parent_columns, rows, (), constants)
                facts.owners[link.id] = {keys[number] for number, _, _ in hits}
                for key in facts.owners[link.id]:
                    for tag in wanted[key]:
                        self.found[tag].disputed = True

    def _all_by_owners(self, link: Link) -> bool:
        """Whether every group of the link's child was reached by this very link, from an owner in the same person's set."""
        if not self.keys.alike(link):
            return False
        return self.fetched.get(link.id, 0) == sum(len(found.members.get(link.child, ())) for found in self.found)

    def pointers(self, facts: Facts) -> None:
        """How many rows point at referenced (and jointly owned) rows, by link and live key (R10b): one statement a store."""
        asked: dict[str, list[tuple[int, list[Values], Count]]] = {}
        for number, pointer in enumerate(self.graph.pointers):
            if pointer.child[0] not in self.sessions:
                continue
            wanted: dict[Values, None] = {}
            joint = pointer.link is not None and pointer.link.joint
            for found in self.found:
                roots = found.roots.get(pointer.parent, ())
                for values in (found.members if joint else found.referred).get(pointer.parent, ()):
                    if values not in roots and (key := self.keys.raw(pointer.parent, pointer.parent_columns, values)) is not None:
                        wanted[key] = None
            if wanted:
                keys = list(wanted)
                rows = [(i, *key) for i, key in enumerate(keys)]
                count = Count(pointer.child[1], pointer.child_columns, rows, pointer.when)
                asked.setdefault(pointer.child[0], []).append((number, keys, count))
        for store, counts in asked.items():
            self.heartbeat()
            answers = self.sessions[store].counts([count for _, _, count in counts])
            for (number, keys, _), totals in zip(counts, answers, strict=True):
                pointer = self.graph.pointers[number]
                facts.pointing[number] = {
                    self.keys.of(keys[i], pointer.parent, pointer.parent_columns): total for i, total in totals.items()
                }

    def occurrences(self, facts: Facts) -> None:
        """Where the other identities on this person's rows stand (R10c, d). One statement per identity column."""
        wanted: dict[str, set[str]] = {}
        for subject, found in zip(self.subjects, self.found, strict=True):
            for kind, value in self._carried(found):
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

    def _carried(self, found: Found) -> Iterable[tuple[str, str]]:
        for node in {node for places in self.graph.identities.values() for node, _ in places}:
            for values in found.members.get(node, ()):
                for kind, _, value in identities_of(self.graph, node, values):
                    yield kind, value
