"""The same on three kinds of database, in tables without keys, for people found by an address alone, across stores (R11, R20)."""

from datetime import datetime, timedelta
from importlib import import_module

import pytest
import sqlalchemy as sa
from django.utils import timezone

from privacy import actions, maps, returning
from privacy.actions import Identity, Person, RunItem
from privacy.models import Remnant
from privacy.stores.registry import KINDS

pytestmark = pytest.mark.django_db(transaction=True)

ANNA = Person("person-anna", (Identity("email", "anna@example.se"),))
SCHEMA = """
CREATE TABLE customer (id integer PRIMARY KEY, email varchar(100) UNIQUE, name varchar(100));
CREATE TABLE invoice (
    number varchar(20) PRIMARY KEY, customer_id integer REFERENCES customer (id), issued_on date, note varchar(100)
);
CREATE TABLE receipt (id integer PRIMARY KEY, customer_id integer, issued_on date);
CREATE TABLE posting (customer_id integer, issued_on date, amount integer);
CREATE TABLE consent (id integer PRIMARY KEY, email varchar(100) NOT NULL, given_on date);
CREATE TABLE document (id integer PRIMARY KEY, owner_id integer, co_owner_id integer, title varchar(100));
INSERT INTO customer VALUES (1, 'anna@example.se', 'Anna'), (2, 'bo@example.se', 'Bo');
INSERT INTO invoice VALUES ('F1', 1, '2024-03-01', 'to Anna'), ('F2', 2, '2024-03-01', 'to Bo');
INSERT INTO posting VALUES (1, '2024-03-01', 5), (1, '2024-03-01', 5), (2, '2024-03-01', 7);
INSERT INTO receipt VALUES (1, 1, '2024-03-01'), (2, 2, '2024-03-01');
INSERT INTO consent VALUES (1, 'anna@example.se', '2024-03-01'), (2, 'bo@example.se', '2024-03-01');
INSERT INTO document VALUES (10, 1, 2, 'both'), (11, 2, NULL, 'of Bo')
"""
KEEP = '{basis: "a law", from: %s, for: P7Y, align: none, fields: [%s]}'
LINK = "data_categories: [system.operations], fides_meta: {references: [{dataset: %s, field: customer.id, direction: from}]}"
MAP = f"""
dataset:
- fides_key: shop
  meta:
    privacy:
      collections:
        customer: {{on_erasure: delete}}
        document: {{on_erasure: delete}}
        invoice: {{on_erasure: delete, keep: [{KEEP % ("issued_on", "issued_on")}]}}
        receipt: {{on_erasure: delete, keep: [{KEEP % ("issued_on", "issued_on")}]}}
        posting: {{on_erasure: delete, keep: [{KEEP % ("issued_on", "issued_on, amount")}]}}
        consent: {{on_erasure: delete, keep: [{KEEP % ("given_on", "given_on")}]}}
  collections:
  - name: customer
    fields:
    - {{name: id, data_categories: [system.operations]}}
    - {{name: email, data_categories: [user.contact.email], fides_meta: {{identity: email}}}}
    - {{name: name, data_categories: [user.name]}}
  - name: invoice
    fields:
    - {{name: number, data_categories: [system.operations]}}
    - {{name: customer_id, {LINK % "shop"}}}
    - {{name: issued_on, data_categories: [user.financial]}}
    - {{name: note, data_categories: [user.content]}}
  - name: receipt
    fields:
    - {{name: id, data_categories: [system.operations]}}
    - {{name: customer_id, {LINK.replace("system.operations", "user.unique_id") % "shop"}}}
    - {{name: issued_on, data_categories: [user.financial]}}
  - name: posting
    fields:
    - {{name: customer_id, {LINK % "shop"}}}
    - {{name: issued_on, data_categories: [user.financial]}}
    - {{name: amount, data_categories: [user.financial]}}
  - name: consent
    fields:
    - {{name: id, data_categories: [system.operations]}}
    - {{name: email, data_categories: [user.contact.email], fides_meta: {{identity: email}}}}
    - {{name: given_on, data_categories: [user.behavior]}}
  - name: document
    fields:
    - {{name: id, data_categories: [system.operations]}}
    - {{name: owner_id, {LINK % "shop"}}}
    - {{name: co_owner_id, {LINK % "shop"}}}
    - {{name: title, data_categories: [user.content]}}
"""


class Database:
    def __init__(self, url, schema):
        url = sa.make_url(url)
        module = import_module(KINDS[url.get_backend_name()][0])
        self.url, self.engine = url.render_as_string(hide_password=False), sa.create_engine(url.set(drivername=module.DRIVER))
        for statement in schema.split(";"):
            self.sql(statement)

    def sql(self, text):
        with self.engine.begin() as connection:
            found = connection.execute(sa.text(text))
            return [tuple(row) for row in found] if found.returns_rows else []

    def count(self, table):
        ((rows,),) = self.sql(f"SELECT count(*) FROM {table}")
        return rows


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def url(request, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    if request.param == "postgresql":
        return request.getfixturevalue("make_postgres_database")()
    if request.param == "mariadb":
        return request.getfixturevalue("mariadb_url")
    path = request.getfixturevalue("sqlite_path")
    path.touch()
    return f"sqlite:///{path}"


@pytest.fixture
def shop(url):
    made = Database(url, SCHEMA)
    maps.load(sources=[MAP], urls={"shop": made.url}, actor="operator:test", now=timezone.now())
    yield made
    made.engine.dispose()


def erase(store):
    plan = actions.find([ANNA], right="erasure")[ANNA.ref][store].plan
    item = RunItem("C-1", ANNA.ref, ANNA.identities, plan, {"contested": {"document": "keep"}})
    outcome = actions.execute(store_key=store, right="erasure", items=[item])["C-1"]
    assert outcome.status == "done", outcome.reason


def night(day):
    return returning.run(now=timezone.make_aware(datetime.fromisoformat(day)) + timedelta(hours=3))


TABLES = ("customer", "invoice", "receipt", "posting", "consent", "document")


def test_everything_goes_in_its_time_and_nobody_elses(shop):
    erase("shop")
    night("2031-02-28")
    assert [shop.count(table) for table in TABLES[1:]] == [2, 2, 3, 2, 2]
    night("2031-03-01")
    assert [shop.count(table) for table in TABLES[1:]] == [1, 1, 1, 1, 2]
    assert shop.sql("SELECT number, note FROM invoice") == [("F2", "to Bo")]
    assert shop.sql("SELECT id, email FROM consent") == [(2, "bo@example.se")]
    shop.sql("UPDATE document SET co_owner_id = NULL WHERE id = 10")
    night("2031-03-02")
    assert shop.sql("SELECT id FROM document") == [(11,)]
    assert shop.sql("SELECT id, email, name FROM customer") == [(2, "bo@example.se", "Bo")]
    assert Remnant.objects.get().state == "gone"


def test_rows_of_the_same_look_that_came_later_stay(shop):
    """Postings have no key: when there is one more of the same, nobody can tell which is old."""
    erase("shop")
    shop.sql("INSERT INTO posting VALUES (1, '2024-03-01', 5)")
    night("2031-03-01")
    assert shop.sql("SELECT count(*) FROM posting WHERE customer_id = 1") == [(3,)]
    assert shop.count("invoice") == 1


BOOKS = """
CREATE TABLE invoice (id integer PRIMARY KEY, customer_id integer, issued_on date, note text);
INSERT INTO invoice VALUES (1, 1, '2024-03-01', 'to Anna'), (2, 2, '2024-03-01', 'to Bo')
"""
BOOKS_MAP = f"""
dataset:
- fides_key: books
  meta: {{privacy: {{collections: {{invoice: {{on_erasure: delete, keep: [{KEEP % ("issued_on", "issued_on")}]}}}}}}}}
  collections:
  - name: invoice
    fields:
    - {{name: id, data_categories: [system.operations]}}
    - {{name: customer_id, {LINK % "crm"}}}
    - {{name: issued_on, data_categories: [user.financial]}}
    - {{name: note, data_categories: [user.content]}}
"""
CRM_MAP = """
dataset:
- fides_key: crm
  meta: {privacy: {collections: {customer: {on_erasure: delete}}}}
  collections:
  - name: customer
    fields:
    - {name: id, data_categories: [system.operations]}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
"""
CRM = """
CREATE TABLE customer (id integer PRIMARY KEY, email text UNIQUE, name text);
INSERT INTO customer VALUES (1, 'anna@example.se', 'Anna'), (2, 'bo@example.se', 'Bo')
"""


def test_kept_rows_go_whose_owner_stood_in_another_store(make_postgres_database, sqlite_path, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    sqlite_path.touch()
    crm, books = Database(make_postgres_database(), CRM), Database(f"sqlite:///{sqlite_path}", BOOKS)
    urls = {"crm": crm.url, "books": books.url}
    maps.load(sources=[CRM_MAP, BOOKS_MAP], urls=urls, actor="operator:test", now=timezone.now())
    erase("books")
    erase("crm")
    assert crm.count("customer") == 1
    night("2031-02-28")
    assert books.sql("SELECT id, note FROM invoice ORDER BY id") == [(1, None), (2, "to Bo")]
    night("2031-03-01")
    assert books.sql("SELECT id, note FROM invoice ORDER BY id") == [(2, "to Bo")]
    crm.engine.dispose()
    books.engine.dispose()
