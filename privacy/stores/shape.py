"""A schema as JSON: what is remembered of a store for when it cannot be reached."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from privacy.stores.base import Column, ForeignKey, Schema, Table


def to_shape(schema: Schema) -> dict[str, Any]:
    return {
        "tables": [
            {**asdict(table), "columns": [asdict(column) for column in table.columns.values()]}
            for table in schema.tables.values()
        ],
        "foreign_keys": [asdict(fk) for fk in schema.foreign_keys],
    }


def from_shape(shape: dict[str, Any]) -> Schema:
    tables = {}
    for raw in shape.get("tables", ()):
        columns = {
            c["name"]: Column(**{**c, "precision": _pair(c["precision"]), "choices": tuple(c["choices"])}) for c in raw["columns"]
        }
        tables[raw["name"]] = Table(
            **{
                **raw,
                "columns": columns,
                "primary_key": tuple(raw["primary_key"]),
                "uniques": tuple(tuple(key) for key in raw["uniques"]),
                "triggers": tuple(raw["triggers"]),
                "heirs": tuple(raw.get("heirs", ())),
            }
        )
    keys = tuple(
        ForeignKey(**{**fk, "child_columns": tuple(fk["child_columns"]), "parent_columns": tuple(fk["parent_columns"])})
        for fk in shape.get("foreign_keys", ())
    )
    return Schema(tables, keys)


def _pair(value: Any) -> Any:
    return None if value is None else tuple(value)
