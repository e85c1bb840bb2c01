"""Redact: the fields of a shared row that are withheld from one of its people, since they identify another (R11, Art. 15(4))."""

from __future__ import annotations

from collections.abc import Mapping

from privacy.datamap.categories import policy_category, within
from privacy.datamap.graph import Graph, Node
from privacy.datamap.model import Field
from privacy.engine.holding import Member, identities_of
from privacy.stores.base import Values


def withheld_fields(
    graph: Graph, node: Node, values: Values, member: Member, own: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Fields of these rows that may be another's: names, contacts, free texts, and the keys that lead to the other.

    `own`: the person's verified identities by kind; a field that holds one of them is shown.
    """
    mine = {name for kind, name, value in identities_of(graph, node, values) if value in own.get(kind, ())}
    fields = graph.collection(node).fields.values()
    hidden = {item.name for item in fields if item.name not in mine and _may_name_another(item)}
    against = {reason.link for reason in member.reasons if reason.letter == "a"}
    for link in graph.links:
        if link.child == node and link.id in against:
            hidden |= set(link.child_columns)
    return frozenset(hidden)


def _may_name_another(item: Field) -> bool:
    if not item.personal:
        return False
    free_text = any(within(category, "user.content") for category in item.categories)
    return item.identity is not None or free_text or policy_category(item.categories) != "history"
