"""Approving an erasure: somebody else, a fresh code of the app, the code of the very plan that was read; once."""

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from privacy.models import AuditEvent
from requests_app import cases
from requests_app.desk.standing import short_code
from requests_app.models import RightsRequest, State
from tests.staff.conftest import FOUND, Desk, fresh, make_case

pytestmark = pytest.mark.django_db


def proposed_case(desk, who="alice", **more):
    case = make_case("erasure", findings=(FOUND,), **more)
    cases.propose_erasure(request=case, acting_user=desk.person(who), reason="All is well.", now=timezone.now())
    return fresh(case)


def url_of(case):
    return reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "approve-erasure"])


def approve(desk, who, case, *, code=None, **changed):
    """Read the page and send what it asks for, but for what the test changes."""
    page = desk.browser(who).get(url_of(case))
    assert page.status_code == 200, page.get("Location")
    digest = page.context["form"]["digest"].value()
    data = {"seen": page.context["seen"], "digest": digest, "plan_code": short_code(digest), "otp_token": code or desk.code(who)}
    return desk.browser(who).post(url_of(case), data | changed)


def test_a_second_person_approves_with_a_fresh_code(desk):
    case = proposed_case(desk)
    approve(desk, "bea", case)
    done = fresh(case)
    assert done.state == State.APPROVED
    assert (done.proposed_by, done.approved_by) == (desk.person("alice"), desk.person("bea"))
    event = AuditEvent.objects.get(chain=case.reference, action="request.approve_erasure")
    assert event.payload["plan_digest"] == done.plan_digest


def test_the_page_shows_the_plan_its_code_and_what_will_happen(desk):
    case = proposed_case(desk)
    page = desk.browser("bea").get(url_of(case)).content.decode()
    assert short_code(case.plan_digest) in page
    for words in (
        "delete 2 rows",
        "keep 2 rows until 1 January 2034",
        "3 rows will be deleted and 1 row anonymized.",
        "cannot be undone",
    ):
        assert words in page


def test_the_code_of_the_plan_may_be_typed_carelessly(desk):
    case = proposed_case(desk)
    approve(desk, "bea", case, plan_code=short_code(case.plan_digest).lower().replace("-", " "))
    assert fresh(case).state == State.APPROVED


def test_who_proposed_does_not_approve(desk):
    case = proposed_case(desk, who="bea")
    answer = desk.browser("bea").get(url_of(case))
    assert answer.status_code == 302
    data = {
        "seen": "proposed",
        "digest": case.plan_digest,
        "plan_code": short_code(case.plan_digest),
        "otp_token": desk.code("bea"),
    }
    desk.browser("bea").post(url_of(case), data)
    assert fresh(case).state == State.PROPOSED


def test_who_entered_it_does_not_approve(desk):
    case = proposed_case(desk)
    RightsRequest.objects.filter(pk=case.pk).update(entered_by=desk.person("bea"))
    assert desk.browser("bea").get(url_of(case)).status_code == 302


def test_an_agent_does_not_approve(desk):
    assert desk.browser("arne").get(url_of(proposed_case(desk))).status_code == 403


@pytest.mark.parametrize("code", ["000000", "12345", "abcdef", "0000000000"])
def test_a_wrong_code_is_refused(desk, code):
    case = proposed_case(desk)
    answer = approve(desk, "bea", case, code=code)
    assert answer.context["form"].errors
    assert fresh(case).state == State.PROPOSED


def test_no_code_is_refused(desk):
    case = proposed_case(desk)
    assert "otp_token" in approve(desk, "bea", case, otp_token="").context["form"].errors
    assert fresh(case).state == State.PROPOSED


def test_an_old_code_is_refused(desk):
    case = proposed_case(desk)
    assert "otp_token" in approve(desk, "bea", case, code=desk.code("bea", steps=-4)).context["form"].errors


def test_a_code_that_was_used_before_is_refused(desk):
    first, second = proposed_case(desk), proposed_case(desk)
    with time_machine.travel(timezone.now(), tick=False):
        code = desk.code("bea")
        approve(desk, "bea", first, code=code)
        assert fresh(first).state == State.APPROVED
        assert "otp_token" in approve(desk, "bea", second, code=code).context["form"].errors
    assert fresh(second).state == State.PROPOSED


def test_the_code_that_signed_in_is_not_fresh(desk):
    case = proposed_case(desk)
    bea = desk.person("bea")
    with time_machine.travel(timezone.now(), tick=False):
        code = desk.code("bea")
        bea.set_password("correct horse battery")
        bea.save()
        from django.test import Client

        client = Client()
        client.post(reverse("admin:login"), {"username": bea.email, "password": "correct horse battery", "otp_token": code})
        desk.browsers["bea"] = client
        client.cookies["django_language"] = "en"
        assert "otp_token" in approve(desk, "bea", case, code=code).context["form"].errors


def test_somebody_elses_code_is_refused(desk):
    case = proposed_case(desk)
    desk.person("bo")
    assert "otp_token" in approve(desk, "bea", case, code=desk.code("bo")).context["form"].errors


def test_guessing_is_slowed_down_even_for_the_right_code(desk):
    case = proposed_case(desk)
    for _attempt in range(3):
        approve(desk, "bea", case, code="000000")
    assert "otp_token" in approve(desk, "bea", case).context["form"].errors
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        approve(desk, "bea", case)
    assert fresh(case).state == State.APPROVED


def test_a_wrong_plan_code_costs_no_code_of_the_app(desk):
    case = proposed_case(desk)
    with time_machine.travel(timezone.now(), tick=False):
        code = desk.code("bea")
        assert "plan_code" in approve(desk, "bea", case, code=code, plan_code="0000-0000").context["form"].errors
        approve(desk, "bea", case, code=code)
    assert fresh(case).state == State.APPROVED


def test_a_plan_that_changed_while_it_was_read_is_not_approved(desk):
    case = proposed_case(desk)
    page = desk.browser("bea").get(url_of(case))
    digest = page.context["form"]["digest"].value()
    case.runs.filter(pk=case.runs.first().pk).update(digest="another")
    data = {"seen": page.context["seen"], "digest": digest, "plan_code": short_code(digest), "otp_token": desk.code("bea")}
    answer = desk.browser("bea").post(url_of(case), data, follow=True)
    assert "changed since it was proposed" in answer.content.decode()
    assert fresh(case).state == State.PROPOSED


def test_a_forged_digest_is_not_approved(desk):
    case = proposed_case(desk)
    answer = approve(desk, "bea", case, digest="f" * 64)
    assert answer.context["form"].errors
    assert fresh(case).state == State.PROPOSED


def test_what_goes_before_an_erasure_is_said(desk):
    case = proposed_case(desk)
    other = make_case("access", customer=case.customer)
    answer = desk.browser("bea").get(url_of(case), follow=True)
    assert f"still waits for request {other.reference}" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_approvers_at_once_one_wins_and_the_other_is_told():
    desk = Desk()
    case = proposed_case(desk)
    answers, start = {}, threading.Barrier(2)
    pages = {who: desk.browser(who).get(url_of(case)) for who in ("bea", "bo")}
    codes = {who: desk.code(who) for who in pages}

    def press(who):
        digest = pages[who].context["form"]["digest"].value()
        data = {"seen": pages[who].context["seen"], "digest": digest, "plan_code": short_code(digest), "otp_token": codes[who]}
        start.wait()
        try:
            answers[who] = desk.browser(who).post(url_of(case), data)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=press, args=[who]) for who in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers.values()} == {302}
    said = [desk.browser(who).get(answer["Location"]).content.decode() for who, answer in answers.items()]
    assert sum("approved and handed to the workers" in page for page in said) == 1
    assert sum("Somebody else got there first" in page for page in said) == 1
    assert AuditEvent.objects.filter(chain=case.reference, action="request.approve_erasure").count() == 1
