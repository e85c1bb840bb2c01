"""MariaDB and MySQL by PyMySQL: values go in as one JSON document read by JSON_TABLE (MariaDB ≥ 10.6, MySQL ≥ 8)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from privacy.engine.identity import EMAIL_KINDS, PHONE_KINDS
from privacy.stores.base import Column, ForeignKey, Schema, Table, Values
from privacy.stores.dialect import LOCK_SECONDS, STATEMENT_SECONDS, Dialect, dump, equal
from privacy.stores.needles import Needles
from privacy.stores.pieces import Piece
from privacy.stores.spellings import NOT_DIGIT, NOT_E164, NOT_KEPT, NOT_PLAIN, NOT_PLAIN_PHONE, ODD

if TYPE_CHECKING:
    from privacy.stores.session import SqlSession

DRIVER = "mysql+pymysql"
OPTIONS = {"charset", "ssl_ca", "ssl_cert", "ssl_key", "unix_socket"}

_FAMILIES = {
    "tinyint": "int",
    "smallint": "int",
    "mediumint": "int",
    "int": "int",
    "bigint": "int",
    "year": "int",
    "decimal": "decimal",
    "float": "float",
    "double": "float",
    "char": "text",
    "varchar": "text",
    "tinytext": "text",
    "text": "text",
    "mediumtext": "text",
    "longtext": "text",
    "enum": "text",
    "set": "text",
    "date": "date",
    "datetime": "datetime",
    "timestamp": "datetime",
    "uuid": "uuid",
    "binary": "bytes",
    "varbinary": "bytes",
    "tinyblob": "bytes",
    "blob": "bytes",
    "mediumblob": "bytes",
    "longblob": "bytes",
    "json": "json",
}
_IN_ORDER = {"int", "decimal", "text", "date", "datetime", "uuid", "bytes"}
_BITS = {"tinyint": 7, "smallint": 15, "mediumint": 23, "int": 31, "year": 11}


class MySqlDialect(Dialect):
    # Deadlock, lock wait timeout, disk or table full, too many connections, server gone.
    transient = (
        "1205",
        "1213",
        "1021",
        "1114",
        "1040",
        "1203",
        "1317",
        "1969",
        "3024",
        "2002",
        "2003",
        "2006",
        "2013",
        "1927",
        "1020",
    )
    strangers = ("1044", "1045", "1049", "1698")
    loose = ("date", "datetime")  # '0000-00-00'
    straight = "STRAIGHT_JOIN"
    target = "t."
    skip_locked = " FOR UPDATE SKIP LOCKED"

    def reflect(self, connection: sa.Connection, schema: str | None) -> Schema:
        own = schema or connection.execute(sa.text("SELECT DATABASE()")).scalar()
        where = {"schema": own}

        def read(sql: str) -> list[Any]:
            return list(connection.execute(sa.text(sql), where))

        checks = read(_CHECKS) if getattr(self.engine.dialect, "is_mariadb", False) else []
        documents = {(table, match[1]) for table, text in checks if (match := re.fullmatch(r"json_valid\(`(.*)`\)", text))}
        columns: dict[str, dict[str, Column]] = {}
        kinds: dict[str, str] = {}
        for row in read(_COLUMNS):
            column = _column(row)
            columns.setdefault(row[0], {})[row[1]] = replace(column, family="json") if (row[0], row[1]) in documents else column
            kinds[row[0]] = "view" if "VIEW" in row[10] else "table"  # or SYSTEM VERSIONED
        keys: dict[tuple[str, str], list[str]] = {}
        partial: set[tuple[str, str]] = set()  # of a text's beginning, or of an expression
        for table, key, column, part in read(_KEYS):
            keys.setdefault((table, key), []).append(column)
            partial |= {(table, key)} if part is not None or column is None else set()
        keys = {key: names for key, names in keys.items() if key not in partial}
        triggers: dict[str, list[str]] = {}
        for table, text in read(_TRIGGERS):
            triggers.setdefault(table, []).append(text)
        foreign: dict[tuple[str, str, str], list[Any]] = {}
        for child_schema, child, name, *rest in read(_FOREIGN):
            foreign.setdefault((child_schema, child, name), []).append(rest)
        tables = {
            name: Table(
                name=name,
                columns=found,
                primary_key=tuple(keys.get((name, "PRIMARY"), ())),
                uniques=tuple(tuple(key) for (table, _), key in keys.items() if table == name),
                kind=kinds[name],
                schema=schema,
                triggers=tuple(triggers.get(name, ())),
            )
            for name, found in columns.items()
        }
        links = []
        for (child_schema, child, _), parts in foreign.items():
            name = child if child_schema == own else f"{child_schema}.{child}"
            fk = ForeignKey(name, tuple(p[0] for p in parts), parts[0][1], tuple(p[2] for p in parts), *parts[0][3:5])
            links.append(fk)
            if child_schema != own:
                known = dict(tables[name].columns) if name in tables else {}
                for own_column, parent_column in zip(fk.child_columns, fk.parent_columns, strict=True):
                    like = tables[fk.parent].columns[parent_column]
                    known[own_column] = Column(
                        own_column, like.family, like.type_name, exact=like.exact, collation=like.collation, bits=like.bits
                    )
                tables[name] = Table(name=child, columns=known, schema=child_schema)
        return Schema(tables, tuple(links))

    def begin_read(self, connection: sa.Connection) -> None:
        self._limits(connection)
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")

    def begin_write(self, connection: sa.Connection) -> None:
        # DML acts on the latest rows whatever the snapshot shows, so reads take locks too: what was judged is what goes.
        self._limits(connection)
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        connection.exec_driver_sql("START TRANSACTION")

    @staticmethod
    def _limits(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}")
        if getattr(connection.dialect, "is_mariadb", False):
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {STATEMENT_SECONDS}")
        connection.exec_driver_sql("SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'")

    def name(self, identifier: str) -> str:
        return '"' + identifier.replace('"', '""').replace(":", "\\:") + '"'

    def values(self, columns: Sequence[Column], rows: Sequence[Values], name: str = "v") -> tuple[str, dict[str, Any]]:
        parts = ", ".join(f"k{i} {self._json_type(column)} PATH '$[{i}]'" for i, column in enumerate(columns))
        source = f"JSON_TABLE(:{name}, '$[*]' COLUMNS ({parts})) AS v"
        if any(column.family == "bytes" for column in columns):  # JSON holds them in hexadecimal
            plain = ", ".join(f"UNHEX(k{i}) AS k{i}" if c.family == "bytes" else f"k{i}" for i, c in enumerate(columns))
            source = f"(SELECT {plain} FROM {source}) AS v"
        return source, {name: dump(rows)}

    def compared(self, expression: str, column: Column) -> str:
        # A FLOAT is no DOUBLE: 0.1 and 0.1 differ.
        return f"CAST({expression} AS CHAR)" if _is_single(column) else expression

    def _json_type(self, column: Column) -> str:
        if _is_single(column):
            return "VARCHAR(50)"
        if column.family == "int":
            return "DECIMAL(20)" if "unsigned" in column.type_name and column.bits > 62 else "BIGINT"
        if column.family in ("decimal", "date", "datetime", "float"):
            return {"float": "DOUBLE", "datetime": "DATETIME(6)", "date": "DATE"}.get(column.family, column.type_name)
        # The column's own collation, so that its index serves; utf8mb4 where it is no text.
        collation = column.collation or "utf8mb4_bin"
        kind = "VARCHAR(1000)" if (column.length or 0) <= 1000 else "LONGTEXT"  # what does not fit becomes NULL
        return f"{kind} CHARACTER SET {collation.split('_')[0]} COLLATE {collation}"

    def bind(self, value: Any, column: Column) -> Any:
        if isinstance(value, date | datetime):
            return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
        if isinstance(value, bytes):
            return value.hex()
        return str(value) if isinstance(value, Decimal) or column.family not in ("int", "float", "bool") else value

    def code(self, error: BaseException | None) -> str | None:
        number = error.args[0] if error is not None and error.args else None
        return str(number) if isinstance(number, int) else None

    def written(self, value: Any, column: Column) -> Any:
        return value if isinstance(value, bytes) else self.bind(value, column)

    def exactly(self, expression: str, column: Column) -> str:
        if column.exact:
            return expression
        nopad = "utf8mb4_nopad_bin" if getattr(self.engine.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
        return f"CONVERT({expression} USING utf8mb4) COLLATE {nopad}"

    def distinct(self, source: str, columns: Sequence[Column]) -> str:
        # JSON_TABLE gave every column the collation of the one it is compared with.
        return f"(SELECT DISTINCT {', '.join(f'k{i}' for i in range(len(columns)))} FROM {source}) AS v"

    def folded(self, expression: str, kind: str) -> str:
        if kind in PHONE_KINDS:
            plain = f"RIGHT(REGEXP_REPLACE({expression}, '{NOT_DIGIT}', ''), 8)"
            return f"IF({expression} REGEXP '{NOT_PLAIN_PHONE}', '{ODD}', {plain})"
        plain = f"LOWER({expression})" if kind in EMAIL_KINDS else expression
        odd = f"CONCAT('{ODD}', REGEXP_REPLACE({expression}, '{NOT_KEPT}', ''))"
        return f"IF({expression} REGEXP '{NOT_PLAIN}', {odd}, {plain})"

    def odd(self, expression: str, kind: str) -> str:
        if kind in PHONE_KINDS:
            return f"{expression} REGEXP '{NOT_E164}'"
        return f"{expression} REGEXP '{NOT_PLAIN}'" + (f" OR {expression} <> LOWER({expression})" if kind in EMAIL_KINDS else "")

    def as_text(self, expression: str, column: Column) -> str:
        return f"CONVERT({expression} USING utf8mb4)"

    def may_hold(self, rows: str, texts: Sequence[str], needles: Needles) -> tuple[str, str, dict[str, Any]]:
        conditions = ["{0} LIKE '%@%'"] if needles.emails else []
        patterns = {"phones": needles.phone_pattern, "words": needles.word_pattern}
        patterns = {name: pattern for name, pattern in patterns.items() if pattern}
        conditions += [f"{{0}} REGEXP :{name}" for name in patterns]
        if needles.words and not needles.word_pattern:
            conditions.append("{0} <> ''")
        return f"({rows}) s", " OR ".join(condition.format(text) for text in texts for condition in conditions), patterns

    def in_order(self, table: Table, column: Column) -> bool:
        # An ENUM is sorted by its numbers, and a TIMESTAMP is shown twice the same in the night when summer ends.
        odd = column.choices or column.type_name.startswith(("timestamp", "set"))
        return column.family in _IN_ORDER and not column.nullable and not odd

    def whole(self, session: SqlSession) -> Iterator[Piece]:
        # Nothing parts a table without a key, so the one statement may take its time.
        limited = getattr(session.connection.dialect, "is_mariadb", False)
        if limited:
            session.execute("SET SESSION max_statement_time = 0")
        yield Piece()
        if limited:
            session.execute(f"SET SESSION max_statement_time = {STATEMENT_SECONDS}")

    def random(self, what: str, column: Column) -> str:
        return _random(what, column)

    def delete(self, table: str, values: str, on: Sequence[tuple[str, str]], where: str) -> str:
        return f"DELETE t FROM {values} STRAIGHT_JOIN {table} t ON {equal(on)}{where}"

    def update(self, table: str, assignments: Sequence[str], values: str, on: Sequence[tuple[str, str]], where: str) -> str:
        return f"UPDATE {values} STRAIGHT_JOIN {table} t ON {equal(on)}{where} SET {', '.join(assignments)}"


def _is_single(column: Column) -> bool:
    return column.type_name.startswith("float")


_COLUMNS = """
SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, c.IS_NULLABLE, c.CHARACTER_MAXIMUM_LENGTH, c.NUMERIC_PRECISION,
       c.NUMERIC_SCALE, c.EXTRA, c.COLLATION_NAME, t.TABLE_TYPE
FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)
WHERE c.TABLE_SCHEMA = :schema ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION
"""
# MariaDB's JSON is a text with a check.
_CHECKS = "SELECT TABLE_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = :schema"
_KEYS = """
SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = :schema AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX
"""
_FOREIGN = """
SELECT k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME,
  r.DELETE_RULE, r.UPDATE_RULE
FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.REFERENCED_TABLE_SCHEMA = :schema ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION
"""
_TRIGGERS = """
SELECT EVENT_OBJECT_TABLE, CONCAT(TRIGGER_NAME, ' ', ACTION_TIMING, ' ', EVENT_MANIPULATION, ' ', ACTION_STATEMENT)
FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = :schema ORDER BY 1, 2
"""


def _column(row: Any) -> Column:
    _, name, data_type, spelled, nullable, length, precision, scale, extra, collation, _ = row
    kind = str(data_type).lower()
    text = _FAMILIES.get(kind) == "text"
    labels = re.findall(r"'((?:[^']|'')*)'", spelled) if kind in ("enum", "set") else []
    return Column(
        name=name,
        family=_FAMILIES.get(kind, "other"),
        type_name=str(spelled),
        nullable=nullable == "YES",
        length=int(length) if text and length is not None else None,
        generated="GENERATED" in str(extra).upper() and "DEFAULT_GENERATED" not in str(extra).upper(),
        # Even a binary collation pads with spaces, where it is not one of the NOPAD ones.
        exact=not text,
        collation=collation,
        bits=_BITS.get(kind, 63) + ("unsigned" in spelled),
        precision=(int(precision), int(scale or 0)) if kind == "decimal" and precision else None,
        choices=tuple(label.replace("''", "'") for label in labels),
    )


def _random(what: str, column: Column) -> str:
    hexadecimal = "REPLACE(UUID(), '-', '')"
    if what == "text":
        # UUID() counts up in its first digits only; the hash spreads them, and RAND() makes it no function of time alone.
        return f"LEFT(SHA2(CONCAT(UUID(), RAND()), 256), {min(column.length or 32, 32)})"
    if what == "email":
        return f"CONCAT(LEFT(SHA2(CONCAT(UUID(), RAND()), 256), {min((column.length or 60) - 18, 32)}), '@anonymous.invalid')"
    if what == "int" and column.type_name.startswith("year"):
        return "1970 + FLOOR(RAND() * 60)"
    if what == "int":
        return f"FLOOR(RAND() * {min(2**column.bits - 1, 2**53)})"
    if what == "number":
        whole = (column.precision[0] - column.precision[1]) if column.precision else 6
        return f"FLOOR(RAND() * {10 ** max(min(whole, 12), 0)})"
    if what == "date":
        return "DATE_ADD('1970-01-02', INTERVAL FLOOR(RAND() * 18000) DAY)"
    if what == "bool":
        return "FLOOR(RAND() * 2)"
    if what == "uuid":
        return "UUID()"
    if what == "bytes":
        longest = re.search(r"binary\((\d+)\)", column.type_name)
        return f"LEFT(UNHEX({hexadecimal}), {min(int(longest[1]), 16) if longest else 16})"
    if what == "json":
        return "'{}'"
    if what == "choice":
        labels = ", ".join("'" + label.replace("'", "''").replace(":", "\\:") + "'" for label in column.choices)
        return f"ELT(1 + FLOOR(RAND() * {len(column.choices)}), {labels})"
    raise ValueError(what)
