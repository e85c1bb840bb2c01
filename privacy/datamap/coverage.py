"""Personal-looking columns that no map speaks of: the alarm of drift, and what fails `datamap check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from privacy.datamap.checks import reachable
from privacy.datamap.discovery import classify, sample
from privacy.datamap.discovery.names import system
from privacy.datamap.graph import Graph
from privacy.datamap.model import Collection, Field
from privacy.stores.base import Schema, Store, Table


@dataclass(frozen=True)
class Annotation:
    """A column that looks personal and has no category in the map. `mapped`: whether the file lists it at all."""

    store: str
    collection: str
    column: str
    categories: tuple[str, ...]
    confidence: float
    why: str
    mapped: bool

    def __str__(self) -> str:
        what = "has no data category in the map" if self.mapped else "is not in the map"
        looks = f"looks like {', '.join(self.categories)} ({round(self.confidence * 100)} %: {self.why})"
        return f"{self.store}: {self.collection}.{self.column}: {looks} and {what}"

    @property
    def advice(self) -> str:
        return "give it data_categories in the dataset file ([system.operations] where it is not personal) and load it again"


def unannotated(graph: Graph, key: str, store: Store) -> list[Annotation]:
    """Every such column of one store, by the names and a sample of the values in its live schema. Raises StoreError."""
    schema = store.schema()
    near = _near(graph, key, schema)
    open_columns = {}
    for name, table in schema.tables.items():
        collection = graph.datasets[key].collections.get(name)
        skipped = collection is not None and collection.skip
        if table.kind == "table" and table.name == name and not skipped and not (system(name) and name not in near):
            open_columns[name] = [column for column in table.columns if not _settled(collection, column)]
    judged = [schema.tables[name] for name, columns in open_columns.items() if columns]
    samples, _refused = sample(store, judged)
    return [
        Annotation(key, table.name, name, guess.categories, guess.confidence, guess.why, _listed(graph, key, table.name, name))
        for table in judged
        for name, guess in classify(
            table, samples.get(table.name, {}), near=table.name in near, links=set(_pointing(graph, key, schema, table))
        ).items()
        if guess.likely and name in open_columns[table.name]
    ]


def _settled(collection: Collection | None, name: str) -> bool:
    """Whether the file says what a column is: a category, an identity or a link."""
    item: Field | None = collection.fields.get(name) if collection else None
    return item is not None and bool(item.categories or item.identity or item.references)


def _listed(graph: Graph, key: str, table: str, name: str) -> bool:
    collection = graph.datasets[key].collections.get(table)
    return collection is not None and name in collection.fields


def _pointing(graph: Graph, key: str, schema: Schema, table: Table) -> Iterator[str]:
    for fk in schema.foreign_keys:
        if fk.child == table.name:
            yield from fk.child_columns
    for link in graph.links:
        if link.child == (key, table.name):
            yield from link.child_columns


def _near(graph: Graph, key: str, schema: Schema) -> set[str]:
    """The tables that belong to people: what the map reaches, and what points at it by a foreign key, mapped or not."""
    near = {
        name
        for store, name in reachable(graph)
        if store == key and any(f.personal for f in graph.collection((store, name)).fields.values())
    }
    while grown := {fk.child for fk in schema.foreign_keys if fk.parent in near} - near:
        near |= grown
    return near
