"""What tables do by themselves when their rows change: triggers and rules may copy, keep or put back what was to go (R19, R20).

Nothing here costs a statement where a table has neither.
"""

from __future__ import annotations

from collections.abc import Mapping

from privacy.datamap.graph import Graph, Node
from privacy.stores.base import Assignment, Groups, Session, StoreRefused

LOOKED_AT = 1_000  # rows of one statement that are looked at again
_TELLING = ("text", "email", "uuid", "bytes")  # replacements that no chance makes equal to what stood there


def delete(graph: Graph, session: Session, node: Node, groups: Groups) -> None:
    """Delete, and see that the rows are gone. Raises StoreRefused where a trigger or a rule keeps them."""
    session.delete(groups)
    if graph.table(node).triggers and any(True for _ in session.rows(groups, groups.columns[:1], limit=1)):
        raise _kept(node, "keeps its rows from being deleted")


def update(graph: Graph, session: Session, node: Node, groups: Groups, changes: Mapping[str, Assignment]) -> None:
    """Update, and see that it holds. Raises StoreRefused where a trigger or a rule puts back what was there."""
    key = next(iter(graph.table(node).uniques), ())
    names = [name for name in changes if name not in key]
    if not graph.table(node).triggers or not key or not names:
        session.update(groups, changes)
        return
    columns = (*key, *names)
    before = {
        row[: len(key)]: row[len(key) :] for row in session.rows(groups, columns, limit=LOOKED_AT) if None not in row[: len(key)]
    }
    session.update(groups, changes)
    for row in session.rows(Groups(node[1], key, tuple(before)), columns):
        was, now = before[row[: len(key)]], row[len(key) :]
        if any(_stands(graph, node, name, changes[name], a, b) for name, a, b in zip(names, was, now, strict=True)):
            raise _kept(node, "puts back what was to be anonymized")


def _stands(graph: Graph, node: Node, name: str, change: Assignment, was: object, now: object) -> bool:
    if change.random:
        length = graph.column(node, name).length
        return was == now and was is not None and change.random in _TELLING and (length is None or length > 8)
    return change.value is None and now is not None


def _kept(node: Node, what: str) -> StoreRefused:
    return StoreRefused(f"{node[0]}: a trigger or rule of {node[1]} {what}; change it, or let the map say something else")
