"""One person, however the address is spelled; two people, however alike a collation finds them (R12)."""

from __future__ import annotations

import unicodedata

import pytest

from tests.schemas.conftest import EveryKind, MakeZoo
from tests.schemas.zoo import counted, walk, without

pytestmark = pytest.mark.django_db

LENIENT = {
    "mariadb": [
        "varchar(200) COLLATE utf8mb4_general_ci",
        "varchar(200) COLLATE utf8mb4_unicode_ci",
        "varchar(200) COLLATE utf8mb4_bin",
    ],
    "sqlite": ["TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM"],
}
LENIENT_COLUMNS = [(kind, column) for kind, columns in LENIENT.items() for column in columns]
COLUMNS = [
    ("postgresql", "varchar(200)"),
    ("postgresql", "text"),
    ("mariadb", "varchar(200)"),
    ("sqlite", "TEXT"),
    *LENIENT_COLUMNS,
]


SPELLINGS = [
    "José@Example.com",
    "JOSÉ@EXAMPLE.COM",
    unicodedata.normalize("NFD", "josé@example.com"),
    " josé@example.com",
    "josé@example.com ",
    "josé@example.com\n",
    "jOSÉ@eXAMPLE.cOM",
]
STRANGERS = ["jose@example.com", "josè@example.com", "josé@example.co", "xjosé@example.com", "josé@example.com.x", "", " ", None]


@pytest.mark.parametrize(("kind", "column"), COLUMNS)
def test_other_spellings_of_an_address_are_hers_and_other_addresses_are_not(zoo: MakeZoo, kind: str, column: str) -> None:
    here = zoo(kind)
    tables = [f"p{number}" for number in range(len(SPELLINGS))]
    for table, spelling in zip(tables, SPELLINGS, strict=True):
        here.run(f"CREATE TABLE {table} (id int PRIMARY KEY, email {column})")
        here.site.put(table, ("id", "email"), [(1, spelling), *enumerate(STRANGERS, 2)])
    here.load({table: {"id": "key", "email": "email"} for table in tables})
    before = here.content()
    assert here.located(who="email=josé@example.com") == {table: {"rows": 1} for table in tables}
    here.erased(who="email=josé@example.com")
    assert counted(here.content()) == counted(without(before, {table: [1] for table in tables}))


@pytest.mark.parametrize(("kind", "column"), COLUMNS)
def test_a_customer_number_in_another_case_is_another_customer(zoo: MakeZoo, kind: str, column: str) -> None:
    """A run starts from what its plan remembers, and a lenient collation must not add somebody there."""
    here = zoo(kind)
    here.run(f"CREATE TABLE person (id int PRIMARY KEY, number {column}, name varchar(20))")
    here.site.put(
        "person", ("id", "number", "name"), [(1, "ab-1", "Anna"), (2, "AB-1", "Bo"), (3, "áb-1", "Cia"), (4, "ab-1x", "Dan")]
    )
    here.load({"person": {"id": "key", "number": "customer_number", "name": "personal"}})
    before = here.content()
    assert here.located(who="customer_number=ab-1") == {"person": {"rows": 1}}
    assert here.act("rectify", "--set", "zoo.person.name=Annika", who="customer_number=ab-1")[0] == 0
    assert counted(without(here.content(), {"person": [1]})) == counted(without(before, {"person": [1]}))
    assert here.collections(here.act("erase", who="customer_number=ab-1")[1])["person"]["deleted"] == 1
    assert counted(here.content()) == counted(without(before, {"person": [1]}))


@EveryKind
def test_two_spellings_in_one_table_are_two_accounts_until_somebody_decides(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run("CREATE TABLE person (id int PRIMARY KEY, email varchar(200))")
    here.site.put("person", ("id", "email"), [(1, "anna@example.com"), (2, "Anna@Example.com")])
    here.load({"person": {"id": "key", "email": "email"}})
    assert here.located() == {"person": {"rows": 2, "contested": 2}}
    assert here.act("erase")[0] == 1
    assert len(here.content()["person"]) == 2


@EveryKind
def test_telephones_in_every_way_of_writing_them(zoo: MakeZoo, kind: str) -> None:
    ways = [
        "+46701234567",
        "070-123 45 67",
        "0701234567",
        "0046 70 123 45 67",
        "+46 (0)70-123 45 67",
        "46701234567",
        "070/1234567",
        "070.123.45.67",
    ]
    his = ["+46701234568", "070-123 45 6", "+47701234567", "701234567890", "hemligt", "", None]
    here = zoo(kind)
    here.run("CREATE TABLE person (id int PRIMARY KEY, phone varchar(40))")
    here.site.put("person", ("id", "phone"), [*enumerate(his, 100)])
    for number, way in enumerate(ways):
        here.run(f"CREATE TABLE p{number} (id int PRIMARY KEY, phone varchar(40))")
        here.site.put(f"p{number}", ("id", "phone"), [(1, way), (2, "+46701234560"), (3, None)])
    tables = {"person": {"id": "key", "phone": "phone_number"}}
    tables |= {f"p{number}": {"id": "key", "phone": "phone_number"} for number in range(len(ways))}
    here.load(tables)
    assert here.located(who="phone_number=+46 70 123 45 67") == {f"p{number}": {"rows": 1} for number in range(len(ways))}


@EveryKind
def test_a_number_in_a_column_of_numbers_or_of_text(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        "CREATE TABLE person (id int PRIMARY KEY, frozen int)",
        "CREATE TABLE letter (customer varchar(20), body varchar(20))",
        "INSERT INTO person VALUES (1, 0), (10, 0), (100, 0)",
        "INSERT INTO letter VALUES ('10', 'a'), ('010', 'b'), ('10 ', 'c'), ('1', 'd'), ('10.0', 'e'), (NULL, 'f')",
    )
    here.load(
        {
            "person": {"id": "key, customer_number", "frozen": "plain"},
            "letter": {"customer": "customer_number", "body": "personal"},
        }
    )
    located = here.located(who="customer_number=10")
    assert located["person"] == {"rows": 1, "contested": 0} or located["person"]["rows"] == 1
    bodies = {row["body"] for row in here.exported(who="customer_number=10").get("letter", [])}
    assert "b" not in bodies
    assert "d" not in bodies
    assert "e" not in bodies


@pytest.mark.parametrize(("kind", "column"), LENIENT_COLUMNS)
def test_keys_of_a_lenient_collation_lead_where_the_store_itself_says_they_lead(zoo: MakeZoo, kind: str, column: str) -> None:
    here = zoo(kind)
    here.run(
        f"CREATE TABLE person (code {column} NOT NULL, email varchar(200), PRIMARY KEY (code))",
        f"CREATE TABLE orders (id int PRIMARY KEY, code {column}, FOREIGN KEY (code) REFERENCES person (code))",
    )
    here.site.put("person", ("code", "email"), [("jose", "anna@example.com"), ("bo", "bo@example.com")])
    same = {"TEXT COLLATE RTRIM": "jose  ", "varchar(200) COLLATE utf8mb4_bin": "jose"}.get(column, "JOSE")
    here.site.put("orders", ("id", "code"), [(1, "jose"), (2, same), (3, "bo"), (4, None)])
    here.load({"person": {"code": "key", "email": "email"}, "orders": {"id": "key", "code": "from person.code"}})
    walk(here, {"person": ["jose"], "orders": [1, 2]})
