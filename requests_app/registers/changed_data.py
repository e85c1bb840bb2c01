"""Which recipients a change concerns: from what the runs report, by way of the data map, to who was given such data (Art. 19)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from privacy import collection_words, vocabulary
from privacy.datamap.model import Collection, Dataset
from requests_app.case.answers import Standing
from requests_app.models import LIFT, Right, RightsRequest, RunState, StoreRun
from requests_app.running.runs import corrections_by_store

# What a report counts where rows were really changed; what was found, kept or contested concerns no recipient.
CHANGED: Mapping[str, tuple[str, ...]] = {
    Right.RECTIFICATION: ("changed",),
    Right.ERASURE: ("deleted", "erased_earlier", "anonymized"),
    Right.RESTRICTION: ("rows",),
    LIFT: ("rows",),
}


@dataclass(frozen=True)
class Changed:
    """Rows of one collection that were changed, and who gets data of this kind."""

    collection: str  # its name in the reader's language
    values: tuple[tuple[str, Any], ...]  # (field in words, new value) of a rectification
    recipients: tuple[str, ...]  # keys
    identities: frozenset[str]  # kinds of identity by which these recipients know people: the store's data for them hold such


def changed_of(request: RightsRequest, standing: Standing, *, right: str, language: str) -> Iterator[Changed]:
    """What `right` changed in all stores, collection by collection."""
    corrections = corrections_by_store(request) if right == Right.RECTIFICATION else {}
    for run in standing.runs[request.pk]:
        dataset = standing.maps.get(run.store_id)
        if dataset is None or run.right != right or run.state != RunState.DONE:
            continue
        for collection in _touched(run, dataset):
            columns = [path.partition(".") for path in corrections.get(run.store.key, ())]
            names = [column for name, _dot, column in columns if name == collection.name]
            purposes = _purposes(collection, names if right == Right.RECTIFICATION else None)
            recipients = [
                key for purpose in purposes if purpose in dataset.purposes for key in dataset.purposes[purpose].recipients
            ]
            wanted = corrections.get(run.store.key, {})
            yield Changed(
                collection=vocabulary.chosen(collection_words.label(collection), language, collection.name),
                values=tuple(
                    (
                        collection_words.field_label(dataset, collection, name, language),
                        wanted[f"{collection.name}.{name}"]["new"],
                    )
                    for name in names
                ),
                recipients=tuple(dict.fromkeys(recipients)),
                identities=_known_by(dataset, purposes),
            )


def _touched(run: StoreRun, dataset: Dataset) -> Iterator[Collection]:
    for name, counts in (run.report or {}).get("collections", {}).items():
        if name in dataset.collections and any(counts.get(key) for key in CHANGED[run.right]):
            yield dataset.collections[name]


def _purposes(collection: Collection, names: list[str] | None) -> list[str]:
    """Of the whole collection, or of the fields that were corrected."""
    if names is None:
        return collection_words.purpose_keys(collection)
    fields = (collection.fields.get(name) for name in names)
    return list(dict.fromkeys(key for field in fields if field and (key := field.purpose or collection.purpose)))


def _known_by(dataset: Dataset, purposes: list[str]) -> frozenset[str]:
    return frozenset(
        field.identity
        for collection, field in dataset.fields()
        if field.identity and (field.purpose or collection.purpose) in purposes
    )
