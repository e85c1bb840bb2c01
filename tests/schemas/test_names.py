"""Names that SQL, YAML, drivers and file systems would rather not see."""

from __future__ import annotations

import pytest

from tests.schemas.conftest import EveryKind, MakeZoo
from tests.schemas.zoo import ANNA, walk
from tests.stores.sites import Given, Refers

pytestmark = pytest.mark.django_db

LONG = {"postgresql": "x" * 63, "mariadb": "x" * 64, "sqlite": "x" * 100}
# (table, its key, its link): reserved, in mixed case, with what SQL, text() and drivers give a meaning
NAMES = [
    ("Order", "Id", "User"),
    ("select", "from", "where"),
    ("mixedCase", "ID", "personID"),
    ("with space", "the id", "the person"),
    ('quo"te', 'i"d', 'per"son'),
    ("colon:x", ":id", "a::b"),
    ("100%", "%s", "%(x)s"),
    ("åäö 漢字", "ключ", "人"),
    ("a'b\\c", "it's", "back\\slash"),
    ("semi;--", "/* id", "#p"),
    ("t", "k0", "v"),
    ("v", "t", "k1"),
]


@EveryKind
def test_tables_and_columns_of_any_name(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    columns = {"the key": "int", "E-Mail %": "text20", "frozen": "int"}
    here.site.make(Given("user", columns, key=("the key",)))
    here.site.put("user", tuple(columns), [(1, ANNA, 0), (2, "bo@example.com", 0)])
    fields = {"user": {"the key": "key", "E-Mail %": "email", "frozen": "plain"}}
    for table, key, link in NAMES:
        shape = {key: "int", link: "int", "note: %s": "text"}
        here.site.make(Given(table, shape, key=(key,), refers=(Refers((link,), "user", ("the key",)),)))
        here.site.put(table, tuple(shape), [(1, 1, "a %s"), (2, 2, ":b"), (3, None, "c'")])
        fields[table] = {key: "key", link: "from user.the key", "note: %s": "personal"}
    here.load(fields, {"collections": {"user": {"restriction": {"set": {"frozen": 1}}}}})
    mine: dict[str, list[object]] = {name: [1] for name in fields}
    walk(here, mine, files=False)
    package = [row for rows in here.packaged.values() for row in rows]
    assert len(package) == len(fields)
    assert sum(row.get("note: %s") == "a %s" for row in package) == len(NAMES)


@EveryKind
def test_the_longest_names(zoo: MakeZoo, kind: str) -> None:
    here, name = zoo(kind), LONG[kind]
    here.site.make(Given(name, {name: "int", "e" + name[1:]: "text20", "f" + name[1:]: "text"}, key=(name,)))
    here.site.put(name, (name, "e" + name[1:]), [(1, ANNA), (2, "bo@example.com")])
    here.load({name: {name: "key", "e" + name[1:]: "email", "f" + name[1:]: "personal"}})
    walk(here, {name: [1]}, files=False)


@EveryKind
def test_collections_whose_names_hold_dots(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.site.make(Given("a.b", {"id": "int", "e.mail": "text20"}, key=("id",)))
    here.site.make(Given("a", {"id": "int", "b.no": "int"}, key=("id",)))
    here.site.put("a.b", ("id", "e.mail"), [(1, ANNA), (2, "bo@example.com")])
    here.site.put("a", ("id", "b.no"), [(1, 1), (2, 2), (3, None)])
    here.load({"a.b": {"id": "key", "e.mail": "email"}, "a": {"id": "key", "b.no": "from a.b.id"}})
    walk(here, {"a.b": [1], "a": [1]})
