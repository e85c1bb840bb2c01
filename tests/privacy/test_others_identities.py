"""A row that names somebody else stays as it was decided, whichever stores are read and whoever is remembered then (R10, R11)."""

import sqlite3
from contextlib import closing
from datetime import datetime

import pytest
from django.utils import timezone

from privacy import actions, maps, returning
from privacy.actions import RunItem
from tests.privacy.shared_rows import ANNA, MAP, SCHEMA, Shop

pytestmark = pytest.mark.django_db(transaction=True)

GIFTS = MAP.replace(
    "    - {name: pages,",
    "    - {name: recipient, data_categories: [user.contact.email], fides_meta: {identity: email}}\n    - {name: pages,",
)
GIFT = SCHEMA + "ALTER TABLE document ADD recipient text; UPDATE document SET recipient = 'kalle@example.net' WHERE id = 10;"
TWO_STORES = """
dataset:
- fides_key: crm
  meta: {privacy: {collections: {customer: {on_erasure: delete}}}}
  collections:
  - name: customer
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: phone, data_categories: [user.contact.phone_number], fides_meta: {identity: phone}}
- fides_key: news
  meta: {privacy: {collections: {subscriber: {on_erasure: delete}}}}
  collections:
  - name: subscriber
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: phone, data_categories: [user.contact.phone_number], fides_meta: {identity: phone}}
"""


@pytest.fixture(autouse=True)
def ledger(settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"


def test_a_gift_that_staff_kept_for_its_recipient_stays_when_the_remnant_is_looked_at(make_postgres_database):
    shop = Shop(make_postgres_database(), GIFTS, GIFT)
    shop.erase(ANNA, contested={"document": "keep"})
    assert 10 in shop.column("SELECT id FROM document")
    shop.sql("UPDATE document SET co_owner_id = NULL WHERE id = 11")  # there is something to go, and so it is looked at
    returning.run(now=timezone.make_aware(datetime(2030, 1, 1, 3)))
    assert shop.column("SELECT id FROM document ORDER BY id") == [10, 12, 13]


@pytest.fixture
def household(tmp_path, settings):
    """Anna's record carries a telephone that in another store stands on somebody else's."""
    settings.INSYN_SQLITE_ROOT = tmp_path
    urls = {}
    for name, table, rows in (
        ("crm", "customer", "(1, 'anna@example.se', '+46701234567')"),
        ("news", "subscriber", "(1, 'bo@example.se', '+46701234567')"),
    ):
        urls[name] = f"sqlite:///{tmp_path / name}.db"
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection, connection:
            connection.execute(f"CREATE TABLE {table} (id integer PRIMARY KEY, email text, phone text)")
            connection.execute(f"INSERT INTO {table} VALUES {rows}")
    maps.load(sources=[TWO_STORES], urls=urls, actor="operator:test", now=timezone.now())
    return tmp_path / "crm.db"


@pytest.mark.parametrize(("answers", "status"), [({}, "blocked"), ({"customer": "keep"}, "done")])
def test_a_record_that_another_store_makes_doubtful_stays_in_a_run_that_does_not_read_it(household, answers, status):
    plan = actions.find([ANNA], right="erasure")[ANNA.ref]["crm"].plan
    assert [reason[0] for group in plan["groups"]["customer"] for reason in group[3]] == ["d"]
    item = RunItem("C-1", ANNA.ref, ANNA.identities, plan, {"contested": answers})
    outcome = actions.execute(store_key="crm", right="erasure", items=[item])["C-1"]
    assert outcome.status == status
    with closing(sqlite3.connect(household)) as connection:
        assert connection.execute("SELECT phone FROM customer").fetchall() == [("+46701234567",)]


# -- what only a contested row leads to ---------------------------------------------------------------------------------

DELETED = "{purpose: contract, source: provided, on_erasure: delete}"
REFERS = "fides_meta: {references: [{dataset: shop, field: place.id, direction: to}]}"
PLACES = GIFTS.replace("        customer: {", f"        place: {DELETED}\n        customer: {{").replace(
    "    - {name: pages,", f"    - {{name: place_id, data_categories: [system.operations], {REFERS}}}\n    - {{name: pages,"
)
PLACES += """
  - name: place
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: street, data_categories: [user.contact.address.street]}
"""
PLACE = (
    GIFT
    + """
CREATE TABLE place (id integer PRIMARY KEY, street text); INSERT INTO place VALUES (1, 'Storgatan 1'), (2, 'Lillgatan 2');
ALTER TABLE document ADD place_id integer REFERENCES place;
UPDATE document SET place_id = 1 WHERE id = 10; UPDATE document SET place_id = 2 WHERE id = 11;
"""
)


def test_what_a_kept_gift_refers_to_stays_as_it_is(make_postgres_database):
    shop = Shop(make_postgres_database(), PLACES, PLACE)
    shop.erase(ANNA, contested={"document": "keep", "place": "keep"})
    assert shop.sql("SELECT * FROM place ORDER BY id") == [(1, "Storgatan 1"), (2, "Lillgatan 2")]
    shop.sql("UPDATE document SET co_owner_id = NULL WHERE id = 11")
    returning.run(now=timezone.make_aware(datetime(2030, 1, 1, 3)))
    returning.run(now=timezone.make_aware(datetime(2030, 1, 2, 3)))
    assert shop.column("SELECT id FROM document ORDER BY id") == [10, 12, 13]
    assert shop.sql("SELECT * FROM place ORDER BY id") == [(1, "Storgatan 1")]
