"""Places where the contract's tables are made: one per kind of database, behind one small protocol.

A further kind of store brings a `Site` of its own and is put through `StoreContract`; one that speaks SQL subclasses `SqlSite`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from privacy.stores.base import Store
from privacy.stores.registry import Policy, open_store

Row = tuple[Any, ...]
HERE = Policy(hosts=(), sqlite_root=None)


@dataclass(frozen=True)
class Refers:
    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]
    on_delete: str = ""


@dataclass(frozen=True)
class Given:
    """A table to be made. `columns`: {name: kind}, kinds being those of `SqlSite.types`; a `!` after the kind is NOT NULL."""

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    refers: tuple[Refers, ...] = ()


class Site(Protocol):
    def make(self, *tables: Given) -> None: ...

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None: ...

    def empty(self, table: str) -> None: ...

    def all(self, table: str, columns: Sequence[str]) -> list[Row]: ...

    def open(self) -> Store: ...


class SqlSite:
    types: Mapping[str, str]
    mark = "%s"  # the driver's placeholder
    schema: str | None = None

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(self.driver_url(url), poolclass=NullPool)

    def driver_url(self, url: str) -> str:
        return url

    def open(self, **changes: Any) -> Any:
        return open_store("site", str(changes.pop("url", self.url)), policy=HERE, schema=self.schema, **changes)

    def q(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A driver's connection, as another program would have one."""
        with closing(self.engine.raw_connection()) as pooled:
            yield pooled.driver_connection

    def run(self, *statements: str) -> None:
        with self.connection() as connection, closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)
            connection.commit()

    def make(self, *tables: Given) -> None:
        self.run(*(self.create(table) for table in tables))

    def create(self, table: Given) -> str:
        lines = []
        for name, kind in table.columns.items():
            required = kind.endswith("!") or name in table.key
            lines.append(f"{self.q(name)} {self.types[kind.rstrip('!')]}{' NOT NULL' if required else ''}")
        lines += [f"PRIMARY KEY ({self._names(table.key)})"] if table.key else []
        lines += [f"UNIQUE ({self._names(unique)})" for unique in table.unique]
        for link in table.refers:
            rule = f" ON DELETE {link.on_delete}" if link.on_delete else ""
            target = f"{self.q(link.table)} ({self._names(link.target)})"
            lines.append(f"FOREIGN KEY ({self._names(link.columns)}) REFERENCES {target}{rule}")
        return f"CREATE TABLE {self.q(table.name)} ({', '.join(lines)})"

    def _names(self, names: Sequence[str]) -> str:
        return ", ".join(self.q(name) for name in names)

    def put(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        marks = ", ".join([self.mark] * len(columns))
        names = f"{self.q(table)} ({self._names(columns)})"
        if self.mark == "%s":
            names = names.replace("%", "%%")
        with self.connection() as connection, closing(connection.cursor()) as cursor:
            cursor.executemany(f"INSERT INTO {names} VALUES ({marks})", [tuple(map(self.stored, row)) for row in rows])
            connection.commit()

    def empty(self, table: str) -> None:
        self.run(f"DELETE FROM {self.q(table)}")

    def stored(self, value: Any) -> Any:
        """A value as this driver takes it."""
        return value

    def all(self, table: str, columns: Sequence[str]) -> list[Row]:
        with self.connection() as connection, closing(connection.cursor()) as cursor:
            cursor.execute(f"SELECT {self._names(columns)} FROM {self.q(table)}")
            return sorted((tuple(row) for row in cursor.fetchall()), key=repr)

    def close(self) -> None:
        self.engine.dispose()


class PostgresSite(SqlSite):
    types: Mapping[str, str] = {
        "int": "integer",
        "bigint": "bigint",
        "smallint": "smallint",
        "text": "text",
        "text20": "varchar(20)",
        "lenient": "text COLLATE lenient",
        "decimal": "numeric(10,2)",
        "float": "double precision",
        "bool": "boolean",
        "date": "date",
        "datetime": "timestamp",
        "uuid": "uuid",
        "bytes": "bytea",
        "json": "jsonb",
    }

    def __init__(self, url: str, schema: str) -> None:
        super().__init__(url)
        self.run(f'CREATE SCHEMA "{schema}"')
        self.schema = schema
        lenient = "CREATE COLLATION lenient (provider = icu, locale = 'und-u-ks-level1', deterministic = false)"
        try:
            self.run(lenient)
        except psycopg.errors.FeatureNotSupported:  # built without ICU: no collation of this server is lenient
            self.types = {**self.types, "lenient": "text"}

    def driver_url(self, url: str) -> str:
        return str(url).replace("postgresql:", "postgresql+psycopg:", 1)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with super().connection() as connection:
            if self.schema:
                connection.execute(f'SET search_path = "{self.schema}"')
            yield connection

    def close(self) -> None:
        self.run(f'DROP SCHEMA "{self.schema}" CASCADE')
        super().close()


class MariaSite(SqlSite):
    types: Mapping[str, str] = {
        "int": "int",
        "bigint": "bigint",
        "smallint": "smallint",
        "text": "varchar(500)",
        "text20": "varchar(20)",
        "lenient": "varchar(200) COLLATE utf8mb4_general_ci",
        "decimal": "decimal(10,2)",
        "float": "double",
        "bool": "boolean",
        "date": "date",
        "datetime": "datetime(6)",
        "uuid": "uuid",
        "bytes": "varbinary(100)",
        "json": "json",
    }

    @contextmanager
    def connection(self) -> Iterator[Any]:
        with super().connection() as connection:
            with closing(connection.cursor()) as cursor:
                cursor.execute("SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'")
            yield connection


class SqliteSite(SqlSite):
    mark = "?"
    types: Mapping[str, str] = {
        "int": "INTEGER",
        "bigint": "BIGINT",
        "smallint": "SMALLINT",
        "text": "TEXT",
        "text20": "VARCHAR(20)",
        "lenient": "TEXT COLLATE NOCASE",
        "decimal": "NUMERIC(10,2)",
        "float": "REAL",
        "bool": "BOOLEAN",
        "date": "DATE",
        "datetime": "DATETIME",
        "uuid": "CHAR(36)",
        "bytes": "BLOB",
        "json": "JSON",
    }

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.run("PRAGMA journal_mode = WAL")  # so that a test may write while a snapshot is open

    def stored(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat(" ")
        return str(value) if isinstance(value, date | Decimal | UUID) else value
