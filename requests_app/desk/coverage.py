"""How far a data map covers what a store holds: per collection with personal data, what is said and what is left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from privacy.datamap.categories import policy_category
from privacy.datamap.loader import parse
from privacy.datamap.model import Collection, DataMapError, Dataset
from privacy.models import DatasetVersion
from requests_app.desk.words import CATEGORY_NAMES, ON_ERASURE, period_in_words


@dataclass(frozen=True)
class Line:
    """One collection of a data map, as the store's page shows it."""

    name: str
    fields: int
    personal: int
    categories: list[str]
    on_erasure: Any
    undecided: bool
    assumed: bool
    keeps: list[str]
    retention: str


@dataclass(frozen=True)
class Coverage:
    lines: list[Line]
    figures: list[tuple[Any, str]]
    undecided: list[str]
    error: str = ""


def coverage_of(version: DatasetVersion) -> Coverage:
    """What a loaded version says about every collection with personal data, and how much it leaves open."""
    try:
        dataset = next(item for item in parse(version.source, file=version.fides_key) if item.key == version.fides_key)
    except (DataMapError, StopIteration):
        return Coverage([], [], [], error=str(_("The stored data map cannot be read with this version of Insyn; load it again.")))
    lines = [
        _line(collection, version) for collection in dataset.collections.values() if collection.personal and not collection.skip
    ]
    undecided = [line.name for line in lines if line.undecided]
    return Coverage(lines, _figures(dataset, lines), undecided)


def _line(collection: Collection, version: DatasetVersion) -> Line:
    personal = [field for field in collection.fields.values() if field.personal]
    categories = {policy_category(field.categories) for field in personal if field.categories}
    assumed = collection.on_erasure is None and bool(version.assumed)
    answer = collection.on_erasure or version.assumed
    retention = collection.retention
    return Line(
        name=collection.name,
        fields=len(collection.fields),
        personal=len(personal),
        categories=[str(CATEGORY_NAMES.get(name, name)) for name in sorted(categories)],
        on_erasure=ON_ERASURE.get(answer, answer),
        undecided=not answer,
        assumed=assumed,
        keeps=[keep.basis for keep in collection.keeps],
        retention=f"{period_in_words(retention.period)}, {ON_ERASURE.get(retention.then, retention.then)}" if retention else "",
    )


def _figures(dataset: Dataset, lines: list[Line]) -> list[tuple[Any, str]]:
    personal = [(collection, field) for collection, field in dataset.fields() if field.personal and not collection.skip]
    with_purpose = sum(1 for collection, field in personal if field.purpose or collection.purpose)
    return [
        (_("Collections with personal data"), _share(len(lines), len(dataset.collections))),
        (_("Personal fields"), _share(len(personal), sum(1 for _pair in dataset.fields()))),
        (_("Personal fields with a purpose"), _share(with_purpose, len(personal))),
        (_("Collections decided on for erasure"), _share(sum(not line.undecided for line in lines), len(lines))),
        (_("Collections with a retention rule"), _share(sum(bool(line.retention) for line in lines), len(lines))),
    ]


def _share(part: int, whole: int) -> str:
    return _("%(part)d of %(whole)d") % {"part": part, "whole": whole}
