"""Art. 19: every recipient of data that really changed is told, once, and the person sees who was told and when."""

import logging
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from privacy import audit
from privacy.actions import RunOutcome
from privacy.models import Recipient, Restriction
from requests_app import cases
from requests_app.errors import NotAllowed, SomebodyElseGotThereFirst
from requests_app.keeping.forgetting import forget_erased
from requests_app.models import OutboxItem, RecipientNotice, RightsRequest, RunState, StoreRun
from requests_app.registers import telling_recipients
from requests_app.running import outbox
from requests_app.running.scans import scan_due
from requests_app.running.workers import locate_due, run_due
from tests.factories import NOW, make_customer, make_request, make_staff, make_store, sign_in_customer
from tests.mailbox import Mailbox

pytestmark = pytest.mark.django_db
MAIL, PHONE = "sven@example.se", "+46701234567"
BOOKKEEPER = "dataskydd@siffror.example"
MAP = """
dataset:
- fides_key: crm
  meta:
    privacy:
      purposes:
      - {key: invoicing, basis: 6-1-b, recipients: [bookkeeper, bank]}
      - {key: support, basis: 6-1-b, recipients: [helpdesk]}
      - {key: news, basis: 6-1-a, recipients: [newsletter]}
      collections:
        customer: {purpose: invoicing, on_erasure: delete, label: {sv: Kunder, en: Customers}}
        ticket: {purpose: support, on_erasure: delete, label: {sv: Ärenden, en: Tickets}}
      fields: {customer.wants_news: {purpose: news}}
  collections:
  - name: customer
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: city, data_categories: [user.contact.address.city]}
    - {name: wants_news, data_categories: [user.contact]}
  - name: ticket
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: phone, data_categories: [user.contact.phone_number], fides_meta: {identity: phone_number}}
"""


@pytest.fixture(autouse=True)
def recipients(db):
    Recipient.objects.create(key="bookkeeper", name="Siffror AB", contact=BOOKKEEPER)
    Recipient.objects.create(key="helpdesk", name="Helpful Inc.", contact="by letter: Box 1, Lund")
    store = make_store("crm")
    store.versions.update(source=MAP)
    return store


@pytest.fixture
def person():
    return make_customer(MAIL, phone=PHONE, now=NOW)


def reporting(engine, collections):
    engine.on_execute = lambda store, item: RunOutcome("done", report={"collections": collections})


def carried_out(request, clock):
    locate_due(clock=clock)
    request.refresh_from_db()
    agent, approver = make_staff("agent"), make_staff("approver")
    if request.right == "erasure":
        cases.propose_erasure(request=request, acting_user=agent, reason="", now=NOW)
        digest = cases.plan_digest(request)
        cases.approve_erasure(request=request, acting_user=approver, plan_digest=digest, otp_device_verified=True, now=NOW)
    else:
        cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
    if request.right == "rectification":
        clock.now = NOW + timedelta(days=4)  # a contact is replaced after a while
    run_due(clock=clock)
    while scan_due(clock=clock):
        pass
    request.refresh_from_db()
    return request


def erased(person, clock, engine, collections):
    reporting(engine, collections)
    return carried_out(make_request(person, right="erasure", ground="a", now=NOW), clock)


def notices(request):
    return {row.recipient: row for row in RecipientNotice.objects.filter(request=request)}


def test_only_recipients_of_what_really_changed_are_told(person, engine, clock):
    request = erased(
        person, clock, engine, {"customer": {"rows": 2, "deleted": 0, "kept": []}, "ticket": {"rows": 1, "deleted": 1}}
    )
    assert request.state == "completed"
    assert set(notices(request)) == {"helpdesk"}


@pytest.mark.parametrize("count", ["deleted", "anonymized", "erased_earlier"])
def test_each_way_of_erasing_counts(person, engine, clock, count):
    request = erased(person, clock, engine, {"customer": {"rows": 1, count: 1}})
    # the bank stands in the map alone: nobody has an address, so somebody here tells it
    assert set(notices(request)) == {"bookkeeper", "bank", "newsletter"}
    assert {key: bool(row.message) for key, row in notices(request).items()} == {
        "bookkeeper": True,
        "bank": False,
        "newsletter": False,
    }


def test_the_message_names_the_person_as_that_recipient_knows_them_and_no_more(person, engine, clock, mailbox, caplog):
    with caplog.at_level(logging.DEBUG):
        request = erased(person, clock, engine, {"customer": {"rows": 1, "deleted": 1}, "ticket": {"rows": 1, "deleted": 1}})
        stored = OutboxItem.objects.get(to__isnull=False, key__contains=":recipient:")
        raw = OutboxItem.objects.filter(pk=stored.pk).extra(select={"raw": "payload"}).values_list("raw", flat=True).get()
        assert MAIL.encode() not in bytes(raw)  # encrypted where it waits
        outbox.deliver_due(now=NOW)
    (letter,) = [message for message in mailbox if message.to == BOOKKEEPER]
    assert MAIL in letter.text
    assert PHONE not in letter.text  # the bookkeeper's data hold no telephone
    assert MAIL not in letter.subject
    assert request.reference in letter.subject
    assert PHONE in notices(request)["helpdesk"].words
    assert MAIL not in notices(request)["helpdesk"].words
    for trace in (MAIL, "1234567", "701234567"):
        assert trace not in caplog.text
        assert trace not in str([event.payload for event in audit.events(request.reference)])


def test_what_is_delivered_is_told_and_names_nobody_any_more(person, engine, clock):
    request = erased(person, clock, engine, {"customer": {"rows": 1, "deleted": 1}})
    outbox.deliver_due(now=NOW)
    row = notices(request)["bookkeeper"]
    assert (row.state, row.how, row.told_at, row.words) == ("told", "email", NOW, None)
    assert audit.events(request.reference).filter(action="recipient.told").count() == 1
    assert outbox.deliver_due(now=NOW + timedelta(days=1)) == 0


def test_a_recipient_whose_mailbox_is_down_is_still_owed(person, engine, clock, monkeypatch):
    request = erased(person, clock, engine, {"customer": {"rows": 1, "deleted": 1}})
    from accounts import messaging

    def refuse(**kwargs):
        raise messaging.DeliveryFailed("the server refused it")

    monkeypatch.setattr(messaging, "deliver", refuse)
    outbox.deliver_due(now=NOW)
    assert notices(request)["bookkeeper"].state == "owed"


def test_a_correction_tells_the_new_value_to_recipients_of_that_field_alone(person, engine, clock):
    reporting(engine, {"customer": {"rows": 1, "changed": 1}})
    corrections = {"corrections": [{"field": "crm.customer.wants_news", "old": "no", "new": "yes please"}]}
    request = carried_out(make_request(person, right="rectification", details=corrections, now=NOW), clock)
    assert set(notices(request)) == {"newsletter"}
    assert "yes please" in notices(request)["newsletter"].words


def test_a_correction_that_changed_nothing_tells_nobody(person, engine, clock):
    reporting(engine, {"customer": {"rows": 1, "changed": 0, "already": 1}})
    corrections = {"corrections": [{"field": "crm.customer.city", "old": "Lund", "new": "Malmö"}]}
    request = carried_out(make_request(person, right="rectification", details=corrections, now=NOW), clock)
    assert request.state == "completed"
    assert not notices(request)


def test_a_corrected_address_is_told_under_the_old_one_which_the_recipient_knows(person, engine, clock):
    reporting(engine, {"customer": {"rows": 1, "changed": 1}})
    new = "ny@example.se"
    from accounts import people

    people.add_identity(customer=person, kind="email", value=new, method="email_code", now=NOW)
    details = {
        "corrections": [{"field": "crm.customer.email", "old": MAIL, "new": new, "kind": "email", "label": {}, "confirmed": True}]
    }
    request = carried_out(make_request(person, right="rectification", details=details, now=NOW), clock)
    words = notices(request)["bookkeeper"].words
    assert MAIL in words
    assert new in words
    assert [row.value for row in person.identities.filter(kind="email")] == [new]  # the account has followed


def test_a_restriction_and_its_lifting_are_two_things_to_tell(person, engine, clock):
    reporting(engine, {"customer": {"rows": 1, "changed": 1}})
    request = carried_out(make_request(person, right="restriction", now=NOW), clock)
    assert request.state == "restricted"
    assert {row.about for row in RecipientNotice.objects.filter(request=request)} == {"restriction"}
    Restriction.objects.filter(case=request.reference).update(told_at=NOW)
    cases.lift_restriction(request=request, acting_user=make_staff("approver"), now=clock.now)
    run_due(clock=clock)
    request.refresh_from_db()
    assert request.state == "completed"
    told = RecipientNotice.objects.filter(request=request, recipient="bookkeeper").values_list("about", flat=True)
    assert sorted(told) == ["lift", "restriction"]
    assert "Siffror AB" in request.answer


def test_rows_that_came_after_the_restriction_may_have_other_recipients(person, engine, clock):
    reporting(engine, {"customer": {"rows": 1}})
    request = carried_out(make_request(person, right="restriction", now=NOW), clock)
    reporting(engine, {"customer": {"rows": 1}, "ticket": {"rows": 1}})
    StoreRun.objects.filter(request=request).update(state=RunState.QUEUED, due_at=NOW)
    run_due(clock=clock)
    assert set(notices(request)) == {"bookkeeper", "bank", "newsletter", "helpdesk"}
    assert RecipientNotice.objects.filter(request=request).count() == 4


def test_access_tells_nobody(person, engine, clock):
    request = make_request(person, right="access", now=NOW)
    locate_due(clock=clock)
    cases.approve_request(request=request, acting_user=make_staff("approver"), reason="", now=NOW)
    run_due(clock=clock)
    assert not notices(request)


def test_owing_twice_owes_once(person, engine, clock):
    request = erased(person, clock, engine, {"customer": {"rows": 1, "deleted": 1}})
    before = RecipientNotice.objects.count(), OutboxItem.objects.count()
    with transaction.atomic():
        again = telling_recipients.owe_recipients(requests=[request], standing=None, now=NOW)
    assert (RecipientNotice.objects.count(), OutboxItem.objects.count()) == before
    assert sorted(again[request.pk]) == ["Bank", "Newsletter", "Siffror AB"]  # the letter says the same


def test_the_answer_names_them(person, engine, clock):
    request = erased(person, clock, engine, {"customer": {"rows": 1, "deleted": 1}})
    assert "Siffror AB, Bank, Newsletter" in request.answer


# --- staff --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def owed(person, engine, clock):
    request = erased(person, clock, engine, {"customer": {"rows": 1, "deleted": 1}})
    return notices(request)


def test_staff_report_that_they_told(owed):
    agent = make_staff("agent")
    telling_recipients.report_told(notice=owed["bank"], how="letter", acting_user=agent, now=NOW)
    row = owed["bank"]
    assert (row.state, row.how, row.told_at, row.reported_by, row.words) == ("told", "letter", NOW, agent, None)
    with pytest.raises(SomebodyElseGotThereFirst):
        telling_recipients.report_told(notice=row, how="phone", acting_user=agent, now=NOW)


def test_a_message_that_staff_were_quicker_than_is_not_sent(owed, mailbox):
    telling_recipients.report_told(notice=owed["bookkeeper"], how="phone", acting_user=make_staff("agent"), now=NOW)
    outbox.deliver_due(now=NOW)
    assert not [message for message in Mailbox.kept if message.to == BOOKKEEPER]


@pytest.mark.parametrize("reason", ["", "   "])
def test_not_telling_needs_words(owed, reason):
    with pytest.raises(NotAllowed):
        telling_recipients.give_up_telling(
            notice=owed["bank"], state="impossible", reason=reason, acting_user=make_staff("agent"), now=NOW
        )
    with pytest.raises(NotAllowed):
        telling_recipients.give_up_telling(
            notice=owed["bank"], state="told", reason="no", acting_user=make_staff("agent"), now=NOW
        )
    telling_recipients.give_up_telling(
        notice=owed["bank"], state="impossible", reason="Wound up.", acting_user=make_staff("agent"), now=NOW
    )
    assert owed["bank"].reason == "Wound up."


@pytest.mark.parametrize(
    "columns", [{"state": "told"}, {"state": "impossible", "words": None}, {"state": "told", "how": "phone"}]
)
def test_the_database_wants_when_and_why_as_well(owed, columns):
    with pytest.raises(IntegrityError), transaction.atomic():
        RecipientNotice.objects.filter(pk=owed["bank"].pk).update(**columns)


@pytest.mark.parametrize("role", ["engineer", "officer", "administrator"])
def test_other_roles_report_nothing(owed, role):
    with pytest.raises(NotAllowed):
        telling_recipients.report_told(notice=owed["bank"], how="phone", acting_user=make_staff(role), now=NOW)


def test_looking_at_the_words_is_written_down(owed):
    words = telling_recipients.show_words(notice=owed["bank"], acting_user=make_staff("agent"), now=NOW)
    assert MAIL in words
    assert audit.events(owed["bank"].request.reference).filter(action="recipient.words_seen").count() == 1


# --- what is late -------------------------------------------------------------------------------------------------------


def test_whoever_has_the_case_is_reminded_once_then_the_officer_sees_it(owed, mailbox):
    request = owed["bank"].request
    colleague = make_staff("agent")
    RightsRequest.objects.filter(pk=request.pk).update(assignee=colleague)
    outbox.deliver_due(now=NOW)
    assert telling_recipients.remind(now=NOW + timedelta(days=7)) == 0
    late = NOW + timedelta(days=8)
    assert telling_recipients.remind(now=late) == 2  # the bank and the newsletter; the bookkeeper is told
    assert telling_recipients.remind(now=late) == 0
    outbox.deliver_due(now=late)
    reminders = [message for message in Mailbox.kept if message.to == colleague.email]
    assert len(reminders) == 2
    assert MAIL not in str(reminders)
    assert not RecipientNotice.objects.filter(escalated_at__isnull=False).exists()
    telling_recipients.remind(now=late + timedelta(days=8))
    assert RecipientNotice.objects.filter(escalated_at__isnull=False).count() == 2
    actions = [event.action for event in audit.events(request.reference)]
    assert actions.count("recipient.escalated") == 2


def test_the_person_is_not_forgotten_while_somebody_is_still_to_be_told(owed):
    outbox.deliver_due(now=NOW)
    after = NOW + timedelta(days=40)
    assert forget_erased(now=after) == 0
    for key in ("bank", "newsletter"):
        telling_recipients.give_up_telling(
            notice=owed[key], state="disproportionate", reason="Sven is gone.", acting_user=make_staff("agent"), now=NOW
        )
    assert forget_erased(now=after) == 1
    rows = RecipientNotice.objects.values_list("words", "reason", "message")
    assert set(rows) == {(None, None, None), (None, "–", None)}


# --- the person ---------------------------------------------------------------------------------------------------------


def test_the_person_sees_who_was_told_and_when(owed, client):
    outbox.deliver_due(now=NOW)
    request = owed["bank"].request
    sign_in_customer(client, request.customer, level=2)
    client.cookies["django_language"] = "en"
    page = client.get(reverse("portal:request", args=[request.reference])).content.decode()
    assert "Told on 5 March 2026, by e-mail: that your data were erased." in page
    assert page.count("Is going to be told that your data were erased.") == 2
    sign_in_customer(client, request.customer, level=1)
    assert "Siffror AB" not in client.get(reverse("portal:request", args=[request.reference])).content.decode()
    sign_in_customer(client, make_customer(), level=2)
    assert client.get(reverse("portal:request", args=[request.reference])).status_code == 404
