"""What we hold for others is found, forwarded to each controller, and neither shown, changed nor decided by us."""

import psycopg
import pytest
from django.urls import reverse
from django.utils import timezone

from privacy import actions, audit, maps
from privacy.actions import Identity, Person, RunItem
from requests_app import cases
from requests_app.case.answers import human_answers
from requests_app.errors import NotAllowed
from requests_app.keeping.own_data import own_of
from requests_app.models import Forwarding, OutboxItem, RightsRequest, RunState, StoreRun
from requests_app.registers import forwarding
from requests_app.running import outbox
from requests_app.running.scans import scan_due
from requests_app.running.workers import locate_due, run_due
from tests.factories import make_customer, make_request, make_staff, sign_in_customer
from tests.mailbox import Mailbox

pytestmark = pytest.mark.django_db
LISA, HOST, CLUB = "lisa@example.se", "host@example.se", "club@example.se"
CRM = """
CREATE TABLE customer (id integer PRIMARY KEY, email text NOT NULL, name text);
INSERT INTO customer VALUES (1, 'Host@Example.se', 'Hans'), (2, 'club@example.se', 'The club'), (3, 'other@example.se', 'O');
INSERT INTO customer VALUES (4, 'lisa@example.se', 'Lisa');
"""
HOSTING = """
CREATE TABLE site (id integer PRIMARY KEY, customer_id integer NOT NULL, host text);
CREATE TABLE guestbook (id integer PRIMARY KEY, site_id integer NOT NULL REFERENCES site, email text, phone text, text text);
INSERT INTO site VALUES (10, 1, 'a.example'), (11, 2, 'b.example'), (12, 3, 'c.example'), (13, 4, 'lisas.example');
INSERT INTO guestbook VALUES (1, 10, 'lisa@example.se', '+46701234567', 'Hi'), (2, 10, 'lisa@example.se', NULL, 'Hi again'),
    (3, 11, 'lisa@example.se', NULL, 'Hello'), (4, 12, 'somebody@example.se', NULL, 'Me'), (5, 10, 'bo@example.se', NULL, 'B'),
    (6, 13, 'lisa@example.se', NULL, 'On my own page');
"""
CRM_MAP = """
dataset:
- fides_key: crm
  meta: {privacy: {collections: {customer: {on_erasure: delete}}}}
  collections:
  - name: customer
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
"""
HOSTING_MAP = """
dataset:
- fides_key: hosting
  name: Hosted sites
  meta:
    privacy:
      role: {processor: site.customer_id}
      collections:
        guestbook: {on_erasure: delete, label: {sv: Gästboken, en: The guestbook}}
      fields: {guestbook.phone: {correctable: true}}
  collections:
  - name: site
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - name: customer_id
      fides_meta: {references: [{dataset: crm, field: customer.id, direction: to}]}
    - {name: host}
  - name: guestbook
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - name: site_id
      fides_meta: {references: [{dataset: hosting, field: site.id, direction: to}]}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: phone, data_categories: [user.contact.phone_number]}
    - {name: text, data_categories: [user.content]}
"""


class House:
    def __init__(self, database):
        self.url = {"crm": database(), "hosting": database()}
        self.sql("crm", CRM)
        self.sql("hosting", HOSTING)
        maps.load(sources=[CRM_MAP, HOSTING_MAP], urls=self.url, actor="operator:test", now=timezone.now())

    def sql(self, store, text):
        with psycopg.connect(self.url[store], autocommit=True) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

    def guestbook(self):
        return self.sql("hosting", "SELECT * FROM guestbook ORDER BY id")


@pytest.fixture
def house(make_postgres_database, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    return House(make_postgres_database)


@pytest.fixture
def lisa(db):
    return make_customer(LISA)


def asked(lisa, right="erasure", *, level=2, **columns):
    request = make_request(lisa, right, level=level, language="en", **columns)
    while locate_due():
        pass
    return request


def rows(request):
    return list(Forwarding.objects.filter(request=request).order_by("pk"))


def erased(request):
    agent, approver = make_staff("agent"), make_staff("approver")
    request.refresh_from_db()
    cases.propose_erasure(request=request, acting_user=agent, reason="", now=timezone.now())
    digest = cases.plan_digest(request)
    cases.approve_erasure(request=request, acting_user=approver, plan_digest=digest, otp_device_verified=True, now=timezone.now())
    run_due()
    while scan_due():
        pass
    request.refresh_from_db()


def test_each_controller_is_found_by_the_link_and_the_person_is_not_one_of_them(house, lisa):
    request = asked(lisa)
    assert forwarding.forward_due(now=timezone.now()) == 1
    assert sorted(row.controller for row in rows(request)) == [[["email", "Host@Example.se"]], [["email", CLUB]]]
    assert {row.state for row in rows(request)} == {"sent"}
    assert {tuple(row.collections) for row in rows(request)} == {("guestbook", "site")} or {
        tuple(row.collections) for row in rows(request)
    } == {("guestbook",)}
    assert {str(row.person) for row in rows(request)} == {str([["email", LISA]])}
    assert forwarding.forward_due(now=timezone.now()) == 0


def test_the_message_to_the_controller_says_nothing_and_names_nobody(house, lisa, mailbox):
    request = asked(lisa)
    forwarding.forward_due(now=timezone.now())
    outbox.deliver_due(now=timezone.now())
    letters = [message for message in Mailbox.kept if message.to.casefold() in (HOST, CLUB)]
    assert len(letters) == 2
    for letter in letters:
        assert "controller" in letter.text or "ansvarig" in letter.text
        for trace in (LISA, "lisa", request.reference, "guestbook", "rase"):
            assert trace not in f"{letter.subject} {letter.text}".replace("database", "")


def test_nothing_there_is_erased_and_nobody_decides_on_it(house, lisa):
    request = asked(lisa)
    forwarding.forward_due(now=timezone.now())
    before = house.guestbook()
    erased(request)
    assert request.state == "completed"
    assert house.guestbook() == before
    assert house.sql("crm", "SELECT count(*) FROM customer") == [(3,)]  # our own data of Lisa went
    run = StoreRun.objects.get(request=request, store__key="hosting")
    assert (run.state, run.report) == (RunState.CANCELLED, {"forwarded": 2, "collections": {}})
    assert "What stands here belongs to 2 customers of ours" in request.answer
    for trace in ("Host@", CLUB, "Hans", "The club"):
        assert trace not in request.answer


def test_whoever_is_found_in_such_data_alone_is_not_told_that_nothing_was_found(house):
    person = make_customer("bo@example.se")
    request = asked(person)
    forwarding.forward_due(now=timezone.now())
    erased(request)
    assert request.outcome == "fulfilled"
    assert "What stands here belongs to a customer of ours" in request.answer


def test_the_engine_refuses_to_act_there(house, lisa):
    person = Person("p", (Identity("email", LISA),))
    found = actions.find([person], right="erasure", store_keys=["hosting"])["p"]["hosting"]
    for right in ("erasure", "restriction", "rectification", "objection"):
        item = RunItem("C-1", "p", person.identities, found.plan, {"set": {"guestbook.text": {"new": "x"}}})
        outcome = actions.execute(store_key="hosting", right=right, items=[item])["C-1"]
        assert outcome.status == "blocked"
        assert "held for others" in outcome.reason
    assert len(house.guestbook()) == 6


def test_such_data_prove_nobodys_identity_and_are_not_shown(house, lisa):
    person = Person("p", (Identity("email", LISA),))
    assert list(actions.find([person], right="access")["p"]) == ["crm"]
    assert not [contact for contact in actions.contacts(person) if contact.store == "hosting"]


def test_nothing_is_forwarded_before_the_identity_is_proved(house, lisa):
    request = asked(lisa, level=1)
    assert request.state == "identifying"
    assert forwarding.forward_due(now=timezone.now()) == 0
    RightsRequest.objects.filter(pk=request.pk).update(state="triage", identity_level=2)
    assert forwarding.forward_due(now=timezone.now()) == 1


@pytest.mark.parametrize("state", ["refused", "withdrawn"])
def test_nor_when_the_request_ended_before(house, lisa, state):
    request = asked(lisa)
    RightsRequest.objects.filter(pk=request.pk).update(state=state)
    assert forwarding.forward_due(now=timezone.now()) == 0


def test_a_store_that_cannot_be_reached_is_asked_again(house, lisa, monkeypatch):
    request = asked(lisa)

    def down(**_):
        raise actions.StoreUnavailable("crm cannot be reached")

    with monkeypatch.context() as patched:
        patched.setattr(forwarding, "controllers_of", down)
        assert forwarding.forward_due(now=timezone.now()) == 0
    assert forwarding.forward_due(now=timezone.now()) == 1
    assert len(rows(request)) == 2


def test_a_controller_without_a_mailbox_is_a_task_for_somebody_here(house, lisa):
    house.sql("crm", "UPDATE customer SET email = 'none' WHERE id = 2; DELETE FROM customer WHERE id = 1")
    request = asked(lisa)
    forwarding.forward_due(now=timezone.now())
    assert [row.state for row in rows(request)] == ["waiting", "waiting"]
    agent = make_staff("agent")
    with pytest.raises(NotAllowed):
        forwarding.forward_by_hand(forwarding=rows(request)[0], note=" ", acting_user=agent, now=timezone.now())
    forwarding.forward_by_hand(forwarding=rows(request)[0], note="Called them.", acting_user=agent, now=timezone.now())
    assert rows(request)[0].state == "sent"


# --- the controller -------------------------------------------------------------------------------------------------------


@pytest.fixture
def forwarded(house, lisa):
    request = asked(lisa)
    forwarding.forward_due(now=timezone.now())
    return next(row for row in rows(request) if row.controller == [["email", "Host@Example.se"]])


def page(client, customer, level, name="portal:forwarded", *args):
    sign_in_customer(client, customer, level=level)
    client.cookies["django_language"] = "en"
    return client.get(reverse(name, args=args))


def test_the_controller_reads_it_by_two_proofs_and_tells_back(forwarded, client, lisa):
    host = make_customer(HOST)
    listed = page(client, host, 1).content.decode()
    assert forwarded.reference in listed
    assert LISA not in listed
    assert page(client, host, 1, "portal:forwarded_one", forwarded.reference).status_code == 302  # a second proof first
    assert not Forwarding.objects.filter(seen_at__isnull=False).exists()
    opened = page(client, host, 2, "portal:forwarded_one", forwarded.reference).content.decode()
    assert LISA in opened
    assert "The guestbook" in opened
    assert CLUB not in opened
    forwarded.refresh_from_db()
    assert forwarded.state == "seen"
    client.post(reverse("portal:forwarded_one", args=[forwarded.reference]), {"note": "Deleted her entries."})
    forwarded.refresh_from_db()
    assert (forwarded.state, forwarded.note) == ("done", "Deleted her entries.")
    request = forwarded.request
    told = page(client, lisa, 2, "portal:request", request.reference).content.decode()
    assert "Somebody to whom we forwarded your request has dealt with it" in told
    for trace in ("Host@", HOST, CLUB, "Deleted her entries."):
        assert trace not in told


def test_nobody_else_reads_it(forwarded, client, lisa):
    for customer in (make_customer(CLUB), make_customer("stranger@example.se"), lisa):
        assert page(client, customer, 2, "portal:forwarded_one", forwarded.reference).status_code == 404
        assert forwarded.reference not in page(client, customer, 2).content.decode()
    with pytest.raises(NotAllowed):
        forwarding.tell_back(forwarding=forwarded, customer=make_customer(CLUB), level=2, note="", now=timezone.now())
    client.logout()
    assert client.get(reverse("portal:forwarded")).status_code == 302


def test_the_package_of_the_person_names_no_controller(forwarded, lisa):
    own = own_of([lisa])[lisa.pk]
    assert len(own["requests_app_forwarding"]) == 2
    for trace in ("Host@", HOST, CLUB):
        assert trace not in str(own)
    assert not OutboxItem.objects.filter(request=forwarded.request, key__contains="forwarded").exists()


def test_the_log_names_nobody(forwarded):
    events = str(list(audit.events(forwarded.request.reference).values_list("action", "payload")))
    assert "request.forwarded" in events
    for trace in ("Host@", HOST, CLUB, LISA):
        assert trace not in events
    assert audit.verify() == []


def test_the_part_of_the_answer_is_told_while_the_case_is_open(forwarded):
    answers = {answer.store: answer.lines for answer in human_answers(forwarded.request)}
    assert len(answers["Hosted sites"]) == 1
