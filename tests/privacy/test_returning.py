"""Kept rows go when their day has come, shared rows with their last owner, and nobody else's rows with them (R11, R20)."""

import json
import threading
from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from privacy import audit, replay, retention, returning, tasks
from privacy.actions import Identity, Person
from privacy.models import Remnant
from tests.privacy.shared_rows import ANNA, BO, CIA, Shop

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = """
CREATE TABLE customer (id integer PRIMARY KEY, email text UNIQUE, name text, phone text);
CREATE TABLE invoice (
    id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customer, issued_on date, total integer, note text
);
CREATE TABLE login (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customer, at date);
INSERT INTO customer VALUES (1, 'anna@example.se', 'Anna', '1'), (2, 'bo@example.se', 'Bo', '2');
INSERT INTO invoice VALUES (10, 1, '2022-03-01', 100, 'a'), (11, 1, '2024-03-01', 200, 'b'), (12, 2, '2022-03-01', 300, 'c');
INSERT INTO login VALUES (20, 1, '2026-01-01'), (21, 2, '2026-01-01');
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
        login: {purpose: contract, source: observed, on_erasure: delete}
        invoice:
          purpose: contract
          source: provided
          on_erasure: delete
          keep:
          - {basis: "a law", from: issued_on, for: P7Y, align: none, fields: [id, issued_on, total], with: [customer.name]}
  collections:
  - name: customer
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
    - {name: phone, data_categories: [user.contact.phone_number]}
  - name: invoice
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: customer_id
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}
    - {name: issued_on, data_categories: [user.financial]}
    - {name: total, data_categories: [user.financial]}
    - {name: note, data_categories: [user.content]}
  - name: login
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: customer_id
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}
    - {name: at, data_categories: [user.behavior]}
"""
PAYER = "data_categories: [user.unique_id], fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}"
FIRST, SECOND = "2029-03-01", "2031-03-01"  # the first days on which each of Anna's invoices may go


@pytest.fixture
def books(make_postgres_database, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    shop = Shop(make_postgres_database(), MAP, SCHEMA)
    assert shop.erase(ANNA).status == "done"
    return shop


def night(day, *, before=False):
    now = timezone.make_aware(datetime.fromisoformat(day)) + timedelta(hours=3)
    return returning.run(now=now - timedelta(days=1) if before else now)


def rows(shop):
    """(customers, invoices, logins) by key."""
    return tuple(shop.column(f"SELECT id FROM {table} ORDER BY id") for table in ("customer", "invoice", "login"))


def events(action, chain="system"):
    return [event.payload for event in audit.events(chain) if event.action == action]


def test_an_erasure_remembers_what_it_kept_and_no_identity(books):
    remnant = Remnant.objects.get()
    assert (remnant.case, remnant.subject, remnant.due_on.isoformat()) == ("C-1", ANNA.ref, FIRST)
    rest = {"pinned": 0, "shared": 0, "undated": 0, "until": SECOND}
    assert remnant.counts == {"customer": {"kept": 1, **rest}, "invoice": {"kept": 2, **rest}}
    assert "anna" not in str(remnant.plan).lower()


def test_the_day_before_nothing_goes_and_on_the_day_what_is_due(books):
    assert night(FIRST, before=True) == []
    assert rows(books) == ([1, 2], [10, 11, 12], [21])
    (went,) = night(FIRST)
    assert (went.collections["invoice"], went.on) == (1, SECOND)
    assert rows(books) == ([1, 2], [11, 12], [21])
    assert books.sql("SELECT name, phone FROM customer WHERE id = 1") == [("Anna", None)]
    (last,) = night(SECOND)
    assert rows(books) == ([2], [12], [21])
    assert last.collections == {"customer": 1, "invoice": 1}
    remnant = Remnant.objects.get()
    assert (remnant.state, remnant.plan, remnant.counts) == ("gone", None, {})


def test_it_is_done_once_and_said_once(books):
    night(SECOND)
    assert night(SECOND) == []
    (event,) = events("kept.returned")
    assert event["collections"] == {"customer": {"deleted": 1}, "invoice": {"deleted": 2}}
    assert event["case"] == "C-1"


def test_a_night_that_died_after_the_store_committed_is_gone_on_with(books, monkeypatch):
    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(returning, "_note", die)
        with pytest.raises(KeyboardInterrupt):
            night(SECOND)
    assert rows(books) == ([2], [12], [21])
    assert Remnant.objects.get().state == "waiting"
    night(SECOND)
    (event,) = events("kept.returned")
    assert event["collections"] == {"customer": {"erased_earlier": 1}, "invoice": {"erased_earlier": 2}}
    assert Remnant.objects.get().state == "gone"


@pytest.mark.parametrize("kind", ["kept", "shared"])
def test_an_erasure_that_died_before_it_remembered_remembers_when_it_is_repeated(
    make_postgres_database, settings, tmp_path, monkeypatch, kind
):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    database = make_postgres_database()
    shop = Shop(database, MAP, SCHEMA) if kind == "kept" else Shop(database)
    plan, answers = shop.plan(ANNA), {} if kind == "kept" else {"document": "keep"}

    def die(**arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(returning, "keep", die)
        with pytest.raises(KeyboardInterrupt):
            shop.erase(ANNA, plan=plan, contested=answers)
    assert not Remnant.objects.exists()
    assert shop.erase(ANNA, plan=plan, contested=answers).status == "done"
    remnant = Remnant.objects.get()
    day = remnant.due_on and remnant.due_on.isoformat()
    assert (day, remnant.shared) == {"kept": (FIRST, 0), "shared": (None, 2)}[kind]
    if kind == "kept":
        night(SECOND)
        assert rows(shop) == ([2], [12], [21])
    else:
        shop.sql("UPDATE document SET co_owner_id = NULL WHERE id IN (11, 12)")
        night("2030-01-01")
        assert documents(shop) == [13]


def test_two_nights_at_once_leave_each_record_to_one(books):
    """The other night holds the record and has not said yet what it did."""
    holding, go_on = threading.Event(), threading.Event()

    def other_night():
        try:
            with transaction.atomic():
                Remnant.objects.select_for_update().get()
                holding.set()
                assert go_on.wait(60)
        finally:
            connection.close()

    other = threading.Thread(target=other_night)
    other.start()
    try:
        assert holding.wait(60)
        assert night(SECOND) == []
        assert rows(books) == ([1, 2], [10, 11, 12], [21])
    finally:
        go_on.set()
        other.join(60)
    night(SECOND)
    assert rows(books) == ([2], [12], [21])
    assert len(events("kept.returned")) == 1


class Guard:
    def __init__(self, *people):
        self.people = people

    def protected(self, store_key):
        return self.people


@pytest.mark.parametrize("who", [ANNA, Person("another account", (Identity("email", "anna@new.example"),))])
def test_rows_that_somebody_needs_wait(books, monkeypatch, who):
    """An open request, a restriction or a hold, of the person erased or of whoever the rows are found for now."""
    books.sql("UPDATE customer SET email = 'anna@new.example' WHERE id = 1")
    with monkeypatch.context() as patch:
        patch.setattr(retention, "guard", lambda: Guard(who))
        (held,) = night(FIRST)
        assert held.held
        assert rows(books) == ([1, 2], [10, 11, 12], [21])
    (went,) = night(FIRST)
    assert went.collections["invoice"] == 1


def test_without_a_guard_nothing_goes(books, settings):
    settings.INSYN_PURGE_GUARD = ""
    with pytest.raises(retention.NoGuard):
        night(SECOND)
    assert rows(books) == ([1, 2], [10, 11, 12], [21])


def test_a_person_who_came_back_under_another_number_loses_nothing_new(books):
    books.sql("INSERT INTO customer VALUES (3, 'anna@example.se', 'Anna', '3')")
    books.sql("INSERT INTO invoice VALUES (30, 3, '2028-01-01', 1, 'new')")
    night(SECOND)
    assert rows(books) == ([2, 3], [12, 30], [21])


def test_a_person_who_came_back_under_the_old_number_keeps_what_is_new(books):
    """The shop took the kept customer row up again: the old invoices go, the row stays as the shop filled it in."""
    books.sql("UPDATE customer SET email = 'anna@example.se', phone = '9' WHERE id = 1")
    books.sql("INSERT INTO invoice VALUES (30, 1, '2028-01-01', 1, 'new'); INSERT INTO login VALUES (31, 1, '2028-01-01')")
    night(SECOND)
    assert rows(books) == ([1, 2], [12, 30], [21, 31])
    assert books.sql("SELECT email, name, phone FROM customer WHERE id = 1") == [("anna@example.se", "Anna", "9")]
    assert books.column("SELECT note FROM invoice WHERE id = 30") == ["new"]
    assert Remnant.objects.get().state == "gone"


def test_the_rules_of_today_count(books):
    books.load(MAP.replace("P7Y", "P5Y"))
    (went,) = night("2027-03-01")
    assert (went.collections["invoice"], went.on) == (1, "2029-03-01")
    books.load(MAP.replace("P7Y", "P10Y"))
    (later,) = night("2029-03-01")
    assert later.on == "2034-03-01"
    assert rows(books) == ([1, 2], [11, 12], [21])


def test_a_store_that_is_down_is_asked_again(books):
    store = Remnant.objects.get().store
    url = store.url
    type(store).objects.filter(pk=store.pk).update(url="postgresql://nobody@127.0.0.1:1/nowhere")
    (down,) = night(SECOND)
    assert "shop" in down.error
    type(store).objects.filter(pk=store.pk).update(url=url)
    night(SECOND)
    assert rows(books) == ([2], [12], [21])


def test_a_row_without_a_start_stays_until_it_has_one(make_postgres_database, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    shop = Shop(make_postgres_database(), MAP, SCHEMA + "UPDATE invoice SET issued_on = NULL WHERE id = 11;")
    outcome = shop.erase(ANNA)
    assert any(part.get("start_missing") for part in outcome.report["collections"]["invoice"]["kept"])
    night(FIRST)
    assert rows(shop) == ([1, 2], [11, 12], [21])
    shop.sql("UPDATE invoice SET issued_on = '2024-03-01' WHERE id = 11")
    night(SECOND, before=True)
    assert rows(shop) == ([1, 2], [11, 12], [21])
    night(SECOND)
    assert rows(shop) == ([2], [12], [21])


def test_rows_that_a_backup_brings_back_go_again(books):
    """Restored to before the day: the customer and both invoices as the erasure left them."""
    before = timezone.make_aware(datetime.fromisoformat(FIRST)) - timedelta(days=1)
    night(FIRST)
    night(SECOND)
    books.sql("INSERT INTO customer VALUES (1, NULL, 'Anna', NULL)")
    books.sql("INSERT INTO invoice VALUES (10, 1, '2022-03-01', 100, NULL), (11, 1, '2024-03-01', 200, NULL)")
    later = timezone.make_aware(datetime.fromisoformat(SECOND)) + timedelta(days=1)
    replay.replay(store_key="shop", backup_taken=before, actor="operator:nina", now=later)
    night("2031-03-03")
    assert rows(books) == ([2], [12], [21])
    assert Remnant.objects.get().state == "gone"


def test_what_is_gone_is_forgotten_with_the_last_backup(books, settings):
    night(SECOND)
    assert Remnant.objects.get().origin
    after = timezone.make_aware(datetime.fromisoformat(SECOND)) + timedelta(days=settings.INSYN_BACKUP_HORIZON_DAYS + 2)
    returning.run(now=after)
    assert Remnant.objects.get().origin is None


# -- shared rows --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(shop):
    """Anna is erased; her documents with Bo and Cia stay, since they are Bo's and Cia's too."""
    outcome = shop.erase(ANNA, contested={"document": "keep"})
    assert outcome.report["collections"]["document"]["waiting"] == 2
    return shop


def documents(shop):
    return shop.column("SELECT id FROM document ORDER BY id")


def test_shared_rows_wait(shared):
    assert Remnant.objects.get().shared == 2
    assert night("2030-01-01") == []
    assert documents(shared) == [11, 12, 13]


@pytest.mark.parametrize("batch", [1, 100])
def test_a_shared_row_goes_with_its_last_owner_and_the_record_says_so(shared, monkeypatch, batch):
    """Bo's and Anna's rows point at each other's document: each waits for the other, and together they are the last."""
    monkeypatch.setattr(returning, "BATCH", batch)
    shared.erase(BO, case="C-2", contested={"document": "keep"})
    assert documents(shared) == [11, 12]
    night("2030-01-01")
    assert documents(shared) == [12]
    assert shared.column("SELECT id FROM customer ORDER BY id") == [1, 3]
    assert [(r.case, r.shared, r.state) for r in Remnant.objects.order_by("case")] == [("C-1", 1, "waiting"), ("C-2", 0, "gone")]
    assert {event["case"] for event in events("kept.returned")} == {"C-1", "C-2"}
    shared.erase(CIA, case="C-3", contested={"document": "keep"})
    night("2030-01-02")
    assert (documents(shared), shared.column("SELECT id FROM customer")) == ([], [])


def test_the_last_owner_takes_the_row_along_at_once_where_nothing_else_holds_it(shared):
    shared.sql("ALTER TABLE document DROP CONSTRAINT document_owner_id_fkey")
    shared.sql("DELETE FROM customer WHERE id = 1")
    assert shared.erase(BO, case="C-2").status == "done"
    assert documents(shared) == [12]


def test_a_shared_row_goes_when_the_shop_itself_removed_the_other_owner(shared):
    shared.sql("UPDATE document SET co_owner_id = NULL WHERE id = 11")
    shared.sql("DELETE FROM document WHERE id = 13; DELETE FROM customer WHERE id = 2")
    night("2030-01-01")
    assert documents(shared) == [12]
    (event,) = events("kept.returned")
    assert event["collections"]["document"] == {"deleted": 1}
    shared.sql("UPDATE document SET co_owner_id = NULL")
    shared.sql("DELETE FROM customer WHERE id = 3")
    night("2030-01-02")
    assert documents(shared) == []
    assert shared.column("SELECT id FROM customer") == []
    assert Remnant.objects.get().state == "gone"


def test_a_row_given_to_somebody_else_in_the_meantime_stays(shared):
    shared.sql("UPDATE document SET owner_id = 2, co_owner_id = NULL WHERE id = 11")
    night("2030-01-01")
    assert documents(shared) == [11, 12, 13]


# -- what operators see -------------------------------------------------------------------------------------------------


def retention_command(action, day, capsys):
    call_command("retention", action, "--json", "--now", f"{day}T03:00:00+01:00")
    return json.loads(capsys.readouterr().out)["kept"]


def test_the_plan_says_beforehand_what_goes_when_and_the_run_does_it(books, capsys):
    (planned,) = retention_command("plan", "2027-01-01", capsys)
    assert planned == {
        "case": "C-1", "store": "shop", "on": FIRST, "shared": 0, "held": False,
        "collections": {"customer": 1, "invoice": 2}, "error": "",
    }  # fmt: skip
    assert rows(books) == ([1, 2], [10, 11, 12], [21])
    assert retention_command("run", "2027-01-01", capsys) == []
    (went,) = retention_command("run", SECOND, capsys)
    assert went["collections"] == {"customer": 1, "invoice": 2}
    assert retention_command("plan", SECOND, capsys) == []


def test_the_nightly_purge_lets_them_go(books, monkeypatch):
    later = timezone.make_aware(datetime.fromisoformat(SECOND))
    monkeypatch.setattr(timezone, "now", lambda: later)
    tasks.purge()
    assert rows(books) == ([2], [12], [21])


def test_a_kept_row_that_somebody_shares_by_now_stops_and_is_said_once(books):
    books.sql("ALTER TABLE invoice ADD payer_id integer; UPDATE invoice SET payer_id = 2 WHERE id = 10")
    books.load(MAP.replace("    - {name: total", "    - {name: payer_id, " + PAYER + "}\n    - {name: total"))
    night(FIRST)
    (stopped,) = night(FIRST)
    assert "contested" in stopped.error
    assert rows(books) == ([1, 2], [10, 11, 12], [21])
    assert Remnant.objects.get().state == "stopped"
    assert len(events("kept.stopped")) == 1
    books.sql("UPDATE invoice SET payer_id = NULL")
    night(FIRST)
    assert rows(books) == ([1, 2], [11, 12], [21])
