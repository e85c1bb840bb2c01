"""Small SQLite stores made of statements, registered or not."""

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from privacy.datamap import discovery
from privacy.stores.base import Store
from privacy.stores.registry import Policy, open_store


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., str]:
    """Makes SQLite databases out of statements and answers their URLs; `rows` is {table: rows to insert}."""
    made = iter(range(100))

    def make(statements: str, rows: dict[str, list[tuple[Any, ...]]] | None = None) -> str:
        path = tmp_path / f"store{next(made)}.sqlite3"
        run(f"sqlite:///{path}", statements)
        connection = sqlite3.connect(path)
        for table, values in (rows or {}).items():
            connection.executemany(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(values[0]))})', values)
        connection.commit()
        connection.close()
        return f"sqlite:///{path}"

    return make


def run(url: str, statements: str) -> None:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.executescript(statements)
    connection.close()


def opened(url: str, key: str = "shop") -> Store:
    return open_store(key, url, policy=Policy())


def proposed(url: str, **options: Any) -> discovery.Proposal:
    return discovery.discover(opened(url), key="shop", **options)


def columns(proposal: discovery.Proposal) -> dict[str, tuple[str, ...]]:
    """{table.column: categories} of everything that the proposal states."""
    return {
        f"{table.name}.{column.name}": column.guess.categories
        for table in proposal.tables
        for column in table.columns
        if column.guess and column.guess.likely and not table.unreached
    }


def links(proposal: discovery.Proposal) -> dict[str, str]:
    """{child.column: parent.column direction}."""
    return {
        f"{table.name}.{column.name}": f"{link.parent}.{link.parent_columns[place]} {link.direction}"
        for table in proposal.tables
        for column in table.columns
        for link, place in column.links
    }


def datamap(*arguments: str) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of `manage.py datamap …`."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("datamap", *arguments, stdout=out, stderr=err)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def datamap_json(*arguments: str) -> tuple[int, Any]:
    status, out, _ = datamap(*arguments, "--json")
    return status, json.loads(out)
