"""Whose the data are that we hold as a processor: the customers to whom the map's link leads from a person's rows (Art. 28)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from privacy.crypto import keyed_hash
from privacy.datamap.graph import Graph, Link, Node
from privacy.maps import open_maps
from privacy.stores.base import Groups, Session, StoreError, Values
from privacy.stores.values import from_json
from privacy.terms import Identity, StoreUnavailable


@dataclass(frozen=True)
class Controller:
    """One of them. `mark` is the same each time it is found, and says nothing; without `identities` the row is gone."""

    mark: str
    identities: tuple[Identity, ...]


def controllers_of(*, store_key: str, plan: Mapping[str, Any]) -> list[Controller]:
    """The controllers of the rows of a plan, contested or not; none where the map has no link. Raises StoreUnavailable."""
    graph = open_maps(only=()).graph
    collection, _dot, field = (graph.datasets[store_key].controller_link or "").rpartition(".")
    link = next((item for item in graph.links if item.child == (store_key, collection) and item.child_columns == (field,)), None)
    if link is None:
        return []
    found: dict[Values, None] = {}
    for name, groups in plan["groups"].items():
        path = _path(graph, (store_key, name), link.child)
        if path is not None and groups:
            found |= dict.fromkeys(_followed(path, link, plan["columns"][name], groups))
    rows = _rows(link.parent, link.parent_columns, list(found), _identity_fields(graph, link.parent)) if found else {}
    return [Controller(_mark(link.parent, value), tuple(rows.get(value, ()))) for value in found]


def _path(graph: Graph, start: Node, goal: Node) -> list[Link] | None:
    """The links that lead from a row up to the one whose it is (an entry, its page, its site); none where nothing does."""
    ways: dict[Node, list[Link]] = {start: []}
    ask = [start]
    while ask:
        node = ask.pop(0)
        for link in graph.links:
            if link.child == node and link.parent[0] == goal[0] and link.parent not in ways:
                ways[link.parent] = [*ways[node], link]
                ask.append(link.parent)
    return ways.get(goal)


def _followed(path: Sequence[Link], last: Link, columns: Sequence[str], groups: Sequence[Any]) -> list[Values]:
    """The values of the last link's columns in the rows to which the path leads from these groups."""
    wanted = (path[0] if path else last).child_columns
    if not set(wanted) <= set(columns):
        return []
    places = [columns.index(name) for name in wanted]
    values = _distinct(tuple(from_json(group[0][at]) for at in places) for group in groups)
    for link, following in zip(path, [*path[1:], last], strict=True):
        values = _read(link.parent, link.parent_columns, values, following.child_columns) if values else []
    return values


def _distinct(values: Iterable[Values]) -> list[Values]:
    return list(dict.fromkeys(value for value in values if None not in value))


def _read(node: Node, columns: tuple[str, ...], values: Sequence[Values], names: tuple[str, ...]) -> list[Values]:
    with _session(node[0]) as session:
        return _distinct(session.rows(Groups(node[1], columns, tuple(values)), names))


@contextmanager
def _session(store_key: str) -> Iterator[Session]:
    maps = open_maps(only=[store_key])
    if store_key not in maps.stores:
        raise StoreUnavailable(maps.down.get(store_key, f"{store_key}: cannot be reached"))
    try:
        with maps.reading(store_key) as session:
            yield session
    except StoreError as error:
        raise StoreUnavailable(str(error)) from None


def _identity_fields(graph: Graph, node: Node) -> dict[str, str]:
    return {item.name: item.identity for item in graph.collection(node).fields.values() if item.identity}


def _rows(
    node: Node, columns: tuple[str, ...], values: Sequence[Values], fields: Mapping[str, str]
) -> dict[Values, list[Identity]]:
    out: dict[Values, list[Identity]] = {}
    with _session(node[0]) as session:
        for row in session.rows(Groups(node[1], columns, tuple(values)), (*columns, *fields)):
            key, held = row[: len(columns)], row[len(columns) :]
            out[key] = [Identity(kind, str(value)) for kind, value in zip(fields.values(), held, strict=True) if value]
    return out


def _mark(node: Node, value: Values) -> str:
    return keyed_hash(f"{node[0]}.{node[1]}:{value[0]}", purpose="controller")[1]
