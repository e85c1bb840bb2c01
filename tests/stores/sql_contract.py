"""What a store that speaks SQL must keep besides: names of every sort, and drivers' errors, which carry values."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

import pytest

from privacy.stores.base import Assignment, Groups, StoreError, StoreRefused, StoreUnavailable
from privacy.stores.needles import Needles
from tests.stores.contract import ORDER, PERSON, failure, tell_nothing
from tests.stores.sites import Given, Refers, SqlSite

NAMES = [
    "Order",
    "select",
    "mixedCase",
    "with space",
    'quo"te',
    "colon:x",
    "100%",
    "50%s",
    "åäö 漢字",
    "semi;--",
    "back\\slash",
    "k0",
    "v",
    "t",
]


class SqlContract:
    """Subclasses bring the fixture `site`."""

    @pytest.fixture
    def pair(self, site: SqlSite) -> SqlSite:
        site.make(PERSON, ORDER)
        site.put("person", ("id", "email"), [(1, "anna@example.com"), (2, "bo@example.com")])
        site.put("orders", ("id", "person_id", "note"), [(1, 1, "a"), (2, 1, None), (3, 2, "c")])
        return site

    def test_names_of_every_sort_are_read_found_and_written(self, site: SqlSite) -> None:
        columns = ("id", *NAMES)
        for number, name in enumerate(NAMES):
            site.make(Given(name, {"id": "int", **dict.fromkeys(NAMES, "text")}, key=("id",)))
            site.put(name, columns, [(1, *NAMES), (2, *reversed(NAMES)), (3, *[None] * len(NAMES))])
            with site.open().write() as session:
                assert list(session.tables[name].columns) == list(columns)
                assert list(session.find(name, NAMES, [(7, *NAMES)], NAMES, {NAMES[0]: NAMES[0]})) == [(7, tuple(NAMES), 1)]
                assert list(session.rows(Groups(name, columns, ((1, *NAMES), (9, *NAMES))), columns)) == [(1, *NAMES)]
                assert len(list(session.find_identity(name, NAMES[number], "login", {NAMES[number]: [5]}, ("id",)))) == 1
                held = [row for rows, _ in session.may_hold(name, NAMES, Needles(words=("mixedcase",))) for row in rows]
                assert tuple(NAMES) in held
                assert session.update(Groups(name, NAMES, ((*NAMES,),)), {other: Assignment("new") for other in NAMES}) == 1
                assert session.delete(Groups(name, columns, ((2, *reversed(NAMES)), (3, *[None] * len(NAMES))))) == 2
            assert site.all(name, columns) == [(1, *["new"] * len(NAMES))]

    def test_names_that_differ_in_case_stay_as_they_are_spelled(self, site: SqlSite) -> None:
        site.make(Given("Customer", {"CustomerId": "int", "Email": "text"}, key=("CustomerId",)))
        table = site.open().schema().tables["Customer"]
        assert list(table.columns) == ["CustomerId", "Email"]
        assert table.primary_key == ("CustomerId",)

    def test_a_view_is_known_as_a_view(self, pair: SqlSite) -> None:
        pair.run("CREATE VIEW mails AS SELECT id, email FROM person")
        schema = pair.open().schema()
        assert (schema.tables["mails"].kind, schema.tables["person"].kind) == ("view", "table")
        assert list(schema.tables["mails"].columns) == ["id", "email"]

    def test_triggers_are_part_of_the_digest(self, pair: SqlSite) -> None:
        before = pair.open().schema()
        pair.run(*self.trigger("orders"))
        after = pair.open().schema()
        assert after.tables["orders"].triggers
        assert after.digest(["orders"]) != before.digest(["orders"])
        assert after.digest(["person"]) == before.digest(["person"])

    def trigger(self, table: str) -> list[str]:
        raise NotImplementedError

    # -- errors -------------------------------------------------------------------------------------------------------

    def test_a_dead_store_is_unavailable(self, site: SqlSite) -> None:
        error = failure(lambda: site.open(url=self.dead(site)).schema())
        assert isinstance(error, StoreUnavailable)
        tell_nothing(error, "CANARY", "insyn:insyn")

    def dead(self, site: SqlSite) -> str:
        raise NotImplementedError

    def test_a_locked_row_is_tried_again_later(self, pair: SqlSite, monkeypatch: pytest.MonkeyPatch) -> None:
        self.impatient(monkeypatch)
        with pair.connection() as other, closing(other.cursor()) as cursor:
            self.begin(other)
            cursor.execute("UPDATE orders SET note = 'theirs' WHERE id = 1")

            def act() -> None:
                with pair.open().write() as session:
                    session.update(Groups("orders", ("id",), ((1,),)), {"note": Assignment("CANARY")})

            error = failure(act)
            other.rollback()
        assert isinstance(error, StoreUnavailable)
        tell_nothing(error, "CANARY", "theirs")

    def begin(self, connection: Any) -> None:
        """Nothing, where a driver begins a transaction by itself."""

    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("postgresql", "mysql", "sqlite"):
            monkeypatch.setattr(f"privacy.stores.{module}.LOCK_SECONDS", 1)

    def test_a_column_that_went_away_is_refused_without_a_value(self, pair: SqlSite) -> None:
        store = pair.open()
        store.schema()
        pair.run("ALTER TABLE orders DROP COLUMN note")

        def act() -> None:
            with store.write() as session:
                session.update(Groups("orders", ("note",), (("CANARY",),)), {"note": Assignment("CANARY")})

        error = failure(act)
        assert isinstance(error, StoreRefused)
        tell_nothing(error, "CANARY")

    def test_a_reader_cannot_write(self, pair: SqlSite) -> None:
        def act() -> None:
            with pair.open(url=self.readonly(pair)).write() as session:
                session.delete(Groups("orders", ("note",), (("CANARY",),)))
                session.delete(Groups("orders", ("id",), ((1,),)))

        error = failure(act)
        assert isinstance(error, StoreRefused)
        assert "read-only" in str(error) or "lacks a right" in str(error)
        tell_nothing(error, "CANARY")
        assert len(pair.all("orders", ("id",))) == 3

    def readonly(self, site: SqlSite) -> str:
        raise NotImplementedError

    def test_a_write_that_conflicts_with_anothers_is_tried_again_later(self, pair: SqlSite) -> None:
        """Two transactions that lock two rows in opposite order; one of them gives way and says so."""
        # In a tiny table a database may choose to look at, and so lock, every row.
        pair.put("orders", ("id", "note"), [(n, "filler") for n in range(10, 1000)])
        errors: list[StoreError] = []
        gate = threading.Barrier(2, timeout=20)

        def act(first: int, second: int) -> None:
            try:
                with pair.open().write() as session:
                    session.update(Groups("orders", ("id",), ((first,),)), {"note": Assignment("CANARY")})
                    if self.concurrent:
                        gate.wait()
                    session.update(Groups("orders", ("id",), ((second,),)), {"note": Assignment("CANARY")})
            except StoreError as error:
                errors.append(error)

        threads = [threading.Thread(target=act, args=pair) for pair in ((1, 3), (3, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        if self.concurrent:
            assert errors
            for error in errors:
                assert isinstance(error, StoreUnavailable)
                tell_nothing(error, "CANARY")
        if len(errors) < 2:  # both may find out at the same moment
            assert {row for row in pair.all("orders", ("id", "note")) if row[0] < 10} == {(1, "CANARY"), (2, None), (3, "CANARY")}

    concurrent = True

    def test_a_row_outside_that_points_here_says_so(self, pair: SqlSite) -> None:
        def act() -> None:
            with pair.open().write() as session:
                session.delete(Groups("person", ("email",), (("anna@example.com",),)))

        error = failure(act)
        assert isinstance(error, StoreRefused)
        assert "points at" in str(error)
        tell_nothing(error, "anna")

    def test_an_unenforced_link_to_itself_is_no_obstacle(self, site: SqlSite) -> None:
        site.make(Given("tree", {"id": "int", "up": "int"}, key=("id",), refers=(Refers(("up",), "tree", ("id",)),)))
        site.put("tree", ("id", "up"), [(1, None), (2, 1), (3, 2)])
        with site.open().write() as session:
            assert session.update(Groups("tree", ("id",), ((2,), (3,))), {"up": Assignment(None)}) == 2
            assert session.delete(Groups("tree", ("id",), ((1,), (2,)))) == 2
        assert site.all("tree", ("id", "up")) == [(3, None)]
