"""SQLite keeps the contract of a store, and its own way with types and names is read right."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from privacy.datamap.joining import build
from privacy.datamap.model import Dataset
from privacy.engine.residue.scan import scan
from privacy.stores import pieces
from privacy.stores.base import Groups, StoreError
from privacy.stores.needles import Needles
from tests.stores.contract import StoreContract, failure
from tests.stores.sites import SqliteSite
from tests.stores.sql_contract import SqlContract


class TestContract(StoreContract, SqlContract):
    concurrent = False  # there is one writer at a time

    @pytest.fixture
    def site(self, sqlite_site: SqliteSite) -> SqliteSite:
        return sqlite_site

    def trigger(self, table: str) -> list[str]:
        return [f"CREATE TRIGGER after_all AFTER DELETE ON {table} BEGIN SELECT 1; END"]

    def test_a_dead_store_is_unavailable(self, site: SqliteSite) -> None:
        store = site.open()
        Path(site.engine.url.database or "").unlink()
        Path(site.engine.url.database or "").mkdir()
        assert "site" in str(failure(store.schema))

    def test_a_reader_cannot_write(self, pair: SqliteSite) -> None:
        """The file system says so, but not to root: so the database is told."""
        with pair.open().write() as session:
            session.connection.exec_driver_sql("PRAGMA query_only = ON")
            with pytest.raises(StoreError) as caught, session.store.translated():
                session.delete(Groups("orders", ("id",), ((1,),)))
        assert "read-only" in str(caught.value)

    def begin(self, connection: Any) -> None:
        connection.execute("BEGIN IMMEDIATE")


@pytest.fixture
def site(sqlite_site: SqliteSite) -> SqliteSite:
    return sqlite_site


def test_a_file_that_is_no_database_is_an_error_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("CANARY " * 1000)
    site = SqliteSite.__new__(SqliteSite)
    site.url = f"sqlite:///{path}"
    error = failure(lambda: site.open().schema())
    assert "CANARY" not in str(error)


def test_types_that_are_only_names(site: SqliteSite) -> None:
    site.run(
        "CREATE TABLE thing (id INTEGER PRIMARY KEY, bare, price NUMERIC, at DATETIME, yes BOOLEAN,"
        " code TEXT COLLATE NOCASE, mail TEXT, e_mail TEXT COLLATE NOCASE, total AS (price * 2))"
    )
    columns = site.open().schema().tables["thing"].columns
    assert {name: column.family for name, column in columns.items()} == {
        "id": "int",
        "bare": "other",
        "price": "decimal",
        "at": "text",
        "yes": "bool",
        "code": "text",
        "mail": "text",
        "e_mail": "text",
        "total": "other",
    }
    assert [name for name, column in columns.items() if not column.exact] == ["code", "e_mail"]
    assert [name for name, column in columns.items() if column.generated] == ["total"]


def test_values_of_any_type_in_a_column_of_no_type(site: SqliteSite) -> None:
    site.run("CREATE TABLE thing (id INTEGER PRIMARY KEY, bare)")
    values = [7, "7", 7.5, b"\x00\xff", "", None, 2**60]
    site.put("thing", ("id", "bare"), enumerate(values))
    with site.open().read() as session:
        for number, value in enumerate(values):
            ((_, group, _),) = session.find("thing", ("id",), [(0, number)], ("bare",), {})
            assert group == (value,)
            found = [row[0] for row in session.rows(Groups("thing", ("bare",), (group,)), ("id",))]
            assert found == [number]


def test_decimals_of_numeric_columns(site: SqliteSite) -> None:
    site.run(
        "CREATE TABLE thing (id INTEGER PRIMARY KEY, price NUMERIC(10,2))",
        "INSERT INTO thing VALUES (1, 12.5), (2, 7), (3, 'odd')",
    )
    with site.open().read() as session:
        found = list(session.find("thing", ("price",), [(0, Decimal("12.50")), (1, "7"), (2, "7.00")], ("id",), {}))
        assert found == [(0, (1,), 1), (1, (2,), 1), (2, (2,), 1)]
        assert list(session.rows(Groups("thing", ("price",), (("odd",),)), ("id",))) == [(3,)]


def test_tables_without_rowid_and_foreign_keys_spelled_in_another_case(site: SqliteSite) -> None:
    site.run(
        "CREATE TABLE Person (Tenant TEXT, Number INT, PRIMARY KEY (Tenant, Number)) WITHOUT ROWID",
        "CREATE TABLE note (t TEXT, n INT, FOREIGN KEY (T, N) REFERENCES person ON DELETE CASCADE)",
        "CREATE TABLE lost (x INT REFERENCES nowhere (id))",
    )
    schema = site.open().schema()
    assert schema.tables["Person"].primary_key == ("Tenant", "Number")
    (key,) = schema.foreign_keys
    assert (key.child_columns, key.parent, key.parent_columns, key.on_delete) == (
        ("t", "n"),
        "Person",
        ("Tenant", "Number"),
        "CASCADE",
    )


def test_uniqueness_that_holds_only_for_some_rows_is_no_key(site: SqliteSite) -> None:
    site.run(
        "CREATE TABLE person (id INT, email TEXT, code TEXT)",
        "CREATE UNIQUE INDEX some ON person (email) WHERE id > 5",
        "CREATE UNIQUE INDEX folded ON person (lower(code))",
        "CREATE UNIQUE INDEX whole ON person (id, email)",
    )
    assert site.open().schema().tables["person"].uniques == (("id", "email"),)


def test_an_unindexed_table_is_read_once_however_many_keys(site: SqliteSite) -> None:
    site.run("CREATE TABLE note (owner INTEGER, mail TEXT)")
    site.put("note", ("owner", "mail"), [(n % 3000, f"X{n % 3000}@example.com") for n in range(6000)])
    with site.open().read() as session:
        assert len(list(session.find("note", ("owner",), [(n, n) for n in range(3000)], (), {}))) == 3000
        wanted = {f"x{n}@example.com": [n] for n in range(3000)}
        assert len(list(session.find_identity("note", "mail", "email", wanted, ()))) == 3000


def test_a_kind_of_identity_is_a_word_and_no_sql(site: SqliteSite) -> None:
    site.run("CREATE TABLE person (id int PRIMARY KEY, code text)", "INSERT INTO person VALUES (1, 'a1'), (2, 'B :x')")
    kind = "code'||:x||' OR 1=1 --"
    with site.open().read() as session:
        assert list(session.find_identity("person", "code", kind, {"a1": [0]}, ("id",))) == [(0, (1, "a1"), 1)]


def test_a_residue_scan_reads_texts_in_columns_of_any_declared_type(site: SqliteSite) -> None:
    """A declared length is not enforced, and a type is how values like to be stored: any column may hold texts."""
    text = "call anna@example.com"
    columns = {"short": "VARCHAR(5)", "bare": "", "named": "STRING", "written": "BLOB"}
    columns |= {"number": "INTEGER", "ratio": "REAL", "yes": "BOOLEAN", "money": "DECIMAL(6,2)", "day": "DATE"}
    site.run(f"CREATE TABLE note (id INTEGER PRIMARY KEY, {', '.join(f'{name} {kind}' for name, kind in columns.items())})")
    texts = f", '{text}'" * len(columns)
    site.run(f"INSERT INTO note VALUES (1{texts})")
    site.run("INSERT INTO note VALUES (2, 'x', 2, 2.5, x'00ff', 1, 2.5, 1, 3.25, '2020-01-01')")
    store = site.open()
    graph = build({"site": Dataset("site", {})}, {"site": store.schema()}, check=False)
    with store.read() as session:
        found = scan(graph, session, "site", [[("email", "anna@example.com")]])
    assert {(item.column, item.rows) for item in found[0]} == {(f"note.{n}", 1) for n in columns}


def test_a_table_is_read_in_pieces_by_the_number_of_its_rows(site: SqliteSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "FIRST_ROWS", 3)
    monkeypatch.setattr(pieces, "MOST_ROWS", 3)
    site.run(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, body)",
        "INSERT INTO note VALUES (-5, 'a@b.se'), (0, 'b@b.se'), (2, 'c@b.se'), (9, 'd@b.se'), (9223372036854775807, 'e@b.se')",
        "CREATE TABLE any_key (id INT PRIMARY KEY, body)",  # may hold anything, NULL too
        "INSERT INTO any_key VALUES (NULL, 'a@b.se'), (NULL, 'b@b.se'), ('x', 'c@b.se'), (1, 'd@b.se'), (2.5, 'e@b.se')",
    )
    with site.open().read() as session:
        for table, marks in (("note", [[2]]), ("any_key", [])):
            lists = list(session.may_hold(table, ["body"], Needles(emails=("a@b.se",))))
            assert len([row for rows, _ in lists for row in rows]) == 5
            assert [mark for _, mark in lists if mark] == marks
