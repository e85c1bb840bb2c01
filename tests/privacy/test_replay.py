"""After a backup came back: erase again what was erased, and nothing else (R22)."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from django.core.management import call_command
from django.utils import timezone

from privacy import maps
from privacy.replay import replay
from privacy.stores.base import StoreRefused

pytestmark = pytest.mark.django_db(transaction=True)

DATASET = """
dataset:
- fides_key: staffing
  collections:
  - name: employee
    fields:
    - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
  - name: customer
    fields:
    - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: rep_id, data_categories: [system.operations], fides_meta: {references: [{dataset: staffing, field: employee.id}]}}
  - name: visit
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: customer_id
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: staffing, field: customer.id, direction: from}]}
    - {name: ip, data_categories: [user.device.ip_address]}
"""
TABLES = (
    "CREATE TABLE employee (id int PRIMARY KEY, email text)",
    "CREATE TABLE customer (id int PRIMARY KEY, email text, rep_id int REFERENCES employee)",
    "CREATE TABLE visit (id int PRIMARY KEY, customer_id int REFERENCES customer, ip text)",
)
ROWS = (
    "INSERT INTO employee VALUES (1, 'rep@example.com')",
    "INSERT INTO customer VALUES (1, 'anna@example.com', 1), (2, 'bo@example.com', 1)",
    "INSERT INTO visit VALUES (1, 1, '192.0.2.1'), (2, 2, '192.0.2.2'), (3, 2, '192.0.2.3')",
)


class Staffing:
    """One store that can be put back to what its backup held."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
        self.run(*TABLES, *ROWS)

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def restore(self) -> None:
        self.run("TRUNCATE employee, customer, visit", *ROWS)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY id"))]


@pytest.fixture
def staffing(make_postgres_database: Any, settings: Any, tmp_path: Any) -> Staffing:
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    url = make_postgres_database()
    store = Staffing(url)
    maps.load(sources=[DATASET], urls={"staffing": url}, on_erasure="delete", actor="operator:test", now=timezone.now())
    return store


def erase(email: str) -> None:
    with suppress(SystemExit):
        call_command("subject", "erase", "--identity", f"email={email}", "--json")


def again() -> list[Any]:
    now = timezone.now()
    return replay(store_key="staffing", backup_taken=now - timedelta(days=1), actor="operator:test", now=now)


def test_it_erases_again_what_the_backup_brought_back_and_leaves_everybody_else(staffing: Staffing) -> None:
    erase("anna@example.com")
    staffing.restore()

    (done,) = again()

    assert done.collections["customer"]["deleted"] == 1
    assert staffing.rows("customer") == [(2, "bo@example.com", 1)]
    assert staffing.rows("visit") == [(2, 2, "192.0.2.2"), (3, 2, "192.0.2.3")]
    assert staffing.rows("employee") == [(1, "rep@example.com")]


def test_what_was_erased_before_the_backup_is_not_looked_for(staffing: Staffing) -> None:
    erase("anna@example.com")
    staffing.restore()

    assert replay(store_key="staffing", backup_taken=timezone.now(), actor="operator:test", now=timezone.now()) == []
    assert len(staffing.rows("customer")) == 2


def test_replaying_twice_never_walks_on_from_a_row_that_only_used_to_be_the_persons(staffing: Staffing) -> None:
    """The employee's row stays, anonymized, since customers point at it; its remembered key must not lead to those customers."""
    erase("rep@example.com")
    staffing.restore()
    again()
    before = staffing.rows("customer"), staffing.rows("visit")

    again()

    assert (staffing.rows("customer"), staffing.rows("visit")) == before
    assert len(before[0]) == 2
    assert staffing.rows("employee")[0][1] is None


def test_who_cannot_be_recorded_erases_nothing(staffing: Staffing) -> None:
    erase("anna@example.com")
    staffing.restore()
    now = timezone.now()
    with pytest.raises(StoreRefused, match="actor"):
        replay(store_key="staffing", backup_taken=now - timedelta(days=1), actor="operator:anna@example.com", now=now)
    assert len(staffing.rows("customer")) == 2
