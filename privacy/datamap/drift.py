"""What changed in a store since its map was loaded, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from privacy.datamap.model import Dataset
from privacy.stores.base import Column, ForeignKey, Schema, Table


@dataclass(frozen=True)
class Change:
    """`mapped`: whether the map speaks of it, so that the change touches what Insyn does."""

    store: str
    kind: str
    collection: str
    column: str | None
    mapped: bool
    text: str
    advice: str

    def __str__(self) -> str:
        place = f"{self.collection}.{self.column}" if self.column else self.collection
        return f"{self.store}: {place}: {self.text}; {self.advice}"


_AGAIN = "load the dataset file again to accept it"
_DESCRIBE = "describe it in the dataset file and load it again; where it holds nothing personal, loading is enough"
_GONE = "take it out of the dataset file and load it again"
_LOOK = "check that the file's links and on_erasure still hold, then load it again"
_CASCADE = "check what an erasure now takes along, then load the file again"


def compare(key: str, dataset: Dataset, loaded: Schema, live: Schema) -> list[Change]:
    """Every difference between the schema a map was loaded on and the live one, the mapped ones first."""
    changes = [*_tables(key, dataset, loaded, live), *_foreign_keys(key, dataset, loaded, live)]
    return sorted(changes, key=lambda c: (not c.mapped, c.collection, c.column or "", c.kind, c.text))


def _tables(key: str, dataset: Dataset, loaded: Schema, live: Schema) -> Iterator[Change]:
    for name in sorted({*loaded.tables, *live.tables}):
        mapped = name in dataset.collections
        before, after = loaded.tables.get(name), live.tables.get(name)
        if before is None:
            yield Change(key, "table_added", name, None, mapped, "is a new table", _DESCRIBE)
        elif after is None:
            advice = _GONE if mapped else _AGAIN
            yield Change(key, "table_removed", name, None, mapped, "the table is gone", advice)
        else:
            yield from _columns(key, dataset, before, after)
            yield from _rules(key, mapped, before, after)


def _columns(key: str, dataset: Dataset, before: Table, after: Table) -> Iterator[Change]:
    collection = dataset.collections.get(before.name)
    for name in dict.fromkeys([*before.columns, *after.columns]):
        mapped = collection is not None and name in collection.fields
        old, new = before.columns.get(name), after.columns.get(name)
        if old is None:
            yield Change(key, "column_added", before.name, name, mapped, "is a new column", _DESCRIBE)
        elif new is None:
            yield Change(key, "column_removed", before.name, name, mapped, "the column is gone", _GONE if mapped else _AGAIN)
        else:
            for kind, text in _differences(old, new):
                yield Change(key, kind, before.name, name, mapped, text, _AGAIN)


def _differences(old: Column, new: Column) -> Iterator[tuple[str, str]]:
    if old.type_name != new.type_name or old.length != new.length:
        yield "type_changed", f"was {_type(old)}, is {_type(new)}"
    if old.nullable != new.nullable:
        yield "nullability_changed", "may be empty now" if new.nullable else "may no longer be empty"
    if old.generated != new.generated:
        yield "generated_changed", "is computed by the database now" if new.generated else "is no longer computed by the database"
    if old.exact != new.exact or old.collation != new.collation:
        yield "collation_changed", "compares text differently than before"
    if sorted(old.choices) != sorted(new.choices) or old.checked != new.checked:
        yield "check_changed", "other values are allowed than before"


def _type(column: Column) -> str:
    return column.type_name if column.length is None or "(" in column.type_name else f"{column.type_name}({column.length})"


def _rules(key: str, mapped: bool, before: Table, after: Table) -> Iterator[Change]:
    if before.kind != after.kind:
        yield Change(key, "kind_changed", before.name, None, mapped, f"was a {before.kind}, is a {after.kind}", _LOOK)
    if before.primary_key != after.primary_key:
        yield Change(key, "primary_key_changed", before.name, None, mapped, "has another primary key", _LOOK)
    for names in sorted(set(before.uniques) ^ set(after.uniques)):
        text = f"({', '.join(names)}) is {'now' if names in after.uniques else 'no longer'} unique"
        yield Change(key, "unique_changed", before.name, None, mapped, text, _LOOK)
    if set(after.triggers) - set(before.triggers):
        yield Change(key, "trigger_added", before.name, None, mapped, "has a new or changed trigger", _CASCADE)
    elif set(before.triggers) - set(after.triggers):
        yield Change(key, "trigger_removed", before.name, None, mapped, "lost a trigger", _CASCADE)


def _foreign_keys(key: str, dataset: Dataset, loaded: Schema, live: Schema) -> Iterator[Change]:
    old, new = ({_ends(fk): fk for fk in schema.foreign_keys} for schema in (loaded, live))
    for ends in sorted({*old, *new}):
        fk = new.get(ends) or old[ends]
        mapped = fk.child in dataset.collections or fk.parent in dataset.collections
        if fk.child not in loaded.tables or fk.child not in live.tables:
            continue  # the table itself is new or gone, which is said already
        column = fk.child_columns[0] if len(fk.child_columns) == 1 else None
        where = f"{fk.parent} ({', '.join(fk.parent_columns)})"
        if ends not in old:
            text = f"points at {where} by a new foreign key, on delete {fk.on_delete.lower()}"
            yield Change(key, "foreign_key_added", fk.child, column, mapped, text, _CASCADE)
        elif ends not in new:
            yield Change(
                key, "foreign_key_removed", fk.child, column, mapped, f"no longer points at {where} by a foreign key", _LOOK
            )
        elif old[ends].on_delete != fk.on_delete:
            text = f"on delete of {where} was {old[ends].on_delete.lower()}, is {fk.on_delete.lower()}"
            yield Change(key, "cascade_changed", fk.child, column, mapped, text, _CASCADE)


def _ends(fk: ForeignKey) -> tuple[object, ...]:
    return (fk.child, fk.child_columns, fk.parent, fk.parent_columns)
