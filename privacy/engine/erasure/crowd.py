"""Crowd: the people of a batch whose rows all go and in which nobody else has a part. They are erased as if they were one.

That a row goes is told by its collection alone, and nobody else's row points at it; so nothing is decided group by group, and no
dict is made for a person. What is counted and verified is so for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Set
from dataclasses import dataclass

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.contested.undisputed import outnumbered
from privacy.engine.holding import OWNED, REFERRED, Keys, Member, carries_identity
from privacy.engine.locate.facts import count_pointing
from privacy.engine.locate.reached import Reached, Tagged
from privacy.engine.locate.search import Located
from privacy.stores.base import Session, Values

Rows = Mapping[Node, Mapping[Tagged, Member]]


@dataclass(frozen=True)
class Crowd:
    people: Set[int]
    rows: Rows  # all of theirs
    located: Located

    @classmethod
    def among(cls, located: Located, session: Session, store: str, able: Iterable[int], heartbeat: Callable[[], None]) -> Crowd:
        graph, reached, outside = located.graph, located.reached, located.undisputed.outside
        people = (located.undisputed.people & {*able}) - _meeting(reached) - {*reached.astray, *reached.changed}
        for node, groups in reached.members.items():
            if not _goes(graph, node):
                people -= {tagged[0] for tagged in groups if tagged not in outside.get(node, ())}
        rows = _of(located, people)
        if pointed_at := _pointed_at(located, session, store, rows, heartbeat):
            people -= pointed_at
            rows = _of(located, people)
        return cls(people, rows, located)

    def doomed(self) -> dict[Node, dict[Values, None]]:
        return {node: dict.fromkeys([tagged[1:] for tagged in groups]) for node, groups in self.rows.items()}

    def counts(self) -> dict[int, dict[str, int]]:
        """{person: {collection: rows}}."""
        out: dict[int, dict[str, int]] = {tag: {} for tag in self.people}
        for (_, name), groups in self.rows.items():
            for tagged, member in groups.items():
                counted = out[tagged[0]]
                counted[name] = counted.get(name, 0) + member.count
        return out

    def others(self) -> dict[int, dict[str, int]]:
        """The same of somebody else's records that theirs refer to (R9)."""
        graph, out = self.located.graph, dict[int, dict[str, int]]()
        for node, groups in self.located.undisputed.outside.items():
            for tagged in groups:
                if tagged[0] in self.people and carries_identity(graph, node, tagged[1:]):
                    counted = out.setdefault(tagged[0], {})
                    counted[node[1]] = counted.get(node[1], 0) + self.located.reached.members[node][tagged].count
        return out

    def owners(self, keys: Keys, link: Link) -> list[Values]:
        """(tag, *key) of all that may own rows by a link: their rows, and what led in without one."""
        rows = [key for key in keys.tagged(link.parent, link.parent_columns, self.rows.get(link.parent, ())) if key]
        for tag, ways in self.located.reached.inbound.items():
            if tag in self.people:
                rows += [(tag, *key) for key in ways.get((link.id, True), ())]
        return rows

    def without_owner(self, keys: Keys, node: Node, columns: tuple[str, ...]) -> list[Values]:
        """(tag, *key) of the rows that no owner leads to."""
        groups = [tagged for tagged, member in self.rows.get(node, {}).items() if member.role != OWNED]
        return [key for key in keys.tagged(node, columns, groups) if key]


def _goes(graph: Graph, node: Node) -> bool:
    """Whether all rows of a collection are deleted, and nothing else happens by it."""
    collection = graph.collection(node)
    deleted = collection.on_erasure == "delete" or (collection.on_erasure is None and not collection.personal)
    return deleted and not collection.keeps and not graph.table(node).triggers


def _meeting(reached: Reached) -> set[int]:
    """Those who start from the same rows or keys as somebody else of the batch."""
    first: dict[Hashable, int] = {}
    starts: list[tuple[int, Hashable]] = []
    starts += [(tagged[0], (node, tagged[1:])) for node, groups in reached.roots.items() for tagged in groups]
    starts += [(tag, (way, key)) for tag, ways in reached.inbound.items() for way, keys in ways.items() for key in keys]
    return {person for tag, start in starts if (other := first.setdefault(start, tag)) != tag for person in (tag, other)}


def _of(located: Located, people: Set[int]) -> Rows:
    """The rows of these people, as they were reached where that is all of them."""
    everybody, outside = len(people) == len(located.subjects), located.undisputed.outside
    mine = {
        node: groups
        if everybody and node not in outside
        else {t: member for t, member in groups.items() if t[0] in people and t not in outside.get(node, ())}
        for node, groups in located.reached.members.items()
    }
    return {node: groups for node, groups in mine.items() if groups}


def _pointed_at(located: Located, session: Session, store: str, rows: Rows, heartbeat: Callable[[], None]) -> set[int]:
    """The people at whose rows others point, as far as the search has not shown it."""
    graph, keys, out = located.graph, located.keys, set[int]()
    targets = {
        number: [tagged for tagged, member in rows[pointer.parent].items() if member.role != REFERRED]
        for number, pointer in enumerate(graph.pointers)
        if pointer.parent in rows and pointer.child[0] == store and not (pointer.link and pointer.link.owns)
    }
    for number, totals in count_pointing(graph, keys, {store: session}, targets, heartbeat=heartbeat).items():
        pointer = graph.pointers[number]
        out |= outnumbered(keys, pointer, totals, targets[number], rows.get(pointer.child, {}))
    return out
