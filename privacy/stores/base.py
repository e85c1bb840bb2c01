"""What every kind of store offers the engine: its schema, a snapshot to read, a transaction to write.

Plain values in and out. A `tag` is the number of a person in the batch; `None` in a tuple is NULL. All lookups are set-based:
one statement for all people of the batch (R14).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from privacy.stores.needles import Needles

Values = tuple[Any, ...]
Mark = list[Any]  # how far a table is read: values of a key, as JSON takes them


class StoreError(Exception):
    """Something went wrong in a store. The text names the store and what to change, and never a value that was stored."""


class StoreUnavailable(StoreError):
    """Connection, lock, timeout or resource: the same again may succeed later."""


class StoreRefused(StoreError):
    """The store refused what we asked (a constraint, a type, a missing right): the same again will fail again."""


@dataclass(frozen=True)
class Column:
    name: str
    family: str  # int float decimal text bool date datetime uuid bytes json array enum ip other
    type_name: str  # as the database spells it
    nullable: bool = True
    length: int | None = None
    generated: bool = False
    exact: bool = True  # whether equality tells every two spellings apart (False: a case-insensitive collation)
    collation: str | None = None
    bits: int = 63  # int: the largest value is 2**bits - 1
    precision: tuple[int, int] | None = None
    choices: tuple[str, ...] = ()  # enum labels, or the literals of an IN check
    checked: bool = False  # a check constraint mentions the column
    free: bool = False  # whether it may hold texts of any length whatever its type says (SQLite)
    base: str = ""  # the type that values are sent as, where it is not type_name: a domain's


@dataclass(frozen=True)
class ForeignKey:
    child: str
    child_columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"


@dataclass(frozen=True)
class Table:
    name: str
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()  # the primary key is one of them
    kind: str = "table"  # table | view
    schema: str | None = None
    triggers: tuple[str, ...] = ()  # the definitions of triggers and rewrite rules
    heirs: tuple[str, ...] = ()  # tables that inherit from it (PostgreSQL); their rows are no rows of this one

    def is_unique(self, columns: Sequence[str]) -> bool:
        return any(set(key) <= set(columns) for key in self.uniques)


@dataclass(frozen=True)
class Schema:
    tables: Mapping[str, Table]
    foreign_keys: tuple[ForeignKey, ...] = ()

    def digest(self, names: Sequence[str]) -> str:
        """SHA-256 of columns, constraints, triggers and cascades of the named tables (R29)."""
        shape = []
        for name in sorted(set(names) & set(self.tables)):
            table = self.tables[name]
            columns = sorted((c.name, c.type_name, c.nullable, c.generated) for c in table.columns.values())
            keys = sorted(
                [*fk.child_columns, fk.parent, *fk.parent_columns, fk.on_delete] for fk in self.foreign_keys if fk.child == name
            )
            incoming = sorted([fk.child, *fk.child_columns, fk.on_delete] for fk in self.foreign_keys if fk.parent == name)
            shape.append([name, columns, table.primary_key, sorted(table.uniques), keys, incoming, sorted(table.triggers)])
            shape += [[name, "heirs", *sorted(table.heirs)]] if table.heirs else []
        return hashlib.sha256(json.dumps(shape).encode()).hexdigest()


@dataclass(frozen=True)
class Groups:
    """Rows of a table told apart only by what matters: one tuple of `columns` stands for all rows that share it."""

    table: str
    columns: tuple[str, ...]
    values: Sequence[Values] = field(default_factory=tuple)


@dataclass(frozen=True)
class Count:
    """How many rows of `table` carry one of `rows`, each (tag, *values of `key`), and the constants: by tag."""

    table: str
    key: tuple[str, ...]
    rows: Sequence[Values]
    constants: Mapping[str, Any] = field(default_factory=dict)


class Session(Protocol):
    """One snapshot or one transaction of a store."""

    def find(
        self, table: str, key: Sequence[str], rows: Sequence[Values], by: Sequence[str], constants: Mapping[str, Any]
    ) -> Iterator[tuple[int, Values, int]]:
        """(tag, values of `by`, number of rows) of the rows whose `key` equals one of `rows`, each (tag, *key values)."""

    def tagged(
        self, table: str, key: Sequence[str], rows: Sequence[Values], by: Sequence[str], constants: Mapping[str, Any]
    ) -> dict[Values, int]:
        """The same, whole: {(tag, *values of `by`): number of rows}."""

    def counts(self, asked: Sequence[Count]) -> list[dict[int, int]]:
        """{tag: rows} for each, in one statement; a tag without rows is left out."""

    def find_identity(
        self, table: str, column: str, kind: str, wanted: Mapping[str, Sequence[int]], by: Sequence[str]
    ) -> Iterator[tuple[int, Values, int]]:
        """The same for the rows whose `column` spells one of the canonical identities; `wanted` maps each to its tags."""

    def rows(self, groups: Groups, columns: Sequence[str], limit: int | None = None) -> Iterator[Values]:
        """The rows of the groups, streamed."""

    def batches(self, groups: Groups, columns: Sequence[str], limit: int | None = None) -> Iterator[Sequence[Values]]:
        """The same in lists, for who reads many: fewer rows in each the larger they are."""

    def distinct(self, table: str, columns: Sequence[str]) -> Iterator[Values]:
        """Every distinct tuple of the columns without a NULL, streamed."""

    def delete(self, groups: Groups) -> int: ...

    def update(self, groups: Groups, assignments: Mapping[str, Assignment]) -> int: ...

    def expired(
        self, table: str, terms: Sequence[Expiry], *, unless: Sequence[Pinned], spare: Sequence[Values], limit: int
    ) -> list[Values]:
        """Primary keys of rows whose every start lies in its range, at which no row points by `unless`, but those in `spare`."""

    def may_hold(
        self, table: str, columns: Sequence[str], needles: Needles, after: Mark | None = None
    ) -> Iterator[tuple[Sequence[Values], Mark | None]]:
        """The columns' texts in every row where one of the needles may stand, in one pass over the table.

        In lists, some of them empty, so that who reads can give a sign of life; a superset of the rows that hold one. With a list
        may come a mark: handed over as `after`, a later pass leaves out what was read up to there.
        """

    def sample(self, table: str, columns: Sequence[str], limit: int) -> list[Values]:
        """At most about `limit` rows from different parts of a table, long texts cut short; cheap however large it is."""


@dataclass(frozen=True)
class Assignment:
    """What an update writes: one value for all rows, or a fresh random valid one for each row (`value` unused)."""

    value: Any = None
    random: str | None = None  # None | "text" | "email" | "number" | "date" | "uuid" | …: see `random` of the dialects


@dataclass(frozen=True)
class Expiry:
    """A start column, of the table itself or of the row it is joined to, and the half-open range of days [since, before)."""

    column: str
    before: date
    since: date | None = None
    table: str | None = None  # joined where `on` (own column, its column) pairs are equal
    on: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Pinned:
    """A table that may point at a row: (its column, our column) pairs."""

    table: str
    on: tuple[tuple[str, str], ...]


class Store(Protocol):
    key: str

    def schema(self) -> Schema: ...

    def connect(self) -> AbstractContextManager[Any]:
        """A connection on which a transaction to write and then one to read may follow each other."""

    def read(self, connection: Any = None) -> AbstractContextManager[Session]:
        """A snapshot, on a connection of its own where none is given."""

    def write(self, connection: Any = None) -> AbstractContextManager[Session]:
        """A transaction, committed where the block ends without an error."""


NO_MATCH = object()  # what a value becomes that does not convert to a column's type (R12)
