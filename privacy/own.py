"""The application's own database as the store `insyn`: its data map, and the parts of a package that come from it (R24)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from privacy import collection_words
from privacy.datamap.categories import policy_category
from privacy.datamap.loader import parse
from privacy.datamap.model import Dataset
from privacy.datamap.periods import Period
from privacy.engine.package.export import Part
from privacy.models import Store
from privacy.processing import Held

KEY = "insyn"
FILE = Path(__file__).parent / "datasets" / "insyn.yml"

# {collection: one person's rows}: their requests and what belongs to these, some hundred rows at most
Own = Mapping[str, Sequence[Mapping[str, Any]]]


# How long we keep what is ours is the operator's to say: {collection: (setting, its unit)}.
PERIODS = {
    "requests_app_rightsrequest": ("INSYN_CASE_MONTHS", "months"),
    "requests_app_message": ("INSYN_MESSAGE_MONTHS", "months"),
    "requests_app_upload": ("INSYN_EVIDENCE_DAYS", "days"),
    "accounts_customer": ("INSYN_UNUSED_ACCOUNT_MONTHS", "months"),
}


def dataset() -> Dataset:
    """The map of our own data, with the periods that are set."""
    return _with(tuple((name, unit, getattr(settings, setting)) for name, (setting, unit) in PERIODS.items()))


@lru_cache(maxsize=4)
def _with(periods: tuple[tuple[str, str, int], ...]) -> Dataset:
    (found,) = parse(FILE.read_text(encoding="utf-8"), file=FILE.name)
    collections = dict(found.collections)
    for name, unit, count in periods:
        item = collections[name]
        period = Period(years=count // 12, months=count % 12) if unit == "months" else Period(days=count)
        assert item.retention is not None
        keeps = tuple(replace(keep, period=period) for keep in item.keeps)
        collections[name] = replace(item, retention=replace(item.retention, period=period), keeps=keeps)
    return replace(found, collections=collections)


def held(own: Own | None) -> Held:
    """What is held of one person, or of everybody (None)."""
    return Held(
        Store(key=KEY, name=dataset().name, country=settings.INSYN_COUNTRY), dataset(), None if own is None else frozenset(own)
    )


def parts(own: Own, *, language: str, portability: bool, options: Mapping[str, Any]) -> Iterator[Part]:
    """What a person gets of it: as of every other store, within the right and the categories that were asked for."""
    chosen = options.get("categories")
    for name, rows in own.items():
        collection = dataset().collections[name]
        columns = [
            column
            for column in collection_words.columns(collection)
            if (not portability or collection_words.portable(dataset(), collection, collection.fields[column.name]))
            and (not chosen or policy_category(column.categories) in chosen)
        ]
        if columns:
            yield Part(
                store=KEY,
                store_name=dataset().name,
                collection=name,
                label=collection_words.label(collection),
                purpose=collection_words.purpose_text(dataset(), collection, language=language),
                columns=tuple(columns),
                batches=_batches(rows, [column.name for column in columns]),
            )


def _batches(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Callable[[], list[list[tuple[Any, ...]]]]:
    return lambda: [[tuple(row[name] for name in names) for row in rows]]
