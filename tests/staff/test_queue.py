"""The queue: what needs me first, then by due date; no personal data in any line; the same cost for any number of cases."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from privacy.models import AuditEvent
from requests_app import cases
from requests_app.models import RightsRequest, RunState
from tests.factories import make_customer
from tests.staff.conftest import CANARY, CANARY_TRACES, fresh, make_case, overdue

pytestmark = pytest.mark.django_db
QUEUE = reverse("admin:requests_app_rightsrequest_changelist")
FIND = reverse("admin:requests_app_rightsrequest_find")
INDEX = reverse("admin:index")


def references(answer):
    return [case.reference for case in answer.context["cl"].result_list]


def listed(desk, who, query=""):
    return references(desk.browser(who).get(f"{QUEUE}?{query}"))


def in_days(case, days):
    RightsRequest.objects.filter(pk=case.pk).update(due_on=timezone.localdate() + timedelta(days=days))
    return case


def assign(case, desk, who):
    cases.assign_request(request=case, assignee=desk.person(who), acting_user=desk.person(who), now=timezone.now())


def test_what_needs_me_comes_first_and_then_the_due_date(desk):
    late_elsewhere = overdue(make_case())
    assign(late_elsewhere, desk, "arne")
    later, soon = in_days(make_case(), 20), in_days(make_case(), 2)
    mine = in_days(make_case(), 10)
    assign(mine, desk, "alice")
    assert listed(desk, "alice") == [case.reference for case in (soon, mine, later, late_elsewhere)]


def test_a_proposed_erasure_needs_the_approvers_and_not_who_proposed_it(desk):
    case = make_case("erasure")
    cases.propose_erasure(request=case, acting_user=desk.person("bea"), reason="", now=timezone.now())
    assert listed(desk, "bo", "whose=approval") == [case.reference]
    assert listed(desk, "bo", "whose=needs-me") == [case.reference]
    assert listed(desk, "bea", "whose=approval") == []
    assert listed(desk, "alice", "whose=approval") == []


def test_who_entered_a_request_is_not_asked_to_decide_it(desk):
    case = make_case()
    RightsRequest.objects.filter(pk=case.pk).update(entered_by=desk.person("alice"))
    assert listed(desk, "alice", "whose=needs-me") == []
    assert listed(desk, "arne", "whose=needs-me") == [case.reference]


def test_closed_cases_are_shown_when_asked_for(desk):
    open_case, closed = make_case(), make_case()
    cases.refuse_request(request=closed, acting_user=desk.person("bea"), reason="Not ours.", now=timezone.now())
    assert listed(desk, "alice") == [open_case.reference]
    assert listed(desk, "alice", "show=closed") == [closed.reference]
    assert set(listed(desk, "alice", "show=all")) == {open_case.reference, closed.reference}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("due=overdue", "late"),
        ("due=soon", "soon"),
        ("due=paused", "paused"),
        ("state__exact=identifying", "paused"),
        ("runs=stopped", "stopped"),
        ("right=erasure", "soon"),
        ("whose=mine", "late"),
        ("source__exact=portal&right=rectification", "stopped"),
    ],
)
def test_filters_find_what_they_say(desk, query, expected):
    made = {
        "late": overdue(make_case()),
        "soon": in_days(make_case("erasure"), 3),
        "paused": make_case("portability", level=1),
        "stopped": make_case("rectification"),
    }
    made["stopped"].runs.update(state=RunState.BLOCKED)
    assign(made["late"], desk, "alice")
    assert listed(desk, "alice", query) == [made[expected].reference]


def test_the_due_badge_says_it_in_words(desk):
    overdue(make_case())
    in_days(make_case("erasure"), 0)
    in_days(make_case("portability"), 1)
    make_case("access", customer=make_customer(), level=1)
    page = desk.browser("alice").get(QUEUE).content.decode()
    for words in ("3 days overdue", "due today", "1 day left", "clock paused"):
        assert words in page


def test_the_stores_that_are_done_are_counted(desk):
    case = make_case(stores=3)
    case.runs.filter(pk=case.runs.first().pk).update(state=RunState.DONE)
    assert "1/3" in desk.browser("alice").get(QUEUE).content.decode()


@pytest.mark.parametrize("who", ["alice", "bea", "olof"])
def test_no_line_holds_anything_personal(desk, canary, who):
    case = make_case("erasure", customer=canary)
    assign(case, desk, "alice")
    for url in (QUEUE, INDEX, f"{QUEUE}?show=all&person={canary.public_id}"):
        page = desk.browser(who).get(url).content.decode().lower()
        assert case.reference.lower() in page or url == INDEX
        assert not [trace for trace in CANARY_TRACES if trace in page]


def queries_of(browser, url):
    browser.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(url).status_code == 200
    return len(queries)


@pytest.mark.parametrize("url", [QUEUE, f"{QUEUE}?show=all", f"{QUEUE}?runs=stopped", INDEX])
def test_a_page_costs_the_same_for_one_case_and_for_many(desk, url):
    browser = desk.browser("bea")
    first = make_case()
    assign(first, desk, "bea")
    first.runs.update(state=RunState.BLOCKED)
    few = queries_of(browser, url)
    for number in range(12):
        case = make_case(["access", "erasure", "rectification"][number % 3])
        assign(case, desk, "bea")
        case.runs.update(state=RunState.BLOCKED)
    assert queries_of(browser, url) == few


def test_the_queue_never_reads_encrypted_columns(desk, canary):
    browser = desk.browser("alice")
    make_case(customer=canary)
    with CaptureQueriesContext(connection) as queries:
        browser.get(QUEUE)
    read = " ".join(query["sql"] for query in queries if "requests_app_" in query["sql"])
    for column in ('"reason"', '"details"', '"decision_reason"', '"answer"', '"identity_note"', '"plan"'):
        assert column not in read


# --- finding ----------------------------------------------------------------------------------------------------------


def find(desk, wanted, who="alice", **more):
    return desk.browser(who).post(FIND, {"wanted": wanted}, **more)


@pytest.mark.parametrize(
    "shape", [str, str.lower, lambda reference: reference.replace("-", ""), lambda reference: f"  {reference} "]
)
def test_a_reference_leads_to_its_case(desk, shape):
    case = make_case()
    assert find(desk, shape(case.reference))["Location"] == reverse("admin:requests_app_rightsrequest_change", args=[case.pk])


@pytest.mark.parametrize("written", [CANARY.email, CANARY.email.upper(), CANARY.phone, "070-174 06 35"])
def test_an_identity_leads_to_the_cases_of_its_person(desk, canary, written):
    case = make_case(customer=canary)
    make_case()
    answer = find(desk, written, follow=True)
    assert references(answer) == [case.reference]


def test_half_an_identity_finds_nothing(desk, canary):
    make_case(customer=canary)
    for part in ("kanariefagel", "hemligt.example", "1740635", "%", "kanariefagel@hemligt.exampl"):
        assert "No request has this reference" in find(desk, part, follow=True).content.decode()


def test_what_was_looked_for_stands_in_no_address_and_no_message(desk, canary):
    make_case(customer=canary)
    for wanted in (CANARY.email, "nobody@hemligt.example"):
        answer = find(desk, wanted)
        assert "hemligt" not in answer["Location"]
        assert "%40" not in answer["Location"]
        assert "hemligt" not in desk.browser("alice").get(answer["Location"]).content.decode()


def test_looking_for_a_person_is_logged_without_saying_for_whom(desk, canary):
    make_case(customer=canary)
    find(desk, CANARY.email, who="olof")
    event = AuditEvent.objects.get(action="person.searched")
    assert event.actor == f"staff:{desk.person('olof').pk}"
    assert event.payload == {"found": 1}


def test_a_shared_telephone_shows_everybody_who_has_it(desk):
    one, two = make_customer("a@x.example", phone=CANARY.phone), make_customer("b@x.example", phone=CANARY.phone)
    made = {make_case(customer=one).reference, make_case(customer=two).reference}
    assert set(references(find(desk, CANARY.phone, follow=True))) == made


def test_nothing_is_looked_for_by_an_address(desk):
    assert desk.browser("alice").get(FIND, {"wanted": CANARY.email}).status_code == 302
    assert not AuditEvent.objects.filter(action="person.searched").exists()


def test_an_empty_search_says_what_to_write(desk):
    assert "Write a reference" in find(desk, "  ", follow=True).content.decode()


# --- the first page ---------------------------------------------------------------------------------------------------


def figures(desk, who):
    return {figure.label: figure for figure in desk.browser(who).get(INDEX).context["figures"]}


def test_each_figure_counts_what_its_link_lists(desk):
    overdue(make_case())
    in_days(make_case("erasure"), 3)
    make_case("portability", level=1)
    make_case("rectification").runs.update(state=RunState.BLOCKED)
    proposed = make_case("erasure")
    cases.propose_erasure(request=proposed, acting_user=desk.person("alice"), reason="", now=timezone.now())
    found = figures(desk, "bea")
    assert {
        "Need me",
        "Wait for my approval",
        "Overdue",
        "Due within 7 days",
        "Wait for proof of identity",
        "Stopped in a store",
    } <= set(found)
    for figure in found.values():
        answer = desk.browser("bea").get(figure.url)
        assert answer.context["cl"].result_count == figure.count, figure.label
    assert all(
        found[label].count == 1
        for label in ("Overdue", "Wait for my approval", "Stopped in a store", "Wait for proof of identity")
    )


def test_a_role_sees_figures_of_its_own_work(desk):
    make_case()
    assert "Need me" not in figures(desk, "olof")
    assert set(figures(desk, "eva")) == {
        "Stores out of reach",
        "Stores without a data map",
        "Purges that stopped last time",
        "Messages not delivered yet",
    }
    assert "Colleagues not enrolled yet" in figures(desk, "ada")
    assert not {label for label in figures(desk, "ada") if "identity" in label or "Overdue" in label}


def test_next_up_lists_what_needs_me_by_due_date(desk):
    later, sooner = in_days(make_case(), 9), in_days(make_case(), 4)
    lines = desk.browser("alice").get(INDEX).context["next_up"]
    assert [line["case"].reference for line in lines] == [sooner.reference, later.reference]
    assert fresh(later).is_open
