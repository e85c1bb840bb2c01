"""What an erasure would do to one person's data, in plain words: what goes, what a law keeps and until when, what is shared.

It comes from the same finding that staff decide on, so it is no promise: between now and the decision rows come and go. No value
stands in it, only counts and the names that the data maps give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from privacy import collection_words, own
from privacy.datamap.model import Collection, Dataset, Keep
from privacy.datamap.periods import Period
from privacy.finding import find
from privacy.maps import dataset_of
from privacy.models import DatasetVersion
from privacy.stores.patience import patience
from privacy.terms import Finding, Person

SECONDS, PER_STORE = 8, 3
Item = dict[str, Any]
# In this order: what goes, what stays without saying whose it was, what stays for now, what a person decides.
GROUPS = ("goes", "anonymous", "kept", "running", "shared", "undecided")


def outlook(person: Person) -> dict[str, Any]:
    """{"groups": {group: [item]}, "unreachable": [store name], "rows": int}, within some seconds whatever the stores do.

    An item is {"label": {language: text}, "categories": [key], "rows": int}; a kept one has "until" (ISO date or None) and
    "basis", a running one "basis" and "ends" (the label of the field whose date ends it, {language: text}).
    """
    datasets = _datasets()
    with patience(seconds=SECONDS, per_store=PER_STORE):
        findings = find([person], right="erasure").get(person.ref, {})
    groups: dict[str, list[Item]] = {name: [] for name in GROUPS}
    for key, finding in findings.items():
        for group, item in _items(datasets[key], finding, datasets):
            groups[group].append(item)
    unreachable = [datasets[key].name or key for key, finding in findings.items() if finding.status in ("unreachable", "unknown")]
    rows = sum(counts.get("rows", 0) for finding in findings.values() for counts in finding.counts.values())
    return {"groups": groups, "unreachable": unreachable, "rows": rows}


def general_outlook(language: str) -> list[dict[str, Any]]:
    """The same as the maps say it for everybody, without asking a store: [{"label", "categories", "fate", "kept": [words]}]."""
    return [
        {
            "label": collection_words.label(collection),
            "categories": collection_words.categories(collection),
            "fate": collection.on_erasure or "undecided",
            "kept": [collection_words.keep_words(dataset, collection, keep, language)["text"] for keep in collection.keeps],
        }
        for dataset in _datasets().values()
        for collection in dataset.collections.values()
        if collection.personal and not collection.skip and dataset.key != own.KEY
    ]


def _datasets() -> dict[str, Dataset]:
    current = DatasetVersion.objects.filter(is_current=True, store__is_active=True).select_related("store")
    return {version.store.key: dataset_of(version) for version in current.order_by("store__key")}


def _items(dataset: Dataset, finding: Finding, datasets: Mapping[str, Dataset]) -> Iterator[tuple[str, Item]]:
    for name, counts in finding.counts.items():
        erase, collection = counts.get("erase") or {}, dataset.collections.get(name)
        if collection is None or not counts.get("rows"):
            continue
        about = {"label": collection_words.label(collection), "categories": collection_words.categories(collection)}
        rows = {
            "goes": erase.get("delete", 0),
            "anonymous": erase.get("anonymize", 0) + erase.get("pinned", 0),
            "shared": erase.get("contested", 0) + erase.get("left", 0),
            "undecided": erase.get("undecided", 0),
        }
        yield from ((group, about | {"rows": count}) for group, count in rows.items() if count)
        yield from (_kept(about, kept, (dataset, *datasets.values())) for kept in erase.get("kept") or ())


def _kept(about: Item, kept: Mapping[str, Any], datasets: tuple[Dataset, ...]) -> tuple[str, Item]:
    item = about | {"rows": kept.get("rows", 0), "basis": kept.get("basis", ""), "until": kept.get("until")}
    rule = what_ends(item["basis"], datasets) if kept.get("start_missing") else None
    if rule is not None:
        return "running", item | {"ends": rule}
    return "kept", item


def what_ends(basis: str, datasets: Iterable[Dataset]) -> dict[str, str] | None:
    """The label of the date that ends it, where what is kept is kept until something ends (R30): a period of no length."""
    for dataset in datasets:
        for collection in dataset.collections.values():
            for keep in collection.keeps:
                if keep.period == Period() and keep.basis in basis.split("; "):
                    return _start_label(dataset, collection, keep)
    return None


def _start_label(dataset: Dataset, collection: Collection, keep: Keep) -> dict[str, str]:
    return {language: collection_words.field_label(dataset, collection, keep.start, language) for language in ("sv", "en")}
