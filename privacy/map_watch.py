"""Do the loaded maps still tell the truth about their live stores? Checked for engineers, and compared for drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from privacy import maps
from privacy.datamap.coverage import Annotation, unannotated
from privacy.datamap.drift import Change, compare
from privacy.datamap.joining import build
from privacy.datamap.model import DataMapError, Dataset
from privacy.models import DatasetVersion
from privacy.stores.base import Schema, Store, StoreError
from privacy.stores.registry import open_store
from privacy.stores.shape import from_shape


@dataclass(frozen=True)
class Check:
    """`problems`: what no longer fits or cannot be read. `undecided`: {store: collections without on_erasure}."""

    problems: Sequence[str]
    undecided: Mapping[str, Sequence[str]]
    annotations: Sequence[Annotation]
    stores: int


def check() -> Check:
    """Compare every loaded map with its live store, and look for personal columns that no map speaks of."""
    loaded = maps.open_maps()
    problems = list(loaded.down.values())
    try:
        build(loaded.graph.datasets, loaded.graph.schemas)
    except DataMapError as error:
        problems += error.problems
    annotations: list[Annotation] = []
    for key, store in loaded.stores.items():
        try:
            annotations += unannotated(loaded.graph, key, store)
        except StoreError as error:
            problems.append(str(error))
    undecided = {key: d.undecided for key, d in loaded.graph.datasets.items() if d.undecided}
    return Check(problems, undecided, annotations, len(loaded.graph.datasets))


@dataclass(frozen=True)
class Drift:
    """One store: what changed, which personal-looking columns no map speaks of, which links broke; or why it cannot be read."""

    store: str
    version: int
    changes: Sequence[Change] = ()
    alarms: Sequence[Annotation] = ()
    problems: Sequence[str] = ()
    error: str = ""

    @property
    def any(self) -> bool:
        return bool(self.changes or self.alarms or self.problems or self.error)


def drift() -> list[Drift]:
    """Compare each registered store with the schema its map was loaded on. One that cannot be read is named, the others go on."""
    versions = list(
        DatasetVersion.objects.filter(is_current=True, store__is_active=True).select_related("store").order_by("store__key")
    )
    datasets = {v.store.key: maps.dataset_of(v) for v in versions}
    schemas = {v.store.key: from_shape(v.shape) for v in versions}
    opened: dict[str, Store] = {}
    live: dict[str, Schema] = {}
    down: dict[str, str] = {}
    for version in versions:
        key = version.store.key
        try:
            opened[key] = open_store(key, version.store.url, policy=maps.policy(), schema=datasets[key].schema)
            live[key] = opened[key].schema()
        except StoreError as error:
            down[key] = str(error)
    graph = build(datasets, {**schemas, **live}, check=False)
    answers = []
    for version in versions:
        key = version.store.key
        if key in down:
            answers.append(Drift(key, version.version, error=down[key]))
            continue
        changes = compare(key, datasets[key], schemas[key], live[key])
        try:
            alarms: Sequence[Annotation] = unannotated(graph, key, opened[key])
        except StoreError as error:
            answers.append(Drift(key, version.version, changes, error=str(error)))
            continue
        answers.append(Drift(key, version.version, changes, alarms))
    broken = _broken(datasets, {**schemas, **live})
    return [replace(d, problems=[text for text in broken if text.startswith(f"{datasets[d.store].key}:")]) for d in answers]


def _broken(datasets: Mapping[str, Dataset], schemas: Mapping[str, Schema]) -> list[str]:
    try:
        build(datasets, schemas)
    except DataMapError as error:
        return error.problems
    return []
