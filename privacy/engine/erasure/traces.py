"""Traces: history tables that triggers fill while rows are erased (R19).

What was there before is compared with what is there afterwards: in one transaction nobody but our own statements adds rows, so
what has come below a changed row, or carries the person's identity, is a copy of what was just erased, and goes the same way.
Only where a touched table has triggers; elsewhere nothing is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.contested.answers import Answers
from privacy.engine.erasure.decide import ANONYMIZE, DELETE, KEEP, Decision, Fate, fate_of, forgets
from privacy.engine.holding import OWNED, Holding, Keys, Member
from privacy.engine.locate.subject import Subject
from privacy.stores.base import Session, Values

Counts = dict[tuple[int, Node, Values], int]


class Traces:
    """Made before the erasure; asked after it what has come."""

    def __init__(self, graph: Graph, session: Session, people: Sequence[tuple[Decision, Subject]]) -> None:
        self.graph, self.session, self.people = graph, session, people
        self.keys = Keys(graph)
        self.touched = {
            node
            for decision, _ in people
            for node, fates in decision.fates.items()
            if graph.table(node).triggers and any(_changed(fate) for fate in fates.values())
        }
        self.asked = self._owners() if self.touched else []
        self.updated = self._updated() if self.touched else set()
        self.before = self._by_row(self._count()) if self.touched else {}
        self.removed: list[dict[str, int]] = [{} for _ in people]  # copies deleted, by collection

    def _updated(self) -> set[Node]:
        """Where rows that stay may have other values afterwards."""
        stays = {node for decision, _ in self.people for node, _, fate in decision if fate.stays}
        return stays | {pointer.child for pointer in self.graph.pointers if forgets(self.graph, pointer)}

    def arrived(self, today: date) -> list[Decision]:
        """What to do with rows that came since, one Decision per person; nothing where none came."""
        late = [Decision(Holding()) for _ in self.people]
        now = self._count() if self.touched else {}
        for (tag, node, values), count in now.items():
            decision = self.people[tag][0]
            known = decision.of(node, values)
            row = self._row(node, values)
            expected = 0 if known and known.kind == DELETE else self.before.get((tag, node, row), 0)
            if row is None or count <= expected or (known is None and expected):
                continue  # copies that cannot be told from rows which were never in the plan are left to the residue scan
            fate = known or self._fate(node, values, count, today)
            if known is None:  # the plan's own account stays as it is, but verifying must know of the row
                decision.fates.setdefault(node, {})[values] = fate
                decision.holding.members.setdefault(node, {})[values] = Member(0, OWNED)
                decision.goes = decision.goes and fate.kind == DELETE
            if fate.kind == DELETE:
                self.removed[tag][node[1]] = self.removed[tag].get(node[1], 0) + count
            self.before[tag, node, row] = count
            late[tag].fates.setdefault(node, {})[values] = fate
            late[tag].holding.members.setdefault(node, {})[values] = Member(count, OWNED)
        return late if any(decision.fates for decision in late) else []

    def _row(self, node: Node, values: Values) -> Values | None:
        """By what a group is known again: all its values, or its key where we may have changed some; None where it has none."""
        if node not in self.updated:
            return values
        columns = self.graph.group_columns[node]
        key = next((key for key in self.graph.table(node).uniques if {*key} <= {*columns}), None)
        return tuple(values[columns.index(name)] for name in key) if key else None

    def _by_row(self, counts: Counts) -> dict[tuple[int, Node, Values | None], int]:
        out: dict[tuple[int, Node, Values | None], int] = {}
        for (tag, node, values), count in counts.items():
            row = self._row(node, values)
            out[tag, node, row] = out.get((tag, node, row), 0) + count
        return out

    def _fate(self, node: Node, values: Values, count: int, today: date) -> Fate:
        nothing = Answers(self.graph)
        return fate_of(self.graph, self.keys, node, values, Member(count, OWNED), Holding(), nothing, today)

    def _owners(self) -> list[tuple[Link, list[Values]]]:
        out: list[tuple[Link, list[Values]]] = []
        for link in self.graph.links:
            if not link.owns or link.parent not in self.touched or link.child[0] != link.parent[0]:
                continue
            rows: list[Values] = []
            for tag, decision in enumerate(decision for decision, _ in self.people):
                for values, fate in decision.fates.get(link.parent, {}).items():
                    holds = link.when_node != link.parent or self.keys.holds(link.parent, link.when, values)
                    key = self.keys.raw(link.parent, link.parent_columns, values)
                    if holds and key is not None and _changed(fate):
                        rows.append((tag, *key))
            if rows:
                out.append((link, rows))
        return out

    def _count(self) -> Counts:
        found: Counts = {}
        for link, rows in self.asked:
            constants = link.when if link.when_node == link.child else {}
            by = self.graph.group_columns[link.child]
            for tag, values, count in self.session.find(link.child[1], link.child_columns, rows, by, constants):
                found[tag, link.child, values] = count
        (store,) = {node[0] for node in self.touched}
        for kind, places in self.graph.identities.items():
            wanted: dict[str, list[int]] = {}
            for tag, (_, subject) in enumerate(self.people):
                for value in sorted(subject.identities.get(kind, ())):
                    wanted.setdefault(value, []).append(tag)
            for node, column in places:
                if node[0] == store and wanted:
                    by = self.graph.group_columns[node]
                    for tag, values, count in self.session.find_identity(node[1], column, kind, wanted, by):
                        found[tag, node, values] = count
        return found


def _changed(fate: Fate) -> bool:
    return fate.kind in (DELETE, ANONYMIZE) or (fate.kind == KEEP and fate.fields is not None)
