"""Verify: after the commit, ask the store afresh what is left under the planned link values (R21)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from privacy.datamap.graph import Graph, Node
from privacy.engine import plan as plans
from privacy.engine.decide import DELETE, Decision
from privacy.engine.holding import Keys
from privacy.stores.base import Session, Values


def remaining(graph: Graph, session: Session, store: str, plan: Mapping[str, Any], decision: Decision) -> dict[str, int]:
    """Rows per collection that should be gone and are not: doomed groups still there, and newcomers below the same owners."""
    frozen = plans.read(graph, plan)
    keys = Keys(graph)
    out: dict[str, int] = {}
    for node, fates in decision.fates.items():
        doomed = {values for values, fate in fates.items() if fate.kind == DELETE}
        seen: dict[Values, int] = {}
        for link in graph.links:
            if link.child == node and link.owns:
                owners = _owner_keys(keys, link, frozen, decision)
                constants = link.when if link.when_node == node else {}
                rows = [(0, *key) for key in owners]
                hits = session.find(node[1], link.child_columns, rows, graph.group_columns[node], constants)
                seen |= {values: count for _, values, count in hits}
        for columns, rows in _handles(graph, keys, node, doomed).items():
            hits = session.find(node[1], columns, rows, graph.group_columns[node], {})
            seen |= {values: count for _, values, count in hits if values in doomed}
        left = sum(
            count
            for values, count in seen.items()
            if values in doomed or (values not in fates and _under_deleted(decision, node))
        )
        if left:
            out[node[1]] = left
    return out


def _under_deleted(decision: Decision, node: Node) -> bool:
    return any(fate.kind == DELETE for fate in decision.fates.get(node, {}).values())


def _owner_keys(keys: Keys, link: Any, frozen: Any, decision: Decision) -> list[Values]:
    """Keys of owners that went, now or in an earlier run: what still hangs below them was missed. Below an owner that stays,
    rows may rightly stand."""
    found: dict[Values, None] = dict.fromkeys(frozen.inbound.get((link.id, True), ()))
    for values, fate in decision.fates.get(link.parent, {}).items():
        if (key := keys.raw(link.parent, link.parent_columns, values)) is not None:
            if fate.kind == DELETE:
                found[key] = None
            else:
                found.pop(key, None)
    return list(found)


def _handles(graph: Graph, keys: Keys, node: Node, doomed: set[Values]) -> dict[tuple[str, ...], list[Values]]:
    """Unique keys of doomed groups, where the collection has one among its group columns."""
    columns = graph.group_columns[node]
    for unique in graph.table(node).uniques:
        if set(unique) <= set(columns):
            places = keys.places(node, tuple(unique))
            rows = [(0, *(values[i] for i in places)) for values in doomed if all(values[i] is not None for i in places)]
            return {tuple(unique): rows} if rows else {}
    return {}
