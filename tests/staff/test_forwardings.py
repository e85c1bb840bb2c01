"""Forwarded requests at the desk: a list without names, what is done by hand, and what waits for it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from privacy import audit
from requests_app.models import Forwarding
from tests.staff.conftest import CANARY, CANARY_TRACES, make_case

pytestmark = pytest.mark.django_db
LIST = "admin:requests_app_forwarding_changelist"
CONTROLLER = "host@example.se"


def forward(case, mark="m", **columns):
    who = {"person": [["email", CANARY.email]], "controller": [["email", CONTROLLER]]}
    store = case.runs.first().store
    facts = {"request": case, "store": store, "mark": mark, "collections": ["guestbook"], "created_at": timezone.now()}
    return Forwarding.objects.create(**(facts | who | {"state": "waiting"} | columns))


@pytest.fixture
def row(canary):
    return forward(make_case("erasure", customer=canary))


def url(page, row, *more):
    return reverse(f"admin:requests_app_forwarding_{page}", args=[row.pk, *more])


def test_no_page_names_the_person_or_the_controller(desk, row):
    pages = [reverse(LIST), url("change", row), url("step", row, "by-hand")]
    for page in pages:
        text = desk.browser("alice").get(page).content.decode()
        assert row.reference in text
        assert not [trace for trace in (*CANARY_TRACES, CONTROLLER) if trace in text.casefold()], page


def test_the_page_of_the_case_leads_to_it_and_names_no_controller(desk, row):
    text = desk.browser("alice").get(reverse("admin:requests_app_rightsrequest_change", args=[row.request_id])).content.decode()
    assert url("change", row) in text
    assert CONTROLLER not in text


def test_who_they_are_is_shown_by_post_and_written_down(desk, row):
    alice = desk.browser("alice")
    assert alice.get(url("who", row)).status_code == 405
    text = alice.post(url("who", row)).content.decode()
    assert CANARY.email in text
    assert CONTROLLER in text
    assert audit.events(row.request.reference).filter(action="request.forwarding_seen").count() == 1


def test_what_is_done_by_hand(desk, row):
    alice = desk.browser("alice")
    index = alice.get(reverse("admin:index")).context["figures"]
    (figure,) = [figure for figure in index if figure.label == "Requests to be forwarded by hand"]
    assert figure.count == 1
    assert row.reference in alice.get(figure.url).content.decode()
    alice.post(url("step", row, "by-hand"), {"note": " "})
    row.refresh_from_db()
    assert row.state == "waiting"
    alice.post(url("step", row, "by-hand"), {"note": "Called them."})
    row.refresh_from_db()
    assert (row.state, row.reported_by) == ("sent", desk.person("alice"))
    desk.browser("bea").post(url("step", row, "dealt-with"), {"note": "They erased it."})
    row.refresh_from_db()
    assert (row.state, row.note) == ("done", "They erased it.")


def test_the_list_asks_as_often_however_long_it_is(desk, row):
    counts = []
    for many in (0, 12):
        for number in range(many):
            forward(row.request, f"m{number}")
        desk.browser("bea").get(reverse(LIST))
        with CaptureQueriesContext(connection) as queries:
            desk.browser("bea").get(reverse(LIST))
        counts.append(len(queries))
    assert counts[0] == counts[1]
