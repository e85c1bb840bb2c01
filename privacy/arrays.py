"""Statements on our own database into which many values go as arrays, one array for each column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor


def execute_with_arrays(sql: str, arrays: Sequence[Sequence[Any]]) -> None:
    """Run a statement that says `%b` for each array, with a cast to the array's type behind it.

    The arrays travel in the server's own format. Django's cursor would write them into the statement, which takes twenty times
    as long for values of some kilobytes.
    """
    connection.ensure_connection()
    cursor: Any = cast(Any, ServerBindingCursor)(connection.connection)
    wrapped = connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)
    with wrapped:
        wrapped.execute(sql, [list(array) for array in arrays])
