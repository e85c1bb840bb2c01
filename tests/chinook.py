"""The Chinook sample database, filled into whatever database a URL names."""

import sqlite3
from pathlib import Path

import psycopg
import pymysql
import sqlalchemy as sa

TABLES = 11


def fill(url: str, folder: Path) -> None:
    """Make Chinook's tables and rows in an empty PostgreSQL, MariaDB or SQLite database."""
    kind = sa.make_url(url).get_backend_name()
    script = (folder / f"chinook_{kind.replace('mariadb', 'mysql')}.sql").read_text(encoding="utf-8-sig")
    # The scripts make a database of their own; here one is given.
    own = ("DROP DATABASE", "CREATE DATABASE", "\\c ", "USE ")
    statements = "\n".join(line for line in script.splitlines() if not line.startswith(own))
    if kind == "postgresql":
        with psycopg.connect(url) as postgres:
            postgres.execute(statements.encode())
    elif kind == "sqlite":
        lite = sqlite3.connect(str(sa.make_url(url).database))
        lite.executescript(statements)
        lite.close()
    else:
        _fill_mariadb(sa.make_url(url), statements)


def _fill_mariadb(url: sa.URL, statements: str) -> None:
    from pymysql.constants import CLIENT

    connection = pymysql.connect(
        unix_socket=str(url.query["unix_socket"]),
        user=url.username,
        password=url.password or "",
        database=url.database,
        charset="utf8mb4",
        client_flag=CLIENT.MULTI_STATEMENTS,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(statements)
        while cursor.nextset():
            pass
        connection.commit()
