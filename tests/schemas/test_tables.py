"""Tables of every sort: without a key, in parts, inherited, seen through views, with rules, half deleted."""

from __future__ import annotations

import pytest

from tests.schemas.conftest import EveryKind, MakeZoo
from tests.schemas.zoo import ANNA, FROZEN, PEOPLE, PERSON, PERSON_FIELDS, counted, walk

pytestmark = pytest.mark.django_db


@EveryKind
def test_tables_without_a_key_and_with_the_same_row_twice(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        "CREATE TABLE person (email varchar(200), name varchar(100), frozen int)",
        f"INSERT INTO person VALUES ('{ANNA}', 'Anna', 0), ('{ANNA}', 'Anna', 0), ('bo@example.com', 'Anna', 0),"
        " ('bo@example.com', 'Anna', 0)",
        "CREATE TABLE seen (email varchar(200), page varchar(50))",
        f"INSERT INTO seen VALUES ('{ANNA}', '/'), ('{ANNA}', '/'), ('{ANNA}', NULL), ('bo@example.com', '/'), (NULL, '/')",
    )
    here.load(
        {"person": {"email": "email", "name": "personal", "frozen": "plain"}, "seen": {"email": "email", "page": "personal"}},
        FROZEN,
    )
    walk(here, {"person": [ANNA], "seen": [ANNA]})


@EveryKind
def test_rows_marked_as_deleted_are_found_and_erased(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE orders (id int PRIMARY KEY, person_id int, deleted_at timestamp NULL)",
        "INSERT INTO orders VALUES (1, 1, NULL), (2, 1, '2020-01-01 00:00:00'), (3, 2, '2020-01-01 00:00:00')",
        "CREATE VIEW current_orders AS SELECT * FROM orders WHERE deleted_at IS NULL",
    )
    here.load({"person": PERSON_FIELDS, "orders": {"id": "key", "person_id": "from person.id", "deleted_at": "plain"}}, FROZEN)
    walk(here, {"person": [1], "orders": [1, 2]})


@EveryKind
def test_views_are_no_place_where_data_lies(zoo: MakeZoo, kind: str) -> None:
    """Nothing is written through them, they are not searched for residue,"
    " and a map that names one is warned when it is loaded."""
    here = zoo(kind)
    here.run(PERSON, PEOPLE, "CREATE VIEW mails AS SELECT id, email FROM person")
    here.load({"person": PERSON_FIELDS}, FROZEN)
    walk(here, {"person": [1]})
    warnings = here.warnings({"person": PERSON_FIELDS, "mails": {"id": "plain", "email": "email"}})
    assert [w for w in warnings if "mails" in w and "view" in w]


def test_a_materialized_view_is_left_alone(zoo: MakeZoo) -> None:
    here = zoo("postgresql")
    here.run(PERSON, PEOPLE, "CREATE MATERIALIZED VIEW old AS SELECT id, name FROM person")
    here.load({"person": PERSON_FIELDS}, FROZEN)
    walk(here, {"person": [1]})


@pytest.mark.parametrize("how", ["RANGE (at)", "HASH (person_id)", "LIST (region)"])
def test_partitioned_tables_of_postgresql(zoo: MakeZoo, how: str) -> None:
    here = zoo("postgresql")
    parts = {
        "RANGE (at)": [
            "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
            "CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (region)",
            "CREATE TABLE log_2a PARTITION OF log_2 FOR VALUES IN ('se')",
            "CREATE TABLE log_2b PARTITION OF log_2 DEFAULT",
            "CREATE TABLE log_3 PARTITION OF log DEFAULT",
        ],
        "HASH (person_id)": [
            f"CREATE TABLE log_{n} PARTITION OF log FOR VALUES WITH (MODULUS 3, REMAINDER {n})" for n in range(3)
        ],
        "LIST (region)": [
            "CREATE TABLE log_1 PARTITION OF log FOR VALUES IN ('se')",
            "CREATE TABLE log_2 PARTITION OF log FOR VALUES IN ('no', NULL)",
        ],
    }[how]
    here.run(
        PERSON,
        PEOPLE,
        f"CREATE TABLE log (no int, person_id int REFERENCES person (id), at date, region text) PARTITION BY {how}",
        *parts,
        "INSERT INTO log VALUES (1, 1, '2020-05-05', 'se'), (2, 1, '2021-05-05', 'se'), (3, 1, '2021-06-06', 'no'),"
        " (4, 1, '2020-07-07', NULL), (5, 2, '2020-05-05', 'se'), (6, 2, '2021-05-05', 'no'), (7, NULL, '2020-05-05', 'se')",
    )
    here.load(
        {"person": PERSON_FIELDS, "log": {"no": "plain", "person_id": "from person.id", "at": "plain", "region": "personal"}},
        FROZEN,
    )
    walk(here, {"person": [1], "log": [1, 2, 3, 4]})


INHERITED = (
    PERSON,
    PEOPLE,
    "CREATE TABLE contact (id int PRIMARY KEY, person_id int REFERENCES person (id), value text)",
    "CREATE TABLE fax (id int PRIMARY KEY, person_id int REFERENCES person (id), station text) INHERITS (contact)",
    "CREATE TABLE call (no int, contact_id int REFERENCES contact (id))",
    "INSERT INTO contact VALUES (1, 1, 'anna@example.com'), (2, 2, 'bo'), (3, 1, 'own')",
    # The same numbers again: a key of the parent does not reach its heirs.
    "INSERT INTO fax VALUES (1, 2, 'of Bo', 'x'), (2, 1, 'anna@example.com', 'y')",
    "INSERT INTO call VALUES (1, 1), (2, 2)",
)
CONTACT = {"id": "key", "person_id": "from person.id", "value": "personal"}
CALL = {"no": "plain", "contact_id": "from contact.id"}


def test_rows_of_an_heir_are_its_own_in_postgresql(zoo: MakeZoo) -> None:
    here = zoo("postgresql")
    here.run(*INHERITED)
    fields = {"person": PERSON_FIELDS, "contact": CONTACT, "fax": CONTACT | {"station": "personal"}, "call": CALL}
    here.load(fields, FROZEN)
    done = here.erased()
    assert {n: (c["rows"], c["deleted"]) for n, c in done.items()} == {
        "person": (1, 1),
        "contact": (2, 2),
        "fax": (1, 1),
        "call": (1, 1),
    }
    after = here.content()
    assert [row["id"] for row in after["fax"]] == [1]
    assert {row["value"] for row in after["contact"]} - {"of Bo"} == {"bo"}
    assert [row["no"] for row in after["call"]] == [2]


def test_an_heir_that_is_not_mapped_is_taken_as_what_it_inherits_from(zoo: MakeZoo) -> None:
    here = zoo("postgresql")
    here.run(*INHERITED)
    here.load({"person": PERSON_FIELDS, "contact": CONTACT, "call": CALL}, FROZEN)
    done = here.erased()
    assert (done["contact"]["deleted"], done["fax"]["deleted"]) == (2, 1)
    after = here.content()
    assert [row["id"] for row in after["fax"]] == [1]
    assert [row["no"] for row in after["call"]] == [2]


def test_a_link_that_may_mean_an_heirs_row_is_named_when_the_map_is_loaded(zoo: MakeZoo) -> None:
    here = zoo("postgresql")
    here.run(*(text.replace("contact_id int REFERENCES contact (id)", "contact_id int") for text in INHERITED))
    status, answer = here.try_load({"person": PERSON_FIELDS, "contact": CONTACT, "call": CALL}, FROZEN)
    assert status != 0
    assert "`fax` inherit from it and are not mapped, so call.contact_id may point at a row of theirs" in str(answer)


def test_a_partitioned_table_below_and_above_others(zoo: MakeZoo) -> None:
    here = zoo("postgresql")
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE orders (no int, region text, person_id int REFERENCES person (id), PRIMARY KEY (no, region))"
        " PARTITION BY LIST (region)",
        "CREATE TABLE orders_se PARTITION OF orders FOR VALUES IN ('se')",
        "CREATE TABLE orders_no PARTITION OF orders FOR VALUES IN ('no')",
        "CREATE TABLE line (no int, order_no int, region text, FOREIGN KEY (order_no, region) REFERENCES orders (no, region))",
        "INSERT INTO orders VALUES (1, 'se', 1), (1, 'no', 2), (2, 'no', 1)",
        "INSERT INTO line VALUES (1, 1, 'se'), (2, 1, 'no'), (3, 2, 'no'), (4, 1, 'se')",
    )
    here.load(
        {
            "person": PERSON_FIELDS,
            "orders": {"no": "key", "region": "key", "person_id": "from person.id"},
            "line": {"no": "plain", "order_no": "from orders.no", "region": "from orders.region"},
        },
        FROZEN,
    )
    before = here.content()
    done = here.erased()
    assert {n: c["deleted"] for n, c in done.items()} == {"person": 1, "orders": 2, "line": 3}
    after = here.content()
    assert [r["person_id"] for r in after["orders"]] == [2]
    assert [r["no"] for r in after["line"]] == [2]
    assert counted({"p": after["person"]}) == counted({"p": before["person"][1:]})


def test_partitioned_tables_of_mariadb(zoo: MakeZoo) -> None:
    here = zoo("mariadb")
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE log (no int, person_id int, at date, PRIMARY KEY (no, at)) PARTITION BY RANGE (YEAR(at))"
        " (PARTITION a VALUES LESS THAN (2021), PARTITION b VALUES LESS THAN MAXVALUE)",
        "CREATE TABLE hit (no int, person_id int) PARTITION BY HASH (no) PARTITIONS 4",
        "INSERT INTO log VALUES (1, 1, '2020-05-05'), (2, 1, '2021-05-05'), (3, 2, '2020-05-05'), (4, 2, '2021-05-05')",
        "INSERT INTO hit VALUES (1, 1), (2, 1), (3, 2), (4, NULL)",
    )
    here.load(
        {
            "person": PERSON_FIELDS,
            "log": {"no": "key", "person_id": "from person.id", "at": "key"},
            "hit": {"no": "plain", "person_id": "from person.id"},
        },
        FROZEN,
    )
    walk(here, {"person": [1], "log": [1, 2], "hit": [1, 2]})


def test_inherited_tables(zoo: MakeZoo) -> None:
    """The parent's query shows the child's rows; each goes once, and only once counted, where it stands."""
    here = zoo("postgresql")
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE event (no int, person_id int, what text)",
        "CREATE TABLE login (device text) INHERITS (event)",
        "INSERT INTO event VALUES (1, 1, 'a'), (2, 2, 'b')",
        "INSERT INTO login VALUES (3, 1, 'c', 'phone'), (4, 2, 'd', 'phone')",
    )
    here.load({"person": PERSON_FIELDS, "event": {"no": "plain", "person_id": "from person.id", "what": "personal"}}, FROZEN)
    before = here.content()
    assert (here.located()["event"], here.located()["login"]) == ({"rows": 1}, {"rows": 1})
    done = here.erased()
    assert [(done[name]["deleted"], done[name]["remaining"]) for name in ("event", "login")] == [(1, 0), (1, 0)]
    after = here.content()
    assert [row["no"] for row in after["event"]] == [2, 4]
    assert [row["no"] for row in after["login"]] == [4]
    assert counted(after)["login"] == counted({"login": before["login"][1:]})["login"]


def test_inherited_tables_of_which_both_are_mapped(zoo: MakeZoo) -> None:
    here = zoo("postgresql")
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE event (no int, person_id int, what text)",
        "CREATE TABLE login (device text) INHERITS (event)",
        "INSERT INTO event VALUES (1, 1, 'a'), (2, 2, 'b')",
        "INSERT INTO login VALUES (3, 1, 'c', 'phone'), (4, 2, 'd', 'phone')",
    )
    columns = {"no": "plain", "person_id": "from person.id", "what": "personal"}
    here.load({"person": PERSON_FIELDS, "event": columns, "login": {**columns, "device": "personal"}}, FROZEN)
    status, answer = here.act("erase")
    assert status == 0, answer
    assert {table: [row["no"] for row in rows] for table, rows in here.content().items() if table != "person"} == {
        "event": [2, 4],
        "login": [4],
    }
    assert not here.collections(answer)["login"]["remaining"]
    assert not here.collections(answer)["event"]["remaining"]


@EveryKind
def test_a_changed_trigger_or_rule_is_a_changed_schema(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(PERSON, PEOPLE)
    before = here.site.open().schema().digest(["person"])
    new = {
        "postgresql": "CREATE RULE mark AS ON DELETE TO person DO INSTEAD NOTHING",
        "mariadb": "CREATE TRIGGER mark BEFORE DELETE ON person FOR EACH ROW SET @x = 1",
        "sqlite": "CREATE TRIGGER mark BEFORE DELETE ON person BEGIN SELECT 1; END",
    }[kind]
    here.run(new)
    assert here.site.open().schema().digest(["person"]) != before
