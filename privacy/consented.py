"""What is done on the ground of consent (Art. 6(1)(a)), as the loaded data maps say it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from privacy import collection_words
from privacy.datamap.model import Dataset, Purpose
from privacy.maps import dataset_of
from privacy.models import DatasetVersion, Recipient

CONSENT = "6-1-a"


@dataclass(frozen=True)
class ConsentPurpose:
    """A purpose that rests on consent. Texts are {"sv": …, "en": …} or keys; nothing here is about a person."""

    key: str
    label: dict[str, str]
    data: tuple[dict[str, str], ...]  # labels of the collections that are used for it
    recipients: tuple[str, ...]  # keys
    stores: tuple[str, ...]
    stopped_by_map: bool  # whether an objection's switch of the maps stands at what this purpose uses (R18)


def consent_purposes() -> list[ConsentPurpose]:
    """Every purpose of the current maps that rests on consent; the same key in several stores is one purpose."""
    current = DatasetVersion.objects.filter(is_current=True, store__is_active=True).order_by("store__key")
    return list(_purposes(tuple(current.values_list("pk", "assumed_confirmed_at"))))


def recipient_names(keys: tuple[str, ...]) -> list[str]:
    known = dict(Recipient.objects.filter(key__in=keys).values_list("key", "name")) if keys else {}
    return [known.get(key, key.replace("_", " ")) for key in keys]


@lru_cache(maxsize=8)
def _purposes(current: tuple[tuple[int, Any], ...]) -> tuple[ConsentPurpose, ...]:
    versions = DatasetVersion.objects.filter(pk__in=[pk for pk, _confirmed in current]).select_related("store")
    found: dict[str, ConsentPurpose] = {}
    for version in versions.order_by("store__key"):
        dataset = dataset_of(version)
        for purpose in dataset.purposes.values():
            if purpose.basis == CONSENT:
                found[purpose.key] = _joined(found.get(purpose.key), version.store.key, dataset, purpose)
    return tuple(found.values())


def _joined(before: ConsentPurpose | None, store: str, dataset: Dataset, purpose: Purpose) -> ConsentPurpose:
    used = [item for item in dataset.collections.values() if purpose.key in collection_words.purpose_keys(item)]
    data = tuple(collection_words.label(item) for item in used)
    label = dict(purpose.label) or dict.fromkeys(("sv", "en"), purpose.key.replace("_", " "))
    return ConsentPurpose(
        key=purpose.key,
        label=before.label if before else label,
        data=(*(before.data if before else ()), *data),
        recipients=tuple(dict.fromkeys((*(before.recipients if before else ()), *purpose.recipients))),
        stores=(*(before.stores if before else ()), store),
        stopped_by_map=bool(before and before.stopped_by_map) or any(item.objection for item in used),
    )
