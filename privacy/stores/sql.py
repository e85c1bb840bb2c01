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
from privacy.stores.session import SqlSession

CONNECT_SECONDS = 5


class SqlStore:
    """A store behind a SQLAlchemy URL. Engines are made where they are used and keep no connection (forked pools corrupt)."""

    def __init__(self, key: str, url: sa.URL, *, dialect: type[Dialect], schema: str | None = None, options: Any = None) -> None:
        self.key = key
        self.schema_name = schema
        self.engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True, **(options or {}))
        self.dialect = dialect(self.engine)
        self._schema: Schema | None = None
        self._spellings: dict[tuple[str, str, str], bool] = {}

    def schema(self) -> Schema:
        if self._schema is None:
            with self.translated(), self.engine.connect() as connection:
                self._schema = self.dialect.reflect(connection, self.schema_name)
        return self._schema

    def forget_schema(self) -> None:
        self._schema = None

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        self.schema()
        with self.translated(), self.engine.connect() as connection:
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
        except sa.exc.SQLAlchemyError as error:
            if isinstance(error, sa.exc.DBAPIError):
                translated = self.translate(error)
            else:
                translated = StoreRefused(f"{self.key}: {type(error).__name__}")
            try:
                raise translated from None
            finally:
                translated.__context__ = None  # `from None` only hides it from those who print

    def translate(self, error: sa.exc.DBAPIError) -> StoreError:
        code = self.dialect.code(error.orig)
        kind = type(error.orig).__name__
        if error.connection_invalidated or (code is None and isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)):
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
        table = getattr(getattr(error.orig, "diag", None), "table_name", None)
        column = getattr(getattr(error.orig, "diag", None), "column_name", None)
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        place = f" at {table}" + (f".{column}" if column else "") + (f", {constraint}" if constraint else "") if table else ""
        return StoreRefused(f"{self.key}: refused{place} ({kind} {code or ''})" + (f": {hint}" if hint else ""))
