"""Evidence that staff accepted for one request opens that request's answer to its person's proved mailbox, and nothing else."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from privacy import audit
from requests_app import cases
from requests_app.api import tokens
from requests_app.models import RightsRequest, State
from tests.factories import make_customer, make_request, make_staff, make_store, sign_in_customer
from tests.requests_app.packages import give_package, part

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return make_customer("anna@example.se", language="en")


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"


def browser_of(customer, level=1):
    browser = Client()
    browser.cookies["django_language"] = "en"
    sign_in_customer(browser, customer, level=level)
    return browser


def answered(customer, right="access", *, evidence):
    """A request that came by mailbox alone and is answered; its level was raised by staff's evidence, or by a code."""
    case, now = make_request(customer, right, level=1), timezone.now()
    staff = make_staff(Role.AGENT) if evidence else None
    note = "Passport at the counter." if evidence else ""
    cases.record_identity_level(request=case, level=2, now=now, acting_user=staff, note=note)
    RightsRequest.objects.filter(pk=case.pk).update(state=State.COMPLETED, answer="Five invoices.", closed_at=now)
    give_package(case, part([["Anna"]], "name"))
    return case


def downloads(case):
    return [event.payload for event in audit.events(case.reference) if event.action == "package.downloaded"]


def test_who_proved_it_to_staff_downloads_with_the_mailbox_alone(anna):
    case = answered(anna, evidence=True)
    browser = browser_of(anna)
    page = browser.get(f"/requests/{case.reference}/").content.decode()
    assert "Read my data" in page
    assert "Five invoices." in page
    assert "Confirm who you are" not in page
    answer = browser.get(f"/requests/{case.reference}/package/")
    assert b"".join(answer.streaming_content)[:2] == b"PK"
    assert downloads(case)[0]["level"] == "staff"


def test_and_so_does_their_program(anna):
    make_store("crm")
    case = answered(anna, evidence=True)
    _token, plain = tokens.create_token(customer=anna, scope="read", identity_level=1, now=timezone.now())
    program = Client(headers={"Authorization": f"Bearer {plain}"})
    one = program.get(f"/api/v1/requests/{case.reference}/").json()
    assert len(one["answers"]) == 1
    assert program.get(f"/api/v1/requests/{case.reference}/download/").status_code == 200
    assert downloads(case)[0]["level"] == "staff"


def test_their_other_request_still_asks_for_the_second_proof(anna):
    answered(anna, evidence=True)
    other = answered(anna, "portability", evidence=False)
    browser = browser_of(anna)
    assert browser.get(f"/requests/{other.reference}/package/")["Location"].startswith("/identity/?next=")
    assert "Five invoices." not in browser.get(f"/requests/{other.reference}/").content.decode()
    assert browser.get(f"/api/v1/requests/{other.reference}/download/").status_code == 403
    assert downloads(other) == []


def test_a_sitting_with_the_second_proof_is_recorded_as_before(anna):
    case = answered(anna, evidence=True)
    assert browser_of(anna, level=2).get(f"/requests/{case.reference}/package/").status_code == 200
    assert "level" not in downloads(case)[0]


def test_it_opens_nothing_to_another_customer_nor_to_a_lower_level(anna):
    case = answered(anna, evidence=True)
    bo = browser_of(make_customer("bo@example.se"), level=2)
    assert bo.get(f"/requests/{case.reference}/package/").status_code == 404
    assert bo.get(f"/api/v1/requests/{case.reference}/download/").status_code == 404
    lesser = make_request(anna, "portability", level=0)
    cases.record_identity_level(
        request=lesser, level=1, now=timezone.now(), acting_user=make_staff(Role.AGENT), note="Wrote from the mailbox."
    )
    lesser.refresh_from_db()
    assert cases.level_for(lesser, level=1) == 1


def test_it_does_not_raise_the_sitting(anna):
    case = answered(anna, evidence=True)
    browser = browser_of(anna)
    browser.get(f"/requests/{case.reference}/package/")
    assert browser.session["customer"]["level"] == 1
    assert browser.get(f"/requests/{case.reference}/waive/")["Location"].startswith("/identity/?next=")
