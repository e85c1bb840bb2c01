"""The record of processing activities (Art. 30(1) and (2)), made of the loaded data maps, with what they leave open."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from privacy import maps, own, processing, vocabulary
from privacy.datamap.model import Collection
from privacy.engine.package.encode import guard
from privacy.information import transfer_problems
from privacy.models import DatasetVersion, Recipient, Store
from privacy.processing import Activity, Held


@dataclass(frozen=True)
class Entry:
    """One activity as the record tells of it: `told` is what a person is told of it too (Art. 15)."""

    activity: Activity
    told: dict[str, Any]
    subjects: list[str]
    security: list[tuple[str, str]]  # (data store, how it is protected)
    on_behalf_of: list[str]  # as a processor: how the controllers are found


@dataclass(frozen=True)
class Record:
    made_at: datetime
    language: str
    controller: dict[str, str]
    officer: str
    as_controller: tuple[Entry, ...]
    as_processor: tuple[Entry, ...]
    stores: tuple[dict[str, Any], ...]
    gaps: tuple[str, ...]


def record_of_processing(*, language: str, now: datetime) -> Record:
    """The record as the maps in use give it, in the language that is switched on. No store is asked."""
    held, unmapped = _all_that_is_held()
    recipients = processing.recipients_of(held)
    by_role = {role: [item for item in held if item.dataset.role == role] for role in ("controller", "processor")}
    return Record(
        made_at=now,
        language=language,
        controller=processing.controller(),
        officer=settings.INSYN_DPO_CONTACT,
        as_controller=_entries(by_role["controller"], recipients, language),
        as_processor=_entries(by_role["processor"], recipients, language),
        stores=tuple(processing.described_store(item.store) for item in held),
        gaps=tuple(_gaps(held, unmapped, recipients)),
    )


def _all_that_is_held() -> tuple[list[Held], list[Store]]:
    """Every active store with its map, the application's own data last; and the active stores that have none."""
    stores = Store.objects.filter(is_active=True).defer("url", "read_url")
    current = {v.store_id: v for v in DatasetVersion.objects.filter(is_current=True, store__is_active=True)}
    held = [Held(store, maps.dataset_of(current[store.pk])) for store in stores if store.pk in current]
    unmapped = [store for store in stores if store.pk not in current]
    return [*held, own.held(None)], unmapped


def _entries(held: Sequence[Held], recipients: dict[str, Recipient], language: str) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            activity=activity,
            told=processing.described(activity, recipients, language),
            subjects=[str(vocabulary.SUBJECTS[key]) for key in activity.purpose.subjects],
            security=[
                (item.store.name or item.store.key, text)
                for item in _stores_of(activity)
                if (text := vocabulary.chosen(dict(item.dataset.security), language, ""))
            ],
            on_behalf_of=[
                _("the customers to whom %(link)s leads") % {"link": f"{item.store.key}.{item.dataset.controller_link}"}
                for item in _stores_of(activity)
                if item.dataset.controller_link
            ],
        )
        for activity in processing.activities(held)
    )


def _stores_of(activity: Activity) -> list[Held]:
    return list({member.held.store.key: member.held for member in activity.members}.values())


# --- what is missing --------------------------------------------------------------------------------------------------


def _gaps(held: Sequence[Held], unmapped: Iterable[Store], recipients: dict[str, Recipient]) -> Iterator[str]:
    """What Art. 30 asks and the maps do not say. Each text names where it is to be written."""
    if not settings.INSYN_DPO_CONTACT:
        yield _("No data protection officer is named (INSYN_DPO_CONTACT).")
    for store in unmapped:
        yield _("%(store)s has no data map, so nothing is known of it.") % {"store": store.key}
    for item in held:
        yield from _gaps_of_store(item)
        yield from _gaps_of_collections(item)
        yield from transfer_problems(item)
    for activity in processing.activities(held):
        if activity.purpose.key and not activity.purpose.subjects:
            yield _("The purpose %(purpose)s does not say whom it is about (subjects).") % {"purpose": activity.purpose.key}
        for key in activity.purpose.recipients:
            if key not in recipients:
                yield _("The recipient %(recipient)s is not in the list of recipients.") % {"recipient": key}
    for recipient in recipients.values():
        if recipient.role == "processor" and not recipient.agreement.strip():
            yield _("The recipient %(recipient)s is a processor without an agreement (Art. 28(3)).") % {
                "recipient": recipient.key
            }


def _gaps_of_store(item: Held) -> Iterator[str]:
    place = {"store": item.store.key}
    if not item.store.country:
        yield _("%(store)s does not say in which country it lies.") % place
    if not item.dataset.security:
        yield _("%(store)s does not say how it is protected (security).") % place
    if item.dataset.role == "processor" and not item.dataset.controller_link:
        yield _("%(store)s is held for others, and nothing says for whom (role.processor).") % place


def _gaps_of_collections(item: Held) -> Iterator[str]:
    personal = [collection for collection in item.shown() if collection.personal]
    asked: list[tuple[str, Callable[[Collection], bool]]] = [
        (_("%(store)s holds personal fields without a purpose and a legal basis: %(names)s."), _without_purpose),
        (_("%(store)s holds personal fields whose source is not stated: %(names)s."), _without_source),
        (_("%(store)s has no time limit for erasure (retention): %(names)s."), lambda collection: collection.retention is None),
    ]
    for text, lacks in asked:
        if names := [collection.name for collection in personal if lacks(collection)]:
            yield text % {"store": item.store.key, "names": ", ".join(names)}


def _without_purpose(collection: Collection) -> bool:
    return any((field.purpose or collection.purpose) is None for field in collection.fields.values() if field.personal)


def _without_source(collection: Collection) -> bool:
    return any((field.source or collection.source) is None for field in collection.fields.values() if field.personal)


# --- as a table -------------------------------------------------------------------------------------------------------


def headings() -> list[str]:
    return [
        _("Our role"),
        _("Purpose"),
        _("Legal basis"),
        _("Whom it is about"),
        _("Data store"),
        _("Collection"),
        _("Categories and fields"),
        _("Where it comes from"),
        _("Recipients"),
        _("Transfers outside the EEA"),
        _("Time limit for erasure"),
        _("How it is protected"),
    ]


def rows(record: Record) -> Iterator[list[str]]:
    """A row per purpose and collection, under `headings`."""
    for role, entries in ((_("controller"), record.as_controller), (_("processor"), record.as_processor)):
        for entry in entries:
            for data in entry.told["data"]:
                yield _row(record, role, entry, data)


def _row(record: Record, role: str, entry: Entry, data: dict[str, Any]) -> list[str]:
    told = entry.told
    categories = [f"{item['name']}: {', '.join(item['fields'])}" for item in data["categories"]]
    return [
        "; ".join([role, *entry.on_behalf_of]),
        told["name"],
        told["legal_basis"]["article"],
        ", ".join(entry.subjects),
        data["store_name"],
        data["label"],
        "; ".join(categories),
        data["source"],
        "; ".join(recipient["name"] for recipient in told["recipients"]),
        "; ".join(transfers(record, entry)),
        " ".join([data["storage_period"], *(keep["text"] for keep in data["kept_by_law"])]),
        "; ".join(text for store, text in entry.security if store == data["store_name"]),
    ]


def transfers(record: Record, entry: Entry) -> list[str]:
    """“United States: standard contractual clauses (Support Inc.)” of each recipient and store outside the EEA."""
    stores = {item["key"]: item for item in record.stores}
    abroad = [*entry.told["recipients"], *(stores[key] for key in dict.fromkeys(d["store"] for d in entry.told["data"]))]
    return [
        f"{item['country_name']}: {item['transfer']['safeguard'] or '–'} ({item['name']})" for item in abroad if item["transfer"]
    ]


def as_csv(record: Record) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(headings())
    writer.writerows([guard(cell) for cell in row] for row in rows(record))
    return out.getvalue()
