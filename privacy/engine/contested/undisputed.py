"""Undisputed: the people of whom the facts alone tell that no row is contested, which is nearly everybody.

Each test here is the cheap, one-sided form of a reason in `court.py`, for the whole batch at once: where none of them strikes,
the judge would find nothing either, and every group has the role in which it was reached. Where one strikes, the judge decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from privacy.datamap.graph import Graph, Link, Node, Pointer
from privacy.engine.holding import ROOT, Holding, Keys, Member, carries_identity
from privacy.engine.identity import EMAIL_KINDS
from privacy.engine.locate.facts import Facts
from privacy.engine.locate.reached import Found, Reached, Tagged
from privacy.engine.locate.subject import Subject
from privacy.stores.base import Values

Outside = Mapping[Node, Set[Tagged]]


@dataclass(frozen=True)
class Undisputed:
    """Who is, and which of the rows that they refer to are in nobody's set."""

    graph: Graph
    people: Set[int]
    outside: Outside

    @classmethod
    def among(
        cls, graph: Graph, keys: Keys, subjects: Sequence[Subject], reached: Reached, facts: Facts, stores: Set[str]
    ) -> Undisputed:
        doubts = _Doubts(graph, keys, subjects, reached, facts, reached.outside(graph))
        return cls(graph, set(range(len(subjects))) - doubts.people(stores), doubts.outside)

    def holding(self, tag: int, found: Found) -> Holding:
        out = Holding(undisputed=True, inbound=found.inbound, astray=found.astray, changed=found.changed)
        for node, reached in found.members.items():
            outside = {values for values in found.referred.get(node, ()) if (tag, *values) in self.outside.get(node, ())}
            others = {values: reached[values].count for values in outside if carries_identity(self.graph, node, values)}
            members = {values: member for values, member in reached.items() if values not in outside} if outside else reached
            out.others |= {node: others} if others else {}
            out.members |= {node: members} if members else {}
        return out


@dataclass(frozen=True)
class _Doubts:
    graph: Graph
    keys: Keys
    subjects: Sequence[Subject]
    reached: Reached
    facts: Facts
    outside: Outside

    def people(self, stores: Set[str]) -> set[int]:
        """Those against whose groups something may speak."""
        out = set(self.reached.disputed)
        out.update(tag for tag, subject in enumerate(self.subjects) if subject.frozen and subject.frozen.disputed)
        for link in self.graph.links:
            if link.joint:
                out |= self._having(link.child) | self._having(link.parent)
            if link.owns and link.parent in self.outside:
                out |= {tagged[0] for tagged in self.outside[link.parent]} & self._having(link.child)
            if link.owns and link.parent[0] not in stores:
                out.update(self._owner_unknown(link))
        for number, totals in self.facts.pointing.items():
            pointer = self.graph.pointers[number]
            targets, members = self.reached.referred.get(pointer.parent, ()), self.reached.members.get(pointer.child, {})
            out.update(outnumbered(self.keys, pointer, totals, targets, members, self.outside.get(pointer.child, frozenset())))
        for node in {node for places in self.graph.identities.values() for node, _ in places}:
            roots = Counter([tagged[0] for tagged in self.reached.roots.get(node, ())])
            out.update(tag for tag, count in roots.items() if count > 1)
        out.update(self._another_named())
        return out

    def _having(self, node: Node) -> set[int]:
        return {tagged[0] for tagged in self.reached.members.get(node, ())}

    def _owner_unknown(self, link: Link) -> Iterator[int]:
        roots = self.reached.roots.get(link.child, ())
        for tagged in self.reached.members.get(link.child, ()):
            frozen = self.subjects[tagged[0]].frozen
            key = self.keys.child(link, tagged[1:]) if frozen and tagged not in roots else None
            if frozen and key is not None and key not in frozen.foreign.get(link.id, ()):
                yield tagged[0]

    def _another_named(self) -> Iterator[int]:
        """An identity that is not this person's, where it makes a row contested (R10c, d)."""
        for (node, tagged), carried in self.facts.carried.items():
            mine = self.subjects[tagged[0]].identities
            if tagged in self.outside.get(node, ()) or all(value in mine.get(kind, ()) for kind, _, value in carried):
                continue
            own = {kind for kind, _, value in carried if value in mine.get(kind, ())}
            role, fields = self.reached.members[node][tagged].role, self.graph.collection(node).fields
            for kind, name, value in carried:
                if value in mine.get(kind, ()):
                    continue
                strange = role != ROOT and mine.get(kind) and not fields[name].identity_mine
                mailbox = role == ROOT and kind in EMAIL_KINDS and mine.get(kind) and not own & EMAIL_KINDS
                if strange or mailbox or self._elsewhere(tagged[0], kind, value):
                    yield tagged[0]

    def _elsewhere(self, tag: int, kind: str, value: str) -> bool:
        return any(
            (tag, *there) not in self.reached.members.get(place, ()) or (tag, *there) in self.outside.get(place, ())
            for place, there in self.facts.occurrences.get((kind, value), ())
        )


def outnumbered(
    keys: Keys,
    pointer: Pointer,
    totals: Mapping[Values, int],
    targets: Iterable[Tagged],
    members: Mapping[Tagged, Member],
    not_own: Set[Tagged] = frozenset(),
) -> set[int]:
    """The people at one of whose `targets` more rows point than they have among `members`; `totals`: by key."""
    parent, columns = pointer.parent, pointer.parent_columns
    wanted = [key for key in keys.tagged_normals(parent, columns, targets, parent, columns) if key and key[1:] in totals]
    own: dict[Values, int] = {}
    if pointer.mapped and wanted:
        pointing = keys.tagged_normals(pointer.child, pointer.child_columns, members, parent, columns)
        for key, (tagged, member) in zip(pointing, members.items(), strict=True):
            if key and tagged not in not_own and (not pointer.when or keys.holds(pointer.child, pointer.when, tagged[1:])):
                own[key] = own.get(key, 0) + member.count
    return {key[0] for key in wanted if totals[key[1:]] > own.get(key, 0)}
