"""One snapshot or one transaction of a store that speaks SQL: each lookup or change is one statement for all people (R14)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from privacy.stores.base import NO_MATCH, Assignment, Column, Count, Expiry, Groups, Mark, Pinned, Schema, Values
from privacy.stores.needles import Needles
from privacy.stores.spellings import candidates, folds, is_spelling
from privacy.stores.values import convert, weight

if TYPE_CHECKING:
    from privacy.stores.sql import SqlStore

ZONE = ZoneInfo("Europe/Stockholm")
FETCH = 2_000  # rows fetched at a time, where they are small
FETCH_BYTES = 1_000_000  # aimed at where they are not
_FIRST_FETCH = 100
text = lru_cache(maxsize=2_000)(sa.text)  # the same statements come again and again
_TAG = Column("tag", "int", "bigint")
_TEXT = Column("text", "text", "text")


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
        with self.store.translated():
            return self.connection.execute(text(sql), dict(parameters or {}))

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Values]:
        """The whole answer as the driver gives it."""
        result = self.execute(sql, parameters)
        cursor = result.cursor
        with self.store.translated():
            rows = list(cursor.fetchall()) if cursor else []
        result.close()
        return rows

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Any]:
        for fetched in self.fetches(sql, parameters):
            yield from fetched

    def fetches(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Sequence[Any]]:
        """The rows in lists as they come from the database, each as long as the size of those before it allows."""
        self.statements += 1
        with self.store.translated():
            options = {"stream_results": True, "yield_per": FETCH}
            result = self.connection.execute(text(sql), dict(parameters or {}), execution_options=options)
            count = _FIRST_FETCH
            try:
                while fetched := result.fetchmany(count):
                    yield fetched
                    count = max(1, min(FETCH, 4 * count, FETCH_BYTES * len(fetched) // (weight(fetched) or 1)))
            finally:
                result.close()

    # -- reading ------------------------------------------------------------------------------------------------------

    def find(
        self, table: str, key: Sequence[str], rows: Sequence[Values], by: Sequence[str], constants: Mapping[str, Any]
    ) -> Iterator[tuple[int, Values, int]]:
        for group, count in self.tagged(table, key, rows, by, constants).items():
            yield group[0], group[1:], count

    def tagged(
        self, table: str, key: Sequence[str], rows: Sequence[Values], by: Sequence[str], constants: Mapping[str, Any]
    ) -> dict[Values, int]:
        if (listed := self._listed(table, key, rows, constants)) is None:
            found = self._matching(table, key, rows, constants)
            return {row[:-1]: row[-1] for row in self._grouped(table, "v.k0", *found, by)} if found else {}
        condition, parameters, tags = listed
        name, own = self.dialect.name(key[0]), self.dialect.table(self.tables[table])
        groups = self._grouped(table, f"t.{name}", f"{own} t WHERE {condition}", parameters, by)
        found_by_tag: dict[Values, int] = {}
        for row in groups:  # several keys of one tag may lead to rows of one group
            for tag in tags[row[0]]:
                group = (tag, *row[1:-1])
                found_by_tag[group] = found_by_tag.get(group, 0) + row[-1]
        return found_by_tag

    def counts(self, asked: Sequence[Count]) -> list[dict[int, int]]:
        parts: list[str] = []
        parameters: dict[str, Any] = {}
        keys: dict[int, dict[Any, list[int]]] = {}
        for number, count in enumerate(asked):
            whole = self.tables[count.table].columns[count.key[0]].family == "int"  # the parts have the same types
            listed = self._listed(count.table, count.key, count.rows, count.constants, name=f"n{number}") if whole else None
            if listed:
                condition, bound, keys[number] = listed
                name = f"t.{self.dialect.name(count.key[0])}"
                source = f"{self.dialect.table(self.tables[count.table])} t WHERE {condition} GROUP BY {name}"
                parts.append(f"SELECT {number} AS n, CAST({name} AS bigint) AS tag, count(*) AS found FROM {source}")
                parameters |= bound
            elif found := self._matching(count.table, count.key, count.rows, count.constants, name=f"n{number}"):
                parts.append(f"SELECT {number} AS n, v.k0 AS tag, count(*) AS found FROM {found[0]} GROUP BY v.k0")
                parameters |= found[1]
        out: list[dict[int, int]] = [{} for _ in asked]
        for number, tag, found in self.all(" UNION ALL ".join(parts), parameters) if parts else ():
            for own in keys[number][tag] if number in keys else (tag,):
                out[number][own] = out[number].get(own, 0) + found
        return out

    def _listed(
        self, table: str, key: Sequence[str], rows: Sequence[Values], constants: Mapping[str, Any], *, name: str = "v"
    ) -> tuple[str, dict[str, Any], dict[Any, list[int]]] | None:
        """(condition on the table `t`, its parameters, the tags of every key); None where the rows are to be joined."""
        if len(key) != 1 or not self.dialect.lists(column := self.tables[table].columns[key[0]]):
            return None
        tags: dict[Any, list[int]] = {}
        for tag, value in self._converted([column], rows, tagged=True):
            tags.setdefault(value, []).append(tag)
        if not tags or (constant := self._constants(table, constants, name)) is None:
            return None
        condition, parameters = self.dialect.listed(f"t.{self.dialect.name(column.name)}", column, tuple(tags), name)
        return condition + constant[0], parameters | constant[1], tags

    def _matching(
        self, table: str, key: Sequence[str], rows: Sequence[Values], constants: Mapping[str, Any], *, name: str = "v"
    ) -> tuple[str, dict[str, Any]] | None:
        """Rows (tag, *key) joined with the table's rows that have the key and the constants; None where nothing can match."""
        columns = [self.tables[table].columns[column] for column in key]
        bound = self._converted(columns, rows, tagged=True)
        if not bound or (constant := self._constants(table, constants, name)) is None:
            return None
        source, parameters = self.dialect.values([_TAG, *columns], bound, name)
        if not all(column.exact for column in columns):
            source = self.dialect.distinct(source, [_TAG, *columns])
        on = [(self.dialect.compared(f"t.{self.dialect.name(c.name)}", c), f"v.k{i}") for i, c in enumerate(columns, 1)]
        return self.dialect.joined(self.tables[table], source, on, key) + constant[0], parameters | constant[1]

    def find_identity(
        self, table: str, column: str, kind: str, wanted: Mapping[str, Sequence[int]], by: Sequence[str]
    ) -> Iterator[tuple[int, Values, int]]:
        target = self.tables[table].columns[column]
        by = list(dict.fromkeys([*by, column]))
        place = by.index(column)
        spellings = [(number, spelling) for number, value in enumerate(wanted) for spelling in candidates(kind, value)]
        name = "t." + self.dialect.name(column)
        if target.family == "text" and self._free_spelling(table, target, kind):
            folded = [(number, fold) for number, spelling in spellings for fold in folds(kind, spelling)]
            on = [(self.dialect.folded(self.dialect.exactly(name, target), kind), "v.k1")]
            found = self._joined(table, _TEXT, folded, on, [], by)
        elif target.exact:
            found = self.tagged(table, (column,), spellings, by, {})
        else:
            on = [(self.dialect.compared(name, target), "v.k1")]
            on.append((self.dialect.exactly(name, target), self.dialect.exactly("v.k1", target)))
            found = self._joined(table, target, spellings, on, [column], by)
        values = list(wanted)
        for (number, *group), count in found.items():
            if is_spelling(kind, group[place], values[number]):
                for tag in wanted[values[number]]:
                    yield tag, tuple(group), count

    def _joined(
        self,
        table: str,
        column: Column,
        rows: Sequence[Values],
        on: Sequence[tuple[str, str]],
        served: Sequence[str],
        by: Sequence[str],
    ) -> dict[Values, int]:
        """The groups by tag of the rows that fit one of `rows`, (tag, value of `column`'s type), in a way of their own."""
        if not (bound := self._converted([column], rows, tagged=True)):
            return {}
        source, parameters = self.dialect.values([_TAG, column], bound)
        joined = self.dialect.joined(self.tables[table], source, on, served)
        return {row[:-1]: row[-1] for row in self._grouped(table, "v.k0", joined, parameters, by)}

    def _free_spelling(self, table: str, column: Column, kind: str) -> bool:
        """Whether the column holds spellings that no list of candidates foresees, so that an index lookup may miss a row."""
        key = (table, column.name, kind)
        if key not in self.store._spellings:
            expression = self.dialect.exactly("t." + self.dialect.name(column.name), column)
            sql = f"SELECT 1 FROM {self.dialect.table(self.tables[table])} t WHERE {self.dialect.odd(expression, kind)} LIMIT 1"
            self.store._spellings[key] = self.execute(sql).first() is not None
        return self.store._spellings[key]

    def _grouped(self, table: str, first: str, source: str, parameters: Mapping[str, Any], by: Sequence[str]) -> list[Values]:
        """(`first`, *values of `by`, number of rows), whole: all of it is remembered anyway, and it is groups, not rows."""
        columns = [self.tables[table].columns[name] for name in by]
        names = [first, *(self.dialect.exactly(f"t.{self.dialect.name(c.name)}", c) for c in columns)]
        selected = ", ".join(f"{name} AS b{i}" for i, name in enumerate(names))
        return self.all(f"SELECT {selected}, count(*) FROM {source} GROUP BY {', '.join(names)}", parameters)

    def rows(self, groups: Groups, columns: Sequence[str], limit: int | None = None) -> Iterator[Values]:
        for batch in self.batches(groups, columns, limit):
            yield from map(tuple, batch)

    def batches(self, groups: Groups, columns: Sequence[str], limit: int | None = None) -> Iterator[Sequence[Values]]:
        selected = ", ".join(f"t.{self.dialect.name(name)}" for name in columns)
        left = limit
        for source, on, where, parameters in self._sources(groups, "t."):
            sql = f"SELECT {selected} FROM {self.dialect.joined(self.tables[groups.table], source, on, groups.columns)}{where}"
            if left is not None:
                sql += f" LIMIT {left}"
            for batch in self.fetches(sql, parameters):
                yield batch
                if left is not None:
                    left -= len(batch)
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

    def may_hold(
        self, table: str, columns: Sequence[str], needles: Needles, after: Mark | None = None
    ) -> Iterator[tuple[Sequence[Values], Mark | None]]:
        if not needles:
            return
        own = self.tables[table]
        texts = [self.dialect.as_text(f"t.{self.dialect.name(name)}", own.columns[name]) for name in columns]
        able = [i for i, name in enumerate(columns) if _may_reach(own.columns[name], needles.shortest)]
        if not able:
            return
        selected = ", ".join(f"{text} AS c{i}" for i, text in enumerate(texts))
        for piece in self.dialect.pieces(self, own, after):
            rows = f"SELECT {selected} FROM {self.dialect.table(own)} t{piece.where}"
            source, conditions, parameters = self.dialect.may_hold(rows, [f"c{i}" for i in able], needles)
            sql = f"SELECT {', '.join(f'c{i}' for i in range(len(texts)))} FROM {source} WHERE {conditions}"
            for fetched in self.fetches(sql, parameters | piece.parameters):
                yield [tuple(row) for row in fetched], None
            yield [], piece.mark

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
        unique = list(dict.fromkeys(groups.values))
        patterns: dict[tuple[bool, ...], list[Values]] = {}
        for values in [values for values in unique if None in values]:
            patterns.setdefault(tuple(value is None for value in values), []).append(values)
        if whole := [values for values in unique if None not in values] if patterns else unique:
            patterns[(False,) * len(groups.columns)] = whole
        for pattern, members in patterns.items():
            given = [i for i, null in enumerate(pattern) if not null]
            columns = [table.columns[groups.columns[i]] for i in given]
            rows = [tuple(values[i] for i in given) for values in members] if True in pattern else members
            bound = self._converted(columns, rows, as_stored=True)
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
        self, columns: Sequence[Column], rows: Sequence[Values], *, tagged: bool = False, as_stored: bool = False
    ) -> list[Values]:
        """Rows in the types of `columns`, each once. What has a part that is NULL or does not convert matches nothing.

        `as_stored`: the values came from the store itself; what no column of its type should hold stays what it is.
        """
        if not rows:
            return []
        skip = 1 if tagged else 0
        if self.dialect.as_they_are(columns, list(zip(*rows, strict=True))[skip:]):
            return list(dict.fromkeys(rows))
        out: dict[Values, None] = {}
        for row in rows:
            values = [convert(value, column) for value, column in zip(row[skip:], columns, strict=True)]
            if as_stored:
                values = [
                    old if new is NO_MATCH and self.dialect.is_loose(column) else new
                    for old, new, column in zip(row[skip:], values, columns, strict=True)
                ]
            if not any(value is NO_MATCH for value in values):
                out[*row[:skip], *values] = None
        return [
            (*row[:skip], *(self.dialect.bind(value, column) for value, column in zip(row[skip:], columns, strict=True)))
            for row in out
        ]

    def _constants(self, table: str, constants: Mapping[str, Any], prefix: str) -> tuple[str, dict[str, Any]] | None:
        sql, parameters = "", {}
        for number, (name, value) in enumerate(constants.items()):
            column = self.tables[table].columns[name]
            converted = convert(value, column)
            if converted is NO_MATCH:
                return None
            sql += f" AND {self.dialect.compared('t.' + self.dialect.name(name), column)} = :{prefix}w{number}"
            parameters[f"{prefix}w{number}"] = self.dialect.bind(converted, column)
        return sql, parameters


def _may_reach(column: Column, length: int) -> bool:
    return column.free or column.length is None or column.length >= length


def _midnight(day: date, column: Column) -> Any:
    """The start of a day in the column's type; days are those of the company's time zone."""
    if column.family != "datetime":
        return day.isoformat() if column.family == "text" else day
    aware = "with time zone" in column.type_name
    return datetime(day.year, day.month, day.day, tzinfo=ZONE if aware else None)
