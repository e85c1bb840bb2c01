"""What one kind of database does its own way, as pieces of SQL text with quoted names and bound values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from privacy.stores.base import Column, Mark, Schema, Table, Values
from privacy.stores.needles import Needles
from privacy.stores.pieces import Piece, by_key

if TYPE_CHECKING:
    from privacy.stores.session import SqlSession

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

    loose: tuple[str, ...] | None = ()  # families whose columns may hold what we read as none of the type; None: all of them

    def __init__(self, engine: sa.Engine, schema: str | None = None) -> None:
        self.engine = engine
        self.schema = schema
        self.quote_name = engine.dialect.identifier_preparer.quote_identifier

    def is_loose(self, column: Column) -> bool:
        return self.loose is None or column.family in self.loose

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

    def values(self, columns: Sequence[Column], rows: Sequence[Values], name: str = "v") -> tuple[str, dict[str, Any]]:
        """A FROM item `v(k0, k1, …)` made of bound values, and its parameters, which are called after `name`."""
        raise NotImplementedError

    def as_they_are(self, columns: Sequence[Column], parts: Sequence[Values]) -> bool:
        """Whether these values, column by column, need neither conversion nor binding. Told for all at once: it is the rule."""
        return all(_plain(column, part) for column, part in zip(columns, parts, strict=True))

    def joined(self, table: Table, source: str, on: Sequence[tuple[str, str]], columns: Sequence[str]) -> str:
        """`… WHERE …` that joins a values list with a table `t`, whose `columns` an index may serve."""
        return f"{source} {self.straight} {self.table(table)} t WHERE {equal(on)}"

    def lists(self, column: Column) -> bool:
        """Whether a column's values are better looked up as a list than joined: what comes back is the very value asked for."""
        return False

    def listed(self, expression: str, column: Column, values: Values, name: str) -> tuple[str, dict[str, Any]]:
        """The condition that such a column has one of the values, and its parameters."""
        raise NotImplementedError

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

    def as_text(self, expression: str, column: Column) -> str:
        """A text, JSON or array column as characters that patterns can be held against."""
        return expression

    def may_hold(self, rows: str, texts: Sequence[str], needles: Needles) -> tuple[str, str, dict[str, Any]]:
        """A FROM item with what a SELECT gives, the condition that one of the needles may stand in one of its `texts`, at little
        cost per character, and its parameters.
        """
        raise NotImplementedError

    def pieces(self, session: SqlSession, table: Table, after: Mark | None) -> Iterator[Piece]:
        """Parts of a table `t`, so that no statement on it runs for long; together they leave no row out beyond `after`.
        By its key, where one has an order that comparing keeps to.
        """
        keys = (key for key in (table.primary_key, *table.uniques) if key)
        key = next((key for key in keys if all(self.in_order(table, table.columns[name]) for name in key)), None)
        if key:
            yield from by_key(session, table, key, after)
        else:
            yield from self.whole(session)

    def in_order(self, table: Table, column: Column) -> bool:
        """Whether this column of a key is never NULL, and what it gives us compares as it is sorted."""
        return False

    def whole(self, session: SqlSession) -> Iterator[Piece]:
        """A table that nothing parts."""
        yield Piece()

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


def equal(on: Sequence[tuple[str, str]]) -> str:
    return " AND ".join(f"{left} = {right}" for left, right in on) or "1 = 1"


def _within(on: Sequence[tuple[str, str]], values: str) -> str:
    if not on:
        return "1 = 1"
    left, right = ", ".join(column for column, _ in on), ", ".join(value for _, value in on)
    return f"{f'({left})' if len(on) > 1 else left} IN (SELECT {right} FROM {values})"


def dump(rows: Sequence[Values]) -> str:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _plain(column: Column, values: Values) -> bool:
    kinds = set(map(type, values))
    if column.family == "int":
        return kinds == {int} and -(2**column.bits) <= min(values) and max(values) < 2**column.bits
    return column.family == "text" and kinds == {str} and (text := "".join(values)).isascii() and "\x00" not in text
