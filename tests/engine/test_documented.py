"""The example of docs/engine.md, carried out: every row of its table becomes what the table says."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from privacy.datamap.joining import build
from privacy.datamap.loader import parse
from privacy.engine import plan as plans
from privacy.engine.erasure.erase import Job, erase
from privacy.engine.erasure.report import Report
from privacy.engine.holding import Keys
from privacy.engine.locate.search import locate
from privacy.engine.locate.subject import Subject
from privacy.stores.registry import Policy, open_store

PAGE = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()
ANNA = (("email", "anna@example.com"),)
SCHEMA = "documented"
PINNED = {"orders": ("note", "review"), "address": ("street", "orders")}  # → the personal column, what points at it


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def told() -> dict[tuple[str, int], str]:
    """{(collection, first key): what becomes of it}, from the table."""
    rows = re.findall(r"^\| (\w+) (\d+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    return {(name, int(key)): what.strip() for name, key, what in rows}


@pytest.fixture(scope="module")
def ended(engine_database: str) -> Iterator[tuple[dict[Any, Any], dict[Any, Any], Report]]:
    with psycopg.connect(engine_database, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {SCHEMA}; SET search_path = {SCHEMA}")
        connection.execute(block("sql"))  # type: ignore[arg-type]
        before = content(connection)
        (dataset,) = parse(block("yaml"), file="engine.md")
        store = open_store("store", engine_database, policy=Policy(), schema=SCHEMA)
        graph = build({"store": dataset}, {"store": store.schema()})
        with store.read() as session:
            (holding,) = locate(graph, {"store": session}, [Subject.of(ANNA)])
        job = Job(ANNA, plans.write(graph, Keys(graph), "store", holding))
        (report,) = erase(graph, store, [job], today=date(2026, 3, 5))
        yield before, content(connection), report
        connection.execute(f"SET client_min_messages = warning; DROP SCHEMA {SCHEMA} CASCADE")


def content(connection: psycopg.Connection[Any]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    out: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for name in re.findall(r"CREATE TABLE (\w+)", block("sql")):
        cursor = connection.execute(f"SELECT * FROM {name}")
        names = [column.name for column in cursor.description or ()]
        for row in cursor.fetchall():
            out.setdefault((name, row[0]), []).append(dict(zip(names, row, strict=True)))
    return out


def test_the_table_tells_of_every_row(ended: Any) -> None:
    before, _, _ = ended
    assert told().keys() == before.keys()


@pytest.mark.parametrize(("row", "what"), told().items(), ids=lambda value: str(value))
def test_a_row_becomes_what_the_table_says(ended: Any, row: tuple[str, int], what: str) -> None:
    before, after, report = ended
    counts = report.collections.get(row[0], {})
    if what == "deleted":
        assert row not in after
        assert counts["deleted"]
    elif what == "anonymized":
        (old,), (new,) = before[row], after[row]
        assert {name for name in old if old[name] != new[name]} == {PINNED[row[0]][0]}
        assert counts["pinned"] == 1
        assert counts["pinned_by"] == [PINNED[row[0]][1]]
    elif kept := re.fullmatch(r"kept until (\S+): (\w+)", what):
        (old,), (new,) = before[row], after[row]
        assert new[kept[2]] == old[kept[2]]
        assert {name for name in old if old[name] != new[name]} == ({"email", "phone"} if row[0] == "customer" else {"message"})
        assert counts["kept"] == [
            {"rows": 1, "basis": "bokföringslagen 7 kap. 2 §", "until": kept[1], "fields": [kept[2]]},
        ]
    else:
        assert what in ("untouched", "contested")
        assert after[row] == before[row]
        assert what != "contested" or counts["undecided_contested"] == 1
