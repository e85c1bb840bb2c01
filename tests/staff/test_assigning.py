"""Several cases given to a colleague at once; of two who press at the same time one wins, and the other is told."""

import threading

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from privacy.models import AuditEvent
from requests_app import cases
from requests_app.models import RightsRequest
from tests.staff.conftest import Desk, fresh, make_case
from tests.staff.test_queue import QUEUE
from tests.staff.test_steps import take

ASSIGN = reverse("admin:requests_app_rightsrequest_assign")


def choose(desk, who, *chosen):
    """The page that the chosen lines lead to."""
    return desk.browser(who).get(ASSIGN, {"case": [case.pk for case in chosen]})


def press(desk, who, page, colleague):
    seen = [line["seen"] for line in page.context["chosen"]]
    return desk.browser(who).post(ASSIGN, {"case": seen, "assignee": desk.person(colleague).pk if colleague else ""}, follow=True)


@pytest.mark.django_db
def test_chosen_cases_are_given_to_a_colleague(desk):
    one, two, other = make_case(), make_case(), make_case()
    desk.person("arne")
    page = choose(desk, "alice", one, two)
    assert {line["case"].reference for line in page.context["chosen"]} == {one.reference, two.reference}
    answer = press(desk, "alice", page, "arne")
    assert "2 requests are assigned" in answer.content.decode()
    assert {fresh(one).assignee, fresh(two).assignee} == {desk.person("arne")}
    assert fresh(other).assignee is None
    assert AuditEvent.objects.filter(action="request.assigned", actor=f"staff:{desk.person('alice').pk}").count() == 2


@pytest.mark.django_db
def test_what_somebody_else_took_meanwhile_stays_theirs_and_is_told(desk):
    one, two = make_case(), make_case()
    page = choose(desk, "alice", one, two)
    cases.assign_request(request=one, assignee=desk.person("arne"), acting_user=desk.person("arne"), now=timezone.now())
    answer = press(desk, "alice", page, "alice").content.decode()
    assert "Somebody else got there first: 1 request" in answer
    assert "1 request is assigned" in answer
    assert fresh(one).assignee == desk.person("arne")
    assert fresh(two).assignee == desk.person("alice")


@pytest.mark.django_db
def test_what_was_closed_meanwhile_is_not_assigned(desk):
    case = make_case()
    page = choose(desk, "alice", case)
    cases.refuse_request(request=case, acting_user=desk.person("bea"), reason="Not ours.", now=timezone.now())
    assert "Somebody else got there first" in press(desk, "alice", page, "alice").content.decode()
    assert fresh(case).assignee is None


@pytest.mark.django_db
def test_only_who_handles_cases_is_given_any(desk):
    case = make_case()
    page = choose(desk, "alice", case)
    answer = press(desk, "alice", page, "eva")
    assert "assignee" in answer.context["form"].errors
    assert fresh(case).assignee is None
    assert desk.browser("olof").get(ASSIGN, {"case": case.pk}).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("chosen", ["", "x", "0", "99999999999999999999", "-1"])
def test_nothing_chosen_is_asked_for(desk, chosen):
    answer = desk.browser("alice").get(ASSIGN, {"case": chosen}, follow=True)
    assert "Choose the requests first" in answer.content.decode()
    assert desk.browser("alice").post(ASSIGN, {"case": chosen, "assignee": ""}, follow=True).status_code == 200


@pytest.mark.django_db
def test_the_boxes_stand_where_they_are_of_use(desk):
    case = make_case()
    box = f'name="case" value="{case.pk}"'
    assert box in desk.browser("alice").get(QUEUE).content.decode()
    assert box not in desk.browser("olof").get(QUEUE).content.decode()
    cases.refuse_request(request=case, acting_user=desk.person("bea"), reason="Not ours.", now=timezone.now())
    assert box not in desk.browser("alice").get(f"{QUEUE}?show=closed").content.decode()


@pytest.mark.django_db
def test_a_page_that_is_old_does_not_take_the_case_from_a_colleague(desk):
    case = make_case()
    old = RightsRequest.objects.get(pk=case.pk)
    take(desk, "arne", case, "assign", assignee=desk.person("arne").pk)
    with pytest.raises(cases.SomebodyElseGotThereFirst):
        cases.assign_request(request=old, assignee=desk.person("alice"), acting_user=desk.person("alice"), now=timezone.now())
    assert fresh(case).assignee == desk.person("arne")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("together", [False, True])
def test_of_two_who_press_at_once_one_wins_and_the_other_is_told(together):
    """Both hold the case as nobody's; a lock makes them meet."""
    desk, case = Desk(), make_case()
    people = [desk.person(name) for name in ("alice", "arne")]
    told, ready = [], threading.Barrier(3)

    def take_it(person):
        seen = RightsRequest.objects.get(pk=case.pk)
        ready.wait()
        try:
            if together:
                who = {"assignee": person, "acting_user": person}
                given, _lost = cases.assign_requests(seen={case.pk: None}, now=timezone.now(), **who)
                told.append((person, bool(given)))
            else:
                cases.assign_request(request=seen, assignee=person, acting_user=person, now=timezone.now())
                told.append((person, True))
        except cases.SomebodyElseGotThereFirst:
            told.append((person, False))
        finally:
            connection.close()

    threads = [threading.Thread(target=take_it, args=[person]) for person in people]
    with transaction.atomic():
        RightsRequest.objects.select_for_update().get(pk=case.pk)
        for thread in threads:
            thread.start()
        ready.wait()
    for thread in threads:
        thread.join()
    assert sorted(won for _person, won in told) == [False, True]
    assert fresh(case).assignee == next(person for person, won in told if won)
    assert AuditEvent.objects.filter(chain=case.reference, action="request.assigned").count() == 1
