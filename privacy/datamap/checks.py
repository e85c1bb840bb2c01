"""What a map says that the live schemas or its own links cannot keep, in words that name file, collection and field (R2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from privacy.datamap.graph import Graph, Node, start_of
from privacy.datamap.model import Dataset
from privacy.stores.base import Schema


def missing(dataset: Dataset, schema: Schema) -> Iterator[str]:
    for collection in dataset.collections.values():
        if collection.skip:
            continue
        table = schema.tables.get(collection.name)
        if table is None:
            near = next((name for name in schema.tables if name.lower() == collection.name.lower()), None)
            hint = f"; the store spells it `{near}`" if near else "; check the name, or the schema in fides_meta.namespace"
            yield f"{dataset.key}: collection `{collection.name}`: there is no such table{hint}"
            continue
        for item in collection.fields.values():
            if item.name not in table.columns:
                near = next((name for name in table.columns if name.lower() == item.name.lower()), None)
                hint = f"; the store spells it `{near}`" if near else ""
                yield f"{dataset.key}: {collection.name}.{item.name}: the table has no such column{hint}"


def passed_over(dataset: Dataset, schema: Schema) -> Iterator[str]:
    """What a live store does that the map does not know of. No error: a file made for another tool must load."""
    unmapped = [name for name, table in schema.tables.items() if table.kind == "table" and name not in dataset.collections]
    for collection in dataset.collections.values():
        table = schema.tables.get(collection.name)
        if collection.skip or table is None:
            continue
        place = f"{dataset.key}: collection `{collection.name}`"
        if table.kind != "table":
            yield f"{place}: is a view, in which no rows lie: map the tables that it reads"
        for name in unmapped if collection.personal else ():
            if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) for text in table.triggers):
                yield f"{place}: a trigger names the table `{name}`, which is not mapped: what it copies there would stay; map it"


def reachable(graph: Graph) -> set[Node]:
    """The collections that some walk from an identity reaches. What is only referred to leads on by references alone."""
    roots = {node for places in graph.identities.values() for node, _ in places}
    owned, referred, queue = set(roots), set(), list(roots)
    while queue:
        node = queue.pop()
        for link, down in graph.links_from.get(node, ()):
            target = link.child if down else link.parent
            owning = (down and node in owned) or (not down and link.joint and node in owned)
            if owning and target not in owned:
                owned.add(target)
                queue.append(target)
            elif not down and target not in owned and target not in referred:
                referred.add(target)
                queue.append(target)
    return owned | referred


def unreached(graph: Graph) -> Iterator[str]:
    reached = reachable(graph)
    for store, name in sorted(graph.nodes - reached):
        personal = [f.name for f in graph.collection((store, name)).fields.values() if f.personal]
        if personal:
            yield (
                f"{graph.datasets[store].key}: collection `{name}`: holds personal data ({', '.join(personal[:3])}) that no "
                f"identity and no link reaches; add a reference or an identity, or check a reference's direction"
            )


def unusable_keys(graph: Graph) -> Iterator[str]:
    """Links and identities are compared by equality, which lists and documents do not offer on every database."""
    for node, names in graph.group_columns.items():
        for name in names:
            if graph.column(node, name).family in ("json", "array"):
                key = graph.datasets[node[0]].key
                yield f"{key}: {node[1]}.{name}: a JSON or array column cannot carry a link, an identity or a keep rule's start"


def unlinked_starts(graph: Graph) -> Iterator[str]:
    for store, name in sorted(graph.nodes):
        collection = graph.collection((store, name))
        for keep in collection.keeps:
            place, _ = start_of(collection, keep.start)
            if place != name and not any({link.child, link.parent} == {(store, name), (store, place)} for link in graph.links):
                key = graph.datasets[store].key
                yield f"{key}: collection `{name}`: keep.from names `{keep.start}`, but no link leads to `{place}`"
