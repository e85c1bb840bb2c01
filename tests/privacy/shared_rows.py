"""A small store in which rows have several owners, for tests of what is decided about them."""

import psycopg
from django.utils import timezone

from privacy import actions, maps
from privacy.actions import Identity, Person, RunItem

SCHEMA = """
CREATE TABLE customer (id integer PRIMARY KEY, email text NOT NULL UNIQUE, name text);
CREATE TABLE document (
    id integer PRIMARY KEY, owner_id integer REFERENCES customer, co_owner_id integer REFERENCES customer,
    title text, signed_by text, pages integer
);
INSERT INTO customer VALUES (1, 'anna@example.se', 'Anna'), (2, 'bo@example.se', 'Bo'), (3, 'cia@example.se', 'Cia');
INSERT INTO document VALUES
    (10, 1, NULL, 'own', 'Anna', 1), (11, 1, 2, 'with Bo', 'Bo', 2), (12, 1, 3, 'with Cia', 'Cia', 3),
    (13, 2, NULL, 'of Bo', 'Bo', 4);
"""
MAP = """
dataset:
- fides_key: shop
  meta:
    privacy:
      purposes:
      - {key: contract, basis: 6-1-b, recipients: [], transfer: none, automated_decision: false}
      collections:
        customer: {purpose: contract, source: provided, on_erasure: delete}
        document: {purpose: contract, source: provided, on_erasure: delete}
  collections:
  - name: customer
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
  - name: document
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: owner_id
      data_categories: [system.operations]
      fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}
    - name: co_owner_id
      data_categories: [system.operations]
      fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}
    - {name: title, data_categories: [user.behavior]}
    - {name: signed_by, data_categories: [user.name]}
    - {name: pages, data_categories: [system.operations]}
"""
ANNA, BO, CIA = (Person(f"person-{name}", (Identity("email", f"{name}@example.se"),)) for name in ("anna", "bo", "cia"))


class Shop:
    def __init__(self, url, data_map=MAP, schema=SCHEMA):
        self.url = url
        self.sql(schema)
        self.load(data_map)

    def load(self, data_map):
        maps.load(sources=[data_map], urls={"shop": self.url}, actor="operator:test", now=timezone.now())

    def sql(self, text):
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

    def column(self, text):
        return [value for (value,) in self.sql(text)]

    @staticmethod
    def plan(person, right="erasure"):
        return actions.find([person], right=right)[person.ref]["shop"].plan

    def erase(self, person, case="C-1", plan=None, **answers):
        """`answers` as options: contested={…}."""
        item = RunItem(case, person.ref, person.identities, plan or self.plan(person), answers)
        return actions.execute(store_key="shop", right="erasure", items=[item])[case]
