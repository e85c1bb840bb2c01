"""Collections hang together in every way that keys allow: exactly one person's rows are found, handed out and erased (R6–R12)."""

from __future__ import annotations

import pytest

from tests.schemas.conftest import EveryKind, MakeZoo
from tests.schemas.zoo import ANNA, FROZEN, PEOPLE, PERSON, PERSON_FIELDS, counted, walk, without

pytestmark = pytest.mark.django_db


@EveryKind
def test_a_chain_of_ten(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(PERSON, PEOPLE)
    fields: dict[str, dict[str, str]] = {"person": PERSON_FIELDS}
    above = "person"
    for depth in range(10):
        name = f"t{depth}"
        here.run(
            f"CREATE TABLE {name} (id int PRIMARY KEY, up int REFERENCES {above} (id), note varchar(50))",
            f"INSERT INTO {name} VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, NULL, 'd')",
        )
        fields[name] = {"id": "key", "up": f"from {above}.id", "note": "personal"}
        above = name
    here.load(fields, FROZEN)
    walk(here, {name: [1] for name in fields})


@EveryKind
def test_several_paths_lead_to_one_collection(zoo: MakeZoo, kind: str) -> None:
    """A comment is its writer's and stands under an order that is the same person's: once in everything,"
    " however it is reached."""
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE orders (id int PRIMARY KEY, person_id int REFERENCES person (id))",
        "CREATE TABLE note (id int PRIMARY KEY, person_id int REFERENCES person (id), order_id int REFERENCES orders (id))",
        "INSERT INTO orders VALUES (10, 1), (11, 1), (20, 2)",
        "INSERT INTO note VALUES (100, 1, 10), (101, NULL, 11), (102, 1, NULL), (200, 2, 20), (201, NULL, 20), (300, 3, NULL)",
    )
    here.load(
        {
            "person": PERSON_FIELDS,
            "orders": {"id": "key", "person_id": "from person.id"},
            "note": {"id": "key", "person_id": "from person.id", "order_id": "from orders.id"},
        },
        FROZEN,
    )
    walk(here, {"person": [1], "orders": [10, 11], "note": [100, 101, 102]})


@EveryKind
def test_composite_keys_with_zero_and_empty_and_missing_parts_and_a_shared_column(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        "CREATE TABLE person (rid int, tenant varchar(20) NOT NULL, no int NOT NULL, email varchar(200), frozen int,"
        " PRIMARY KEY (tenant, no))",
        f"INSERT INTO person VALUES (1, '', 0, '{ANNA}', 0), (2, '', 1, 'bo@example.com', 0), (3, 'x', 0, 'cia@example.com', 0),"
        " (4, '0', 0, 'dan@example.com', 0)",
        # one tenant column serves two keys: whose the ticket is, and who answers it
        "CREATE TABLE agent (rid int, tenant varchar(20) NOT NULL, no int NOT NULL, title varchar(20), PRIMARY KEY (tenant, no))",
        "INSERT INTO agent VALUES (1, '', 0, 'a'), (2, 'x', 0, 'b')",
        "CREATE TABLE ticket (rid int, tenant varchar(20), person_no int, agent_no int, note varchar(20),"
        " FOREIGN KEY (tenant, person_no) REFERENCES person (tenant, no),"
        " FOREIGN KEY (tenant, agent_no) REFERENCES agent (tenant, no))",
        "INSERT INTO ticket VALUES (1, '', 0, NULL, 'hers'), (2, '', 0, 0, 'hers'), (3, '', 1, 0, 'his'), (4, 'x', 0, 0, 'no'),"
        " (5, NULL, 0, NULL, 'nobodys'), (6, '', NULL, NULL, 'nobodys'), (7, NULL, NULL, NULL, 'nobodys'), (8, '0',"
        " 0, NULL, 'd')",
    )
    here.load(
        {
            "person": {"rid": "plain", "tenant": "plain", "no": "plain", "email": "email", "frozen": "plain"},
            "agent": {"rid": "plain", "tenant": "plain", "no": "plain", "title": "plain"},
            "ticket": {
                "rid": "plain",
                "tenant": "from person.tenant, to agent.tenant",
                "person_no": "from person.no",
                "agent_no": "to agent.no",
                "note": "personal",
            },
        },
        FROZEN,
    )
    walk(here, {"person": [1], "ticket": [1, 2]})


@EveryKind
def test_a_tree_of_one_table_deep_and_wide(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE folder (id int PRIMARY KEY, up int REFERENCES folder (id), person_id int REFERENCES person (id))",
    )
    deep = [(n, n - 1 if n > 1 else None, 1 if n == 1 else None) for n in range(1, 60)]
    wide = [(100 + n, 5, None) for n in range(30)]
    his = [(200, None, 2), (201, 200, None)]
    here.site.put("folder", ("id", "up", "person_id"), [*deep, *wide, *his])
    here.load({"person": PERSON_FIELDS, "folder": {"id": "key", "up": "from folder.id", "person_id": "from person.id"}}, FROZEN)
    walk(here, {"person": [1], "folder": [row[0] for row in (*deep, *wide)]})


@EveryKind
def test_rows_that_point_at_themselves_and_in_a_ring(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE thread (id int PRIMARY KEY, up int REFERENCES thread (id), person_id int REFERENCES person (id))",
        "INSERT INTO thread VALUES (1, NULL, 1), (2, 1, NULL), (3, 2, NULL), (4, 4, 1), (9, 9, 2), (10, NULL, 3), (11, 10, NULL)",
        "UPDATE thread SET up = 3 WHERE id = 1",
        "UPDATE thread SET up = 11 WHERE id = 10",
    )
    here.load({"person": PERSON_FIELDS, "thread": {"id": "key", "up": "from thread.id", "person_id": "from person.id"}}, FROZEN)
    walk(here, {"person": [1], "thread": [1, 2, 3, 4]})


@EveryKind
def test_two_tables_that_point_at_each_other(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(PERSON, PEOPLE, "CREATE TABLE account (id int PRIMARY KEY, person_id int, main_card int)")
    if kind == "sqlite":
        here.run(
            "DROP TABLE account",
            "CREATE TABLE account (id int PRIMARY KEY, person_id int REFERENCES person (id), main_card int REFERENCES card (id))",
        )
    here.run("CREATE TABLE card (id int PRIMARY KEY, account_id int NOT NULL REFERENCES account (id), label varchar(20))")
    here.run(
        "INSERT INTO account VALUES (1, 1, NULL), (2, 2, NULL), (3, 3, NULL)",
        "INSERT INTO card VALUES (10, 1, 'a'), (11, 1, 'b'), (20, 2, 'c'), (30, 3, 'd')",
        "UPDATE account SET main_card = id * 10 WHERE id < 3",
    )
    if kind != "sqlite":
        here.run("ALTER TABLE account ADD FOREIGN KEY (main_card) REFERENCES card (id)")
        here.run("ALTER TABLE account ADD FOREIGN KEY (person_id) REFERENCES person (id)")
    here.load(
        {
            "person": PERSON_FIELDS,
            "account": {"id": "key", "person_id": "from person.id", "main_card": "to card.id"},
            "card": {"id": "key", "account_id": "from account.id", "label": "personal"},
        },
        FROZEN,
    )
    walk(here, {"person": [1], "account": [1], "card": [10, 11]})


@EveryKind
def test_one_column_points_into_several_tables(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE post (id int PRIMARY KEY, person_id int REFERENCES person (id))",
        "CREATE TABLE liked (id int PRIMARY KEY, what varchar(20), what_id varchar(20))",
        "INSERT INTO post VALUES (1, 2), (2, 1), (3, 3)",
        "INSERT INTO liked VALUES (1, 'person', '1'), (2, 'post', '1'), (3, 'post', '2'), (4, 'person', '2'), (5, 'Person', '3'),"
        " (6, NULL, '1'), (7, 'person', NULL), (8, '', '1'), (9, 'person', '01x')",
    )
    here.load(
        {
            "person": PERSON_FIELDS,
            "post": {"id": "key", "person_id": "from person.id"},
            "liked": {"id": "key", "what": "plain", "what_id": "personal"},
        },
        FROZEN
        | {
            "links": {
                "liked.what_id": [
                    {"to": "person.id", "when": {"what": "person"}},
                    {"to": "post.id", "when": {"what": "post"}},
                ]
            }
        },
    )
    walk(here, {"person": [1], "post": [2], "liked": [1, 3]})


@pytest.mark.parametrize(
    "kinds", [("postgresql", "sqlite"), ("postgresql", "mariadb"), ("mariadb", "sqlite"), ("sqlite", "postgresql")]
)
def test_links_from_one_kind_of_store_to_another_and_to_another_type(zoo: MakeZoo, kinds: tuple[str, str]) -> None:
    """Whole numbers here, text there: '1' and '01' are not the same text, and what is no number is nobody's."""
    here = zoo(shop=kinds[0], mail=kinds[1])
    here.run(PERSON, PEOPLE, store="shop")
    here.run(
        "CREATE TABLE letter (id int PRIMARY KEY, customer varchar(20), body varchar(50))",
        "CREATE TABLE opened (id int PRIMARY KEY, letter_id int, at varchar(20))",
        "INSERT INTO letter VALUES (1, '1', 'Hej'), (2, '2', 'Hej'), (3, 'x', 'Hej'), (4, '', 'Hej'), (5, NULL,"
        " 'Hej'), (6, '11', 'Hej'),"
        " (7, '1', 'Hej igen')",
        "INSERT INTO opened VALUES (1, 1, 'now'), (2, 2, 'now'), (3, 7, 'then')",
        store="mail",
    )
    here.load(
        shop=({"person": PERSON_FIELDS}, FROZEN),
        mail=(
            {
                "letter": {"id": "key", "customer": "from shop:person.id", "body": "personal"},
                "opened": {"id": "key", "letter_id": "from letter.id", "at": "personal"},
            },
            {},
        ),
    )
    walk(here, {"shop.person": [1], "mail.letter": [1, 7], "mail.opened": [1, 3]})


@EveryKind
def test_a_key_that_is_no_number_frees_no_row_with_a_number(zoo: MakeZoo, kind: str) -> None:
    """What lets go of an erased row is compared in its own type too: 'abc' is nobody's number, and no error."""
    here = zoo(kind)
    here.run(
        "CREATE TABLE person (code varchar(20) PRIMARY KEY, email varchar(200))",
        "CREATE TABLE advice (id int PRIMARY KEY, person_code int)",
        f"INSERT INTO person VALUES ('abc', '{ANNA}'), ('7', 'bo@example.com')",
        "INSERT INTO advice VALUES (1, NULL), (2, 7), (3, 0)",
    )
    fields = {"person": {"code": "key", "email": "email"}, "advice": {"id": "key", "person_code": "to person.code"}}
    here.load(fields, {"links": {"advice.person_code": {"nature": "refers", "on_parent_erased": "set_null"}}})
    before = here.content()
    here.erased()
    assert counted(here.content()) == counted(without(before, {"person": ["abc"]}))
