"""SQLite: values go in as one JSON document read by json_each; identities are compared by our own canonical form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from privacy.engine.identity import InvalidIdentity, canonical
from privacy.stores.base import Column, ForeignKey, Schema, Table, Values
from privacy.stores.dialect import LOCK_SECONDS, Dialect, dump
from privacy.stores.needles import Needles
from privacy.stores.spellings import folds

DRIVER = "sqlite"
OPTIONS: set[str] = set()


class SqliteDialect(Dialect):
    transient = (
        "SQLITE_BUSY",
        "SQLITE_LOCKED",
        "SQLITE_FULL",
        "SQLITE_IOERR",
        "SQLITE_NOMEM",
        "SQLITE_CANTOPEN",
        "SQLITE_PROTOCOL",
    )

    loose = None  # types are names only
    strangers = ("SQLITE_AUTH",)

    def __init__(self, engine: sa.Engine, schema: str | None = None) -> None:
        super().__init__(engine, schema)
        self.indexed: set[tuple[str, str]] = set()  # (table, first column of an index)
        sa.event.listen(engine, "connect", _on_connect)

    def reflect(self, connection: sa.Connection, schema: str | None) -> Schema:
        def read(sql: str, **parameters: Any) -> list[Any]:
            return list(connection.execute(sa.text(sql), parameters))

        tables: dict[str, Table] = {}
        foreign: list[ForeignKey] = []
        masters = read(
            "SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
        for name, kind, sql in masters:
            info = read('SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(:t)', t=name)
            columns = {row[0]: _column(row, sql or "") for row in info if row[4] != 1}
            primary = tuple(row[0] for row in sorted((r for r in info if r[3]), key=lambda r: r[3]))
            uniques = [primary] if primary else []
            for index in read('SELECT name FROM pragma_index_list(:t) WHERE "unique" AND NOT partial', t=name):
                names = [row[0] for row in read("SELECT name FROM pragma_index_info(:i) ORDER BY seqno", i=index[0])]
                if None not in names:
                    uniques.append(tuple(names))
            triggers = read("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t ORDER BY name", t=name)
            tables[name] = Table(
                name, columns, primary, tuple(dict.fromkeys(uniques)), kind, triggers=tuple(t[0] for t in triggers)
            )
        lower = {name.lower(): name for name in tables}
        for name in list(tables):
            parts: dict[int, list[Any]] = {}
            for row in read(
                'SELECT id, "table", "from", "to", on_delete, on_update FROM pragma_foreign_key_list(:t) ORDER BY id, seq', t=name
            ):
                parts.setdefault(row[0], []).append(row)
            for rows in parts.values():
                parent = lower.get(rows[0][1].lower())
                if parent is None:
                    continue
                targets = tuple(row[3] for row in rows) if rows[0][3] else tables[parent].primary_key
                own = _spelled(tables[name], [row[2] for row in rows])
                foreign.append(ForeignKey(name, own, parent, _spelled(tables[parent], targets), *rows[0][4:6]))
        return Schema(tables, tuple(foreign))

    def begin_read(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def begin_write(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def values(self, columns: Sequence[Column], rows: Sequence[Values], name: str = "v") -> tuple[str, dict[str, Any]]:
        binary = {i for row in rows for i, value in enumerate(row) if isinstance(value, list)}
        given = [f"json_extract(value, '$[{i}]')" for i in range(len(columns))]
        for i in binary:  # in an array of one, in hexadecimal: JSON has no bytes
            in_array = f"insyn_bytes(json_extract(value, '$[{i}][0]'))"
            given[i] = f"CASE json_type(value, '$[{i}]') WHEN 'array' THEN {in_array} ELSE {given[i]} END"
        parts = ", ".join(f"{part} AS k{i}" for i, part in enumerate(given))
        return f"(SELECT {parts} FROM json_each(:{name})) AS v", {name: dump(rows)}

    def joined(self, table: Table, source: str, on: Sequence[tuple[str, str]], columns: Sequence[str]) -> str:
        if any((table.name, name) in self.indexed for name in columns):
            return super().joined(table, source, on, columns)
        # Without an index the table is read once and the values are looked up. LIMIT makes SQLite keep them, `+` (no affinity)
        # lets it index them.
        where = " AND ".join(f"+{left} = {right}" for left, right in on) or "1 = 1"
        return f"{self.table(table)} t {self.straight} (SELECT * FROM {source} LIMIT -1) AS v WHERE {where}"

    def bind(self, value: Any, column: Column) -> Any:
        if isinstance(value, datetime):
            return value.isoformat(" ")
        if isinstance(value, bytes):
            return [value.hex()]
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, Decimal):
            return float(value)
        return value if isinstance(value, int | float | str) else value.isoformat() if isinstance(value, date) else str(value)

    def code(self, error: BaseException | None) -> str | None:
        return getattr(error, "sqlite_errorname", None)

    def written(self, value: Any, column: Column) -> Any:
        return value if isinstance(value, bytes) else self.bind(value, column)

    def distinct(self, source: str, columns: Sequence[Column]) -> str:
        kept = ", ".join(f"k{i}" + (f" COLLATE {c.collation} AS k{i}" if c.collation else "") for i, c in enumerate(columns))
        return f"(SELECT DISTINCT {kept} FROM {source}) AS v"

    def exactly(self, expression: str, column: Column) -> str:
        return expression if column.exact else f"{expression} COLLATE BINARY"

    def folded(self, expression: str, kind: str) -> str:
        return f"insyn_fold({_literal(kind)}, {expression})"

    def odd(self, expression: str, kind: str) -> str:
        return f"insyn_odd({_literal(kind)}, {expression})"

    def as_text(self, expression: str, column: Column) -> str:
        if column.family not in ("int", "bool", "float", "decimal"):
            return expression
        return f"CASE WHEN typeof({expression}) = 'text' THEN {expression} END"  # numbers need not be looked into

    def may_hold(self, rows: str, texts: Sequence[str], needles: Needles) -> tuple[str, str, dict[str, Any]]:
        conditions = ["instr({0}, '@') > 0"] if needles.emails else []
        with_digit = all(re.search("[0-9]", word) for word in needles.words)
        if needles.phones or (needles.words and with_digit):
            conditions.append("{0} GLOB '*[0-9]*'")
        if not with_digit:
            conditions.append("{0} <> ''")
        return f"({rows}) s", " OR ".join(condition.format(text) for text in texts for condition in conditions), {}

    def in_order(self, table: Table, column: Column) -> bool:
        return not column.free and len(table.primary_key) == 1 and table.primary_key[0] == column.name

    def random(self, what: str, column: Column) -> str:
        return _random(what, column)


def _literal(text: str) -> str:
    """A word of the data map as SQL; a colon would name a parameter."""
    return "'" + text.replace("'", "''").replace(":", "\\:") + "'"


def _spelled(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """Column names as the table spells them; SQLite lets a foreign key spell them in any case."""
    known = {name.lower(): name for name in table.columns}
    return tuple(known.get(name.lower(), name) for name in names)


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by us
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {LOCK_SECONDS * 1000}")
    connection.create_function("insyn_fold", 2, _fold, deterministic=True)
    connection.create_function("insyn_odd", 2, _odd, deterministic=True)
    connection.create_function("insyn_bytes", 1, _bytes, deterministic=True)


def _fold(kind: str, value: Any) -> str | None:
    try:
        return None if value is None else folds(kind, canonical(kind, value))[0]
    except InvalidIdentity:
        return None


def _bytes(hexadecimal: str | None) -> bytes | None:
    return None if hexadecimal is None else bytes.fromhex(hexadecimal)


def _odd(kind: str, value: Any) -> int:
    try:
        return int(value is not None and canonical(kind, value) != value)
    except InvalidIdentity:
        return 0


def _column(row: Any, sql: str) -> Column:
    name, spelled, not_null, primary, hidden = row
    kind = str(spelled or "").upper()
    length = re.search(r"\((\d+)\)", kind)
    lenient = re.search(rf"(?<![\w$])[\"'`\[]?{re.escape(name)}[\"'`\]]?\s[^,]*COLLATE\s+(NOCASE|RTRIM)", sql, re.IGNORECASE)
    return Column(
        name=name,
        family=_family(kind),
        type_name=kind,
        nullable=not (not_null or (primary and "INT" in kind)),
        length=int(length[1]) if length and _family(kind) == "text" else None,
        generated=hidden in (2, 3),
        exact=not lenient,
        collation=lenient[1].upper() if lenient else None,
        free=not (primary and kind == "INTEGER"),  # the number of the row itself: nothing else is held to its type
    )


def _family(kind: str) -> str:
    """Declared type to family, by SQLite's own affinity rules after the common names of dates and truth values."""
    if "INT" in kind:
        return "int"
    if "BOOL" in kind:
        return "bool"
    if "DATETIME" in kind or "TIMESTAMP" in kind:
        return "text"  # stored as text, compared as text
    if kind.startswith("DATE"):
        return "text"
    if any(part in kind for part in ("CHAR", "CLOB", "TEXT")):
        return "text"
    if "JSON" in kind:
        return "json"
    if "BLOB" in kind:
        return "bytes"
    if any(part in kind for part in ("REAL", "FLOA", "DOUB")):
        return "float"
    return "decimal" if "NUM" in kind or "DEC" in kind else "other"


def _random(what: str, column: Column) -> str:
    if what == "text" and column.type_name.startswith(("DATE", "TIMESTAMP")):
        what = "date"
    if what == "text":
        return f"substr(lower(hex(randomblob(16))), 1, {min(column.length or 32, 32)})"
    if what == "email":
        return f"substr(lower(hex(randomblob(16))), 1, {min((column.length or 60) - 18, 32)}) || '@anonymous.invalid'"
    if what == "int":
        return "abs(random()) % 9007199254740991"
    if what == "number":
        whole = (column.precision[0] - column.precision[1]) if column.precision else 6
        return f"abs(random()) % {10 ** max(min(whole, 12), 1)}"
    if what == "date":
        return "date('1900-01-01', '+' || (abs(random()) % 36500) || ' days')"
    if what == "bool":
        return "abs(random()) % 2"
    if what == "uuid":
        return "lower(hex(randomblob(16)))"
    if what == "bytes":
        return "randomblob(16)"
    if what == "json":
        return "'{}'"
    raise ValueError(what)
