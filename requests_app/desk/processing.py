"""The record of processing as its page shows it: an activity with its data, recipients, transfers and time limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from privacy.record import Entry, Record, transfers


@dataclass(frozen=True)
class Shown:
    entry: Entry
    told: dict[str, Any]
    recipients: list[str]
    transfers: list[str]


def shown_record(record: Record) -> dict[str, Any]:
    return {
        "record": record,
        "as_controller": [_shown(record, entry) for entry in record.as_controller],
        "as_processor": [_shown(record, entry) for entry in record.as_processor],
    }


def _shown(record: Record, entry: Entry) -> Shown:
    told = entry.told
    names = [
        f"{item['name']} ({', '.join(part for part in (item['role'], item['country_name']) if part)})"
        if item["role"] or item["country_name"]
        else item["name"]
        for item in told["recipients"]
    ]
    return Shown(entry, told, names, transfers(record, entry))
