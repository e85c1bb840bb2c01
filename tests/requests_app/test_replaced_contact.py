"""Replacing an address takes effect after the old one was told and had time to object (R16)."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.people import find_or_create_customer
from requests_app import cases
from requests_app.case.corrections import follow_in_account
from requests_app.case.timeline import timeline
from requests_app.errors import NotAllowed
from requests_app.models import OutboxItem, RightsRequest, RunState, State, StoreRun
from requests_app.models.representation import Representation
from requests_app.running.workers import locate_due, run_due
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db
DELAY = timedelta(hours=72)
EMAIL = {"field": "crm.customer.email", "kind": "email", "old": "anna@example.com", "new": "anna@work.example", "confirmed": True}
CITY = {"field": "crm.customer.city", "kind": "text", "old": "Lund", "new": "Malmö"}


@pytest.fixture(autouse=True)
def delay(settings: Any) -> None:
    settings.INSYN_CONTACT_CHANGE_HOURS = 72


def asked(*corrections: dict[str, Any], phone: str | None = None) -> RightsRequest:
    make_store("crm")
    anna = make_customer("anna@example.com", phone=phone, now=NOW)
    return make_request(anna, "rectification", details={"corrections": list(corrections)}, now=NOW)


def approved(*corrections: dict[str, Any], phone: str | None = None) -> RightsRequest:
    case = asked(*corrections, phone=phone)
    while locate_due(clock=lambda: NOW):
        pass
    case.refresh_from_db()
    cases.approve_request(request=case, acting_user=make_staff("approver"), reason="", now=NOW)
    case.refresh_from_db()
    return case


def test_it_waits_and_the_old_address_reads_until_when(engine: Any) -> None:
    case = approved(EMAIL)
    assert run_due(clock=lambda: NOW + DELAY - timedelta(seconds=1)) == 0
    assert not engine.executions
    (notice,) = OutboxItem.objects.filter(key__contains=":replaced:")
    assert notice.to == "anna@example.com"
    assert str((NOW + DELAY).day) in notice.payload["text"]
    (entry,) = [entry for entry in timeline(case) if "approved" in entry.title]
    assert "takes effect" in entry.text
    assert run_due(clock=lambda: NOW + DELAY) == 1


def test_of_a_person_who_must_not_be_told_the_old_address_is_not_told_either(engine: Any) -> None:
    case = asked(EMAIL)
    Representation.objects.create(
        request=case, role="trustee", state="accepted", not_told_reason="Skyddad identitet.", person_known_at=NOW, created_at=NOW
    )
    while locate_due(clock=lambda: NOW):
        pass
    case.refresh_from_db()
    cases.approve_request(request=case, acting_user=make_staff("approver"), reason="", now=NOW)
    case.refresh_from_db()
    assert not OutboxItem.objects.filter(key__contains=":replaced:").exists()
    assert "anna@example.com" not in {item.to for item in OutboxItem.objects.filter(created_at=NOW, key__contains="replaced")}
    assert run_due(clock=lambda: NOW + DELAY - timedelta(seconds=1)) == 0  # it waits all the same: staff can still be reached
    (entry,) = [entry for entry in timeline(case, for_representative=True) if "approved" in entry.title]
    assert "was told" not in entry.text
    assert "takes effect" in entry.text


def test_other_corrections_are_made_at_once(engine: Any) -> None:
    case = approved(CITY)
    assert run_due(clock=lambda: NOW) == 1
    assert not OutboxItem.objects.filter(key__contains=":replaced:").exists()
    (entry,) = [entry for entry in timeline(case) if "approved" in entry.title]
    assert entry.text == ""


def test_staff_stop_it_when_the_old_address_objects(engine: Any) -> None:
    case = approved(EMAIL)
    cases.return_to_triage(request=case, acting_user=make_staff("agent"), reason="She says it was not her.", now=NOW)
    case.refresh_from_db()
    assert case.state == State.TRIAGE
    assert run_due(clock=lambda: NOW + DELAY) == 0
    assert StoreRun.objects.get(request=case).state == RunState.LOCATING
    assert not engine.executions


def test_what_has_begun_cannot_be_called_back(engine: Any) -> None:
    case = approved(EMAIL)
    stale = RightsRequest.objects.get(pk=case.pk)
    assert run_due(clock=lambda: NOW + DELAY) == 1
    with pytest.raises(NotAllowed):
        cases.return_to_triage(request=stale, acting_user=make_staff("agent"), reason="Too late.", now=NOW + DELAY)


PHONE = {"field": "crm.customer.phone", "kind": "phone", "old": "+46701740601", "new": "+46701740602"}


def done(*corrections: dict[str, Any], phone: str | None = None) -> RightsRequest:
    case = approved(*corrections, phone=phone)
    assert run_due(clock=lambda: NOW + DELAY) == 1
    case.refresh_from_db()
    assert case.state == State.COMPLETED
    return case


def identities(case: RightsRequest) -> set[tuple[str, str]]:
    return {(row.kind, row.value) for row in case.customer.identities.all()}


def test_the_account_follows_the_corrected_address_and_number(engine: Any) -> None:
    case = done(EMAIL, PHONE, phone=PHONE["old"])
    assert identities(case) == {("email", "anna@work.example")}
    assert find_or_create_customer(email="anna@work.example", language="sv", now=NOW) == case.customer
    (notice,) = OutboxItem.objects.filter(key__contains=":answered:")
    assert notice.to == "anna@work.example"


def test_who_gets_the_old_mailbox_next_is_somebody_else(engine: Any) -> None:
    case = done(EMAIL)
    assert find_or_create_customer(email="anna@example.com", language="sv", now=NOW) != case.customer


def test_an_address_that_nobody_proved_or_that_is_another_account_changes_no_account(engine: Any) -> None:
    other = make_customer("anna@work.example")
    case = done(EMAIL)
    assert identities(case) == {("email", "anna@example.com")}
    assert [row.value for row in other.identities.all()] == ["anna@work.example"]


def test_who_proved_the_mailbox_alone_keeps_the_account_as_it_is(engine: Any) -> None:
    case = asked(EMAIL, PHONE, phone=PHONE["old"])
    before = identities(case)
    RightsRequest.objects.filter(pk=case.pk).update(identity_level=1)
    case.refresh_from_db()
    follow_in_account(case, now=NOW)
    assert identities(case) == before


def test_who_acts_for_another_changes_no_account(engine: Any) -> None:
    case = asked(EMAIL)
    guardian = make_customer("guardian@example.com")
    Representation.objects.create(request=case, representative=guardian, role="guardian", created_at=NOW)
    follow_in_account(case, now=NOW)
    assert identities(case) == {("email", "anna@example.com")}
