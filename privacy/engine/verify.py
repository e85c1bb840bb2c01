"""Verify: after the commit, ask the store afresh what is left under the planned link values (R21).

One statement for all people of the batch where nothing is left; else one more for each place in which something is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.decide import DELETE, Decision, Fate
from privacy.engine.holding import OWNED, Keys
from privacy.stores.base import Count, Session, Values

Doomed = Mapping[Node, Mapping[Values, Fate]]


def remaining(
    graph: Graph,
    session: Session,
    decisions: Sequence[Decision],
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[dict[str, int]]:
    """Per person {collection: rows} that should be gone and are not: doomed groups, and newcomers below the same owners.

    All is counted in one statement; where that finds nothing, which is the rule, nothing more is asked.
    """
    keys = Keys(graph)
    doomed = [
        decision.fates
        if decision.goes
        else {
            node: {values: fate for values, fate in fates.items() if fate.kind == DELETE}
            for node, fates in decision.fates.items()
        }
        for decision in decisions
    ]
    asked: list[tuple[Node, Count, bool]] = []  # whether only doomed groups count, not what else hangs below an owner
    for node in sorted({node for groups in doomed for node, values in groups.items() if values}):
        for link in graph.links:
            rows = _owner_rows(keys, link, decisions) if link.child == node and link.owns else []
            if rows:
                constants = link.when if link.when_node == node else {}
                asked.append((node, Count(node[1], link.child_columns, rows, constants), False))
        by = graph.group_columns[node]
        columns = next((key for key in graph.table(node).uniques if set(key) <= set(by)), ())
        if columns and (rows := _handle_rows(keys, node, columns, doomed, decisions)):
            asked.append((node, Count(node[1], columns, rows), True))
    heartbeat()
    found = session.counts([count for _, count, _ in asked])
    seen: list[dict[Node, dict[Values, int]]] = [{} for _ in decisions]
    for (node, count, doomed_only), hits in zip(asked, found, strict=True):
        if hits:
            heartbeat()
            rows = [row for row in count.rows if row[0] in hits]
            by = graph.group_columns[node]
            for tag, values, number in session.find(node[1], count.key, rows, by, count.constants):
                if not doomed_only or values in doomed[tag][node]:
                    seen[tag].setdefault(node, {})[values] = number
    return [_left(decision, gone, groups) for decision, gone, groups in zip(decisions, doomed, seen, strict=True)]


def _left(decision: Decision, doomed: Doomed, seen: dict[Node, dict[Values, int]]) -> dict[str, int]:
    left = {}
    for node, groups in seen.items():
        gone = doomed.get(node)
        count = sum(n for values, n in groups.items() if gone and (values in gone or values not in decision.fates[node]))
        if count:
            left[node[1]] = count
    return left


def _owner_rows(keys: Keys, link: Link, decisions: Sequence[Decision]) -> list[Values]:
    """Keys of owners that went, now or in an earlier run: what still hangs below them was missed. Below an owner that stays,
    rows may rightly stand."""
    rows: list[Values] = []
    for tag, decision in enumerate(decisions):
        found: dict[Values, None] = dict.fromkeys(decision.holding.inbound.get((link.id, True), ()))
        fates = decision.fates.get(link.parent, {})
        for key, fate in zip(keys.raws(link.parent, link.parent_columns, fates), fates.values(), strict=True):
            if key is not None:
                if fate.kind == DELETE:
                    found[key] = None
                else:
                    found.pop(key, None)
        rows += [(tag, *key) for key in found]
    return rows


def _handle_rows(
    keys: Keys, node: Node, columns: tuple[str, ...], doomed: Sequence[Doomed], decisions: Sequence[Decision]
) -> list[Values]:
    """Doomed groups by a unique key; but those that are found below their owners, which all went too."""
    places = keys.places(node, columns)
    rows: list[Values] = []
    for tag, (groups, decision) in enumerate(zip(doomed, decisions, strict=True)):
        members = decision.holding.members.get(node, {})
        covered = decision.holding.undisputed and decision.goes
        for values in groups.get(node, ()):
            if not (covered and members[values].role == OWNED):
                row = (tag, *(values[i] for i in places))
                if None not in row:
                    rows.append(row)
    return rows
