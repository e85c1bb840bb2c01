"""The typed data map: what a dataset file says, after parsing and before it meets a live schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from privacy.datamap.categories import is_personal
from privacy.datamap.periods import Period, YearEnd

Label = Mapping[str, str]  # {"sv": …, "en": …}


class DataMapError(ValueError):
    """A dataset file that cannot be used. Each problem names file, collection and field, and what to change."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Reference:
    """A link as the file gives it. `direction` says which way may be walked: "from" the target here, "to" it, None both."""

    dataset: str
    collection: str
    field: str
    direction: str | None = None


@dataclass(frozen=True)
class Field:
    name: str
    categories: tuple[str, ...] = ()
    identity: str | None = None  # kind, such as "email"
    primary_key: bool = False
    data_type: str | None = None
    references: tuple[Reference, ...] = ()
    label: Label = field(default_factory=dict)
    description: str = ""
    correctable: bool = False
    identity_mine: bool = False  # whatever stands here is the person's own (R10c)
    changed_at: str | None = None  # the column that says when this contact point last changed
    purpose: str | None = None
    source: str | None = None

    @cached_property
    def personal(self) -> bool:
        return is_personal(self.categories) or self.identity is not None


@dataclass(frozen=True)
class Keep:
    """A law that still needs rows: kept `period` from `start`, only `fields` readable; `needs` is kept along elsewhere."""

    basis: str
    start: str  # column, or collection.column of a row it is linked to
    period: Period
    align: str = "none"
    fields: tuple[str, ...] = ()  # empty: all
    needs: tuple[tuple[str, str | None], ...] = ()  # (collection, field or None for the whole row)


@dataclass(frozen=True)
class Retention:
    start: str
    period: Period
    align: str = "none"
    then: str = "delete"
    basis: str = ""


@dataclass(frozen=True)
class Purpose:
    key: str
    basis: str  # "6-1-b"
    label: Label = field(default_factory=dict)
    recipients: tuple[str, ...] = ()
    transfer: str = "none"
    automated_decision: bool = False
    subjects: tuple[str, ...] = ()  # whom it is about, such as "customer" (Art. 30(1)(c))


@dataclass(frozen=True)
class LinkRule:
    """What `meta.privacy.links` says of one field's link."""

    path: str  # collection.field
    nature: str | None = None  # owns | refers | joint
    to: tuple[str, str] | None = None  # (collection, field): a polymorphic link's target
    when: Mapping[str, Any] = field(default_factory=dict)
    contested: str = "ask"  # keep | redact | ask
    on_parent_erased: str | None = None  # set_null


@dataclass(frozen=True)
class Collection:
    name: str
    fields: Mapping[str, Field]
    label: Label = field(default_factory=dict)
    description: str = ""
    purpose: str | None = None
    source: str | None = None
    on_erasure: str | None = None  # delete | anonymize | keep
    on_erasure_assumed: bool = False
    keeps: tuple[Keep, ...] = ()
    retention: Retention | None = None
    restriction: Mapping[str, Any] = field(default_factory=dict)
    objection: Mapping[str, Any] = field(default_factory=dict)
    skip: bool = False

    @cached_property
    def personal(self) -> bool:
        return any(item.personal for item in self.fields.values())

    @property
    def undecided(self) -> bool:
        return self.personal and self.on_erasure is None


@dataclass(frozen=True)
class Dataset:
    key: str  # fides_key: what references name
    collections: Mapping[str, Collection]
    name: str = ""
    schema: str | None = None  # database schema, from fides_meta.namespace
    role: str = "controller"
    controller_link: str | None = None  # role processor: collection.field that leads to the controller's row
    purposes: Mapping[str, Purpose] = field(default_factory=dict)
    links: tuple[LinkRule, ...] = ()
    keys: tuple[tuple[tuple[str, str], ...], ...] = ()  # each: (collection, field) pairs, child's half then parent's half
    hooks: Mapping[str, str] = field(default_factory=dict)
    year_end: YearEnd = field(default_factory=YearEnd)
    security: Label = field(default_factory=dict)  # how it is protected, in general words (Art. 30(1)(g))
    country: str = ""  # where it lies (ISO 3166), and what protects it outside the EEA (Art. 15(2))
    safeguard: str = ""
    warnings: tuple[str, ...] = ()
    digest: str = ""

    def fields(self) -> Iterator[tuple[Collection, Field]]:
        for collection in self.collections.values():
            for item in collection.fields.values():
                yield collection, item

    @property
    def undecided(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.collections.values() if c.undecided and not c.skip)
