"""Join the files' maps with the live schemas into one graph, or say everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from privacy.datamap.checks import missing, unlinked_starts, unreached, unusable_keys
from privacy.datamap.graph import Graph
from privacy.datamap.heirs import ambiguous, with_heirs
from privacy.datamap.links import pointers_of, resolve
from privacy.datamap.model import DataMapError, Dataset
from privacy.stores.base import Schema


def build(datasets: Mapping[str, Dataset], schemas: Mapping[str, Schema], *, check: bool = True) -> Graph:
    """Join maps and schemas. With `check`, raises DataMapError naming file, collection and field of everything that is wrong.

    Stores without a schema (unreachable) take no part: what hangs below them is unknown.
    """
    problems: list[str] = []
    stated = dict(datasets)
    datasets = {key: with_heirs(dataset, schemas[key]) if key in schemas else dataset for key, dataset in datasets.items()}
    live = {key: dataset for key, dataset in datasets.items() if key in schemas}
    for key, dataset in live.items():
        problems += missing(dataset, schemas[key])
    if problems and check:
        raise DataMapError(problems)
    links = list(resolve(datasets, live, schemas, problems))
    graph = Graph(live, {key: schemas[key] for key in live}, tuple(links), ())
    graph = replace(graph, pointers=tuple(pointers_of(graph)))
    if check:
        problems += ambiguous(stated, graph)
        problems += unreached(graph)
        problems += unusable_keys(graph)
        problems += unlinked_starts(graph)
        if problems:
            raise DataMapError(problems)
    return graph
