"""MariaDB keeps the contract of a store, and what only MariaDB and MySQL have is read right."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from privacy.stores import pieces
from privacy.stores.base import Assignment, Groups
from privacy.stores.dialect import STATEMENT_SECONDS
from privacy.stores.needles import Needles
from tests.stores.contract import StoreContract, failure, tell_nothing
from tests.stores.sites import MariaSite
from tests.stores.sql_contract import SqlContract


class TestContract(StoreContract, SqlContract):
    @pytest.fixture
    def site(self, maria_site: MariaSite) -> MariaSite:
        return maria_site

    def trigger(self, table: str) -> list[str]:
        return [f"CREATE TRIGGER after_all AFTER DELETE ON {table} FOR EACH ROW SET @gone = OLD.id"]

    def dead(self, site: MariaSite) -> str:
        return "mysql://CANARY:CANARY@127.0.0.1:1/CANARY"

    @pytest.fixture
    def reader(self, site: MariaSite) -> Iterator[str]:
        name = site.engine.url.database
        site.run(f"CREATE USER '{name}_r'@localhost IDENTIFIED BY 'insyn'", f"GRANT SELECT ON {name}.* TO '{name}_r'@localhost")
        yield str(site.url).replace("//insyn:", f"//{name}_r:")
        site.run(f"DROP USER '{name}_r'@localhost")

    @pytest.fixture(autouse=True)
    def _reader(self, request: pytest.FixtureRequest) -> None:
        if request.node.name == "test_a_reader_cannot_write":
            self.reader_url = request.getfixturevalue("reader")

    def readonly(self, site: MariaSite) -> str:
        return self.reader_url

    def check_pieces(self, key: str, marks: list[Any]) -> None:
        assert len(marks) == 5

    def test_a_wrong_password_says_what_to_check_and_nothing_else(self, site: MariaSite) -> None:
        error = failure(lambda: site.open(url=site.url.replace(":insyn@", ":CANARY@")).schema())
        assert "URL" in str(error)
        tell_nothing(error, "CANARY")


@pytest.fixture
def site(maria_site: MariaSite) -> MariaSite:
    return maria_site


def test_a_key_over_the_beginning_of_a_text_is_no_key(site: MariaSite) -> None:
    site.run("CREATE TABLE person (tenant int, email varchar(200), UNIQUE (tenant, email(10)), UNIQUE (email(5)))")
    assert site.open().schema().tables["person"].uniques == ()


def test_generated_columns_are_not_ours_to_write(site: MariaSite) -> None:
    site.run("CREATE TABLE person (id int AUTO_INCREMENT KEY, made timestamp DEFAULT now(), name text, up text AS (upper(name)))")
    columns = site.open().schema().tables["person"].columns
    assert [name for name, column in columns.items() if column.generated] == ["up"]


def test_the_schema_of_the_file_is_the_one_that_is_read(site: MariaSite) -> None:
    other = f"{site.engine.url.database}_b"
    site.run("CREATE TABLE person (id int)", "INSERT INTO person VALUES (1)", f"CREATE DATABASE {other}")
    try:
        site.run(f"CREATE TABLE {other}.person (id int, name text)", f"INSERT INTO {other}.person VALUES (2, 'x')")
        site.schema = other
        with site.open().read() as session:
            assert list(session.tables["person"].columns) == ["id", "name"]
            assert list(session.rows(Groups("person", (), ((),)), ("id", "name"))) == [(2, "x")]
    finally:
        site.run(f"DROP DATABASE {other}")


def test_foreign_keys_from_another_database_are_seen_and_counted(site: MariaSite) -> None:
    own = site.engine.url.database
    site.run("CREATE TABLE person (id int PRIMARY KEY)", "INSERT INTO person VALUES (7)", f"CREATE DATABASE {own}_b")
    try:
        site.run(
            f"CREATE TABLE {own}_b.orders (owner int, FOREIGN KEY (owner) REFERENCES {own}.person (id) ON DELETE CASCADE)",
            f"INSERT INTO {own}_b.orders VALUES (7)",
        )
        (key,) = site.open().schema().foreign_keys
        assert (key.child, key.parent, key.on_delete) == (f"{own}_b.orders", "person", "CASCADE")
        with site.open().read() as session:
            assert list(session.find(key.child, key.child_columns, [(0, 7)], (), {})) == [(0, (), 1)]
    finally:
        site.run(f"DROP DATABASE {own}_b")


def test_types_of_old_schemas_give_back_the_rows_they_gave(site: MariaSite) -> None:
    site.run(
        "CREATE TABLE old (id bigint unsigned PRIMARY KEY, uid binary(16), state enum('new','it''s'), flags set('a','b'),"
        " yes tinyint(1), born date, seen datetime, at timestamp NULL, ratio float, bits bit(4), y year, long_text longtext,"
        " latin varchar(20) CHARACTER SET latin1)",
    )
    with site.connection() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = 'ANSI_QUOTES'")
        cursor.execute(
            "INSERT INTO old VALUES (18446744073709551615, x'00ff1122334455667788990011223344', 'new', 'a,b', 1,"
            " '0000-00-00', '2024-01-02 03:04:05', '2024-01-02 03:04:05', 0.1, b'101', 2024, repeat('x', 20000), 'åäö')"
        )
        connection.commit()
    with site.open().read() as session:
        for column in session.tables["old"].columns:
            ((_, group, count),) = session.find("old", ("id",), [(0, 18446744073709551615)], (column,), {})
            assert count == 1
            found = list(session.rows(Groups("old", (column,), (group,)), ("id",)))
            assert found == [(18446744073709551615,)], (column, group)
            if column != "born":
                assert list(session.find("old", (column,), [(3, *group)], ("id",), {})) == [(3, found[0], 1)], (column, group)


def test_enums_match_nothing_that_they_do_not_hold(site: MariaSite) -> None:
    site.run("CREATE TABLE person (id int, state enum('new','old'))", "INSERT INTO person VALUES (1, 'new')")
    with site.open().write() as session:
        assert list(session.find("person", ("state",), [(0, "new"), (1, "unheard"), (2, 1), (3, "")], ("id",), {})) == [
            (0, (1,), 1)
        ]
        assert session.update(Groups("person", ("id",), ((1,),)), {"state": Assignment(random="choice")}) <= 1


def test_a_table_that_keeps_its_history_is_a_table(site: MariaSite) -> None:
    site.run("CREATE TABLE person (id int PRIMARY KEY, name text) WITH SYSTEM VERSIONING")
    assert site.open().schema().tables["person"].kind == "table"


def test_values_are_told_apart_where_the_collation_does_not(site: MariaSite) -> None:
    site.run(
        "CREATE TABLE person (id int, code varchar(20) COLLATE utf8mb4_bin, PRIMARY KEY (code))",
        "INSERT INTO person VALUES (1, 'abc'), (2, 'ABC'), (3, 'åbc')",
    )
    with site.open().read() as session:
        assert session.tables["person"].columns["code"].collation == "utf8mb4_bin"
        found = list(session.find("person", ("code",), [(0, "abc"), (1, "ABC"), (2, "abc ")], ("id",), {}))
    assert (0, (1,), 1) in found
    assert (1, (2,), 1) in found


def test_dates_stay_dates(site: MariaSite) -> None:
    site.run("CREATE TABLE person (id int, born date)", "INSERT INTO person VALUES (1, '2024-02-29')")
    with site.open().read() as session:
        assert list(session.find("person", ("born",), [(0, date(2024, 2, 29)), (1, "2024-02-29")], ("id",), {})) == [
            (0, (1,), 1),
            (1, (1,), 1),
        ]


KEYS = {
    "decimal(10,2)": "{} + 0.25",
    "datetime(3)": "TIMESTAMP '2024-10-27 02:59:59.5' + INTERVAL {} SECOND",
    "date": "DATE '2024-01-01' + INTERVAL {} DAY",
    "varbinary(20)": "UNHEX(LEFT(SHA2({}, 224), 30))",
    "uuid": "UUID()",
    "bigint unsigned": "18446744073709551615 - {}",
    "timestamp": "DATE '2024-01-01' + INTERVAL {} DAY",
    "enum('z','a','m')": None,
}


@pytest.mark.parametrize("kind", KEYS)
def test_pieces_by_keys_of_any_type_leave_no_row_out(site: MariaSite, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "FIRST_ROWS", 2)
    monkeypatch.setattr(pieces, "MOST_ROWS", 2)
    made = KEYS[kind]
    values = [made.format(i) for i in range(9)] if made else ["'a'", "'m'", "'z'"]
    site.run(f"CREATE TABLE note (k {kind} PRIMARY KEY, body text)")
    site.run(*(f"INSERT INTO note VALUES ({value}, 'anna@example.com {i}')" for i, value in enumerate(values)))
    with site.open().read() as session:
        lists = list(session.may_hold("note", ["body"], Needles(emails=("anna@example.com",))))
        limit = session.all("SELECT @@max_statement_time")[0][0]
    assert sorted(body[-1] for rows, _ in lists for (body,) in rows) == [str(i) for i in range(len(values))]
    assert limit == STATEMENT_SECONDS
    in_pieces = not kind.startswith(("timestamp", "enum"))
    assert len([mark for _, mark in lists if mark]) == (4 if in_pieces else 0)
