"""`subject erase` looks for what it left in every text of every store, mapped or not, and says how far it looked (R21)."""

import json
import sqlite3
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.utils import timezone

from privacy import maps
from privacy.models import Store

pytestmark = pytest.mark.django_db

SHOP = """
CREATE TABLE customer (id int PRIMARY KEY, email text NOT NULL, phone text);
CREATE TABLE ticket (id int PRIMARY KEY, body text, meta jsonb, tags text[]);
CREATE VIEW mails AS SELECT email FROM customer;
INSERT INTO customer VALUES (1, 'anna@example.com', '070-123 45 67'), (2, 'hanna@example.com', '070-123 45 68');
INSERT INTO ticket VALUES
  (1, 'Ring 0046 70 123 45 67', NULL, NULL), (2, 'ANNA@example.com, hanna@example.com', NULL, NULL),
  (3, 'nothing', '{"from": ["Hej\\nanna@example.com"]}', '{x,anna@example.com}'),
  (4, 'x-anna@example.com 070-123 45 670', NULL, NULL);
"""
MAP = """
dataset:
- fides_key: shop
  name: Shop
  meta:
    privacy:
      purposes: [{key: contract, basis: 6-1-b, recipients: [], transfer: none, automated_decision: false}]
      collections: {customer: {purpose: contract, source: provided, on_erasure: delete}}
  collections:
  - name: customer
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: phone, data_categories: [user.contact.phone_number], fides_meta: {identity: phone_number}}
- fides_key: notes
  name: Notes
  meta:
    privacy:
      purposes: [{key: contract, basis: 6-1-b, recipients: [], transfer: none, automated_decision: false}]
      collections: {author: {purpose: contract, source: provided, on_erasure: delete}}
  collections:
  - name: author
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
"""


@pytest.fixture
def stores(make_postgres_database: Any, sqlite_path: Path) -> Path:
    url = make_postgres_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SHOP)
    with sqlite3.connect(sqlite_path) as connection:
        connection.executescript(
            "CREATE TABLE author (id INTEGER PRIMARY KEY, email TEXT);"
            "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);"
            "INSERT INTO note VALUES (1, 'from Anna@Example.com'), (2, 'call 0701234567'), (3, 'else');"
        )
    connection.close()
    urls = {"shop": url, "notes": f"sqlite:///{sqlite_path}"}
    maps.load(sources=[MAP], urls=urls, actor="system", now=timezone.now())
    return sqlite_path


def erase(*options: str) -> tuple[int, Any]:
    out = StringIO()
    try:
        call_command("subject", "erase", "--json", *options, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_what_is_left_is_named_by_column_in_every_store(stores: Path) -> None:
    status, answer = erase("--identity", "email=anna@example.com", "--identity", "phone_number=070-1234567")
    assert status == 1
    assert answer["stores"]["shop"]["customer"]["deleted"] == 1
    assert answer["stores"]["shop"]["residue"] == [
        {"column": "ticket.body", "rows": 2, "mapped": False},
        {"column": "ticket.meta", "rows": 1, "mapped": False},
        {"column": "ticket.tags", "rows": 1, "mapped": False},
    ]
    assert answer["stores"]["notes"]["residue"] == [{"column": "note.text", "rows": 2, "mapped": False}]
    scope = {store: (entry["tables"], entry["columns"]) for store, entry in answer["scanned"].items()}
    assert scope == {"shop": (2, 5), "notes": (2, 2)}
    assert "shop: the identities still stand in ticket.body, ticket.meta, ticket.tags" in answer["left"]


def test_another_person_has_her_own_residue_in_the_same_pass(stores: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    people.write_text('{"email": "hanna@example.com"}\n{"email": "nobody@example.com"}\n')
    status, (hanna, nobody) = erase("--people", str(people))
    assert status == 1
    assert hanna["stores"]["shop"]["residue"] == [{"column": "ticket.body", "rows": 1, "mapped": False}]
    assert "residue" not in nobody["stores"].get("shop", {})
    assert nobody["found"] is False
    assert nobody["scanned"].keys() == {"shop", "notes"}


def test_a_store_that_is_down_leaves_the_look_outstanding(stores: Path) -> None:
    Store.objects.filter(key="notes").update(url=f"sqlite:///{stores}.gone")
    _status, answer = erase("--identity", "email=hanna@example.com")
    assert answer["scanned"].keys() == {"shop"}
    assert any(text.startswith("notes: the look for what is left is outstanding: ") for text in answer["left"])
