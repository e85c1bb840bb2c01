"""Verify: after the commit, ask the store afresh what is left under the planned link values (R21).

One statement for all people of the batch where nothing is left; else one more for each place in which something is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.erasure.crowd import Crowd
from privacy.engine.erasure.decide import DELETE, Decision, Fate
from privacy.engine.holding import Keys
from privacy.stores.base import Count, Session, Values

Doomed = Mapping[Node, Mapping[Values, Fate]]


def remaining(
    graph: Graph,
    session: Session,
    crowd: Crowd,
    decisions: Mapping[int, Decision],
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> dict[int, dict[str, int]]:
    """{person: {collection: rows}} that should be gone and are not: doomed groups, and newcomers below the same owners.

    All is counted in one statement; where that finds nothing, which is the rule, nothing more is asked.
    """
    keys = Keys(graph)
    doomed: dict[int, Doomed] = {
        tag: {node: {v: fate for v, fate in fates.items() if fate.kind == DELETE} for node, fates in decision.fates.items()}
        for tag, decision in decisions.items()
    }
    asked: list[tuple[Node, Count, bool]] = []  # whether only doomed groups count, not what else hangs below an owner
    for node in sorted({*crowd.rows, *(node for groups in doomed.values() for node, values in groups.items() if values)}):
        for link in graph.links:
            rows = crowd.owners(keys, link) + _owner_rows(keys, link, decisions) if link.child == node and link.owns else []
            if rows:
                constants = link.when if link.when_node == node else {}
                asked.append((node, Count(node[1], link.child_columns, rows, constants), False))
        by = graph.group_columns[node]
        columns = next((key for key in graph.table(node).uniques if set(key) <= set(by)), ())
        rows = crowd.without_owner(keys, node, columns) + _handle_rows(keys, node, columns, doomed) if columns else []
        if rows:
            asked.append((node, Count(node[1], columns, rows), True))
    heartbeat()
    found = session.counts([count for _, count, _ in asked])
    seen: dict[int, dict[Node, dict[Values, int]]] = {}
    for (node, count, doomed_only), hits in zip(asked, found, strict=True):
        if hits:
            heartbeat()
            rows = [row for row in count.rows if row[0] in hits]
            by = graph.group_columns[node]
            for (tag, *group), number in session.tagged(node[1], count.key, rows, by, count.constants).items():
                values = tuple(group)
                going = doomed[tag].get(node, {}) if tag in doomed else crowd.rows.get(node, {})
                if not doomed_only or (values if tag in doomed else (tag, *values)) in going:
                    seen.setdefault(tag, {}).setdefault(node, {})[values] = number
    return {
        tag: _left(decisions[tag], doomed[tag], groups)
        if tag in doomed
        else {node[1]: sum(counts.values()) for node, counts in groups.items()}
        for tag, groups in seen.items()
    }


def _left(decision: Decision, doomed: Doomed, seen: dict[Node, dict[Values, int]]) -> dict[str, int]:
    left = {}
    for node, groups in seen.items():
        gone = doomed.get(node)
        count = sum(n for values, n in groups.items() if gone and (values in gone or values not in decision.fates[node]))
        if count:
            left[node[1]] = count
    return left


def _owner_rows(keys: Keys, link: Link, decisions: Mapping[int, Decision]) -> list[Values]:
    """Keys of owners that went, now or in an earlier run: what still hangs below them was missed. Below an owner that stays,
    rows may rightly stand."""
    rows: list[Values] = []
    for tag, decision in decisions.items():
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


def _handle_rows(keys: Keys, node: Node, columns: tuple[str, ...], doomed: Mapping[int, Doomed]) -> list[Values]:
    """Doomed groups by a unique key."""
    tagged = [(tag, *values) for tag, groups in doomed.items() for values in groups.get(node, ())]
    return [key for key in keys.tagged(node, columns, tagged) if key]
