"""A request comes in: by portal, by API, by a member of staff who writes down a letter."""

from datetime import date, timedelta

import pytest

from accounts import people
from accounts.models import VerificationMethod
from privacy import audit
from requests_app import cases
from requests_app.case import intake
from requests_app.case.representing import Claim
from requests_app.models import OutboxItem, RightsRequest, RunState, Source, State, StoreRun
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


def test_it_is_assessed_when_the_identity_suffices():
    make_store("crm"), make_store("billing")
    request = make_request(right="access", level=2, now=NOW)
    assert request.state == State.TRIAGE
    assert request.due_on == request.notice_due_on == date(2026, 4, 7)
    assert [event.action for event in audit.events(request.reference)] == ["request.submitted", "request.identified"]


def test_every_active_store_with_a_map_gets_a_run():
    make_store("crm"), make_store("billing"), make_store("old", is_active=False)
    unmapped = make_store("unmapped")
    unmapped.versions.update(is_current=False)
    request = make_request(now=NOW)
    runs = StoreRun.objects.filter(request=request)
    assert [(run.store.key, run.state, run.right, run.due_at) for run in runs.order_by("store__key")] == [
        ("billing", RunState.LOCATING, "access", NOW),
        ("crm", RunState.LOCATING, "access", NOW),
    ]
    assert {run.subject for run in runs} == {request.customer.public_id}


@pytest.mark.parametrize(
    ("right", "level", "state"),
    [
        ("access", 1, State.IDENTIFYING),
        ("portability", 1, State.IDENTIFYING),
        ("erasure", 1, State.IDENTIFYING),
        ("rectification", 1, State.TRIAGE),
        ("restriction", 1, State.TRIAGE),
        ("erasure", 2, State.TRIAGE),
        ("access", 0, State.IDENTIFYING),
        ("restriction", 0, State.IDENTIFYING),
    ],
)
def test_what_leaves_the_house_or_cannot_be_undone_takes_level_2(right, level, state):
    assert make_request(right=right, level=level).state == state


def test_the_clock_waits_while_the_portal_asks_for_a_second_proof():
    assert make_request(right="access", level=1, now=NOW).paused_at == NOW


def test_the_clock_runs_for_a_letter_until_somebody_asks():
    letter = make_request(right="access", level=0, source=Source.POST, entered_by=make_staff("agent"), now=NOW)
    assert letter.state == State.IDENTIFYING
    assert letter.paused_at is None


def test_a_second_request_for_the_same_right_leads_to_the_first():
    customer = make_customer()
    first = make_request(customer)
    with pytest.raises(cases.AlreadyOpen) as caught:
        make_request(customer)
    assert caught.value.request == first
    assert RightsRequest.objects.count() == 1
    assert make_request(customer, right="restriction").state == State.TRIAGE


def test_a_closed_request_does_not_stop_a_new_one():
    customer = make_customer()
    first = make_request(customer)
    cases.withdraw_request(request=first, customer=customer, now=NOW)
    assert make_request(customer).pk != first.pk


def test_a_letter_counts_from_the_day_it_reached_the_organisation():
    agent = make_staff("agent")
    letter = make_request(
        level=0, source=Source.POST, entered_by=agent, received_at=NOW - timedelta(days=20), now=NOW + timedelta(days=3)
    )
    assert letter.due_on == date(2026, 3, 13)
    assert audit.events(letter.reference).first().actor == f"staff:{agent.pk}"


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"right": "oblivion"}, "Choose one of the rights"),
        ({"right": "restriction", "ground": ""}, "four grounds"),
        ({"right": "restriction", "ground": "f"}, "does not belong"),
        ({"right": "access", "ground": "a"}, "does not belong"),
        ({"right": "rectification", "details": None}, "what is to be corrected"),
        ({"received_at": NOW + timedelta(days=1)}, "in the future"),
        ({"level": 3}, "identity level"),
    ],
)
def test_what_cannot_be_a_request_is_refused_with_a_reason(columns, says):
    with pytest.raises(cases.NotAllowed, match=says):
        make_request(**{"now": NOW, **columns})
    assert not RightsRequest.objects.exists()
    assert not OutboxItem.objects.exists()


def test_only_an_agent_enters_requests_and_never_with_an_identity_level():
    with pytest.raises(cases.NotAllowed, match="role"):
        make_request(level=0, source=Source.PHONE, entered_by=make_staff("engineer"))
    with pytest.raises(cases.NotAllowed, match="colleague"):
        make_request(level=1, source=Source.PHONE, entered_by=make_staff("agent"))


def test_the_reason_may_be_left_out_and_is_stored_encrypted(django_db_blocker):
    assert make_request().reason is None
    request = make_request(right="erasure", ground="a", reason="  I have left.  ")
    assert RightsRequest.objects.get(pk=request.pk).reason == "I have left."
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT reason FROM requests_app_rightsrequest WHERE id = %s", [request.pk])
        assert b"left" not in bytes(cursor.fetchone()[0])


def test_it_is_confirmed_to_every_proved_mailbox_without_any_content():
    customer = make_customer("sven@example.se", phone="070-123 45 67")
    people.add_identity(
        customer=customer, kind="email", value="s.svensson@example.se", method=VerificationMethod.EMAIL_CODE, now=NOW
    )
    request = make_request(customer, right="erasure", ground="a", reason="I have left.", language="en")
    items = OutboxItem.objects.filter(request=request)
    assert sorted(item.to for item in items) == ["s.svensson@example.se", "sven@example.se"]
    text = items[0].payload["text"]
    assert request.reference in text
    assert "left" not in text
    assert "erase" not in text.lower()


def test_who_has_no_mailbox_gets_a_letter_written_by_a_person():
    customer = make_customer()
    customer.identities.update(verified_at=None)
    request = make_request(customer, level=0, source=Source.POST, entered_by=make_staff("agent"))
    assert [item.kind for item in OutboxItem.objects.filter(request=request)] == [OutboxItem.Kind.TASK]


def test_an_objection_is_followed_without_anybody_deciding():
    make_store("crm")
    request = make_request(right="objection", level=1)
    assert request.state == State.APPROVED
    assert request.approved_by is None


def test_the_audit_log_names_nobody():
    customer = make_customer("sven@example.se")
    request = make_request(customer, right="erasure", ground="a", reason="I have left.")
    log = str([(event.actor, event.action, event.payload) for event in audit.events(request.reference)])
    assert "sven" not in log
    assert "left" not in log


def test_one_mailbox_cannot_ask_and_withdraw_without_end(monkeypatch):
    monkeypatch.setattr(intake, "MOST_A_DAY", 2)
    anna, bo = make_customer(), make_customer()
    for _time in range(2):
        request = make_request(anna, "access", now=NOW)
        cases.withdraw_request(request=request, customer=anna, now=NOW)
    with pytest.raises(cases.NotAllowed, match="many requests today"):
        make_request(anna, "access", now=NOW)
    make_request(bo, "access", now=NOW)
    make_request(anna, "access", now=NOW, level=0, entered_by=make_staff("agent"))  # by letter it goes on
    make_request(anna, "erasure", now=NOW + timedelta(days=1))


def test_nor_for_others(monkeypatch):
    monkeypatch.setattr(intake, "MOST_A_DAY", 2)
    anna = make_customer()
    claim = Claim(representative=anna, role="agent", name="B", identities={"customer_number": "K-1"})
    asked = {"right": "access", "source": "portal", "language": "sv", "now": NOW}
    for _time in range(2):
        request = cases.submit_for_another(claim=claim, **asked)
        cases.withdraw_request(request=request, customer=request.customer, now=NOW)
    with pytest.raises(cases.NotAllowed, match="many requests today"):
        cases.submit_for_another(claim=claim, **asked)
