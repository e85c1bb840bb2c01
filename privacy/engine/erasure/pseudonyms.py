"""Pseudonymized: an anonymized row from which a link still leads to personal data that stays (R20).

Such a row is not anonymous yet: whoever follows the link knows whose it is, until the day the kept data goes.
"""

from __future__ import annotations

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.erasure.anonymize import assignments
from privacy.engine.erasure.decide import ANONYMIZE, KEEP, Decision
from privacy.engine.holding import Keys
from privacy.stores.base import Values


def pseudonymized(graph: Graph, store: str, decision: Decision) -> dict[str, int]:
    """{collection: rows} that were anonymized and still lead to kept personal data, here or in another store."""
    if decision.goes:
        return {}
    keys = Keys(graph)
    staying = {node for node, _, fate in decision if fate.stays}
    changed = {node: set(assignments(graph, node, staying=staying)) for node in staying}
    out: dict[str, int] = {}
    for node, values, fate in decision:
        if fate.kind == ANONYMIZE and any(
            _leads(graph, keys, link, node, values, decision, changed[node]) for link in graph.links
        ):
            out[node[1]] = out.get(node[1], 0) + decision.count(node, values)
    return out


def _leads(graph: Graph, keys: Keys, link: Link, node: Node, values: Values, decision: Decision, changed: set[str]) -> bool:
    for here, columns, there, theirs in (
        (link.child, link.child_columns, link.parent, link.parent_columns),
        (link.parent, link.parent_columns, link.child, link.child_columns),
    ):
        if here != node or changed & set(columns):
            continue
        key = keys.normal(node, columns, values, link.parent, link.parent_columns)
        if key is None:
            continue
        if there[0] != node[0]:
            if _kept_elsewhere(graph, there):
                return True
        elif any(
            fate.kind == KEEP and keys.normal(there, theirs, other, link.parent, link.parent_columns) == key
            for other, fate in decision.fates.get(there, {}).items()
        ):
            return True
    return False


def _kept_elsewhere(graph: Graph, node: Node) -> bool:
    """Whether the map of another store keeps rows of a collection, by a rule of its own or along with another's."""
    collection = graph.collection(node)
    along = any(
        need == node[1] for other in graph.datasets[node[0]].collections.values() for k in other.keeps for need, _ in k.needs
    )
    return bool(collection.keeps) or collection.on_erasure == "keep" or along
