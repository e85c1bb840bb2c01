"""Who is it? Levels are proved by codes or accepted by staff; asking for more takes a written doubt and stops the clock."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts import people
from accounts.models import CustomerIdentity, VerificationMethod
from requests_app import cases
from requests_app.models import OutboxItem, RunState, Source, State, StoreRun
from requests_app.running.workers import locate_due, sweep
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


def test_a_second_proof_takes_the_request_on_and_ends_the_pause():
    request = make_request(right="access", level=1, now=datetime(2026, 9, 10, 10, tzinfo=UTC))
    cases.record_identity_level(request=request, level=2, now=datetime(2026, 9, 22, 23, tzinfo=UTC))
    assert request.state == State.TRIAGE
    assert request.paused_days == 13  # the 23rd had begun in Sweden
    assert request.due_on == request.notice_due_on == date(2026, 10, 23)


def test_asked_and_answered_on_one_day_adds_nothing():
    request = make_request(right="access", level=1, now=NOW)
    cases.record_identity_level(request=request, level=2, now=NOW + timedelta(hours=3))
    assert (request.paused_days, request.due_on) == (0, date(2026, 4, 7))


def test_a_level_never_falls():
    request = make_request(level=2)
    cases.record_identity_level(request=request, level=1, now=NOW)
    assert request.identity_level == 2


def test_staff_ask_for_more_with_a_written_doubt_and_the_clock_stops():
    agent = make_staff("agent")
    request = make_request(right="rectification", level=1, now=NOW)
    with pytest.raises(cases.NotAllowed, match="Write down why"):
        cases.ask_identity(request=request, acting_user=agent, doubt="  ", now=NOW)
    cases.ask_identity(request=request, acting_user=agent, doubt="The mailbox changed yesterday.", now=NOW)
    assert (request.state, request.paused_at) == (State.IDENTIFYING, NOW)
    assert request.identity_note == "The mailbox changed yesterday."
    assert OutboxItem.objects.filter(request=request, key__contains=":identity:").count() == 1


def test_a_doubt_about_the_mailbox_is_not_answered_by_the_same_mailbox():
    request = make_request(right="rectification", level=1, now=NOW)
    cases.ask_identity(request=request, acting_user=make_staff("agent"), doubt="Odd.", now=NOW)
    cases.record_identity_level(request=request, level=1, now=NOW)
    assert request.state == State.IDENTIFYING
    cases.record_identity_level(request=request, level=2, now=NOW)
    assert request.state == State.TRIAGE


def test_nobody_is_asked_who_gave_a_second_proof():
    request = make_request(level=2)
    with pytest.raises(cases.NotAllowed, match="12\\(6\\)"):
        cases.ask_identity(request=request, acting_user=make_staff("agent"), doubt="Just to be sure.", now=NOW)


def test_staff_accept_evidence_and_say_which():
    approver = make_staff("approver")
    request = make_request(right="access", level=1)
    with pytest.raises(cases.NotAllowed, match="what proof"):
        cases.record_identity_level(request=request, level=2, acting_user=approver, now=NOW)
    cases.record_identity_level(request=request, level=2, acting_user=approver, note="Passport shown at the desk.", now=NOW)
    assert (request.state, request.identity_level) == (State.TRIAGE, 2)


def test_who_entered_a_request_does_not_set_its_identity_level():
    agent = make_staff("agent")
    request = make_request(level=0, source=Source.PHONE, entered_by=agent)
    with pytest.raises(cases.NotAllowed, match="You entered"):
        cases.record_identity_level(request=request, level=2, acting_user=agent, note="I know her.", now=NOW)


def test_evidence_speaks_for_what_was_entered_and_not_for_what_was_only_claimed():
    customer = make_customer("lisa@example.se")
    customer.identities.update(verified_at=None, method=VerificationMethod.STAFF)
    claimed = people.add_identity(
        customer=customer, kind="email", value="other@example.se", method=VerificationMethod.EMAIL_CODE, now=NOW
    )
    CustomerIdentity.objects.filter(pk=claimed.pk).update(verified_at=None)
    request = make_request(customer, level=0, source=Source.PHONE, entered_by=make_staff("agent"))
    colleague = make_staff("agent")
    cases.record_identity_level(request=request, level=2, acting_user=colleague, note="Passport.", now=NOW)
    verified = customer.identities.filter(verified_at__isnull=False)
    assert [(row.value, row.verified_by) for row in verified] == [("lisa@example.se", colleague)]


def test_without_any_proved_identity_there_is_nothing_to_look_by():
    customer = make_customer()
    customer.identities.update(verified_at=None)
    request = make_request(customer, level=0, source=Source.PHONE, entered_by=make_staff("agent"))
    with pytest.raises(cases.NotAllowed, match="No identity"):
        cases.record_identity_level(request=request, level=1, acting_user=make_staff("agent"), note="Voice.", now=NOW)
    assert request.state == State.IDENTIFYING


def test_roles_without_cases_record_nothing():
    request = make_request(right="access", level=1)
    for role in ("engineer", "officer", "administrator"):
        with pytest.raises(cases.NotAllowed, match="role"):
            cases.record_identity_level(request=request, level=2, acting_user=make_staff(role), note="Trust me.", now=NOW)


def test_a_new_identity_is_looked_for_too(engine, clock):
    make_store("crm")
    customer = make_customer("kim@example.se", now=NOW)
    request = make_request(customer, right="restriction", level=1, now=NOW)
    assert locate_due(clock=clock) == 1
    later = clock.forward(days=1)
    people.add_identity(
        customer=customer, kind="phone_number", value="070-123 45 67", method=VerificationMethod.SMS_CODE, now=later
    )
    cases.record_identity_level(request=request, level=2, now=later)
    assert StoreRun.objects.get(request=request).state == RunState.LOCATING
    assert locate_due(clock=clock) == 1
    assert len(engine.finds) == 2


def test_the_sweep_sees_a_new_identity_when_nobody_tells(engine, clock):
    make_store("crm")
    customer = make_customer(now=NOW)
    make_request(customer, right="restriction", level=1, now=NOW)
    locate_due(clock=clock)
    assert "locate" not in sweep(now=clock.forward(minutes=1))
    people.add_identity(
        customer=customer,
        kind="phone_number",
        value="070-123 45 67",
        method=VerificationMethod.SMS_CODE,
        now=clock.forward(minutes=1),
    )
    assert "locate" in sweep(now=clock.forward(minutes=1))


def test_proving_the_same_mailbox_again_looks_for_nothing_anew(engine, clock):
    make_store("crm")
    customer = make_customer("kim@example.se", now=NOW)
    request = make_request(customer, right="restriction", level=1, now=NOW)
    locate_due(clock=clock)
    later = clock.forward(days=1)
    people.add_identity(customer=customer, kind="email", value="kim@example.se", method=VerificationMethod.EMAIL_CODE, now=later)
    cases.record_identity_level(request=request, level=1, now=later)
    assert StoreRun.objects.get(request=request).state == RunState.READY


def test_a_closed_request_keeps_its_level():
    customer = make_customer()
    request = make_request(customer, right="access", level=1)
    cases.withdraw_request(request=request, customer=customer, now=NOW)
    with pytest.raises(cases.NotAllowed, match="closed"):
        cases.record_identity_level(request=request, level=2, now=NOW)


def test_two_rounds_of_asking_add_up():
    agent = make_staff("agent")
    request = make_request(right="restriction", level=1, now=datetime(2026, 9, 10, 10, tzinfo=UTC))
    cases.ask_identity(request=request, acting_user=agent, doubt="Odd.", now=datetime(2026, 9, 11, 10, tzinfo=UTC))
    cases.record_identity_level(
        request=request, level=1, acting_user=make_staff("agent"), note="Called back.", now=datetime(2026, 9, 14, 10, tzinfo=UTC)
    )
    cases.ask_identity(request=request, acting_user=agent, doubt="Odd again.", now=datetime(2026, 9, 15, 10, tzinfo=UTC))
    cases.record_identity_level(request=request, level=2, now=datetime(2026, 9, 24, 10, tzinfo=UTC))
    assert (request.paused_days, request.due_on) == (12, date(2026, 10, 22))
