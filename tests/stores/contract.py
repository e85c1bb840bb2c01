"""What every kind of store must keep, whatever it is made of: a subclass gives a `site` and runs all of it.

The engine believes that these hold. A row is found by exact values, NULL is found by nothing but a NULL in a group, what does not
convert matches nothing, and nothing is changed beside what was named.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from privacy.engine.residue.mentions import Mentions
from privacy.stores import pieces
from privacy.stores.base import Assignment, Groups, StoreError, StoreRefused
from privacy.stores.needles import Needles
from tests.engine import mentioning
from tests.stores.sites import Given, Refers, Site

PERSON = Given("person", {"id": "int", "email": "text", "phone": "text", "code": "text"}, key=("id",))
ORDER = Given(
    "orders",
    {"id": "int", "person_id": "int", "note": "text"},
    key=("id",),
    refers=(Refers(("person_id",), "person", ("id",)),),
)
THINGS = Given(
    "things",
    {
        "id": "int",
        "number": "int",
        "text": "text",
        "price": "decimal",
        "ratio": "float",
        "flag": "bool",
        "day": "date",
        "moment": "datetime",
        "uid": "uuid",
        "raw": "bytes",
    },
    key=("id",),
)
VALUES: dict[str, list[Any]] = {
    "number": [0, 1, -7, 2**31 - 1],
    "text": ["", "0", "false", "x ", " x", "it's", 'a"b', "a:b :c", "100%s %(x)s", "Ålö 漢字 🎈", "a\\b\n\tc", "[1]{x}$", "é"],
    "price": [Decimal("0.00"), Decimal("12.50"), Decimal("-3.10"), Decimal("99999999.99")],
    "ratio": [0.0, 0.1, -2.5, 1e300],
    "flag": [False, True],
    "day": [date(1900, 1, 1), date(2024, 2, 29)],
    "moment": [datetime(2024, 2, 29, 23, 59, 59, 123456), datetime(1999, 12, 31)],
    "uid": [UUID("12345678-1234-5678-1234-567812345678"), UUID(int=0)],
    "raw": [b"", b"\x00\xff\x10", b"abc"],
}


# A site for one test serves all its examples, and every kind of store inherits the test: both are meant.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
NEEDLES = Needles(
    emails=("anna@example.com", "o'brien@example.com", "åsa@example.com", "a@b.se"),
    phones=("+46701234567", "+468123456"),
    words=("k-10042", "10043", "åkesson"),
)
HOLDING = [
    *("anna@example.com", "Mail ANNA@example.com now", "first@one.se, then <anna@example.com>", "x\nanna@example.com."),
    *("O'Brien@example.com", "ÅSA@example.com", "A@B.SE", "(a@b.se)"),
    *("070-123 45 67", "call +46 (0)70 123 45 67!", "0046701234567", "070/1234567", "08-12 34 56"),
    *("k-10042", "Nr K-10042.", "10043", "x 10043\n", "Åkesson", "åkesson,10043"),
]


SPELLINGS = {
    "email": {
        "anna@example.com": [
            "anna@example.com",
            "ANNA@EXAMPLE.COM",
            "Anna@Example.com",
            " anna@example.com\t",
            "anna@example.com\n",
        ],
        "åsa.öberg@example.com": ["åsa.öberg@example.com", "Åsa.ÖBERG@example.com", "A\u030asa.O\u0308berg@example.com"],
        "strasse@example.com": ["straße@example.com", "STRASSE@example.com", "ſtrasse@example.com", "Straße@Example.com"],
        "o'brien+x%y_z:w@example.com": ["O'Brien+x%y_z:w@example.com"],
    },
    "phone_number": {
        "+46701234567": [
            *("070-123 45 67", "+46701234567", "0046701234567", "+46 (0)70 123 45 67", "0701 23 45 67", "070/1234567"),
            *("tel:+46-70-123-45-67", "46701234567", "070-1234567 ext. 12", "070.123.45.67\n"),
        ],
        "+468123456": ["08-12 34 56", "+468123456", "+46 (0)8 12 34 56", "08 123456", "00 46 8 123 456"],
    },
    "customer_number": {"C-17": ["C-17", " C-17", "C-17  "], "É 1": ["É 1", "E\u0301 1"]},
}


class StoreContract:
    """Subclasses bring the fixture `site`."""

    @pytest.fixture
    def people(self, site: Site) -> Site:
        site.make(PERSON, ORDER)
        site.put(
            "person",
            ("id", "email", "phone", "code"),
            [(1, "anna@example.com", "070-123 45 67", "A-1"), (2, "bo@example.com", None, "A-2"), (3, None, "", "")],
        )
        site.put("orders", ("id", "person_id", "note"), [(1, 1, "a"), (2, 1, None), (3, 2, "c"), (4, None, "d"), (5, 1, "a")])
        return site

    # -- schema -------------------------------------------------------------------------------------------------------

    def test_the_schema_knows_tables_columns_keys_and_foreign_keys(self, people: Site) -> None:
        schema = people.open().schema()
        assert set(schema.tables) == {"person", "orders"}
        person = schema.tables["person"]
        assert list(person.columns) == ["id", "email", "phone", "code"]
        assert person.primary_key == ("id",)
        assert person.is_unique(["id", "email"])
        assert not person.is_unique(["email"])
        assert [person.columns[name].family for name in ("id", "email")] == ["int", "text"]
        assert [person.columns[name].nullable for name in ("id", "email")] == [False, True]
        (key,) = schema.foreign_keys
        assert (key.child, key.child_columns, key.parent, key.parent_columns) == ("orders", ("person_id",), "person", ("id",))

    def test_composite_keys_and_uniques_are_reflected_in_their_order(self, site: Site) -> None:
        site.make(
            Given(
                "account",
                {"tenant": "int", "number": "int", "mail": "text20"},
                key=("tenant", "number"),
                unique=(("mail", "tenant"),),
            ),
            Given(
                "entry",
                {"id": "int", "no": "int", "ten": "int"},
                refers=(Refers(("ten", "no"), "account", ("tenant", "number"), "CASCADE"),),
            ),
        )
        schema = site.open().schema()
        account = schema.tables["account"]
        assert account.primary_key == ("tenant", "number")
        assert set(account.uniques) == {("tenant", "number"), ("mail", "tenant")}
        assert not account.is_unique(["tenant"])
        assert not account.is_unique(["mail"])
        (key,) = schema.foreign_keys
        assert (key.child_columns, key.parent_columns, key.on_delete) == (("ten", "no"), ("tenant", "number"), "CASCADE")
        assert schema.tables["entry"].primary_key == ()
        assert schema.tables["entry"].uniques == ()

    def test_the_digest_changes_with_a_column_and_a_cascade_and_with_nothing_else(self, people: Site) -> None:
        before = people.open().schema().digest(["person", "orders"])
        assert people.open().schema().digest(["orders", "person"]) == before
        people.make(Given("beside", {"id": "int"}))
        assert people.open().schema().digest(["person", "orders"]) == before
        people.make(Given("pointing", {"p": "int"}, refers=(Refers(("p",), "person", ("id",), "CASCADE"),)))
        assert people.open().schema().digest(["person", "orders"]) != before

    # -- find ---------------------------------------------------------------------------------------------------------

    def find(self, site: Site, table: str, key: Sequence[str], rows: Any, by: Sequence[str] = (), **constants: Any) -> list[Any]:
        with site.open().read() as session:
            return sorted(session.find(table, key, rows, by, constants), key=repr)

    def test_find_groups_rows_by_tag_and_columns(self, people: Site) -> None:
        found = self.find(people, "orders", ("person_id",), [(7, 1), (8, 2), (9, 1)], ("person_id", "note"))
        expected = [(7, (1, "a"), 2), (7, (1, None), 1), (9, (1, "a"), 2), (9, (1, None), 1), (8, (2, "c"), 1)]
        assert found == sorted(expected, key=repr)
        assert self.find(people, "orders", ("person_id",), [(7, 1)]) == [(7, (), 3)]

    def test_several_keys_of_one_tag_that_lead_to_one_group_are_added_up(self, people: Site) -> None:
        assert self.find(people, "orders", ("id",), [(7, 1), (7, 5), (8, 1)], ("note",)) == [(7, ("a",), 2), (8, ("a",), 1)]

    def test_find_of_nothing_asks_nothing_and_finds_nothing(self, people: Site) -> None:
        assert self.find(people, "orders", ("person_id",), []) == []
        assert self.find(people, "orders", ("person_id",), [(1, 4711)]) == []
        assert self.find(people, "orders", ("person_id",), [(1, None)]) == []

    def test_composite_keys_match_part_by_part(self, site: Site) -> None:
        site.make(Given("line", {"a": "int", "b": "text", "n": "int"}))
        site.put("line", ("a", "b", "n"), [(1, "x", 1), (1, "y", 2), (2, "x", 3), (None, "x", 4), (1, None, 5)])
        found = self.find(site, "line", ("a", "b"), [(0, 1, "x"), (1, 2, "y"), (2, None, "x"), (3, 2, "x")], ("n",))
        assert found == [(0, (1,), 1), (3, (3,), 1)]

    def test_constants_narrow_what_is_found(self, people: Site) -> None:
        assert self.find(people, "orders", ("person_id",), [(1, 1)], ("id",), note="a") == [(1, (1,), 1), (1, (5,), 1)]
        assert self.find(people, "orders", ("person_id",), [(1, 1)], ("id",), id="5") == [(1, (5,), 1)]
        assert self.find(people, "orders", ("person_id",), [(1, 1)], ("id",), id="five") == []

    @pytest.fixture
    def things(self, site: Site) -> Site:
        """A table with a row per value: column `x` of row `i` holds the i-th of VALUES[x], or NULL."""
        site.make(THINGS)
        site.put(
            "things", ("id", *VALUES), [(i, *(dict(enumerate(values)).get(i) for values in VALUES.values())) for i in range(20)]
        )
        return site

    def test_every_value_is_found_by_itself_and_by_nothing_else(self, things: Site) -> None:
        with things.open().read() as session:
            for column, values in VALUES.items():
                found = sorted(session.find("things", (column,), list(enumerate(values)), ("id",), {}))
                assert found == [(number, (number,), 1) for number in range(len(values))], column

    def test_what_a_group_gave_back_finds_the_same_rows(self, things: Site) -> None:
        with things.open().read() as session:
            for column, values in VALUES.items():
                groups = [group for _, group, _ in session.find("things", ("id",), [(0, n) for n in range(20)], (column,), {})]
                assert len(groups) == len(values) + 1, column
                for group in groups:
                    rows = 1 if group != (None,) else 20 - len(values)
                    assert len(list(session.rows(Groups("things", (column,), (group,)), ("id",)))) == rows, (column, group)

    def test_keys_compare_in_the_type_of_their_target(self, site: Site) -> None:
        site.make(THINGS)
        site.put("things", ("id", "number", "text", "price"), [(1, 42, "42", Decimal("42.00")), (2, 7, "042", Decimal("0.70"))])

        def ids(column: str, value: Any) -> list[int]:
            return [values[0] for _, values, _ in self.find(site, "things", (column,), [(0, value)], ("id",))]

        assert ids("number", "42") == ids("number", Decimal("42.00")) == ids("number", 42.0) == [1]
        assert ids("number", "042") == [1]
        assert ids("text", 42) == [1]
        assert ids("text", "042") == [2]
        assert ids("price", "42") == ids("price", 42) == [1]
        assert ids("price", "0.7") == [2]

    def test_what_does_not_convert_matches_nothing(self, things: Site) -> None:
        strange = {
            "number": ["x", "", "1; DROP TABLE things", 2**70, 0.5, "½", "1e3", b"1", float("inf")],
            "text": [b"x", "a\x00b", "\ud800"],
            "price": ["x", "NaN", date(2024, 1, 1), "1,5"],
            "ratio": ["x", "inf"],
            "flag": ["x", 2, ""],
            "day": ["x", "2024-02-30", 7],
            "moment": ["x", 7],
            "uid": ["x", 7, b"short"],
            "raw": [7, "abc"],
        }
        with things.open().read() as session:
            for column, values in strange.items():
                for value in values:
                    assert list(session.find("things", (column,), [(0, value)], ("id",), {})) == [], (column, value)

    def test_case_accents_and_spaces_tell_texts_apart(self, site: Site) -> None:
        site.make(Given("name", {"id": "int", "text": "text"}))
        names = ["José", "Jose", "JOSÉ", "Jose ", " Jose", "jose"]
        site.put("name", ("id", "text"), list(enumerate(names)))
        with site.open().read() as session:
            for number, name in enumerate(names):
                assert list(session.rows(Groups("name", ("text",), ((name,),)), ("id",))) == [(number,)]

    def test_a_lenient_collation_does_not_make_two_groups_one(self, site: Site) -> None:
        site.make(Given("name", {"id": "int", "person": "int", "text": "lenient"}))
        names = ["José", "Jose", "JOSÉ", "Jose ", "jose"]
        site.put("name", ("id", "person", "text"), [(number, 1, name) for number, name in enumerate(names)])
        found = self.find(site, "name", ("person",), [(0, 1)], ("text",))
        assert sorted(values[0] for _, values, _ in found) == sorted(names)
        with site.open().write() as session:
            assert session.delete(Groups("name", ("text",), (("Jose",),))) == 1
        assert [row[1] for row in site.all("name", ("id", "text"))] == ["José", "JOSÉ", "Jose ", "jose"]

    def test_five_thousand_keys_go_in_one_statement(self, site: Site) -> None:
        site.make(Given("many", {"id": "int", "owner": "int", "name": "text"}, key=("id",)))
        site.put("many", ("id", "owner", "name"), [(n, n % 5_000, f"n{n}") for n in range(10_000)])
        with site.open().read() as session:
            before = session.statements
            found = list(session.find("many", ("owner",), [(n, n) for n in range(5_000)], (), {}))
            names = list(session.find("many", ("name",), [(n, f"n{n}") for n in range(5_000)], ("id",), {}))
            assert session.statements - before == 2
        assert sorted(found) == [(n, (), 2) for n in range(5_000)]
        assert sorted(names) == [(n, (n,), 1) for n in range(5_000)]

    # -- identities ---------------------------------------------------------------------------------------------------

    def identities(self, site: Site, column: str, kind: str, *wanted: str) -> dict[str, list[Any]]:
        """{wanted: ids of the rows that spell it}"""
        with site.open().read() as session:
            rows = session.find_identity("person", column, kind, {value: [n] for n, value in enumerate(wanted)}, ("id", column))
            found: dict[str, list[Any]] = {value: [] for value in wanted}
            for tag, values, count in rows:
                assert count == 1
                found[wanted[tag]].append(values[0])
        return {value: sorted(ids) for value, ids in found.items()}

    @pytest.mark.parametrize("kind", list(SPELLINGS))
    def test_an_identity_is_found_in_every_spelling(self, site: Site, kind: str) -> None:
        site.make(PERSON)
        spelled = [(value, spelling) for value, spellings in SPELLINGS[kind].items() for spelling in spellings]
        site.put("person", ("id", "email"), [(number, spelling) for number, (_, spelling) in enumerate(spelled)])
        found = self.identities(site, "email", kind, *SPELLINGS[kind])
        assert found == {value: [n for n, (own, _) in enumerate(spelled) if own == value] for value in SPELLINGS[kind]}

    def test_one_odd_spelling_alone_is_found(self, site: Site) -> None:
        """Without any other row that shows the store how freely its people spell."""
        site.make(PERSON)
        site.put("person", ("id",), [(1,)])
        for kind, values in SPELLINGS.items():
            for value, spellings in values.items():
                for spelling in spellings:
                    with site.open().write() as session:
                        session.update(Groups("person", ("id",), ((1,),)), {"email": Assignment(spelling)})
                        rows = list(session.find_identity("person", "email", kind, {value: [0]}, ("id",)))
                        session.store._spellings.clear()
                    assert len(rows) == 1, (value, spelling)
                    assert rows[0][2] == 1, (value, spelling)

    def test_an_identity_is_nobody_elses(self, site: Site) -> None:
        site.make(Given("person", {"id": "int", "email": "lenient"}))
        mails = [
            "jose@example.com",
            "josé@example.com",
            "JOSE@example.com",
            "jose@example.co",
            "xjose@example.com",
            "jose%@example.com",
            "",
            None,
        ]
        site.put("person", ("id", "email"), list(enumerate(mails)))
        assert self.identities(site, "email", "email", "jose@example.com", "josé@example.com", "jos_@example.com") == {
            "jose@example.com": [0, 2],
            "josé@example.com": [1],
            "jos_@example.com": [],
        }

    def test_a_phone_number_kept_as_a_number_is_found(self, site: Site) -> None:
        site.make(Given("person", {"id": "int", "phone": "bigint"}))
        site.put("person", ("id", "phone"), [(1, 46701234567), (2, 701234567), (3, 701234568)])
        assert self.identities(site, "phone", "phone_number", "+46701234567") == {"+46701234567": [1, 2]}

    def test_what_is_no_identity_of_its_kind_is_nobodys(self, site: Site) -> None:
        site.make(PERSON)
        site.put("person", ("id", "email"), [(1, "n/a"), (2, "@"), (3, "anna@example.com, bo@example.com"), (4, "-")])
        assert self.identities(site, "email", "email", "anna@example.com") == {"anna@example.com": []}

    def test_one_statement_finds_the_identities_of_many_people(self, site: Site) -> None:
        site.make(PERSON)
        site.put("person", ("id", "email"), [(n, f"Person{n}@example.com") for n in range(1_000)])
        wanted = {f"person{n}@example.com": [n] for n in range(1_000)}
        with site.open().read() as session:
            before = session.statements
            found = {tag: values[0] for tag, values, _ in session.find_identity("person", "email", "email", wanted, ("id",))}
            assert session.statements - before <= 2
        assert found == {n: n for n in range(1_000)}

    # -- rows ---------------------------------------------------------------------------------------------------------

    def rows(self, site: Site, groups: Groups, columns: Sequence[str], limit: int | None = None) -> list[Any]:
        with site.open().read() as session:
            return sorted(session.rows(groups, columns, limit), key=repr)

    def test_rows_of_groups_with_nulls(self, people: Site) -> None:
        by = ("person_id", "note")
        assert self.rows(people, Groups("orders", by, ((1, "a"), (1, None), (None, "d"))), ("id",)) == [(1,), (2,), (4,), (5,)]
        assert self.rows(people, Groups("orders", by, ((1, "a"), (1, "a"))), ("id",)) == [(1,), (5,)]
        assert self.rows(people, Groups("orders", by, ((None, None),)), ("id",)) == []
        assert self.rows(people, Groups("orders", by, ()), ("id",)) == []

    def test_a_group_without_columns_is_the_whole_table(self, people: Site) -> None:
        assert len(self.rows(people, Groups("orders", (), ((),)), ("id",))) == 5

    def test_a_limit_counts_over_all_groups(self, people: Site) -> None:
        groups = Groups("orders", ("person_id", "note"), ((1, "a"), (1, None), (None, "d")))
        assert len(self.rows(people, groups, ("id",), limit=3)) == 3
        assert self.rows(people, groups, ("id",), limit=0) == []

    def test_rows_give_back_what_was_put_in(self, things: Site) -> None:
        rows = self.rows(things, Groups("things", (), ((),)), ("id", *VALUES))
        for row in rows:
            for values, found in zip(VALUES.values(), row[1:], strict=True):
                assert found in _as_stored(values[row[0]] if row[0] < len(values) else None)

    def test_rows_stream_without_filling_memory(self, site: Site) -> None:
        site.make(Given("big", {"id": "int", "text": "text"}))
        site.put("big", ("id", "text"), [(n, f"{n:08d}" + "x" * 400) for n in range(30_000)])
        with site.open().read() as session:
            tracemalloc.start()
            try:
                count = sum(1 for _ in session.rows(Groups("big", (), ((),)), ("id", "text")))
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert count == 30_000
        assert peak < 6_000_000  # the rows themselves are 14 MB

    def test_batches_have_fewer_rows_the_larger_they_are(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("privacy.stores.session.FETCH_BYTES", 8_000)
        for name, count, text in ("small", 3_000, "x"), ("large", 130, "x" * 400):
            site.make(Given(name, {"id": "int", "text": "text"}))
            site.put(name, ("id", "text"), [(number, text) for number in range(count)])
        sizes = {}
        with site.open().read() as session:
            for name, count in ("small", 3_000), ("large", 130):
                batches = list(session.batches(Groups(name, (), ((),)), ("id", "text")))
                assert sorted(row[0] for batch in batches for row in batch) == list(range(count))
                sizes[name] = [len(batch) for batch in batches]
            limited = list(session.batches(Groups("small", (), ((),)), ("id",), limit=150))
        assert max(sizes["small"]) > 1_000
        assert sizes["large"] == [100, 20, 10]
        assert sum(map(len, limited)) == 150

    def test_a_reader_sees_one_moment(self, people: Site) -> None:
        groups = Groups("orders", ("person_id",), ((1,),))
        with people.open().read() as session:
            before = sorted(session.rows(groups, ("id",)))
            people.put("orders", ("id", "person_id", "note"), [(6, 1, "later")])
            assert sorted(session.rows(groups, ("id",))) == before
            assert list(session.find("orders", ("person_id",), [(0, 1)], (), {})) == [(0, (), 3)]
        assert len(self.rows(people, groups, ("id",))) == 4

    # -- delete, update -----------------------------------------------------------------------------------------------

    def test_delete_takes_the_named_groups_and_nothing_else(self, people: Site) -> None:
        with people.open().write() as session:
            assert session.delete(Groups("orders", ("person_id", "note"), ((1, "a"), (None, "d"), (2, "x"), (None, None)))) == 3
        assert people.all("orders", ("id", "person_id", "note")) == [(2, 1, None), (3, 2, "c")]

    def test_update_writes_the_named_groups_and_nothing_else(self, people: Site) -> None:
        with people.open().write() as session:
            groups = Groups("orders", ("person_id", "note"), ((1, "a"), (None, "d")))
            assert session.update(groups, {"note": Assignment("it's 100% :new"), "person_id": Assignment(2)}) == 3
            assert session.update(groups, {}) == 0
        new = "it's 100% :new"
        assert people.all("orders", ("id", "person_id", "note")) == [
            (1, 2, new),
            (2, 1, None),
            (3, 2, "c"),
            (4, 2, new),
            (5, 2, new),
        ]

    def test_update_writes_every_kind_of_value(self, things: Site) -> None:
        """As the store's own driver would have written it."""
        before = things.all("things", ("id", *VALUES))
        new = {i + 100: {c: values[i] for c, values in VALUES.items() if i < len(values)} for i in range(20)}
        things.put("things", ("id",), [(number,) for number in new])
        with things.open().write() as session:
            for number, values in new.items():
                assert session.update(Groups("things", ("id",), ((number,),)), {c: Assignment(v) for c, v in values.items()}) <= 1
        after = things.all("things", ("id", *VALUES))
        assert sorted((row[0] - 100, *row[1:]) for row in after if row[0] >= 100) == sorted(before)
        with things.open().write() as session:
            everything = Groups("things", ("id",), tuple((number,) for number in new))
            session.update(everything, {column: Assignment(None) for column in VALUES})
        assert {row[1:] for row in things.all("things", ("id", *VALUES)) if row[0] >= 100} == {(None,) * len(VALUES)}

    def test_random_values_differ_from_row_to_row_and_fit(self, site: Site) -> None:
        site.make(
            Given(
                "filled",
                {
                    "id": "int",
                    "owner": "int",
                    "mail": "text20!",
                    "number": "smallint!",
                    "price": "decimal!",
                    "day": "date!",
                    "uid": "uuid!",
                },
                unique=(("mail",), ("uid",)),
            )
        )
        old = [(n, 1, f"m{n}", n, Decimal(n), date(2024, 1, 1), UUID(int=n)) for n in range(50)]
        site.put("filled", ("id", "owner", "mail", "number", "price", "day", "uid"), old)
        kinds = {"mail": "text", "number": "int", "price": "number", "day": "date", "uid": "uuid"}
        with site.open().write() as session:
            done = session.update(
                Groups("filled", ("owner",), ((1,),)), {name: Assignment(random=kind) for name, kind in kinds.items()}
            )
        assert done == 50
        new = site.all("filled", tuple(kinds))
        for place in range(len(kinds)):
            values = [row[place] for row in new]
            assert None not in values
            assert len(set(map(str, values))) > 25
        with site.open().read() as session:  # every value reads as its type
            assert len(list(session.rows(Groups("filled", (), ((),)), tuple(kinds)))) == 50

    def test_what_is_not_committed_never_happened(self, people: Site) -> None:
        def act() -> None:
            with people.open().write() as session:
                session.delete(Groups("orders", ("person_id",), ((1,),)))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            act()
        assert len(people.all("orders", ("id",))) == 5

    # -- residue ------------------------------------------------------------------------------------------------------

    def test_rows_that_may_hold_a_needle_are_let_through_whatever_surrounds_it(self, people: Site) -> None:
        people.put("orders", ("id", "note"), [(10 + number, text) for number, text in enumerate(HOLDING)])
        let_through = self._let_through(people, "orders", ["note"], NEEDLES)
        assert {(text,) for text in HOLDING} <= let_through

    def test_nothing_is_let_through_where_nothing_is_looked_for(self, people: Site) -> None:
        assert self._let_through(people, "person", ["email", "phone", "code"], Needles()) == set()
        assert self._let_through(people, "person", ["phone"], Needles(("nobody@nowhere.example",))) == set()

    @settings(max_examples=40, deadline=None, suppress_health_check=SHARED)
    @given(texts=st.lists(mentioning.texts(), min_size=1, max_size=12), people_of_it=mentioning.people())
    def test_no_text_that_mentions_somebody_is_kept_back(
        self, people: Site, texts: list[str], people_of_it: list[list[tuple[str, str]]]
    ) -> None:
        mentions = Mentions(people_of_it)
        people.empty("orders")
        people.put("orders", ("id", "note"), list(enumerate(texts)))
        expected = {(text,) for text in texts if mentions.of(text)}
        assert expected <= self._let_through(people, "orders", ["note"], mentions.needles)

    @pytest.mark.parametrize("key", ["int", "text", "both"])
    def test_a_large_table_is_read_in_pieces_and_gone_on_with_at_every_mark(
        self, site: Site, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pieces, "FIRST_ROWS", 7)
        monkeypatch.setattr(pieces, "MOST_ROWS", 7)
        names = {"int": ("a",), "text": ("b",), "both": ("a", "b")}[key]
        site.make(Given("note", {"a": "int!", "b": "text20!", "body": "text"}, key=names))
        rows = [(i // 9 if key == "both" else i - 4, f"{'kK'[i % 2]}ö_{i}", f"anna@example.com {i}") for i in range(40)]
        site.put("note", ("a", "b", "body"), rows)
        needles, whole = Needles(emails=("anna@example.com",)), {(body,) for _, _, body in rows}
        with site.open().read() as session:
            lists = list(session.may_hold("note", ["body"], needles))
            assert sorted(row for some, _ in lists for row in some) == sorted(whole)
            for place, (_, mark) in enumerate(lists):
                if mark is not None:
                    before = [row for some, _ in lists[:place] for row in some]
                    kept = json.loads(json.dumps(mark))
                    after = [row for some, _ in session.may_hold("note", ["body"], needles, kept) for row in some]
                    assert sorted(before + after) == sorted(whole)
        self.check_pieces(key, [mark for _, mark in lists if mark is not None])

    def check_pieces(self, key: str, marks: list[Any]) -> None:
        """What a kind of store should tell of its progress."""

    def _let_through(self, site: Site, table: str, columns: list[str], needles: Needles) -> set[tuple[Any, ...]]:
        with site.open().read() as session:
            return {row for rows, _ in session.may_hold(table, columns, needles) for row in rows}

    # -- errors -------------------------------------------------------------------------------------------------------

    def test_a_constraint_is_refused_without_a_word_of_the_row(self, people: Site) -> None:
        def act() -> None:
            with people.open().write() as session:
                session.update(Groups("orders", ("id",), ((3,),)), {"person_id": Assignment(666_777_888)})

        error = failure(act)
        assert isinstance(error, StoreRefused)
        tell_nothing(error, "666777888", "666_777_888")
        assert people.all("orders", ("id", "person_id"))[2] == (3, 2)

    def test_a_value_that_does_not_fit_is_refused_without_saying_it(self, site: Site) -> None:
        site.make(Given("short", {"id": "int", "text": "text20", "number": "smallint"}, unique=(("text",),)))
        site.put("short", ("id", "text"), [(1, "CANARY-one"), (2, "two")])

        def act() -> None:
            with site.open().write() as session:
                session.update(Groups("short", ("id",), ((2,),)), {"text": Assignment("CANARY-one")})

        error = failure(act)
        assert isinstance(error, StoreRefused)
        tell_nothing(error, "CANARY")

    def test_a_table_that_went_away_is_named_as_an_error_of_the_store(self, people: Site) -> None:
        store = people.open()
        store.schema()
        people.run("DROP TABLE orders")  # type: ignore[attr-defined]

        def act() -> None:
            with store.read() as session:
                list(session.find("orders", ("note",), [(0, "CANARY")], (), {}))

        error = failure(act)
        assert isinstance(error, StoreError)
        tell_nothing(error, "CANARY")


def _as_stored(value: Any) -> tuple[Any, ...]:
    """The value, or what a kind of store gives that has no such type: its text, or the nearest number."""
    if isinstance(value, datetime):
        return value, value.isoformat(" ")
    if isinstance(value, Decimal):
        return value, float(value)
    return (value, str(value)) if isinstance(value, date | UUID) else (value,)


def failure(act: Any) -> StoreError:
    with pytest.raises(StoreError) as caught:
        act()
    return caught.value


def tell_nothing(error: BaseException, *canaries: str) -> None:
    """No text, argument, cause or shown traceback of the error holds a value, and the store is named."""
    import traceback

    formatted = "".join(traceback.TracebackException.from_exception(error).format()).splitlines()
    shown = [line for line in formatted if not line.startswith("    ")]  # the test's own source lines name its canaries
    for part in (*_chain(error), *shown):
        for canary in canaries:
            assert canary not in part
    assert str(error).startswith("site:")


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield repr(error) + repr(error.args)
        error = error.__cause__ or error.__context__
