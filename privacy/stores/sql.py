"""Stores that speak SQL, by SQLAlchemy. What differs between databases is in their dialect file.

Driver messages carry values, so none leaves this file: they become `StoreUnavailable` or `StoreRefused` with the store's name
and the SQLSTATE.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from privacy.stores.base import Schema, StoreError, StoreRefused, StoreUnavailable
from privacy.stores.dialect import Dialect
from privacy.stores.patience import bounded, time_left
from privacy.stores.session import SqlSession

CONNECT_SECONDS = 5


class SqlStore:
    """A store behind a SQLAlchemy URL. Engines are made where they are used and keep no connection (forked pools corrupt)."""

    def __init__(self, key: str, url: sa.URL, *, dialect: type[Dialect], schema: str | None = None, options: Any = None) -> None:
        self.key = key
        self.schema_name = schema
        self.engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True, **(options or {}))
        self.dialect = dialect(self.engine, schema)
        self._schema: Schema | None = None
        self._spellings: dict[tuple[str, str, str], bool] = {}

    def schema(self) -> Schema:
        if self._schema is None:
            time_left(self.key)
            with self.translated(), self.engine.connect() as connection, bounded(self.key, connection):
                self._schema = self.dialect.reflect(connection, self.schema_name)
        return self._schema

    def forget_schema(self) -> None:
        self._schema = None

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        self.schema()
        time_left(self.key)
        with self.translated(), self.engine.connect() as connection, bounded(self.key, connection):
            yield connection

    @contextmanager
    def read(self, connection: sa.Connection | None = None) -> Iterator[SqlSession]:
        with self._on(connection) as used:
            self.dialect.begin_read(used)
            try:
                yield SqlSession(self, used, self.schema())
            finally:
                used.rollback()

    @contextmanager
    def write(self, connection: sa.Connection | None = None) -> Iterator[SqlSession]:
        with self._on(connection) as used:
            self.dialect.begin_write(used)
            yield SqlSession(self, used, self.schema(), writing=True)
            used.commit()

    @contextmanager
    def _on(self, connection: sa.Connection | None) -> Iterator[sa.Connection]:
        if connection is None:
            with self.connect() as own:
                yield own
        else:
            with self.translated():
                yield connection

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Driver errors without their texts, which hold values."""
        try:
            yield
        except StoreError:
            raise
        except (sa.exc.SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error) as error:
            if isinstance(error, sa.exc.DBAPIError):
                translated = self.translate(error.orig, lost=error.connection_invalidated)
            elif isinstance(error, sa.exc.SQLAlchemyError):
                translated = StoreRefused(f"{self.key}: {type(error).__name__}")
            else:
                translated = self.translate(error)
            try:
                raise translated from None
            finally:
                translated.__context__ = None  # `from None` only hides it from those who print

    def translate(self, error: BaseException | None, *, lost: bool = False) -> StoreError:
        """What a driver's error means for us, in our own words."""
        code, kind = self.dialect.code(error), type(error).__name__
        driver = self.engine.dialect.loaded_dbapi
        if lost or (code is None and isinstance(error, (driver.OperationalError, driver.InterfaceError))):
            return StoreUnavailable(f"{self.key}: cannot be reached, or went away ({kind}); check its URL and that it runs")
        if code is not None and code.startswith(self.dialect.transient):
            return StoreUnavailable(f"{self.key}: busy or short of resources ({kind} {code}); it is tried again")
        if code is not None and code.startswith(self.dialect.strangers):
            return StoreUnavailable(
                f"{self.key}: does not let us in ({kind} {code}); check user, password and database of its URL"
            )
        hint = {
            "42501": "the user of the store's URL lacks a right",
            "1142": "the user of the store's URL lacks a right",
            "25006": "the store is read-only",
            "1290": "the store is read-only",
            "SQLITE_READONLY": "the store is read-only",
            "23503": "a row outside the plan points at one of these rows",
            "1451": "a row outside the plan points at one of these rows",
            "SQLITE_CONSTRAINT_FOREIGNKEY": "a row outside the plan points at one of these rows",
        }.get(code or "", "")
        place = _place(getattr(error, "diag", None))
        return StoreRefused(f"{self.key}: refused{place} ({kind} {code or ''})" + (f": {hint}" if hint else ""))


def _place(diagnosis: Any) -> str:
    """Where PostgreSQL says it happened. A trigger that raises may name anything there, values too."""
    table = getattr(diagnosis, "table_name", None)
    if not table or diagnosis.source_function == "exec_stmt_raise":
        return ""
    column, constraint = diagnosis.column_name, diagnosis.constraint_name
    return f" at {table}" + (f".{column}" if column else "") + (f", {constraint}" if constraint else "")
