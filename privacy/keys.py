"""Primary keys of the rows a search found, for operators and checks: at most a thousand per collection."""

from __future__ import annotations

from typing import Any

from privacy.datamap.graph import Graph
from privacy.engine.holding import Holding
from privacy.stores.base import Groups, Session
from privacy.stores.values import to_json

MOST = 1_000


def keys_of(graph: Graph, session: Session, store: str, holding: Holding) -> dict[str, list[list[Any]]]:
    """{collection: [[key parts], …]} sorted; a collection without a key is absent."""
    out = {}
    for node, groups in holding.in_store(store).items():
        primary = graph.table(node).primary_key
        if primary:
            rows = session.rows(Groups(node[1], graph.group_columns[node], tuple(groups)), primary, limit=MOST)
            found = [[_plain(part) for part in row] for row in rows]
            out[node[1]] = sorted(found, key=lambda key: [(str(type(part)), part) for part in key])
    return out


def _plain(value: Any) -> Any:
    written = to_json(value)
    return next(iter(written.values())) if isinstance(written, dict) else written
