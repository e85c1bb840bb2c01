"""Anonymize: random valid replacements, never a function of the old value (R20).

NULL where the column allows it, for nothing is more anonymous and every check passes it; else a fresh random value of the
column's type and length for every row, so that unique columns stay unique.
"""

from __future__ import annotations

from collections.abc import Iterable

from privacy.datamap.categories import within
from privacy.datamap.graph import Graph, Node
from privacy.stores.base import Assignment, Column, StoreRefused

_RANDOM = {
    "text": "text",
    "int": "int",
    "decimal": "number",
    "float": "number",
    "date": "date",
    "datetime": "date",
    "bool": "bool",
    "uuid": "uuid",
    "bytes": "bytes",
    "json": "json",
    "array": "array",
    "ip": "ip",
}


def structural(graph: Graph, node: Node, staying: Iterable[Node]) -> set[str]:
    """Columns that hold the rows together and so are no content: keys, live foreign keys, links between rows that stay."""
    table = graph.table(node)
    stay = set(staying)
    out = set(table.primary_key) | {column.name for column in table.columns.values() if column.generated}
    for pointer in graph.pointers:
        inside = pointer.child[0] == pointer.parent[0] == node[0]
        if pointer.child == node and (pointer.enforced or (inside and pointer.parent in stay)):
            out |= set(pointer.child_columns)
        if pointer.parent == node and inside and (pointer.enforced or pointer.child in stay):
            out |= set(pointer.parent_columns)
    return out


def assignments(
    graph: Graph, node: Node, *, keep: frozenset[str] = frozenset(), staying: Iterable[Node] = ()
) -> dict[str, Assignment]:
    """What an update of `node` writes so that only `keep` and what is structural stays of the personal fields."""
    fixed = structural(graph, node, staying) | keep
    out = {}
    for item in graph.collection(node).fields.values():
        if item.personal and item.name not in fixed:
            out[item.name] = replacement(graph, node, item.name)
    return out


def replacement(graph: Graph, node: Node, name: str) -> Assignment:
    column = graph.column(node, name)
    if column.nullable:
        return Assignment(None)
    if column.family == "bool":
        return Assignment(False)  # a coin toss would switch on what nobody asked for
    return Assignment(random=_kind(graph, node, column))


def _kind(graph: Graph, node: Node, column: Column) -> str:
    item = graph.collection(node).fields[column.name]
    if column.choices:
        return "choice"
    if column.family == "text":
        mail = item.identity == "email" or any(within(category, "user.contact.email") for category in item.categories)
        return "email" if mail and (column.length or 60) >= 30 else "text"
    kind = _RANDOM.get(column.family)
    if kind is None:
        raise StoreRefused(
            f"{node[0]}: {node[1]}.{column.name} cannot be anonymized (type {column.type_name}, NOT NULL); "
            f"let it be NULL, or set on_erasure: delete"
        )
    return kind
