"""A shop and the support desk that hangs below it, each a PostgreSQL store, with Sven who asks and Lisa who must not notice."""

from __future__ import annotations

from collections.abc import Sequence, Set
from types import TracebackType
from typing import Any

import psycopg
from django.utils import timezone

from accounts.models import Customer
from privacy import audit, maps
from privacy.models import LedgerEntry
from requests_app import cases
from requests_app.models import OutboxItem, RightsRequest, RunState, State, StoreRun
from requests_app.running.workers import locate_due
from tests.factories import make_customer, make_request, make_staff
from tests.failures import letters

SHOP = """
CREATE TABLE customer (
    number text PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, city text,
    suspended boolean NOT NULL DEFAULT false, marketing boolean NOT NULL DEFAULT true
);
CREATE TABLE orders (id integer PRIMARY KEY, number text NOT NULL REFERENCES customer, note text);
CREATE TABLE item (id integer PRIMARY KEY, order_id integer NOT NULL REFERENCES orders, article text);
CREATE TABLE invoice (id integer PRIMARY KEY, number text NOT NULL REFERENCES customer, issued_on date NOT NULL, note text);
CREATE INDEX ON orders (number);
CREATE INDEX ON item (order_id);
CREATE INDEX ON invoice (number);
INSERT INTO customer VALUES ('K1', 'sven@example.se', 'Sven', 'Lund'), ('K2', 'lisa@example.se', 'Lisa', 'Lund');
INSERT INTO orders SELECT n, 'K' || 1 + n % 2, 'note ' || n FROM generate_series(1, 20) AS n;
INSERT INTO item SELECT n, 1 + n / 3, 'article ' || n FROM generate_series(1, 59) AS n;
INSERT INTO invoice VALUES (1, 'K1', '2010-02-01', 'a'), (2, 'K1', current_date, 'b'), (3, 'K2', current_date, 'c');
"""
SUPPORT = """
CREATE TABLE ticket (id integer PRIMARY KEY, customer text NOT NULL, body text);
CREATE TABLE message (id integer PRIMARY KEY, ticket_id integer NOT NULL REFERENCES ticket, body text);
CREATE INDEX ON ticket (customer);
CREATE INDEX ON message (ticket_id);
INSERT INTO ticket SELECT n, 'K' || 1 + n % 2, 'ticket ' || n FROM generate_series(1, 8) AS n;
INSERT INTO message SELECT n, 1 + n / 3, 'message ' || n FROM generate_series(1, 23) AS n;
"""
MAPS = """
dataset:
- fides_key: shop
  name: Shop
  meta:
    privacy:
      purposes: [{key: contract, basis: 6-1-b, recipients: [], transfer: none, automated_decision: false}]
      collections:
        customer:
          purpose: contract
          source: provided
          on_erasure: delete
          restriction: {set: {suspended: true}}
          objection: {set: {marketing: false}}
        orders: {purpose: contract, source: provided, on_erasure: delete}
        item: {purpose: contract, source: provided, on_erasure: delete}
        invoice:
          purpose: contract
          source: provided
          on_erasure: delete
          keep: [{basis: "bokföringslagen 7 kap. 2 §", from: issued_on, for: P7Y, align: calendar_year, fields: [id, issued_on]}]
      fields: {customer.city: {correctable: true, label: {sv: Ort, en: City}}}
  collections:
  - name: customer
    fields:
    - {name: number, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
    - {name: city, data_categories: [user.contact.address.city]}
    - {name: suspended, data_categories: [system.operations]}
    - {name: marketing, data_categories: [system.operations]}
  - name: orders
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: number
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: shop, field: customer.number, direction: from}]}
    - {name: note, data_categories: [user.content]}
  - name: item
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: order_id
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: shop, field: orders.id, direction: from}]}
    - {name: article, data_categories: [user.content]}
  - name: invoice
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: number
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: shop, field: customer.number, direction: from}]}
    - {name: issued_on, data_categories: [user.financial]}
    - {name: note, data_categories: [user.content]}
- fides_key: support
  name: Support
  meta:
    privacy:
      purposes: [{key: help, basis: 6-1-b, recipients: [], transfer: none, automated_decision: false}]
      collections:
        ticket: {purpose: help, source: provided, on_erasure: delete}
        message: {purpose: help, source: provided, on_erasure: delete}
  collections:
  - name: ticket
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: customer
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: shop, field: customer.number, direction: from}]}
    - {name: body, data_categories: [user.content]}
  - name: message
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: ticket_id
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: support, field: ticket.id, direction: from}]}
    - {name: body, data_categories: [user.content]}
"""
# Every row, and whose it is.
OWNERS = {
    "shop": {
        "customer": "SELECT t.number, t.* FROM customer t",
        "orders": "SELECT t.number, t.* FROM orders t",
        "item": "SELECT o.number, t.* FROM item t JOIN orders o ON o.id = t.order_id",
        "invoice": "SELECT t.number, t.* FROM invoice t",
    },
    "support": {
        "ticket": "SELECT t.customer, t.* FROM ticket t",
        "message": "SELECT o.customer, t.* FROM message t JOIN ticket o ON o.id = t.ticket_id",
    },
}
PLANNED = {"shop": {"customer": 1, "orders": 10, "item": 30, "invoice": 2}, "support": {"ticket": 4, "message": 12}}


class Shop:
    def __init__(self, shop_url: str, support_url: str) -> None:
        self.urls = {"shop": shop_url, "support": support_url}
        self.connections: dict[str, psycopg.Connection[Any]] = {}

    def __enter__(self) -> Shop:
        self.connect()
        self.execute("shop", SHOP)
        self.execute("support", SUPPORT)
        return self

    def connect(self) -> None:
        self.disconnect()
        self.connections = {key: psycopg.connect(url, autocommit=True) for key, url in self.urls.items()}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        while self.connections:
            self.connections.popitem()[1].close()

    def load(self, **urls: str) -> None:
        """Make the maps current; a store may be given another address than its own."""
        maps.load(sources=[MAPS], urls={**self.urls, **urls}, actor="operator:test", now=timezone.now())

    def execute(self, store: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        cursor = self.connections[store].execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []

    def rows(self, *, of: str) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of one customer."""
        return {
            f"{store}.{table}": sorted(row[1:] for row in self.execute(store, sql) if row[0] == of)
            for store, tables in OWNERS.items()
            for table, sql in tables.items()
        }

    def is_being_erased(self, store: str = "support") -> bool:
        """Whether somebody waits for a lock; the tickets go first."""
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(self.execute(store, waiting))

    def add_people(self, count: int) -> None:
        """Customers P1, P2 … with an order and a ticket each."""
        people = f"FROM generate_series(1, {count}) AS n"
        self.execute("shop", f"INSERT INTO customer SELECT 'P' || n, 'p' || n || '@example.se', 'P', 'X' {people}")
        self.execute("shop", f"INSERT INTO orders SELECT 1000 + n, 'P' || n, 'x' {people}")
        self.execute("support", f"INSERT INTO ticket SELECT 1000 + n, 'P' || n, 'x' {people}")


def ask(right: str, *, customer: Customer | None = None, **columns: Any) -> RightsRequest:
    return make_request(customer or make_customer("sven@example.se"), right=right, **columns)


def approve(request: RightsRequest) -> RightsRequest:
    """Decide as staff do, once everything is located."""
    now, approver = timezone.now(), make_staff("approver")
    if request.right == "erasure":
        cases.propose_erasure(request=request, acting_user=make_staff("agent"), reason="", now=now)
        digest = cases.plan_digest(request)
        cases.approve_erasure(request=request, acting_user=approver, plan_digest=digest, otp_device_verified=True, now=now)
    else:
        cases.approve_request(request=request, acting_user=approver, reason="", now=now)
    return request


def approved(right: str, **columns: Any) -> RightsRequest:
    columns |= {"ground": "a"} if right == "erasure" else {}
    if right == "rectification":
        columns["details"] = {"corrections": [{"field": "shop.customer.city", "old": "Lund", "new": "Malmö"}]}
    request = ask(right, **columns)
    while locate_due():
        pass
    return approve(request)


def state(request: RightsRequest) -> str:
    return RightsRequest.objects.get(pk=request.pk).state


def run(request: RightsRequest, store: str = "shop") -> StoreRun:
    return StoreRun.objects.get(request=request, store__key=store)


def count_of(action: str, request: RightsRequest) -> int:
    return audit.events(request.reference).filter(action=action).count()


def stop(moment: str, place: str, **more: Any) -> dict[str, Any]:
    """A fault of `Workers.start`: die, or what `way` says, `before` or `after` a call of "module:function"."""
    return {"what": "stop", "moment": moment, "place": place, **more}


# --- what must hold however often workers died ----------------------------------------------------------------------------


def assert_ended_once(request: RightsRequest, closing: str = "complete", *, runs: Sequence[str] = ("shop", "support")) -> None:
    """One closing event, one outcome event for each store that had something to do, one letter, an unbroken audit log."""
    assert count_of("request.start", request) == 1
    assert count_of(f"request.{closing}", request) == 1
    done = [event.payload["store"] for event in audit.events(request.reference).filter(action="run.done")]
    assert sorted(done) == sorted(runs)
    assert set(StoreRun.objects.filter(request=request).values_list("state", flat=True)) == {RunState.DONE}
    assert OutboxItem.objects.filter(request=request, key__contains=":answered").count() == 1
    assert audit.verify() == []


def assert_erased_truly(request: RightsRequest, *, more: Set[tuple[str, str]] = frozenset()) -> None:
    """Of every planned row the report says what became of it, and the ledger says it once."""
    assert state(request) == State.COMPLETED
    for store, tables in PLANNED.items():
        report = run(request, store).report["collections"]
        for table, planned in tables.items():
            counts = report[table]
            kept = sum(rule["rows"] for rule in counts["kept"])
            told = counts["deleted"] + counts.get("erased_earlier", 0) + counts["anonymized"] + kept
            assert (counts["rows"], told, counts["remaining"]) == (planned, planned, 0), (store, table, counts)
    entries = LedgerEntry.objects.filter(case=request.reference)
    marks = set(entries.values_list("store_key", "kind", "field", "lookup"))
    assert len(marks) == entries.count()
    assert {(store, kind) for store, kind, _, _ in marks} == {
        ("shop", "identity"),
        ("shop", "spelling"),
        ("shop", "link"),
        ("support", "identity"),
        ("support", "link"),
        *more,
    }


def assert_gone(shop: Shop) -> None:
    """Of Sven only the invoice that the law keeps is left, with nobody's name on it."""
    left = shop.rows(of="K1")
    assert {table: len(rows) for table, rows in left.items() if rows} == {"shop.customer": 1, "shop.invoice": 1}
    assert "sven" not in str(left).lower()
    assert left["shop.invoice"][0][3] is None


def letters_to(address: str, *, about: str) -> set[str]:
    """The keys of what was sent there: the same message sent again has the same key, by which whoever carries it knows it."""
    return {letter["key"] for letter in letters.sent() if letter["to"] == address and about in letter["key"]}
