"""After a backup of a store that knows its people by their numbers only, or while another store still has rows of them (R22)."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.utils import timezone

from privacy import maps
from privacy import replay as replaying
from privacy.replay import Replayed, replay

pytestmark = pytest.mark.django_db(transaction=True)

DATASET = """
dataset:
- fides_key: crm
  meta:
    privacy:
      collections:
        customer: {on_erasure: delete}
        invoice:
          on_erasure: delete
          keep: [{basis: a law, from: issued_on, for: P7Y, align: none, with: [customer]}]
  collections:
  - name: customer
    fields:
    - {name: number, data_categories: [user.unique_id], fides_meta: {primary_key: true, identity: customer_number}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
  - name: invoice
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: number
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: crm, field: customer.number, direction: from}]}
    - {name: issued_on, data_categories: [user.financial]}
- fides_key: activity
  meta: {privacy: {collections: {login: {on_erasure: delete}, subscriber: {on_erasure: delete}}}}
  collections:
  - name: login
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: customer_number
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: crm, field: customer.number, direction: from}]}
  - name: subscriber
    fields:
    - {name: email, data_categories: [user.contact.email], fides_meta: {primary_key: true, identity: email}}
"""
CRM = (
    "CREATE TABLE customer (number text PRIMARY KEY, email text)",
    "CREATE TABLE invoice (id int PRIMARY KEY, number text REFERENCES customer, issued_on date)",
    "INSERT INTO customer VALUES ('K1', 'anna@example.com'), ('K2', 'bo@example.com'), ('K3', 'cia@example.com')",
)
LOGINS = [(1, "K1"), (2, "K1"), (3, "K2"), (4, "K3")]
SUBSCRIBERS = [("anna@example.com",), ("cia@example.com",)]


class House:
    """A customer register, and a log that can be put back to what its backup held."""

    def __init__(self, url: str, path: Path) -> None:
        self.url, self.path = url, path
        self.crm(*CRM)
        self.log("CREATE TABLE login (id INTEGER PRIMARY KEY, customer_number TEXT)")
        self.log("CREATE TABLE subscriber (email TEXT PRIMARY KEY)")
        self.restore()

    def crm(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def log(self, sql: str, rows: Any = ()) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.executemany(sql, rows).fetchall() if rows else connection.execute(sql).fetchall()

    def restore(self) -> None:
        for table, rows in (("login", LOGINS), ("subscriber", SUBSCRIBERS)):
            self.log(f"DELETE FROM {table}")
            with closing(sqlite3.connect(self.path)) as connection, connection:
                connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    def logins(self) -> list[Any]:
        return self.log("SELECT * FROM login ORDER BY id")

    def subscribers(self) -> list[Any]:
        return self.log("SELECT email FROM subscriber ORDER BY 1")


@pytest.fixture
def house(make_postgres_database: Any, sqlite_path: Path, settings: Any, tmp_path: Path) -> House:
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    made = House(make_postgres_database(), sqlite_path)
    urls = {"crm": made.url, "activity": f"sqlite:///{sqlite_path}"}
    maps.load(sources=[DATASET], urls=urls, actor="operator:test", now=timezone.now())
    return made


def erase(*emails: str) -> None:
    for email in emails:
        with suppress(SystemExit):
            call_command("subject", "erase", "--identity", f"email={email}", "--json")


def again() -> list[Replayed]:
    now = timezone.now()
    return replay(store_key="activity", backup_taken=now - timedelta(days=1), actor="operator:test", now=now)


def test_rows_are_erased_again_by_the_number_alone(house: House) -> None:
    erase("anna@example.com")
    assert house.logins() == LOGINS[2:]
    house.restore()
    (done,) = again()
    assert (done.skipped, done.blocked) == ("", "")
    assert done.collections["login"]["deleted"] == 2
    assert house.logins() == LOGINS[2:]
    assert house.subscribers() == SUBSCRIBERS[1:]
    assert again() == []


def test_who_is_a_customer_again_under_the_same_number_is_skipped(house: House) -> None:
    erase("bo@example.com")  # whom the log knows by the number alone
    house.restore()
    house.crm("INSERT INTO customer VALUES ('K2', 'bo.new@example.com')")
    (done,) = again()
    assert "known to crm again" in done.skipped
    assert house.logins() == LOGINS


def test_who_is_a_customer_again_under_the_same_address_is_skipped(house: House) -> None:
    erase("anna@example.com")
    house.restore()
    house.crm("INSERT INTO customer VALUES ('K9', 'anna@example.com')")
    (done,) = again()
    assert "known to crm again" in done.skipped
    assert (house.logins(), house.subscribers()) == (LOGINS, SUBSCRIBERS)


@pytest.mark.parametrize("email", ["anna@example.com", "bo@example.com"])
def test_a_row_that_a_law_keeps_elsewhere_is_nobody_who_came_back(house: House, email: str) -> None:
    house.crm("INSERT INTO invoice VALUES (1, 'K1', current_date), (2, 'K2', current_date)")
    erase(email)
    left = house.logins(), house.subscribers()
    assert left != (LOGINS, SUBSCRIBERS)
    house.restore()
    (done,) = again()
    assert done.skipped == ""
    assert (house.logins(), house.subscribers()) == left


def test_a_replay_that_was_killed_is_gone_on_with(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    erase("anna@example.com", "bo@example.com", "cia@example.com")
    house.restore()
    carry_out, calls = replaying.erasing.erase, []

    def killed(*args: Any, **named: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return carry_out(*args, **named)

    monkeypatch.setattr(replaying.erasing, "erase", killed)
    with pytest.raises(KeyboardInterrupt):
        again()
    assert house.logins()
    again()
    assert (house.logins(), house.subscribers()) == ([], [])
    assert again() == []
