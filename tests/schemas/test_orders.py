"""Correct, restrict, lift and erase one person in every order; nobody else notices (R16, R17, R20, R23)."""

from __future__ import annotations

from itertools import permutations

import pytest

from privacy.models import OperatorRun
from tests.schemas.conftest import KINDS, MakeZoo
from tests.schemas.zoo import ANNA, PEOPLE, PERSON, PERSON_FIELDS, Rows, Zoo, counted, without

pytestmark = pytest.mark.django_db

MINE = {"person": [1], "orders": [1, 2], "invoice": [1]}
PRIVACY = {
    "collections": {
        "person": {"restriction": {"set": {"frozen": 1}}, "on_erasure": "delete"},
        "orders": {"restriction": {"set": {"held": True}}, "on_erasure": "delete"},
        "invoice": {
            "on_erasure": "delete",
            "keep": [{"basis": "bokföringslagen 7 kap. 2 §", "from": "issued_on", "for": "P7Y", "fields": ["name", "issued_on"]}],
        },
    }
}


def shop(here: Zoo) -> None:
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE orders (id int PRIMARY KEY, person_id int, held boolean)",
        "CREATE TABLE invoice (id int PRIMARY KEY, person_id int, name varchar(50), note varchar(50), issued_on date)",
        "INSERT INTO orders VALUES (1, 1, false), (2, 1, NULL), (3, 2, false), (4, NULL, true)",
        "INSERT INTO invoice VALUES (1, 1, 'Anna', 'ring', '2999-01-01'), (2, 2, 'Bo', 'ring', '2999-01-01')",
    )
    here.load(
        {
            "person": PERSON_FIELDS,
            "orders": {"id": "key", "person_id": "from person.id", "held": "plain"},
            "invoice": {"id": "key", "person_id": "from person.id", "name": "personal", "note": "personal", "issued_on": "plain"},
        },
        PRIVACY,
    )


def step(here: Zoo, action: str) -> None:
    """One action, and what it must have done to her rows as they stood."""
    before = here.content()
    gone = before["person"][0]["email"] is None
    more = ("--set", "zoo.person.name=Annika", "--set", "zoo.invoice.name=Annika") if action == "rectify" else ()
    status, answer = here.act(action, *more)
    after = here.content()
    assert counted(without(after, MINE)) == counted(without(before, MINE)), action
    if gone and action == "lift":  # what we set may go even from a row that stayed; what was hers does not come back
        before["person"][0]["frozen"] = after["person"][0]["frozen"]
        assert counted(after) == counted(before)
        return
    if gone:
        assert (status, counted(after)) == (1, counted(before)), (action, answer)
        return
    assert status == 0 or action == "rectify", answer
    person, invoice = after["person"][0], after["invoice"][0]
    if action == "rectify":
        assert (person["name"], invoice["name"]) == ("Annika", "Anna"), "what a law keeps is not written over"
        assert here.collections(answer)["invoice"]["kept"] == 1
    if action == "restrict":
        assert (person["frozen"], [bool(row["held"]) for row in after["orders"][:2]]) == (1, [True, True])
    if action == "lift":
        assert (person["frozen"], [row["held"] for row in after["orders"][:2]]) == (0, [no(before), None])
    if action == "erase":
        # The kept invoice points at her, so her row stays without a word.
        assert (person["email"], person["name"]) == (None, None)
        assert [row["id"] for row in after["orders"]] == [3, 4]
        assert (invoice["name"], invoice["note"]) == ("Anna", None)


def no(rows: Rows) -> object:
    """False as the driver spells it."""
    return type(rows["orders"][-1]["held"])(0)


@pytest.mark.parametrize("kind", KINDS)
def test_all_orders_of_the_four(zoo: MakeZoo, kind: str) -> None:
    """All of them where it is quick; on the servers some that begin with each."""
    here = zoo(kind)
    shop(here)
    fresh = here.content()
    orders = list(permutations(("rectify", "restrict", "lift", "erase")))
    for order in orders if kind == "sqlite" else orders[::8]:
        for table in ("invoice", "orders", "person"):
            here.run(f"DELETE FROM {table}")
            here.site.put(table, tuple(fresh[table][0]), [tuple(row.values()) for row in fresh[table]])
        forget(here)
        for action in order:
            step(here, action)


def forget(here: Zoo) -> None:
    """Every order begins without a memory of the one before."""
    OperatorRun.objects.all().delete()


@pytest.mark.parametrize("kind", KINDS)
def test_lifting_leaves_what_somebody_else_set_meanwhile(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    shop(here)
    assert here.act("restrict")[0] == 0
    here.run("UPDATE person SET frozen = 7 WHERE id = 1", "INSERT INTO orders VALUES (9, 1, false)")
    assert here.act("restrict")[0] == 0, "the nightly run restricts what is new"
    assert here.act("lift")[0] == 0
    after = here.content()
    assert [row["held"] for row in after["orders"] if row["id"] in (1, 2)] == [no(after), None]


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_twice_is_the_same_as_once(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    shop(here)
    for action in ("restrict", "rectify", "lift", "erase"):
        step(here, action)
        once = here.content()
        more = ("--set", "zoo.person.name=Annika") if action == "rectify" else ()
        here.act(action, *more)
        assert counted(here.content()) == counted(once), action
    assert ANNA not in str(here.content())
