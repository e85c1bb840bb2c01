"""What an erasure would do, told from the stores: what goes, what stays, what is shared, what could not be asked."""

from time import monotonic

import psycopg
import pytest
from django.utils import timezone

from privacy import actions, maps, outlook
from privacy.actions import Identity, Person
from privacy.models import Store
from tests.privacy.shared_rows import ANNA, Shop

pytestmark = pytest.mark.django_db
KEEPING = """
dataset:
- fides_key: shop
  meta:
    privacy:
      purposes:
      - {key: contract, basis: 6-1-b, recipients: [], transfer: none, automated_decision: false}
      collections:
        customer: {purpose: contract, source: provided, on_erasure: anonymize, label: {sv: Kund, en: Customer}}
        agreement:
          purpose: contract
          source: provided
          on_erasure: delete
          label: {sv: Avtal, en: Contract}
          keep: [{basis: running, from: ended_on, for: P0D}]
        invoice:
          purpose: contract
          source: observed
          on_erasure: delete
          label: {sv: Faktura, en: Invoice}
          keep: [{basis: BFL, from: issued_on, for: P7Y, align: calendar_year}]
        note: {purpose: contract, source: observed, label: {sv: Notering, en: Note}}
      fields: {agreement.ended_on: {label: {sv: Upphörde, en: Ended}}}
  collections:
  - name: customer
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
"""
CHILD = """  - name: {name}
    fields:
    - {{name: id, data_categories: [system.operations], fides_meta: {{primary_key: true}}}}
    - name: owner_id
      data_categories: [system.operations]
      fides_meta: {{references: [{{dataset: shop, field: customer.id, direction: from}}]}}
    - {{name: {field}, data_categories: [user.behavior]}}
"""
TABLES = """
CREATE TABLE customer (id integer PRIMARY KEY, email text NOT NULL UNIQUE, name text);
CREATE TABLE agreement (id integer PRIMARY KEY, owner_id integer REFERENCES customer, ended_on date);
CREATE TABLE invoice (id integer PRIMARY KEY, owner_id integer REFERENCES customer, issued_on date);
CREATE TABLE note (id integer PRIMARY KEY, owner_id integer REFERENCES customer, words text);
INSERT INTO customer VALUES (1, 'anna@example.se', 'Anna');
INSERT INTO agreement VALUES (1, 1, NULL), (2, 1, '2001-01-01');
INSERT INTO invoice VALUES (1, 1, '2090-03-01'), (2, 1, '2001-01-01'), (3, 1, '2001-02-01');
INSERT INTO note VALUES (1, 1, 'x');
"""
LOGS = """
dataset:
- fides_key: logs
  name: Loggar
  meta:
    privacy:
      collections: {visit: {on_erasure: delete}}
  collections:
  - name: visit
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
"""


@pytest.fixture
def keeping(make_postgres_database):
    children = [("agreement", "ended_on"), ("invoice", "issued_on"), ("note", "words")]
    data_map = KEEPING + "".join(CHILD.format(name=name, field=field) for name, field in children)
    return Shop(make_postgres_database(), data_map, TABLES)


def in_groups(found):
    return {name: [(item["label"]["en"], item["rows"]) for item in items] for name, items in found["groups"].items() if items}


def test_it_says_what_goes_what_stays_and_what_somebody_decides(keeping):
    found = actions.outlook(ANNA)
    assert found["unreachable"] == []
    groups = in_groups(found)
    assert groups["goes"] == [("Contract", 1), ("Invoice", 2)]
    assert groups["running"] == [("Contract", 1)]
    assert groups["kept"] == [("Invoice", 1)]
    assert groups["undecided"] == [("Note", 1)]
    [kept], [running] = found["groups"]["kept"], found["groups"]["running"]
    assert (kept["until"], kept["basis"]) == ("2098-01-01", "BFL")
    assert (running["basis"], running["ends"]) == ("running", {"sv": "Upphörde", "en": "Ended"})


def test_what_is_somebody_elses_too_is_told_as_shared_and_names_nobody(shop):
    found = actions.outlook(ANNA)
    assert in_groups(found)["shared"] == [("Document", 2)]
    assert "bo" not in str(found).lower().replace("document", "")


def test_who_is_nowhere_reads_nothing(shop):
    found = actions.outlook(Person("x", (Identity("email", "nobody@example.se"),)))
    assert in_groups(found) == {}
    assert found["unreachable"] == []


@pytest.mark.django_db(transaction=True)
def test_a_store_that_does_not_answer_is_named_and_the_others_are_told(shop, make_postgres_database, monkeypatch):
    url = make_postgres_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE visit (id int PRIMARY KEY, email text); INSERT INTO visit VALUES (1, 'anna@example.se')")
    maps.load(sources=[LOGS], urls={"logs": url}, actor="operator:test", now=timezone.now())
    monkeypatch.setattr(outlook, "PER_STORE", 0.7)
    with psycopg.connect(url) as busy:
        busy.execute("LOCK TABLE visit IN ACCESS EXCLUSIVE MODE")
        began = monotonic()
        found = actions.outlook(ANNA)
        assert monotonic() - began < 8
    assert found["unreachable"] == ["Loggar"]
    assert in_groups(found)["goes"]
    assert Store.objects.get(key="logs").health == Store.Health.OK  # who did not wait does not know
    assert in_groups(actions.outlook(ANNA))["goes"][0][0] == "Visit"


def test_the_general_list_says_what_the_maps_say_and_asks_no_store(keeping):
    keeping.sql("DROP TABLE note")
    found = {item["label"]["en"]: item for item in actions.general_outlook("en")}
    assert found["Contract"]["fate"] == "delete"
    assert "BFL" in found["Invoice"]["kept"][0]
    assert found["Note"]["fate"] == "undecided"
    assert found["Customer"]["categories"] == ["identification", "contact"]
