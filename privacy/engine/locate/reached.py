"""Reached: what a search fetched for a batch of people, before anybody judged it.

A *tagged* group is (tag, *values), the tag being the number of the person: as a store answers, and as a batch is worked on, in
one dict for each collection. Only who is judged one by one gets dicts of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from privacy.datamap.graph import Graph, Node
from privacy.engine.holding import REFERRED, ROOT, Member, Reason, carries_identity
from privacy.stores.base import Values

Group = tuple[Node, Values]
Tagged = Values


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
    let_go: dict[Node, dict[Values, int]] = field(default_factory=dict)  # contested rows of the plan to which nothing leads now
    changed: set[Node] = field(default_factory=set)  # where planned roots are gone, and others stand under the same identity


@dataclass
class Reached:
    """The same of everybody in a batch."""

    members: dict[Node, dict[Tagged, Member]] = field(default_factory=dict)
    roots: dict[Node, dict[Tagged, None]] = field(default_factory=dict)
    referred: dict[Node, dict[Tagged, None]] = field(default_factory=dict)
    inbound: dict[int, dict[tuple[str, bool], list[Values]]] = field(default_factory=dict)
    parted: dict[int, dict[Group, tuple[Reason, ...]]] = field(default_factory=dict)
    astray: dict[int, dict[Node, int]] = field(default_factory=dict)
    let_go: dict[int, dict[Node, dict[Values, int]]] = field(default_factory=dict)
    changed: dict[int, set[Node]] = field(default_factory=dict)
    disputed: set[int] = field(default_factory=set)  # those for whom something was reached that only a judge can place

    def take(self, node: Node, role: str, hits: Mapping[Tagged, int]) -> Iterable[Tagged]:
        """Take in groups and their numbers of rows; answers those that are new, or stronger than they were."""
        if role == ROOT:
            self.roots.setdefault(node, {}).update(dict.fromkeys(hits))
        elif role == REFERRED:
            self.referred.setdefault(node, {}).update(dict.fromkeys(hits))
        known = self.members.setdefault(node, {})
        made = {count: Member(count, role) for count in set(hits.values())}
        if not known:
            known.update((tagged, made[count]) for tagged, count in hits.items())
            return hits
        new = {
            tagged: made[count]
            for tagged, count in hits.items()
            if (before := known.get(tagged)) is None or (before.role == REFERRED and role != REFERRED)
        }
        known.update(new)
        return new

    def outside(self, graph: Graph) -> dict[Node, set[Tagged]]:
        """Referenced rows that are in nobody's set: somebody else's record (R9), or what holds no personal data (R5)."""
        out = {}
        for node, groups in self.referred.items():
            collection, members = graph.collection(node), self.members[node]
            if collection.personal and not any(item.identity for item in collection.fields.values()):
                continue
            only = {tagged for tagged in groups if members[tagged].role == REFERRED}
            out[node] = {t for t in only if not collection.personal or carries_identity(graph, node, t[1:])}
        return {node: groups for node, groups in out.items() if groups}

    def found(self, tags: Iterable[int]) -> dict[int, Found]:
        """What was fetched for each of these people."""
        out = {
            tag: Found(
                inbound=self.inbound.get(tag, {}),
                parted=self.parted.get(tag, {}),
                astray=self.astray.get(tag, {}),
                let_go=self.let_go.get(tag, {}),
                changed=self.changed.get(tag, set()),
            )
            for tag in tags
        }
        for node, groups in self.members.items() if out else ():
            for tagged, member in groups.items():
                if (found := out.get(tagged[0])) is not None:
                    found.members.setdefault(node, {})[tagged[1:]] = member
            for tagged in self.roots.get(node, ()):
                if (found := out.get(tagged[0])) is not None:
                    found.roots.setdefault(node, set()).add(tagged[1:])
            for tagged in self.referred.get(node, ()):
                if (found := out.get(tagged[0])) is not None:
                    found.referred.setdefault(node, set()).add(tagged[1:])
        return out
