"""The plain values that pass between those who handle requests and those who handle data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Identity:
    kind: str  # "email" | "phone_number" | "customer_number" | any kind the map names
    value: str


@dataclass(frozen=True)
class Person:
    ref: str
    identities: tuple[Identity, ...]


@dataclass(frozen=True)
class Finding:
    """What one store holds on one person. `counts` may be shown and stored; `plan` holds personal values: encrypt it.

    counts: {collection: {"rows": int, "contested": int, "others": int,
                          "categories": {"identification"|"contact"|"history"|"other": [field, …]},
                          "erase": {"delete": int, "anonymize": int, "pinned": int, "contested": int, "undecided": int,
                                    "kept": [{"rows": int, "basis": str, "until": "2034-01-01"|None, "fields": [..]}]}}}
    """

    status: str  # "found" | "nothing" | "unreachable" | "unknown" (hangs below an unreachable store)
    counts: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] | None = None
    digest: str = ""  # SHA-256 of plan and touched schema: what an approval is bound to (R29)
    dataset_version: int = 0
    error: str = ""  # names what to change, never a value


@dataclass(frozen=True)
class RunItem:
    """One person's part of a batch in one store.

    options by right: rectification {"set": {"collection.column": {"old": str, "new": str}}};
    restriction {"ground": "a"}; lift {"state": …}; erasure {"contested": {"collection": "keep"|"redact"|"anonymize"|"disclose"}}.
    """

    case: str
    ref: str
    identities: tuple[Identity, ...]
    plan: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunOutcome:
    """`blocked` waits for a person (reason says for what); `failed` may be tried again; `done` is true of every row."""

    status: str  # "done" | "blocked" | "failed"
    report: dict[str, Any] = field(default_factory=dict)  # {"collections": {name: counts…}}
    reason: str = ""
    state: Any = None  # restriction: previous values to keep encrypted


@dataclass(frozen=True)
class Scanned:
    """One table in which people were looked for after their erasure; `found`: {ref: [{"column", "rows", "mapped"}]}."""

    table: str
    columns: int
    found: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    error: str = ""  # why it could not be read; then nobody was looked for in it
    mark: list[Any] | None = None  # set: the table is read this far only, and holds what was found there. Values of its key


@dataclass(frozen=True)
class Contact:
    """A contact point found in this person's own, uncontested rows; `unchanged_since` is None where the store cannot tell."""

    kind: str  # "email" | "phone_number"
    value: str
    unchanged_since: datetime | None
    store: str
    field: str  # collection.column


class StoreUnavailable(Exception):
    """Connection, lock or resource trouble: try the whole batch again later. The text names the store, never a value."""


class UnknownStore(Exception):
    """No registered store with a loaded data map has this key."""
