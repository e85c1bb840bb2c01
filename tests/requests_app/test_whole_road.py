"""Every right once, from the request to the changed rows, in a PostgreSQL and an SQLite store with the real engine."""

import io
import json
import sqlite3
import zipfile
from contextlib import closing

import psycopg
import pytest
from django.utils import timezone

from accounts import people
from accounts.models import IdentityKind, VerificationMethod
from privacy import maps
from privacy.models import Restriction, Suppression
from requests_app import cases
from requests_app.delivering import delivery
from requests_app.models import Outcome, RightsRequest, State
from requests_app.running import outbox
from requests_app.running.scans import scan_due
from requests_app.running.workers import build_due, locate_due, run_due
from tests.factories import make_customer, make_request, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

CRM = """
CREATE TABLE customer (
    number text PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, city text,
    suspended boolean NOT NULL DEFAULT false, marketing boolean NOT NULL DEFAULT true
);
CREATE TABLE invoice (id integer PRIMARY KEY, number text NOT NULL REFERENCES customer, issued_on date NOT NULL, total numeric);
INSERT INTO customer VALUES ('K1', 'sven@example.se', 'Sven', 'Lund'), ('K2', 'lisa@example.se', 'Lisa', 'Lund');
INSERT INTO invoice VALUES (1, 'K1', '2010-02-01', 100), (2, 'K1', current_date, 200), (3, 'K2', current_date, 300);
"""
ACTIVITY = """
CREATE TABLE login (id integer PRIMARY KEY, customer_number text NOT NULL, at text NOT NULL, city text);
INSERT INTO login VALUES (1, 'K1', '2026-01-01', 'Lund'), (2, 'K1', '2026-01-02', 'Lund'), (3, 'K2', '2026-01-03', 'Lund');
"""
MAPS = """
dataset:
- fides_key: crm
  name: Kunder
  meta:
    privacy:
      purposes:
      - {key: contract, basis: 6-1-b, recipients: [], transfer: none, automated_decision: false}
      collections:
        customer:
          purpose: contract
          source: provided
          on_erasure: delete
          restriction: {set: {suspended: true}}
          objection: {set: {marketing: false}}
        invoice:
          purpose: contract
          source: provided
          on_erasure: delete
          keep:
          - {basis: "bokföringslagen 7 kap. 2 §", from: issued_on, for: P7Y, align: calendar_year, fields: [id, issued_on, total]}
      fields: {customer.city: {correctable: true, label: {sv: Ort, en: City}}}
  collections:
  - name: customer
    fields:
    - {name: number, data_categories: [user.unique_id], fides_meta: {primary_key: true, identity: customer_number}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
    - {name: city, data_categories: [user.contact.address.city]}
    - {name: suspended, data_categories: [system.operations]}
    - {name: marketing, data_categories: [system.operations]}
  - name: invoice
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: number
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: crm, field: customer.number, direction: from}]}
    - {name: issued_on, data_categories: [user.financial]}
    - {name: total, data_categories: [user.financial]}
- fides_key: activity
  name: Aktivitet
  meta:
    privacy:
      purposes:
      - {key: security, basis: 6-1-f, recipients: [], transfer: none, automated_decision: false}
      collections: {login: {purpose: security, source: observed, on_erasure: delete}}
  collections:
  - name: login
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: customer_number
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: crm, field: customer.number, direction: from}]}
    - {name: at, data_categories: [user.behavior]}
    - {name: city, data_categories: [user.location]}
"""


class Stores:
    def __init__(self, url, path):
        self.url, self.path = url, path

    def crm(self, sql):
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def activity(self, sql):
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def stores(make_postgres_database, sqlite_path, settings, tmp_path):
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    here = Stores(make_postgres_database(), sqlite_path)
    here.crm(CRM)
    with closing(sqlite3.connect(sqlite_path)) as connection:
        connection.executescript(ACTIVITY)
    urls = {"crm": here.url, "activity": f"sqlite:///{sqlite_path}"}
    maps.load(sources=[MAPS], urls=urls, actor="operator:test", now=timezone.now())
    return here


@pytest.fixture
def sven():
    customer = make_customer("sven@example.se")
    people.add_identity(
        customer=customer,
        kind=IdentityKind.CUSTOMER_NUMBER,
        value="K1",
        method=VerificationMethod.STORE,
        now=timezone.now(),
    )
    return customer


@pytest.fixture
def approver():
    return make_staff("approver")


def work():
    while locate_due() or run_due() or build_due() or scan_due():
        pass


def carried_out(request, approver):
    work()
    cases.approve_request(request=request, acting_user=approver, reason="", now=timezone.now())
    work()
    return RightsRequest.objects.get(pk=request.pk)


def test_access_is_a_package_with_all_stores(stores, sven, approver):
    make_request(make_customer("lisa@example.se"), right="access", reason="Because Lisa asks.")
    request = carried_out(make_request(sven, right="access", reason="Because Sven asks."), approver)
    assert (request.state, request.outcome) == (State.COMPLETED, Outcome.FULFILLED)
    content, _name, size = delivery.stream_package(request=request, customer=sven, now=timezone.now())
    whole = b"".join(content)
    assert len(whole) == size
    with zipfile.ZipFile(io.BytesIO(whole)) as package:
        assert [row["name"] for row in json.loads(package.read("data/crm/customer.json"))] == ["Sven"]
        assert len(json.loads(package.read("data/activity/login.json"))) == 2
        identities = json.loads(package.read("data/insyn/accounts_customeridentity.json"))
        assert {row["value"] for row in identities} == {"sven@example.se", "K1"}
        (own,) = json.loads(package.read("data/insyn/requests_app_rightsrequest.json"))
        assert (own["reference"], own["reason"]) == (request.reference, "Because Sven asks.")
        actions = [row["action"] for row in json.loads(package.read("data/insyn/privacy_auditevent.json"))]
        assert actions[0] == "request.submitted"
        information = json.loads(package.read("information.json"))
        assert "Insyn" in {store["name"] for store in information["stores"]}
        assert b"lisa" not in whole
        assert "lisa" not in "".join(package.read(name).decode() for name in package.namelist())


def test_rectification_changes_what_was_seen(stores, sven, approver):
    corrections = [{"field": "crm.customer.city", "old": "Lund", "new": "Malmö"}]
    request = carried_out(make_request(sven, right="rectification", level=1, details={"corrections": corrections}), approver)
    assert request.state == State.COMPLETED
    assert stores.crm("SELECT number, city FROM customer ORDER BY 1") == [("K1", "Malmö"), ("K2", "Lund")]
    assert "1 record corrected" in request.answer


def test_rectification_of_something_that_changed_meanwhile_stops(stores, sven, approver):
    corrections = [{"field": "crm.customer.city", "old": "Kiruna", "new": "Malmö"}]
    request = carried_out(make_request(sven, right="rectification", level=1, details={"corrections": corrections}), approver)
    assert request.state == State.BLOCKED
    assert stores.crm("SELECT city FROM customer WHERE number = 'K1'") == [("Lund",)]


def test_restriction_is_set_followed_told_and_lifted(stores, sven, approver):
    request = carried_out(make_request(sven, right="restriction", level=1), approver)
    assert request.state == State.RESTRICTED
    assert stores.crm("SELECT number, suspended FROM customer ORDER BY 1") == [("K1", True), ("K2", False)]
    cases.tell_before_lifting(request=request, acting_user=approver, now=timezone.now())
    outbox.deliver_due()
    cases.lift_restriction(request=request, acting_user=approver, now=timezone.now())
    work()
    request.refresh_from_db()
    assert (request.state, request.outcome) == (State.COMPLETED, Outcome.LIFTED)
    assert stores.crm("SELECT suspended FROM customer WHERE number = 'K1'") == [(False,)]
    assert not Restriction.objects.filter(lifted_at=None).exists()


def test_objection_stops_marketing_without_staff(stores, sven):
    request = make_request(sven, right="objection", level=1)
    work()
    request.refresh_from_db()
    assert request.state == State.COMPLETED
    assert stores.crm("SELECT number, marketing FROM customer ORDER BY 1") == [("K1", False), ("K2", True)]
    assert Suppression.objects.exists()


def test_erasure_takes_two_people_and_keeps_what_the_law_keeps(stores, sven, approver):
    access = carried_out(make_request(sven, right="access"), approver)
    request = make_request(sven, right="erasure", ground="a")
    work()
    cases.propose_erasure(request=request, acting_user=make_staff("agent"), reason="", now=timezone.now())
    cases.approve_erasure(
        request=request,
        acting_user=approver,
        plan_digest=cases.plan_digest(request),
        otp_device_verified=True,
        now=timezone.now(),
    )
    work()
    request.refresh_from_db()
    assert request.state == State.COMPLETED, [(run.store.key, run.state, run.error) for run in request.runs.all()]
    assert stores.crm("SELECT id FROM invoice ORDER BY 1") == [(2,), (3,)]
    assert stores.activity("SELECT id, customer_number FROM login") == [(3, "K2")]
    assert stores.crm("SELECT count(*) FROM customer WHERE email = 'sven@example.se' OR name = 'Sven'") == [(0,)]
    assert stores.crm("SELECT name, city FROM customer WHERE number = 'K2'") == [("Lisa", "Lund")]
    assert "bokföringslagen 7 kap. 2 §" in request.answer
    for run in request.runs.all():  # every text column of both stores was looked at, and the kept row's number stands there
        assert run.scan.finished_at is not None
    assert {run.store.key: (run.scan.tables, run.scan.columns) for run in request.runs.all()} == {
        "activity": (["login"], 3),
        "crm": (["customer", "invoice"], 5),
    }
    with pytest.raises(cases.NotAllowed, match="withdrawn"):
        delivery.stream_package(request=access, customer=sven, now=timezone.now())


def test_who_is_nowhere_is_told_so(stores, approver):
    request = carried_out(make_request(make_customer("nobody@example.se"), right="access"), approver)
    assert (request.state, request.outcome) == (State.COMPLETED, Outcome.NOTHING)
    assert "We hold the identities that you have proved and your requests." in request.answer  # of our own database (R24)
