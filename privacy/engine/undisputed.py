"""Undisputed: the people of whom the facts alone tell that no row is contested, which is nearly everybody.

Each test here is the cheap, one-sided form of a reason in `contest.py`: where none of them strikes, the judge would find nothing
either, and every group has the role in which it was reached. Where one strikes, the judge decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from privacy.datamap.graph import Graph, Link, Node, Pointer
from privacy.engine.facts import Facts, Found
from privacy.engine.holding import REFERRED, ROOT, Holding, Keys, carries_identity, identities_of
from privacy.engine.identity import EMAIL_KINDS
from privacy.engine.subject import Subject
from privacy.stores.base import Values

Outside = Mapping[Node, Set[Values]]


class Undisputed:
    """Tells them apart for a batch; what depends on the map alone is worked out once."""

    def __init__(self, graph: Graph, keys: Keys, facts: Facts, stores: Set[str]) -> None:
        self.graph, self.keys, self.facts = graph, keys, facts
        self.identified = {node for places in graph.identities.values() for node, _ in places}
        self.joint = {node for link in graph.links if link.joint for node in (link.child, link.parent)}
        self.owning = [link for link in graph.links if link.owns]
        self.abroad = [link for link in self.owning if link.parent[0] not in stores]
        self.pointing = [(graph.pointers[number], totals) for number, totals in facts.pointing.items()]

    def holds(self, subject: Subject, found: Found) -> bool:
        """Whether nothing speaks against any group of this person."""
        outside = {node: groups for node in found.referred if (groups := self._outside(found, node))}
        return not (
            found.disputed
            or (subject.frozen and subject.frozen.disputed)
            or not self.joint.isdisjoint(found.members)
            or any(len(found.roots[node]) > 1 for node in self.identified if node in found.roots)
            or any(link.parent in outside and link.child in found.members for link in self.owning)
            or any(self._owner_unknown(link, subject, found) for link in self.abroad)
            or any(self._others_point(pointer, totals, found, outside) for pointer, totals in self.pointing)
            or any(self._another_named(subject, found, node, outside) for node in self.identified if node in found.members)
        )

    def _outside(self, found: Found, node: Node) -> set[Values]:
        """Referenced rows that are in nobody's set: somebody else's record (R9), or what holds no personal data (R5)."""
        members, personal = found.members[node], self.graph.collection(node).personal
        if personal and node not in self.identified:
            return set()
        referred = [values for values in found.referred[node] if members[values].role == REFERRED]
        return {values for values in referred if not personal or carries_identity(self.graph, node, values)}

    def _owner_unknown(self, link: Link, subject: Subject, found: Found) -> bool:
        if subject.frozen is None or link.child not in found.members:
            return False
        foreign = subject.frozen.foreign.get(link.id, frozenset())
        roots = found.roots.get(link.child, ())
        return any(
            values not in roots and (key := self.keys.child(link, values)) is not None and key not in foreign
            for values in found.members[link.child]
        )

    def _others_point(self, pointer: Pointer, totals: Mapping[Values, int], found: Found, outside: Outside) -> bool:
        """More rows point at a referenced row than this person has (R10b)."""
        referred = found.referred.get(pointer.parent, ())
        if not referred:
            return False
        parent, columns = pointer.parent, pointer.parent_columns
        own: dict[Values, int] = {}
        if pointer.mapped and (members := found.members.get(pointer.child)):
            keys = self.keys.normals(pointer.child, pointer.child_columns, members, parent, columns)
            not_own = outside.get(pointer.child, ())
            for key, (values, member) in zip(keys, members.items(), strict=True):
                if values not in not_own and (not pointer.when or self.keys.holds(pointer.child, pointer.when, values)):
                    own[key] = own.get(key, 0) + member.count
        return any(
            totals.get(key, 0) > own.get(key, 0) for key in self.keys.normals(parent, columns, referred, parent, columns) if key
        )

    def _another_named(self, subject: Subject, found: Found, node: Node, outside: Outside) -> bool:
        """An identity that is not this person's, where it makes a row contested (R10c, d)."""
        mine, fields = subject.identities, self.graph.collection(node).fields
        for values, member in found.members[node].items():
            if values in outside.get(node, ()):
                continue
            carried = identities_of(self.graph, node, values)
            own = {kind for kind, _, value in carried if value in mine.get(kind, ())}
            for kind, name, value in carried:
                if value in mine.get(kind, ()):
                    continue
                elsewhere = any(
                    there not in found.members.get(place, ()) or there in outside.get(place, ())
                    for place, there in self.facts.occurrences.get((kind, value), ())
                )
                if elsewhere or (member.role != ROOT and mine.get(kind) and not fields[name].identity_mine):
                    return True
                if member.role == ROOT and kind in EMAIL_KINDS and mine.get(kind) and not own & EMAIL_KINDS:
                    return True
        return False

    def holding(self, found: Found) -> Holding:
        out = Holding(undisputed=True, inbound=found.inbound, astray=found.astray, changed=found.changed)
        for node, reached in found.members.items():
            outside = self._outside(found, node) if node in found.referred else set()
            others = {values: reached[values].count for values in outside if carries_identity(self.graph, node, values)}
            members = {values: member for values, member in reached.items() if values not in outside} if outside else reached
            out.others |= {node: others} if others else {}
            out.members |= {node: members} if members else {}
        return out
