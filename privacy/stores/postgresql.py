"""PostgreSQL by psycopg 3: values go in as arrays, schemas are read from the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from psycopg.adapt import Loader

from privacy.engine.identity import EMAIL_KINDS, PHONE_KINDS
from privacy.stores.base import Column, ForeignKey, Mark, Schema, Table, Values
from privacy.stores.dialect import LOCK_SECONDS, SHOWN, STATEMENT_SECONDS, Dialect
from privacy.stores.needles import WIDEST, Needles
from privacy.stores.pieces import Piece
from privacy.stores.spellings import NOT_DIGIT, NOT_E164, NOT_KEPT, NOT_PLAIN, NOT_PLAIN_PHONE, ODD

if TYPE_CHECKING:
    from privacy.stores.session import SqlSession

DRIVER = "postgresql+psycopg"
OPTIONS = {"sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "application_name", "options"}

_FAMILIES = {
    "int2": "int",
    "int4": "int",
    "int8": "int",
    "oid": "int",
    "numeric": "decimal",
    "float4": "float",
    "float8": "float",
    "text": "text",
    "varchar": "text",
    "bpchar": "text",
    "name": "text",
    "citext": "text",
    "bool": "bool",
    "date": "date",
    "timestamp": "datetime",
    "timestamptz": "datetime",
    "uuid": "uuid",
    "bytea": "bytes",
    "json": "json",
    "jsonb": "json",
    "inet": "ip",
    "cidr": "ip",
}
_BITS = {"int2": 15, "int4": 31, "oid": 32}

_COLUMNS = """
SELECT c.relname, a.attname, t.typname, format_type(a.atttypid, a.atttypmod), a.attnotnull OR t.typnotnull,
       CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END,
       a.attgenerated <> '' OR a.attidentity = 'a', c.relkind, t.typtype, bt.typname, t.typcategory,
       coalesce(co.collisdeterministic, true),
       (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid IN (t.oid, t.typbasetype)),
       CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE '' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type bt ON bt.oid = t.typbasetype
LEFT JOIN pg_collation co ON co.oid = a.attcollation
WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
ORDER BY c.relname, a.attnum
"""
_KEYS = """
SELECT c.relname, i.indisprimary, array_agg(a.attname ORDER BY k.n)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, n)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE n.nspname = :schema AND i.indisunique AND i.indpred IS NULL AND i.indisvalid AND NOT (0 = ANY (i.indkey::int2[]))
  AND k.n <= i.indnkeyatts
GROUP BY c.relname, i.indexrelid, i.indisprimary
"""
_FOREIGN = """
SELECT cn.nspname, c.relname, p.relname, x.confdeltype, x.confupdtype,
       (SELECT array_agg(a.attname ORDER BY k.n) FROM unnest(x.conkey) WITH ORDINALITY k(attnum, n)
        JOIN pg_attribute a ON a.attrelid = x.conrelid AND a.attnum = k.attnum),
       (SELECT array_agg(a.attname ORDER BY k.n) FROM unnest(x.confkey) WITH ORDINALITY k(attnum, n)
        JOIN pg_attribute a ON a.attrelid = x.confrelid AND a.attnum = k.attnum)
FROM pg_constraint x JOIN pg_class c ON c.oid = coalesce(pg_partition_root(x.conrelid), x.conrelid)
JOIN pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_class p ON p.oid = coalesce(pg_partition_root(x.confrelid), x.confrelid) JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE x.contype = 'f' AND x.conparentid = 0 AND pn.nspname = :schema
"""
_CHECKS = """
SELECT c.relname, a.attname, pg_get_constraintdef(x.oid) FROM pg_constraint x JOIN pg_class c ON c.oid = x.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (x.conkey)
WHERE x.contype = 'c' AND n.nspname = :schema
"""
# With the source of their functions, which can be replaced without touching the trigger, and those of single partitions.
_TRIGGERS = """
SELECT c.relname, pg_get_triggerdef(g.oid) || ' ' || f.prosrc FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
JOIN pg_class c ON c.oid = coalesce(pg_partition_root(g.tgrelid), g.tgrelid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND n.nspname = :schema
UNION ALL
SELECT c.relname, pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND n.nspname = :schema
ORDER BY 1, 2
"""

_HEIRS = """
SELECT p.relname, array_agg(CASE WHEN c.relnamespace = p.relnamespace THEN '' ELSE cn.nspname || '.' END || c.relname)
FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace
JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
WHERE n.nspname = :schema AND p.relkind = 'r' GROUP BY p.relname
"""


def _listed(query: str, width: int) -> str:
    """A query of so many columns as one JSON array of its rows."""
    names = ", ".join(f"c{number}" for number in range(width))
    return f"(SELECT coalesce(json_agg(json_build_array({names})), '[]') FROM ({query}) AS q({names}))"


_OWN = "coalesce(CAST(:schema AS text), current_schema()\\:\\:text)"
# In one statement: every run reads the schema anew (R29).
_CATALOG = f"SELECT {_OWN}, " + ", ".join(
    _listed(query.replace(":schema", _OWN), width)
    for query, width in ((_COLUMNS, 14), (_KEYS, 3), (_FOREIGN, 7), (_CHECKS, 3), (_TRIGGERS, 2), (_HEIRS, 2))
)
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


class PostgresDialect(Dialect):
    skip_locked = " FOR UPDATE OF t SKIP LOCKED"
    loose = ("date", "datetime")  # 'infinity', and days before and after Python's calendar

    def __init__(self, engine: sa.Engine, schema: str | None = None) -> None:
        super().__init__(engine, schema)
        sa.event.listen(engine, "connect", _on_connect)

    def reflect(self, connection: sa.Connection, schema: str | None) -> Schema:
        own, found_columns, found_keys, found_foreign, found_checks, found_triggers, found_heirs = connection.execute(
            sa.text(_CATALOG), {"schema": schema}
        ).one()
        checks: dict[tuple[str, str], list[str]] = {}
        for table, column, text in found_checks:
            checks.setdefault((table, column), []).append(text)
        columns: dict[str, dict[str, Column]] = {}
        kinds: dict[str, str] = {}
        for row in found_columns:
            columns.setdefault(row[0], {})[row[1]] = _column(row, checks.get((row[0], row[1]), []))
            kinds[row[0]] = "view" if row[7] in (b"v", b"m", "v", "m") else "table"
        keys: dict[str, list[tuple[bool, tuple[str, ...]]]] = {}
        for table, primary, names in found_keys:
            keys.setdefault(table, []).append((primary, tuple(names)))
        triggers: dict[str, list[str]] = {}
        for table, text in found_triggers:
            triggers.setdefault(table, []).append(text)
        heirs = {table: tuple(sorted(names)) for table, names in found_heirs}
        foreign, outside = [], {}
        for child_schema, child, parent, on_delete, on_update, child_columns, parent_columns in found_foreign:
            name = child if child_schema == own else f"{child_schema}.{child}"
            if name not in columns and child_schema != own:
                outside[name] = (child_schema, child, child_columns)
            actions = _ACTIONS[_char(on_delete)], _ACTIONS[_char(on_update)]
            foreign.append(ForeignKey(name, tuple(child_columns), parent, tuple(parent_columns), *actions))
        tables = {
            name: Table(
                name=name,
                columns=found,
                primary_key=next((key for primary, key in keys.get(name, ()) if primary), ()),
                uniques=tuple(key for _, key in keys.get(name, ())),
                kind=kinds[name],
                schema=own,
                triggers=tuple(triggers.get(name, ())),
                heirs=heirs.get(name, ()),
            )
            for name, found in columns.items()
        }
        # A table of another schema that points here: known by its pointing columns, typed as what they point at.
        for fk in foreign:
            if fk.child in outside:
                child_schema, child, _ = outside[fk.child]
                known = dict(tables[fk.child].columns) if fk.child in tables else {}
                known |= {
                    c: _renamed(tables[fk.parent].columns[p], c) for c, p in zip(fk.child_columns, fk.parent_columns, strict=True)
                }
                tables[fk.child] = Table(name=child, columns=known, schema=child_schema)
        return Schema(tables, tuple(dict.fromkeys(foreign)))  # partitions may state one key each

    def table(self, table: Table) -> str:
        # Keys and triggers of a table do not reach the tables that inherit from it: those are tables of their own.
        return f"ONLY {self._address(table)}" if table.heirs else self._address(table)

    def _address(self, table: Table) -> str:
        return super().table(table)

    def begin_read(self, connection: sa.Connection) -> None:
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._limits(connection)

    def begin_write(self, connection: sa.Connection) -> None:
        # A row changed meanwhile by somebody else ends the transaction with 40001: the batch is tried again.
        connection.execution_options(isolation_level="REPEATABLE READ")
        self._limits(connection)

    def _limits(self, connection: sa.Connection) -> None:
        # Rows that a policy hides from us must be an error, never "nothing found".
        limits = {"statement_timeout": f"{STATEMENT_SECONDS}s", "lock_timeout": f"{LOCK_SECONDS}s", "row_security": "off"}
        parts = [f"set_config('{name}', '{value}', true)" for name, value in limits.items()]
        if self.schema:  # where the tables' own triggers look for what they name
            parts.append("set_config('search_path', quote_ident(:schema) || ', ' || current_setting('search_path'), true)")
        connection.execute(sa.text("SELECT " + ", ".join(parts)), {"schema": self.schema} if self.schema else {})

    def values(self, columns: Sequence[Column], rows: Sequence[Values], name: str = "v") -> tuple[str, dict[str, Any]]:
        names = ", ".join(f"k{i}" for i in range(len(columns)))
        arrays = ", ".join(f"CAST(:{name}{i} AS {_array_type(column)}[])" for i, column in enumerate(columns))
        parts = zip(columns, zip(*rows, strict=True), strict=True) if rows else ()
        return f"unnest({arrays}) AS v({names})", {f"{name}{i}": _array(column, part) for i, (column, part) in enumerate(parts)}

    def lists(self, column: Column) -> bool:
        return column.family == "int" or (column.family == "text" and column.exact and _array_type(column) == "text")

    def listed(self, expression: str, column: Column, values: Values, name: str) -> tuple[str, dict[str, Any]]:
        # One walk through the index finds all values of an array; a set of rows is joined, often by reading the whole table.
        return f"{expression} = ANY (CAST(:{name}0 AS {_array_type(column)}[]))", {f"{name}0": _array(column, values)}

    def delete(self, table: str, values: str, on: Sequence[tuple[str, str]], where: str) -> str:
        if len(on) != 1 or not values.endswith(_ONE):
            return super().delete(table, values, on, where)
        # An array is looked up in an index value by value; a set of rows is joined, often by reading the whole table.
        return f"DELETE FROM {table} WHERE {on[0][0]} = ANY ({values.removeprefix('unnest(').removesuffix(_ONE)}){where}"

    def parameter(self, name: str, column: Column) -> str:
        return f"CAST(:{name} AS {column.type_name if column.family in _AS_TEXT else _array_type(column)})"

    def bind(self, value: Any, column: Column) -> Any:
        return value if column.family in _PYTHON_FAMILIES else str(value)

    def name(self, identifier: str) -> str:
        # The preparer doubles percent signs for the driver, as text() does: once is enough.
        return '"' + identifier.replace('"', '""').replace(":", "\\:") + '"'

    def code(self, error: BaseException | None) -> str | None:
        return getattr(error, "sqlstate", None)

    def compared(self, expression: str, column: Column) -> str:
        return f"{expression}\\:\\:text" if column.family in _AS_TEXT else expression

    def exactly(self, expression: str, column: Column) -> str:
        if column.family in _AS_TEXT:
            return self.compared(expression, column)
        return expression if column.exact else f'{expression}\\:\\:text COLLATE "C"'

    def distinct(self, source: str, columns: Sequence[Column]) -> str:
        kept = ", ".join(f"k{i}" + (f" COLLATE {c.collation} AS k{i}" if c.collation else "") for i, c in enumerate(columns))
        return f"(SELECT DISTINCT {kept} FROM {source}) AS v"

    def folded(self, expression: str, kind: str) -> str:
        if kind in PHONE_KINDS:
            plain = f"right(regexp_replace({expression}, '{NOT_DIGIT}', '', 'g'), 8)"
            return f"CASE WHEN {expression} ~ '{NOT_PLAIN_PHONE}' THEN '{ODD}' ELSE {plain} END"
        plain = f"lower({expression})" if kind in EMAIL_KINDS else expression
        odd = f"'{ODD}' || regexp_replace({expression}, '{NOT_KEPT}', '', 'g')"
        return f"CASE WHEN {expression} ~ '{NOT_PLAIN}' THEN {odd} ELSE {plain} END"

    def odd(self, expression: str, kind: str) -> str:
        if kind in PHONE_KINDS:
            return f"{expression} ~ '{NOT_E164}'"
        return f"{expression} ~ '{NOT_PLAIN}'" + (f" OR {expression} <> lower({expression})" if kind in EMAIL_KINDS else "")

    def as_text(self, expression: str, column: Column) -> str:
        return f'{expression}\\:\\:text COLLATE "C"'

    def may_hold(self, rows: str, texts: Sequence[str], needles: Needles) -> tuple[str, str, dict[str, Any]]:
        parameters: dict[str, Any] = {}
        conditions: list[str] = []
        source = f"({rows}{_FENCE})"
        if needles.emails:
            # The place of the first @ and what follows from a little before it, found once: characters of UTF-8 are counted.
            found = "".join(f", strpos({text}, '@') AS at_{text}" for text in texts)
            source = f"(SELECT a.*{found} FROM {source} a{_FENCE})"
            near = "".join(
                f", CASE WHEN at_{text} > 0 THEN substr({text}, greatest(at_{text} - {WIDEST}, 1)) END AS near_{text}"
                for text in texts
            )
            source = f"(SELECT b.*{near} FROM {source} b{_FENCE})"
            probes = []
            for number, ((before, after), around) in enumerate(needles.around_at.items()):
                # One look into a hash table, whatever surrounds the address and however many people are looked for.
                place = f"least(at_{{0}}, {WIDEST + 1}) - {before}"
                probes.append(f"lower(substr(near_{{0}}, {place}, {before + 1 + after})) = ANY (CAST(:a{number} AS text[]))")
                parameters[f"a{number}"] = list(around)
            another = f"strpos(substr(near_{{0}}, least(at_{{0}}, {WIDEST + 1}) + 1), '@') > 0"
            conditions.append(f"(at_{{0}} > 0 AND ({' OR '.join(probes)} OR {another}))")
        if shapes := [pattern for pattern in (needles.phone_pattern, needles.word_pattern) if pattern]:
            # One expression for both: a text is unpacked for each one that is held against it.
            parameters["shapes"] = "|".join(f"(?:{pattern})" for pattern in shapes)
            conditions.append("{0} ~ :shapes")
            if needles.word_pattern:
                # A text that is one word is looked up where it stands: a million customer numbers need not travel.
                parameters["plain"] = list(needles.plain_words)
                alone = ["{0} ~ '[^0-9A-Za-z_]'", "lower({0}) = ANY (CAST(:plain AS text[]))"]
                if needles.phones:
                    parameters["phones"] = needles.phone_pattern
                    alone.append("{0} ~ :phones")
                conditions[-1] = f"({conditions[-1]} AND ({' OR '.join(alone)}))"
        if needles.words and not needles.word_pattern:
            conditions.append("{0} <> ''")
        return f"{source} s", " OR ".join(condition.format(text) for text in texts for condition in conditions), parameters

    def pieces(self, session: SqlSession, table: Table, after: Mark | None) -> Iterator[Piece]:
        # By where the rows lie, which is faster than by a key of any shape. In a later snapshot they may lie elsewhere, so a
        # table that was cut short is read from its beginning.
        own = ".".join('"' + part.replace('"', '""') + '"' for part in (table.schema, table.name) if part)
        blocks = session.all(_BLOCKS, {"name": own})[0][0] or 0
        ends = [*range(PIECE_BLOCKS, blocks, PIECE_BLOCKS)]
        if not ends:
            yield Piece()
            return
        for begin, end in pairwise([0, *ends]):
            yield Piece(f" WHERE t.ctid >= '({begin},0)' AND t.ctid < '({end},0)'")
        yield Piece(f" WHERE t.ctid >= '({ends[-1]},0)'")

    def random(self, what: str, column: Column) -> str:
        return _random(what, column)

    def beginning(self, expression: str, column: Column) -> str:
        return f"left({expression}\\:\\:text, {SHOWN})"

    def sample(self, table: Table, selected: str, limit: int) -> str:
        # Some blocks from all over the table, as many as hold about four times the rows wanted; all of a small one.
        own = self.table(table)
        literal = self._address(table).replace("'", "''")
        share = f"SELECT CASE WHEN reltuples > {limit * 10} THEN {limit * 400} / reltuples ELSE 100 END FROM pg_class"
        part = f"TABLESAMPLE SYSTEM (({share} WHERE oid = to_regclass('{literal}'))) REPEATABLE (1)"
        return f"SELECT {selected} FROM {own} t {part} LIMIT {limit}"


_ONE = ") AS v(k0)"
PIECE_BLOCKS = 8192  # 64 MB of a table, and what it keeps elsewhere of its long values
_FENCE = " OFFSET 0"  # so that an expression is computed once, not for every condition
_BLOCKS = """
SELECT greatest(max(pg_relation_size(relid)), pg_relation_size(to_regclass(:name))) / current_setting('block_size')\\:\\:int,
  set_config('jit', 'off', true)  -- compiling costs more than it saves on a statement per piece
FROM pg_partition_tree(to_regclass(:name))
"""

_PYTHON_FAMILIES = {"int", "decimal", "float", "text", "bool", "uuid", "bytes"}
_AS_TEXT = {"json", "array", "other"}  # compared by their text: not all such types have an equality, or take every value


def _array_type(column: Column) -> str:
    if column.family in _AS_TEXT:
        return "text"
    base = re.sub(r"\(.*?\)", "", column.base or column.type_name)
    # A text parameter in `text`: casting to varchar(n) would cut a longer value into somebody else's.
    return {"character varying": "text", "character": "bpchar", "text": "text", '"char"': "text"}.get(base, base)


def _array(column: Column, values: Values) -> Any:
    """The values as an array: whole numbers and texts in PostgreSQL's own spelling, made at once."""
    if column.family == "int":
        return "{" + ",".join(map(str, values)) + "}"
    if column.family == "text":
        joined = '","'.join([value.replace("\\", "\\\\").replace('"', '\\"') for value in values])
        return '{"' + joined + '"}'
    return list(values)


class _AsTextOtherwise(Loader):
    """Reads what psycopg reads, and as its text what Python has no value for: infinity, the year 12000, 24:00."""

    def __init__(self, oid: int, context: Any = None) -> None:
        super().__init__(oid, context)
        known = psycopg.adapters.get_loader(oid, self.format)
        assert known is not None
        self._known = known(oid, context).load

    def load(self, data: Any) -> Any:
        try:
            return self._known(data)
        except (psycopg.DataError, ValueError, OverflowError):
            return bytes(data).decode()


def _on_connect(connection: Any, _record: Any) -> None:
    for name in ("date", "timestamp", "timestamptz", "time", "timetz", "interval"):
        connection.adapters.register_loader(name, _AsTextOtherwise)


def _renamed(column: Column, name: str) -> Column:
    return Column(name, column.family, column.type_name, exact=column.exact, bits=column.bits)


def _column(row: Any, checks: list[str]) -> Column:
    _, name, type_name, spelled, not_null, modifier, generated, _, kind, base, category, deterministic, labels, under = row
    domain = base if _char(kind) == "d" else None
    known = domain or type_name
    family = "array" if _char(category) == "A" else "enum" if labels else _FAMILIES.get(known, "other")
    length = modifier - 4 if known in ("varchar", "bpchar") and modifier > 4 else None
    precision = ((modifier - 4) >> 16, (modifier - 4) & 0xFFFF) if known == "numeric" and modifier > 4 else None
    return Column(
        name=name,
        family=family,
        type_name=spelled,
        nullable=not not_null,
        length=length,
        generated=bool(generated),
        exact=deterministic and known != "citext",
        bits=_BITS.get(known, 63),
        precision=precision,
        choices=tuple(labels or _literals(checks)),
        checked=bool(checks),
        base=under,
    )


def _char(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _literals(checks: list[str]) -> list[str]:
    """The literals of a check of the form `column IN ('a', 'b')`, as PostgreSQL prints it."""
    for text in checks:
        if match := re.fullmatch(r"CHECK \(\(+[\w\"]+\)?(?:::\w+)? = ANY \(\(?ARRAY\[(.*)\]\)?(?:::[\w\[\] ]+)?\)+\)", text):
            return [part.replace("''", "'") for part in re.findall(r"'((?:[^']|'')*)'", match[1])]
    return []


def _random(what: str, column: Column) -> str:
    hexadecimal = "replace(gen_random_uuid()\\:\\:text, '-', '')"
    if what == "email":
        return f"left({hexadecimal}, {min((column.length or 60) - len('@anonymous.invalid'), 32)}) || '@anonymous.invalid'"
    if what == "number":
        whole = (column.precision[0] - column.precision[1]) if column.precision else 6
        return f"floor(random() * {10 ** max(min(whole, 12), 0)})"
    if what == "choice":
        labels = ", ".join("'" + label.replace("'", "''").replace(":", "\\:") + "'" for label in column.choices)
        kind = "" if column.family == "text" else f"\\:\\:{column.type_name}"
        return f"((ARRAY[{labels}])[1 + floor(random() * {len(column.choices)})\\:\\:int]){kind}"
    return {
        "text": f"left({hexadecimal}, {min(column.length or 32, 32)})",
        "int": f"floor(random() * {min(2**column.bits - 1, 2**53)})\\:\\:bigint",
        "date": "date '1900-01-01' + floor(random() * 36500)\\:\\:int",
        "bool": "random() < 0.5",
        "uuid": "gen_random_uuid()",
        "bytes": f"decode({hexadecimal}, 'hex')",
        "ip": "inet '2001:db8\\:\\:' + floor(random() * 9e15)\\:\\:bigint",  # of the range for documentation (RFC 3849)
        "json": "'{}'",
        "array": "'{}'",
    }[what]
