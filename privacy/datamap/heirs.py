"""Tables that inherit from a mapped one (PostgreSQL): rows of their own, under the same columns.

One that is not mapped is taken as the map says of the table it inherits from. Keys do not reach heirs: two of their rows may bear
one number, so what points at the table by number alone cannot tell which it means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from privacy.datamap.graph import Graph
from privacy.datamap.model import Dataset
from privacy.stores.base import Schema


def with_heirs(dataset: Dataset, schema: Schema) -> Dataset:
    """The map, with the heirs that it does not name."""
    collections, links, keys = dict(dataset.collections), list(dataset.links), list(dataset.keys)
    queue = list(collections)
    while queue:
        name = queue.pop()
        table = schema.tables.get(name)
        for heir in table.heirs if table else ():
            if heir in collections or heir not in schema.tables:
                continue
            collections[heir] = replace(collections[name], name=heir)
            links += [
                replace(rule, path=f"{heir}.{end}") for rule in links for at, _, end in [rule.path.partition(".")] if at == name
            ]
            keys += [
                tuple((heir if c == name and i < len(key) / 2 else c, f) for i, (c, f) in enumerate(key))
                for key in keys
                if key[0][0] == name
            ]
            queue.append(heir)
    if len(collections) == len(dataset.collections):
        return dataset
    return replace(dataset, collections=collections, links=tuple(links), keys=tuple(keys))


def ambiguous(datasets: dict[str, Dataset], graph: Graph) -> Iterator[str]:
    """Links by number alone to a table of which an heir is not mapped; heirs that no map of this store can hold."""
    for key, name in sorted(graph.nodes):
        for heir in graph.table((key, name)).heirs if graph.collection((key, name)).personal else ():
            if heir not in graph.schemas[key].tables:
                yield f"{key}: collection `{name}`: the table `{heir}` inherits from it: load that schema as a store of its own"
    for link in graph.links:
        key, name = link.parent
        heirs = [heir for heir in graph.table(link.parent).heirs if heir not in datasets[key].collections]
        told = any(p.enforced and p.child == link.child and p.parent == link.parent for p in graph.pointers)
        if heirs and not told:
            place, named = f"{link.child[1]}.{', '.join(link.child_columns)}", ", ".join(f"`{heir}`" for heir in heirs)
            yield (
                f"{key}: collection `{name}`: the tables {named} inherit from it and are not mapped, "
                f"so {place} may point at a row of theirs: map them, with links of their own"
            )
