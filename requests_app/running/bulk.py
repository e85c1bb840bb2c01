"""Many rows, each with values of its own, in one statement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import JSONField, Model

from privacy.arrays import execute_with_arrays


def write_columns(rows: Sequence[Model], columns: Sequence[str]) -> None:
    """Write these columns of rows of one model. `bulk_update` would do, and build an expression tree for every value."""
    if not rows:
        return
    meta, quote = rows[0]._meta, connection.ops.quote_name
    fields: list[Any] = [meta.pk, *(meta.get_field(name) for name in columns)]
    arrays = ", ".join(f"%b::{_array_type(field)}[]" for field in fields)
    names = ", ".join(f"c{number}" for number in range(len(fields)))
    changes = ", ".join(
        f"{quote(field.column)} = {_read(field, f'v.c{number}')}" for number, field in enumerate(fields) if number
    )
    table = quote(meta.db_table)
    sql = f"UPDATE {table} SET {changes} FROM unnest({arrays}) AS v({names}) WHERE {table}.{quote(fields[0].column)} = v.c0"
    execute_with_arrays(sql, [[_value(field, row) for row in rows] for field in fields])


def _array_type(field: Any) -> str:
    if isinstance(field, JSONField):
        return "text"
    # Without its length: a cast would cut what is too long, where an assignment refuses it.
    name: str = field.rel_db_type(connection) if field.primary_key else field.db_type(connection)
    return name.partition("(")[0]


def _read(field: Any, expression: str) -> str:
    return f"{expression}::jsonb" if isinstance(field, JSONField) else expression


def _value(field: Any, row: Model) -> Any:
    value = getattr(row, field.attname)
    if isinstance(field, JSONField):
        return None if value is None else json.dumps(value, cls=field.encoder)
    prepared = field.get_db_prep_save(value, connection)
    return getattr(prepared, "obj", prepared)  # bytes come wrapped
