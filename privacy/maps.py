"""The registered stores and their loaded data maps: load, check, open (R1–R3)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from privacy import audit
from privacy.datamap.checks import passed_over
from privacy.datamap.drift import compare
from privacy.datamap.graph import Graph
from privacy.datamap.joining import build
from privacy.datamap.loader import parse
from privacy.datamap.model import DataMapError, Dataset
from privacy.models import DatasetVersion, Store
from privacy.stores import base, patience
from privacy.stores.base import Schema, StoreError
from privacy.stores.registry import Policy, open_store
from privacy.stores.shape import from_shape, to_shape


@dataclass
class Maps:
    """Every active store with its current map, and the graph over all of them. `down`: {store key: why it cannot be read}."""

    graph: Graph
    stores: Mapping[str, base.Store]
    versions: Mapping[str, DatasetVersion]
    down: Mapping[str, str]

    @contextmanager
    def reading(self, key: str) -> Iterator[base.Session]:
        """A snapshot of one store, on the connection that an `opened_once` around us keeps for it."""
        shared = _shared.get()
        connect = getattr(self.stores[key], "connect", None)
        if shared is None or connect is None:
            with self.stores[key].read() as session:
                yield session
            return
        if key not in shared.connections:
            shared.connections[key] = shared.stack.enter_context(connect())
        try:
            with self.stores[key].read(shared.connections[key]) as session:
                yield session
        except StoreError:
            shared.connections.pop(key, None)  # it may be broken: the next one asks for another
            raise


@dataclass
class _Shared:
    stack: ExitStack
    maps: dict[frozenset[str] | None, Maps] = field(default_factory=dict)
    connections: dict[str, Any] = field(default_factory=dict)


_shared: ContextVar[_Shared | None] = ContextVar("shared", default=None)


@contextmanager
def opened_once() -> Iterator[None]:
    """What is opened in the block is opened once: maps, live schemas and connections. For seconds of reading, not of erasing."""
    with ExitStack() as stack:
        token = _shared.set(_Shared(stack))
        try:
            yield
        finally:
            _shared.reset(token)


def policy() -> Policy:
    return Policy(
        hosts=tuple(settings.INSYN_STORE_HOST_ALLOWLIST),
        # The demo is its user's own machine; elsewhere files lie below one root.
        sqlite_root=None if settings.DEMO else Path(settings.INSYN_SQLITE_ROOT),
        forbidden=_own_database(),
    )


def _own_database() -> tuple[str, ...]:
    own = connection.settings_dict
    host, port = own.get("HOST") or "localhost", own.get("PORT")
    if str(host).startswith("/"):
        return (f"postgresql:///{own['NAME']}?host={host}" + (f"&port={port}" if port else ""),)
    return (f"postgresql://{host}:{port or 5432}/{own['NAME']}",)


OWN_TABLES = frozenset({"privacy_auditevent", "privacy_ledgerentry", "requests_app_rightsrequest"})


def _not_our_own(key: str, schema: Schema) -> Schema:
    """The schema of a store that is not the application's database, by whatever name, address or socket its URL leads there."""
    if set(schema.tables) >= OWN_TABLES:
        raise StoreError(f"{key}: this is the application's own database, which is registered as `insyn` and not by hand")
    return schema


# -- loading ------------------------------------------------------------------------------------------------------------


def load(
    *,
    sources: Sequence[str] | Sequence[tuple[str, str]],
    urls: Mapping[str, str],
    on_erasure: str | None = None,
    strict: bool = False,
    actor: str,
    now: datetime,
) -> list[DatasetVersion]:
    """Validate dataset files against each other and the live stores, then make them current. All or nothing.

    `sources`: texts, or (file name, text). `urls`: {dataset key: URL or env:NAME}; a store registered before keeps its URL.
    Raises DataMapError with every problem, StoreError where a store cannot be used.
    """
    files = [item if isinstance(item, tuple) else (f"file {number}", item) for number, item in enumerate(sources, 1)]
    datasets = _parse_all(files)
    if unknown := sorted(set(urls) - set(datasets)):
        raise DataMapError([f"--url {unknown[0]}=…: no dataset of the files has the fides_key `{unknown[0]}`"])
    known = {store.key: store for store in Store.objects.filter(key__in=datasets)}
    if missing := sorted(set(datasets) - set(urls) - set(known)):
        raise DataMapError([f"dataset `{missing[0]}` has no store yet: say where it lies with --url {missing[0]}=URL"])
    opened = {
        key: open_store(key, urls.get(key) or known[key].url, policy=policy(), schema=d.schema) for key, d in datasets.items()
    }
    schemas = {key: _not_our_own(key, store.schema()) for key, store in opened.items()}
    datasets = {key: replace(d, warnings=(*d.warnings, *passed_over(d, schemas[key]))) for key, d in datasets.items()}
    warnings = [w for dataset in datasets.values() for w in dataset.warnings]
    if strict and warnings:
        raise DataMapError(warnings)
    others, other_shapes = _others(set(datasets))
    build({**others, **datasets}, {**other_shapes, **schemas})
    with transaction.atomic():
        return [_save(datasets[key], files, urls, schemas[key], on_erasure, actor, now) for key in datasets]


def _parse_all(files: Sequence[tuple[str, str]]) -> dict[str, Dataset]:
    datasets: dict[str, Dataset] = {}
    problems: list[str] = []
    for name, text in files:
        try:
            for dataset in parse(text, file=name):
                if dataset.key in datasets:
                    problems.append(f"{name}: the dataset `{dataset.key}` stands twice")
                datasets[dataset.key] = dataset
        except DataMapError as error:
            problems += error.problems
    if problems:
        raise DataMapError(problems)
    return datasets


def _others(own: set[str]) -> tuple[dict[str, Dataset], dict[str, Schema]]:
    """Maps that stay as they are, with the shapes they were loaded on."""
    versions = list(
        DatasetVersion.objects.filter(is_current=True, store__is_active=True).exclude(store__key__in=own).select_related("store")
    )
    return {v.store.key: dataset_of(v) for v in versions}, {v.store.key: from_shape(v.shape) for v in versions}


def _save(
    dataset: Dataset,
    files: Sequence[tuple[str, str]],
    urls: Mapping[str, str],
    schema: Schema,
    on_erasure: str | None,
    actor: str,
    now: datetime,
) -> DatasetVersion:
    source = next(text for name, text in files if any(d.key == dataset.key for d in parse(text, file=name)))
    store, _ = Store.objects.select_for_update().get_or_create(
        key=dataset.key, defaults={"url": urls.get(dataset.key, ""), "name": dataset.name, "role": dataset.role}
    )
    store.url = urls.get(dataset.key) or store.url
    store.name, store.role, store.is_active = dataset.name, dataset.role, True
    if dataset.country:
        store.country, store.safeguard = dataset.country, dataset.safeguard[:200]
    store.health, store.health_error, store.checked_at = Store.Health.OK, "", now
    store.save()
    wanted = {c for c in (on_erasure,) if c and dataset.undecided}
    digest = hashlib.sha256(f"{dataset.digest}:{''.join(wanted)}".encode()).hexdigest()
    current = store.versions.filter(is_current=True).first()
    if current and current.digest == digest and not compare(dataset.key, dataset, from_shape(current.shape), schema):
        return current  # loading the same again changes nothing; a changed schema, mapped or not, is accepted by loading
    store.versions.filter(is_current=True).update(is_current=False)
    last = store.versions.order_by("-version").values_list("version", flat=True).first() or 0
    version = DatasetVersion.objects.create(
        store=store,
        version=last + 1,
        fides_key=dataset.key,
        digest=digest,
        source=source,
        assumed=on_erasure if wanted and on_erasure else "",
        warnings=list(dataset.warnings),
        shape=to_shape(schema),
        loaded_at=now,
        loaded_by=actor,
    )
    payload = {"store": store.key, "version": version.version, "digest": digest, "assumed": version.assumed}
    audit.record(chain="system", actor=actor, action="datamap.loaded", payload=payload, now=now)
    return version


def unload(*, store_key: str, actor: str, now: datetime) -> None:
    """Take a store out of use; its versions stay as a record. Raises Store.DoesNotExist."""
    with transaction.atomic():
        store = Store.objects.select_for_update().get(key=store_key)
        store.versions.filter(is_current=True).update(is_current=False)
        store.is_active = False
        store.save(update_fields=["is_active"])
        audit.record(chain="system", actor=actor, action="datamap.unloaded", payload={"store": store.key}, now=now)


# -- reading ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _parsed(version_id: int, key: str, source: str, assumed: str) -> Dataset:
    dataset = next(d for d in parse(source, file=key) if d.key == key)
    return with_assumption(dataset, assumed)


def dataset_of(version: DatasetVersion) -> Dataset:
    """The typed map of a loaded version, its assumptions filled in where they count (R3)."""
    assumed = version.assumed if settings.DEMO or version.assumed_confirmed_at else ""
    return _parsed(version.pk, version.fides_key, version.source, assumed)


def with_assumption(dataset: Dataset, assumed: str) -> Dataset:
    """Fill `on_erasure` where the file is silent about personal data; never where a rule keeps rows."""
    if not assumed:
        return dataset
    filled = {
        name: replace(c, on_erasure=assumed, on_erasure_assumed=True) if c.undecided and not c.keeps else c
        for name, c in dataset.collections.items()
    }
    return replace(dataset, collections=filled)


def open_maps(*, only: Sequence[str] | None = None) -> Maps:
    """All active stores with a map. Those in `only` (default: all) are asked for their live schema; others stand as loaded."""
    shared = _shared.get()
    if shared is None:
        return _open(only)
    wanted = None if only is None else frozenset(only)
    if wanted not in shared.maps:
        maps = _open(only)
        if maps.down:
            return maps  # asked again by the next
        shared.maps[wanted] = maps
    return shared.maps[wanted]


def _open(only: Sequence[str] | None) -> Maps:
    versions = {
        v.store.key: v
        for v in DatasetVersion.objects.filter(is_current=True, store__is_active=True)
        .select_related("store")
        .order_by("store__key")
    }
    datasets = {key: dataset_of(version) for key, version in versions.items()}
    stores: dict[str, base.Store] = {}
    schemas: dict[str, Schema] = {}
    down: dict[str, str] = {}
    for key, version in versions.items():
        schemas[key] = from_shape(version.shape)
        if only is not None and key not in only:
            continue
        try:
            stores[key] = open_store(key, version.store.url, policy=policy(), schema=datasets[key].schema)
            live = _not_our_own(key, stores[key].schema())
            build({key: datasets[key]}, {key: live}, check=False)
            if missing := _vanished(datasets[key], live):
                raise StoreError(f"{key}: {missing}; the data map no longer fits, load it again")
            schemas[key] = live
        except StoreError as error:
            stores.pop(key, None)
            down[key] = str(error)
    if not patience.is_limited():  # who did not wait does not know
        _note_health(versions, down, set(stores))
    return Maps(build(datasets, schemas, check=False), stores, versions, down)


def erased_before() -> Mapping[str, frozenset[str]]:
    """{store key: the stores that take link values from it, which are erased before it (R19)}, by the current maps."""
    current = DatasetVersion.objects.filter(is_current=True, store__is_active=True)
    return _erased_before(frozenset(current.values_list("pk", "assumed_confirmed_at")))


@lru_cache(maxsize=8)
def _erased_before(current: frozenset[Any]) -> Mapping[str, frozenset[str]]:
    return open_maps(only=()).graph.erased_before


def _vanished(dataset: Dataset, schema: Schema) -> str:
    for collection in dataset.collections.values():
        table = schema.tables.get(collection.name)
        if collection.skip:
            continue
        if table is None:
            return f"the table of collection `{collection.name}` is gone"
        if gone := sorted(set(collection.fields) - set(table.columns)):
            return f"the column {collection.name}.{gone[0]} is gone"
    return ""


def _note_health(versions: Mapping[str, Any], down: Mapping[str, str], up: set[str]) -> None:
    for key, version in versions.items():
        if key not in down and key not in up:
            continue
        health = Store.Health.DOWN if key in down else Store.Health.OK
        if version.store.health != health or version.store.health_error != down.get(key, "")[:200]:
            Store.objects.filter(pk=version.store_id).update(
                health=health, health_error=down.get(key, "")[:200], checked_at=timezone.now()
            )
