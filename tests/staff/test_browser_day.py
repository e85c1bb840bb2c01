"""A day at a full desk, in a real browser: forty open cases, and how an agent and an approver go through them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from privacy.models import PurgeRun, Store
from requests_app import cases
from requests_app.case.answer_times import keep_answer_times
from requests_app.models import RightsRequest, RunState, State
from tests.staff.conftest import FOUND, Desk, fresh, make_case
from tests.staff.test_answer_times import answered
from tests.staff.test_browser_walk import at_the_desk, language, signed_in  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RIGHTS = ("access", "erasure", "access", "portability", "rectification", "access", "restriction", "erasure")
PEOPLE = ("alice", "arne", None, "alice", "bea")


def forty_cases(desk):
    """Due from three days ago to four weeks from now; some wait for their person, some are stopped, some are to be approved."""
    today, made = timezone.localdate(), []
    for number in range(40):
        right, who = RIGHTS[number % len(RIGHTS)], PEOPLE[number % len(PEOPLE)]
        level = 1 if number % 7 == 3 and right != "restriction" else 2
        case = make_case(
            right, stores=3, findings=(FOUND,), level=level, ground="a" if right in ("erasure", "restriction") else ""
        )
        columns = {"due_on": today + timedelta(days=(number * 5) % 31 - 1), "assignee": desk.person(who) if who else None}
        RightsRequest.objects.filter(pk=case.pk).update(**columns)
        if number % 13 == 5:
            case.runs.filter(pk=case.runs.first().pk).update(state=RunState.BLOCKED, error="The table ticket changed.")
        made.append(fresh(case))
    for case in [case for case in made if case.right == "erasure" and case.state == State.TRIAGE][:3]:
        cases.propose_erasure(request=case, acting_user=desk.person("alice"), reason="", now=timezone.now())
    return made


def a_year_of_answers():
    today = timezone.localdate()
    for month in range(11):
        for number, (right, days) in enumerate((("access", 6), ("access", 13), ("erasure", 19), ("portability", 4))):
            day = today - timedelta(days=30 * month + number)
            answered(right, day - timedelta(days=days + (month * 7) % 5), day)
    keep_answer_times(now=timezone.now())


def the_house():
    for store, name in zip(Store.objects.order_by("key"), ("Billing", "Customer register", "Support"), strict=True):
        store.name, store.health, store.checked_at = name, "ok", timezone.now()
        store.save()
        PurgeRun.objects.create(store=store, collection="login", rule="P1Y", state="done", removed=40, started_at=timezone.now())


def test_a_day_of_an_agent_and_of_an_approver(signed_in):  # noqa: F811
    desk = Desk()
    made = forty_cases(desk)
    a_year_of_answers()
    the_house()
    alice, bea = signed_in(desk, "alice"), signed_in(desk, "bea")
    alice.open(reverse("admin:index"))
    alice.look("desk/day, start")
    alice.follow(alice.page.locator(".figures a").first)
    assert alice.page.locator(".views [aria-current]").inner_text() == gettext("Needs me")
    alice.press(gettext("All open"))
    alice.look("desk/day, queue")
    case = next(case for case in made if case.right == "access" and case.state == State.TRIAGE)
    alice.press(case.reference)
    alice.press(gettext("Write a note"))
    alice.fill("text", "@bea, kan du godkänna den här i dag? Allt är funnet.")
    alice.send()
    alice.look("desk/day, case")

    bea.open(reverse("admin:index"))
    bea.follow(bea.page.locator(".figures a", has_text=gettext("Mention me")))
    bea.press(case.reference)
    bea.press(gettext("I have read it"))
    bea.press(gettext("Approve"))
    bea.look("desk/day, approving")
    bea.send()
    assert fresh(case).state == State.APPROVED
    bea.open(reverse("admin:requests_app_rightsrequest_changelist") + "?whose=approval")
    bea.follow(bea.page.locator("#result_list tbody a").first)
    bea.press(gettext("Approve the erasure"))
    bea.look("desk/day, plan")
