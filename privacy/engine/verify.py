"""Verify: after the commit, ask the store afresh what is left under the planned link values (R21).

One statement per link for all people of the batch, like the search itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.decide import DELETE, Decision
from privacy.engine.holding import Keys
from privacy.engine.locate import Frozen
from privacy.stores.base import Session, Values

Rows = list[tuple[int, *tuple[object, ...]]]


def remaining(
    graph: Graph,
    session: Session,
    frozen: Sequence[Frozen],
    decisions: Sequence[Decision],
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[dict[str, int]]:
    """Per person {collection: rows} that should be gone and are not: doomed groups, and newcomers below the same owners."""
    keys = Keys(graph)
    doomed = [
        {node: {values for values, fate in fates.items() if fate.kind == DELETE} for node, fates in decision.fates.items()}
        for decision in decisions
    ]
    seen: list[dict[Node, dict[Values, int]]] = [{} for _ in decisions]
    for node in sorted({node for groups in doomed for node, values in groups.items() if values}):
        heartbeat()
        by = graph.group_columns[node]
        for link in graph.links:
            if link.child == node and link.owns:
                constants = link.when if link.when_node == node else {}
                rows = _owner_rows(keys, link, frozen, decisions)
                for tag, values, count in session.find(node[1], link.child_columns, rows, by, constants) if rows else ():
                    seen[tag].setdefault(node, {})[values] = count
        columns = next((key for key in graph.table(node).uniques if set(key) <= set(by)), ())
        rows = _handle_rows(keys, node, columns, doomed) if columns else []
        for tag, values, count in session.find(node[1], columns, rows, by, {}) if rows else ():
            if values in doomed[tag][node]:
                seen[tag].setdefault(node, {})[values] = count
    return [_left(decision, gone, found) for decision, gone, found in zip(decisions, doomed, seen, strict=True)]


def _left(decision: Decision, doomed: dict[Node, set[Values]], seen: dict[Node, dict[Values, int]]) -> dict[str, int]:
    left = {}
    for node, groups in seen.items():
        gone = doomed.get(node)
        count = sum(n for values, n in groups.items() if gone and (values in gone or values not in decision.fates[node]))
        if count:
            left[node[1]] = count
    return left


def _owner_rows(keys: Keys, link: Link, frozen: Sequence[Frozen], decisions: Sequence[Decision]) -> Rows:
    """Keys of owners that went, now or in an earlier run: what still hangs below them was missed. Below an owner that stays,
    rows may rightly stand."""
    rows: Rows = []
    for tag, (memory, decision) in enumerate(zip(frozen, decisions, strict=True)):
        found: dict[Values, None] = dict.fromkeys(memory.inbound.get((link.id, True), ()))
        for values, fate in decision.fates.get(link.parent, {}).items():
            if (key := keys.raw(link.parent, link.parent_columns, values)) is not None:
                if fate.kind == DELETE:
                    found[key] = None
                else:
                    found.pop(key, None)
        rows += [(tag, *key) for key in found]
    return rows


def _handle_rows(keys: Keys, node: Node, columns: tuple[str, ...], doomed: Sequence[dict[Node, set[Values]]]) -> Rows:
    places = keys.places(node, columns)
    return [
        (tag, *(values[i] for i in places))
        for tag, groups in enumerate(doomed)
        for values in groups.get(node, ())
        if all(values[i] is not None for i in places)
    ]
