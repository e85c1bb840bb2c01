"""Writes the demo's rows into its four stores: two PostgreSQL databases by COPY, two SQLite files, each in one transaction."""

import os
import sqlite3
from pathlib import Path

import psycopg
from psycopg import sql

from demo.crm import Table

SCHEMA = Path(__file__).parent / "schema"


def _statements(name: str) -> str:
    return (SCHEMA / name).read_text()


def fill_postgres(*, url: str, schema: str, tables: dict[str, Table]) -> None:
    """Make the store anew: whatever stood there before is gone, and a killed run leaves what was there."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
        cursor.execute(_statements(f"{schema}.sql").encode())
        for name, table in tables.items():
            columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
            with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), columns)) as copy:
                for row in table.rows:
                    copy.write_row(row)
            if "id" in table.columns:  # numbers were given, so the sequence has to catch up
                cursor.execute(
                    sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), max(id)) FROM {}").format(
                        sql.Literal(name), sql.Identifier(name)
                    )
                )
        cursor.execute(_statements(f"{schema}_indexes.sql").encode())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def fill_sqlite(*, path: Path, schema: str, tables: dict[str, Table]) -> None:
    """Make the file anew beside the old one and put it in its place when it is whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_suffix(".new")
    partial.unlink(missing_ok=True)
    connection = sqlite3.connect(partial, isolation_level=None)
    try:
        connection.executescript(_statements(f"{schema}.sql"))
        connection.execute("BEGIN")
        for name, table in tables.items():
            marks = ", ".join("?" * len(table.columns))
            connection.executemany(f"INSERT INTO {name} ({', '.join(table.columns)}) VALUES ({marks})", table.rows)  # noqa: S608 - our own names
        connection.execute("COMMIT")
        connection.executescript(_statements(f"{schema}_indexes.sql") + "ANALYZE;")
    finally:
        connection.close()
    partial.chmod(0o600)
    for leftover in ("-wal", "-shm", "-journal"):  # of the file that goes
        path.with_name(path.name + leftover).unlink(missing_ok=True)
    os.replace(partial, path)
