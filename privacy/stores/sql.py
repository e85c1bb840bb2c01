"""Stores that speak SQL, by SQLAlchemy. What differs between databases is in their dialect file; everything else is here.

Statements are written as text with quoted names and bound values. Driver messages carry values, so none leaves this file:
they become `StoreUnavailable` or `StoreRefused` with the store's name and the SQLSTATE.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from privacy.engine.identity import EMAIL_KINDS, PHONE_KINDS, InvalidIdentity, canonical
from privacy.stores.base import (
    NO_MATCH,
    Assignment,
    Column,
    Expiry,
    Groups,
    Pinned,
    Schema,
    StoreError,
    StoreRefused,
    StoreUnavailable,
    Table,
    Values,
)
from privacy.stores.values import convert

ZONE = ZoneInfo("Europe/Stockholm")
FETCH = 2_000  # rows fetched at a time
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 120  # below the workers' lease
LOCK_SECONDS = 10
SHOWN = 400  # characters of a sampled value


class Dialect:
    """What one kind of database does its own way."""

    #: SQLSTATE classes and codes (and driver numbers) that mean "try again later"
    transient: tuple[str, ...] = ("08", "40", "53", "55", "57", "58")
    strangers: tuple[str, ...] = ("28", "3D000")  # and those that mean "who are you?"
    straight = "CROSS JOIN"  # joins in the order written
    skip_locked = ""  # how a select takes rows that nobody holds
    target = ""  # how a changed table's columns are prefixed in DELETE and UPDATE

    loose = False  # whether a column may hold values that are none of its type

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.quote_name = engine.dialect.identifier_preparer.quote_identifier

    def name(self, identifier: str) -> str:
        # SQLAlchemy's text() reads `:x` as a parameter
        return self.quote_name(identifier).replace(":", "\\:")

    def table(self, table: Table) -> str:
        return f"{self.name(table.schema)}.{self.name(table.name)}" if table.schema else self.name(table.name)

    def reflect(self, connection: sa.Connection, schema: str | None) -> Schema:
        raise NotImplementedError

    def begin_read(self, connection: sa.Connection) -> None:
        raise NotImplementedError

    def begin_write(self, connection: sa.Connection) -> None:
        raise NotImplementedError

    def values(self, columns: Sequence[Column], rows: Sequence[Values]) -> tuple[str, dict[str, Any]]:
        """A FROM item `v(k0, k1, …)` made of bound values, and its parameters."""
        raise NotImplementedError

    def joined(self, table: Table, source: str, on: Sequence[tuple[str, str]], columns: Sequence[str]) -> str:
        """`… WHERE …` that joins a values list with a table `t`, whose `columns` an index may serve."""
        return f"{source} {self.straight} {self.table(table)} t WHERE {equal(on)}"

    def compared(self, expression: str, column: Column) -> str:
        """The column so that it compares with what `values` made of its type."""
        return expression

    def exactly(self, expression: str, column: Column) -> str:
        """The expression so that grouping and comparing tell every two spellings apart."""
        return expression

    def folded(self, expression: str, kind: str) -> str:
        """What `folds` computes in Python, computed by the database of a stored spelling."""
        raise NotImplementedError

    def random(self, what: str, column: Column) -> str:
        """An expression that gives a fresh random value for every row."""
        raise NotImplementedError

    def odd(self, expression: str, kind: str) -> str:
        """Whether a stored spelling is none that `candidates` is sure to foresee."""
        raise NotImplementedError

    def distinct(self, source: str, columns: Sequence[Column]) -> str:
        """The values list without those that are one value in a column's lenient collation: they would count its rows twice."""
        raise NotImplementedError

    def matches(self, expression: str, column: Column) -> str:
        """Whether the column's text matches `:pattern`, in any case."""
        raise NotImplementedError

    def parameter(self, name: str, column: Column) -> str:
        return f":{name}"

    def beginning(self, expression: str, column: Column) -> str:
        """The first characters of a column's text, so that a sample of long texts stays small."""
        return f"substr({expression}, 1, {SHOWN})"

    def sample(self, table: Table, selected: str, limit: int) -> str:
        """A statement for some rows of a table, cheap however large it is: half of them the oldest, half the newest."""
        some = f"SELECT {selected} FROM {self.table(table)} t"
        if not table.primary_key:
            return f"{some} LIMIT {limit}"
        ends = []
        for end, direction in (("a", "ASC"), ("z", "DESC")):
            order = ", ".join(f"t.{self.name(column)} {direction}" for column in table.primary_key)
            ends.append(f"SELECT * FROM ({some} ORDER BY {order} LIMIT {max(limit // 2, 1)}) {end}")
        return " UNION ALL ".join(ends)

    def delete(self, table: str, values: str, on: Sequence[tuple[str, str]], where: str) -> str:
        return f"DELETE FROM {table} WHERE {_within(on, values)}{where}"

    def update(self, table: str, assignments: Sequence[str], values: str, on: Sequence[tuple[str, str]], where: str) -> str:
        return f"UPDATE {table} SET {', '.join(assignments)} WHERE {_within(on, values)}{where}"

    def code(self, error: BaseException | None) -> str | None:
        """By which the database names a driver's error: SQLSTATE, error number or error name."""
        raise NotImplementedError

    def bind(self, value: Any, column: Column) -> Any:
        """A value as a values list takes it."""
        return value

    def written(self, value: Any, column: Column) -> Any:
        """A value as an assignment takes it."""
        return self.bind(value, column)


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
    def read(self) -> Iterator[SqlSession]:
        schema = self.schema()
        with self.translated(), self.engine.connect() as connection:
            self.dialect.begin_read(connection)
            try:
                yield SqlSession(self, connection, schema)
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[SqlSession]:
        schema = self.schema()
        with self.translated(), self.engine.connect() as connection:
            self.dialect.begin_write(connection)
            yield SqlSession(self, connection, schema, writing=True)
            connection.commit()

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


class SqlSession:
    def __init__(self, store: SqlStore, connection: sa.Connection, schema: Schema, *, writing: bool = False) -> None:
        self.store = store
        self.writing = writing
        self.connection = connection
        self.tables = schema.tables
        self.dialect = store.dialect
        self.statements = 0

    # -- statements ---------------------------------------------------------------------------------------------------

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> sa.CursorResult[Any]:
        self.statements += 1
        return self.connection.execute(sa.text(sql), dict(parameters or {}))

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Any]:
        self.statements += 1
        options = {"stream_results": True, "yield_per": FETCH}
        result = self.connection.execute(sa.text(sql), dict(parameters or {}), execution_options=options)
        try:
            for part in result.partitions(FETCH):
                yield from part
        finally:
            result.close()

    # -- reading ------------------------------------------------------------------------------------------------------

    def find(
        self, table: str, key: Sequence[str], rows: Sequence[Values], by: Sequence[str], constants: Mapping[str, Any]
    ) -> Iterator[tuple[int, Values, int]]:
        columns = [self.tables[table].columns[name] for name in key]
        bound = self._converted(columns, rows, tagged=True)
        if not bound or (constant := self._constants(table, constants)) is None:
            return
        source, parameters = self.dialect.values([_TAG, *columns], bound)
        if not all(column.exact for column in columns):
            source = self.dialect.distinct(source, [_TAG, *columns])
        on = [(self.dialect.compared(f"t.{self.dialect.name(c.name)}", c), f"v.k{i}") for i, c in enumerate(columns, 1)]
        joined = self.dialect.joined(self.tables[table], source, on, key)
        yield from self._grouped(table, f"{joined}{constant[0]}", parameters | constant[1], by)

    def find_identity(
        self, table: str, column: str, kind: str, wanted: Mapping[str, Sequence[int]], by: Sequence[str]
    ) -> Iterator[tuple[int, Values, int]]:
        target = self.tables[table].columns[column]
        by = list(dict.fromkeys([*by, column]))
        place = by.index(column)
        spellings = [(number, spelling) for number, value in enumerate(wanted) for spelling in candidates(kind, value)]
        name = "t." + self.dialect.name(column)
        if target.family == "text" and self._free_spelling(table, target, kind):
            on, served = [(self.dialect.folded(self.dialect.exactly(name, target), kind), "v.k1")], []
            folded = [(number, fold) for number, spelling in spellings for fold in folds(kind, spelling)]
            target = _TEXT
            bound = self._converted([target], folded, tagged=True)
        else:
            on, served = [(self.dialect.compared(name, target), "v.k1")], [column]
            if not target.exact:
                on.append((self.dialect.exactly(name, target), self.dialect.exactly("v.k1", target)))
            bound = self._converted([target], spellings, tagged=True)
        if not bound:
            return
        source, parameters = self.dialect.values([_TAG, target], bound)
        joined = self.dialect.joined(self.tables[table], source, on, served)
        values = list(wanted)
        seen: set[tuple[int, Values]] = set()  # two candidates may find one group
        for number, group, count in list(self._grouped(table, joined, parameters, by)):
            if (number, group) in seen or not _is(kind, group[place], values[number]):
                continue
            seen.add((number, group))
            for tag in wanted[values[number]]:
                yield tag, group, count

    def _free_spelling(self, table: str, column: Column, kind: str) -> bool:
        """Whether the column holds spellings that no list of candidates foresees, so that an index lookup may miss a row."""
        key = (table, column.name, kind)
        if key not in self.store._spellings:
            expression = self.dialect.exactly("t." + self.dialect.name(column.name), column)
            sql = f"SELECT 1 FROM {self.dialect.table(self.tables[table])} t WHERE {self.dialect.odd(expression, kind)} LIMIT 1"
            self.store._spellings[key] = self.execute(sql).first() is not None
        return self.store._spellings[key]

    def _grouped(
        self, table: str, joined: str, parameters: Mapping[str, Any], by: Sequence[str]
    ) -> Iterator[tuple[int, Values, int]]:
        columns = [self.tables[table].columns[name] for name in by]
        names = [self.dialect.exactly(f"t.{self.dialect.name(c.name)}", c) for c in columns]
        selected = "".join(f", {name} AS b{i}" for i, name in enumerate(names))
        grouped = "".join(f", {name}" for name in names)
        sql = f"SELECT v.k0{selected}, count(*) FROM {joined} GROUP BY v.k0{grouped}"
        for row in self.execute(sql, parameters):  # what comes back is remembered anyway: groups, not rows
            yield int(row[0]), tuple(row[1:-1]), int(row[-1])

    def rows(self, groups: Groups, columns: Sequence[str], limit: int | None = None) -> Iterator[Values]:
        selected = ", ".join(f"t.{self.dialect.name(name)}" for name in columns)
        left = limit
        for source, on, where, parameters in self._sources(groups, "t."):
            sql = f"SELECT {selected} FROM {self.dialect.joined(self.tables[groups.table], source, on, groups.columns)}{where}"
            if left is not None:
                sql += f" LIMIT {left}"
            for row in self.stream(sql, parameters):
                yield tuple(row)
                if left is not None:
                    left -= 1
            if left is not None and left <= 0:
                return

    def distinct(self, table: str, columns: Sequence[str]) -> Iterator[Values]:
        own = self.tables[table]
        names = [self.dialect.exactly(f"t.{self.dialect.name(c)}", own.columns[c]) for c in columns]
        selected = ", ".join(f"{name} AS d{i}" for i, name in enumerate(names))
        given = " AND ".join(f"t.{self.dialect.name(c)} IS NOT NULL" for c in columns)
        sql = f"SELECT DISTINCT {selected} FROM {self.dialect.table(own)} t WHERE {given}"
        return (tuple(row) for row in self.stream(sql))

    # -- writing ------------------------------------------------------------------------------------------------------

    def delete(self, groups: Groups) -> int:
        table = self.dialect.table(self.tables[groups.table])
        total = 0
        for source, on, where, parameters in self._sources(groups, self.dialect.target):
            total += self.execute(self.dialect.delete(table, source, on, where), parameters).rowcount
        return total

    def update(self, groups: Groups, assignments: Mapping[str, Assignment]) -> int:
        if not assignments:
            return 0
        table = self.tables[groups.table]
        parts, values = [], {}
        for number, (name, assignment) in enumerate(assignments.items()):
            column = table.columns[name]
            if assignment.random:
                parts.append(f"{self.dialect.target}{self.dialect.name(name)} = {self.dialect.random(assignment.random, column)}")
            else:
                parts.append(f"{self.dialect.target}{self.dialect.name(name)} = {self.dialect.parameter(f's{number}', column)}")
                values[f"s{number}"] = None if assignment.value is None else self.dialect.written(assignment.value, column)
        total = 0
        for source, on, where, parameters in self._sources(groups, self.dialect.target):
            sql = self.dialect.update(self.dialect.table(table), parts, source, on, where)
            total += self.execute(sql, parameters | values).rowcount
        return total

    def expired(
        self, table: str, terms: Sequence[Expiry], *, unless: Sequence[Pinned], spare: Sequence[Values], limit: int
    ) -> list[Values]:
        own = self.tables[table]
        name = self.dialect.name
        where, parameters = [], {}
        for number, term in enumerate(terms):
            column = self.tables[term.table or table].columns[term.column]
            alias = f"j{number}" if term.table else "t"
            bounds = [f"{alias}.{name(term.column)} < {self.dialect.parameter(f'b{number}', column)}"]
            parameters[f"b{number}"] = self.dialect.bind(_midnight(term.before, column), column)
            if term.since:
                bounds.append(f"{alias}.{name(term.column)} >= {self.dialect.parameter(f'a{number}', column)}")
                parameters[f"a{number}"] = self.dialect.bind(_midnight(term.since, column), column)
            if term.table:
                joined = " AND ".join(f"{alias}.{name(theirs)} = t.{name(ours)}" for ours, theirs in term.on)
                other = self.dialect.table(self.tables[term.table])
                bounds = [f"EXISTS (SELECT 1 FROM {other} {alias} WHERE {joined} AND {' AND '.join(bounds)})"]
            where += bounds
        for pinned in unless:
            joined = " AND ".join(f"p.{name(theirs)} = t.{name(ours)}" for theirs, ours in pinned.on)
            where.append(f"NOT EXISTS (SELECT 1 FROM {self.dialect.table(self.tables[pinned.table])} p WHERE {joined})")
        keys = [own.columns[column] for column in own.primary_key]
        bound = self._converted(keys, spare)
        if bound:
            source, spared = self.dialect.values(keys, bound)
            equal = " AND ".join(f"v.k{i} = t.{name(c.name)}" for i, c in enumerate(keys))
            where.append(f"NOT EXISTS (SELECT 1 FROM {source} WHERE {equal})")
            parameters |= spared
        selected = ", ".join(f"t.{name(c.name)}" for c in keys)
        sql = f"SELECT {selected} FROM {self.dialect.table(own)} t WHERE {' AND '.join(where)} LIMIT {int(limit)}"
        sql += self.dialect.skip_locked if self.writing else ""
        return [tuple(row) for row in self.execute(sql, parameters)]

    def scan(self, table: str, columns: Sequence[str], pattern: str) -> dict[str, int]:
        counts = []
        for number, name in enumerate(columns):
            match = self.dialect.matches(f"t.{self.dialect.name(name)}", self.tables[table].columns[name])
            counts.append(f"sum(CASE WHEN {match} THEN 1 ELSE 0 END) AS c{number}")
        sql = f"SELECT {', '.join(counts)} FROM {self.dialect.table(self.tables[table])} t"
        row = self.execute(sql, {"pattern": pattern}).one()
        return {name: int(count) for name, count in zip(columns, row, strict=True) if count}

    def sample(self, table: str, columns: Sequence[str], limit: int) -> list[Values]:
        selected = []
        for number, name in enumerate(columns):
            column = self.tables[table].columns[name]
            expression = f"t.{self.dialect.name(name)}"
            whole = column.family in ("int", "decimal", "uuid")
            selected.append(f"{expression if whole else self.dialect.beginning(expression, column)} AS s{number}")
        return [tuple(row) for row in self.execute(self.dialect.sample(self.tables[table], ", ".join(selected), int(limit)))]

    # -- parts --------------------------------------------------------------------------------------------------------

    def _sources(self, groups: Groups, prefix: str) -> Iterator[tuple[str, list[tuple[str, str]], str, dict[str, Any]]]:
        """One values list for every pattern of NULLs, so that every comparison is a plain equality an index can serve."""
        table = self.tables[groups.table]
        patterns: dict[tuple[bool, ...], list[Values]] = {}
        for values in dict.fromkeys(groups.values):
            patterns.setdefault(tuple(value is None for value in values), []).append(values)
        for pattern, members in patterns.items():
            given = [i for i, null in enumerate(pattern) if not null]
            columns = [table.columns[groups.columns[i]] for i in given]
            bound = self._converted(
                columns, [tuple(values[i] for i in given) for values in members], as_stored=self.dialect.loose
            )
            if given and not bound:
                continue
            where = "".join(
                f" AND {prefix}{self.dialect.name(groups.columns[i])} IS NULL" for i, null in enumerate(pattern) if null
            )
            source, parameters = self.dialect.values(columns or [_TAG], bound if given else [(0,)])
            on = [(self.dialect.compared(prefix + self.dialect.name(c.name), c), f"v.k{i}") for i, c in enumerate(columns)]
            # Where a collation is lenient the index finds a superset and this tells the spellings apart.
            on += [
                (self.dialect.exactly(prefix + self.dialect.name(c.name), c), self.dialect.exactly(f"v.k{i}", c))
                for i, c in enumerate(columns)
                if not c.exact
            ]
            yield source, on, where, parameters

    def _converted(
        self, columns: Sequence[Column], rows: Iterable[Values], *, tagged: bool = False, as_stored: bool = False
    ) -> list[Values]:
        """Rows in the types of `columns`, each once. What has a part that is NULL or does not convert matches nothing.

        `as_stored`: a value that does not convert came from the store itself, and stays what it is.
        """
        skip = 1 if tagged else 0
        out: dict[Values, None] = {}
        for row in rows:
            values = [convert(value, column) for value, column in zip(row[skip:], columns, strict=True)]
            if as_stored:
                values = [old if new is NO_MATCH else new for old, new in zip(row[skip:], values, strict=True)]
            if not any(value is NO_MATCH for value in values):
                out[*row[:skip], *values] = None
        return [
            (*row[:skip], *(self.dialect.bind(value, column) for value, column in zip(row[skip:], columns, strict=True)))
            for row in out
        ]

    def _constants(self, table: str, constants: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        sql, parameters = "", {}
        for number, (name, value) in enumerate(constants.items()):
            column = self.tables[table].columns[name]
            converted = convert(value, column)
            if converted is NO_MATCH:
                return None
            sql += f" AND {self.dialect.compared('t.' + self.dialect.name(name), column)} = :w{number}"
            parameters[f"w{number}"] = self.dialect.bind(converted, column)
        return sql, parameters


def equal(on: Sequence[tuple[str, str]]) -> str:
    return " AND ".join(f"{left} = {right}" for left, right in on) or "1 = 1"


def _within(on: Sequence[tuple[str, str]], values: str) -> str:
    if not on:
        return "1 = 1"
    left, right = ", ".join(column for column, _ in on), ", ".join(value for _, value in on)
    return f"{f'({left})' if len(on) > 1 else left} IN (SELECT {right} FROM {values})"


def _midnight(day: date, column: Column) -> Any:
    """The start of a day in the column's type; days are those of the company's time zone."""
    if column.family != "datetime":
        return day.isoformat() if column.family == "text" else day
    aware = "with time zone" in column.type_name
    return datetime(day.year, day.month, day.day, tzinfo=ZONE if aware else None)


_TAG = Column("tag", "int", "bigint")
_TEXT = Column("text", "text", "text")


def _is(kind: str, stored: Any, value: str) -> bool:
    if stored is None:
        return False
    try:
        return canonical(kind, stored) == value
    except InvalidIdentity:
        return False


def candidates(kind: str, value: str) -> list[str]:
    """Spellings under which an index may hold a canonical identity."""
    import unicodedata

    spelled = [value]
    if kind in EMAIL_KINDS:
        local, _, domain = value.rpartition("@")
        spelled += [value.upper(), local.title() + "@" + domain, value.capitalize()]
        spelled += [unicodedata.normalize("NFD", text) for text in spelled]
    elif kind in PHONE_KINDS:
        import phonenumbers

        number = phonenumbers.parse(value, None)
        national = phonenumbers.national_significant_number(number)
        formats = phonenumbers.PhoneNumberFormat
        for style in (formats.INTERNATIONAL, formats.NATIONAL, formats.RFC3966):
            text = phonenumbers.format_number(number, style)
            spelled += [
                text,
                text.replace("-", " "),
                "".join(ch for ch in text if ch.isdigit() or ch == "+"),
                text.replace(" ", ""),
            ]
        spelled += [value[1:], "00" + value[1:], f"+{number.country_code}0{national}"]
    return list(dict.fromkeys(spelled))


ODD = "¤"  # before the fold of a spelling that is not plain, so that it never equals a plain one's
# Regular expressions that PostgreSQL, MariaDB, MySQL and Python read alike (`$` would not do: a last line break passes it).
NOT_PLAIN, NOT_KEPT = "[^!-~]", "[^0-9@._+-]"
NOT_PLAIN_PHONE, NOT_DIGIT, NOT_E164 = "[^0-9+() ./-]", "[^0-9]", "[^+0-9]|.[+]|^[^+]"


def folds(kind: str, value: str) -> list[str]:
    """The keys of a canonical identity: what `Dialect.folded` makes of any spelling of it is one of them.

    A database folds case its own way, so only ASCII is left to it. Of any other spelling the key is what neither case folding nor
    normalisation can touch, and the exact comparison follows. The telephone's end is the same in every way of writing it.
    """
    if kind in PHONE_KINDS:
        return [re.sub(NOT_DIGIT, "", value)[-8:], ODD]
    odd = ODD + re.sub(NOT_KEPT, "", value)
    if re.search(NOT_PLAIN, value):
        return [odd]
    return [value.lower() if kind in EMAIL_KINDS else value, odd]


def dump(rows: Sequence[Values]) -> str:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
