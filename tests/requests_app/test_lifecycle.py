"""One table of states: what it allows moves, what it does not stays, and the docs are printed from it."""

from pathlib import Path

import pytest

from privacy import audit
from requests_app.case.lifecycle import TRANSITIONS, as_markdown, transition
from requests_app.models import OPEN_STATES, RightsRequest, State
from tests.factories import NOW, make_customer, make_request

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db


def test_the_page_in_the_docs_is_printed_from_the_table():
    assert (PROJECT / "docs" / "lifecycle.md").read_text() == as_markdown(), (
        "run manage.py lifecycle --markdown > docs/lifecycle.md"
    )


def test_every_state_can_be_reached_and_every_open_state_can_be_left():
    reached = {State.RECEIVED} | {rule.target for rule in TRANSITIONS.values()}
    assert reached == set(State)
    for state in OPEN_STATES:
        assert any(state in rule.sources for rule in TRANSITIONS.values()), state


def test_nothing_leads_out_of_an_end():
    ends = {State.COMPLETED, State.REFUSED, State.WITHDRAWN}
    assert not any(rule.sources & ends for rule in TRANSITIONS.values())


def test_a_set_of_cases_moves_and_those_elsewhere_stay():
    one, other, closed = make_request(), make_request(), make_request()
    RightsRequest.objects.filter(pk=closed.pk).update(state=State.REFUSED)
    moved = transition(
        requests=[one.pk, other.pk, closed.pk], action="propose", actor="staff:1", now=NOW, payload={"why": "test"}
    )
    assert moved == {one.pk, other.pk}
    assert set(RightsRequest.objects.filter(pk__in=moved).values_list("state", flat=True)) == {State.PROPOSED}
    assert RightsRequest.objects.get(pk=closed.pk).state == State.REFUSED
    event = audit.events(one.reference).last()
    assert (event.action, event.actor, event.payload) == ("request.propose", "staff:1", {"why": "test"})
    assert not audit.events(closed.reference).filter(action="request.propose").exists()


def test_it_happens_once():
    request = make_request()
    assert transition(requests=[request.pk], action="propose", actor="system", now=NOW) == {request.pk}
    assert transition(requests=[request.pk], action="propose", actor="system", now=NOW) == set()
    assert audit.events(request.reference).filter(action="request.propose").count() == 1


def test_an_end_has_its_time_and_an_open_case_has_none():
    request = make_request(make_customer(), level=2)
    assert request.closed_at is None
    transition(requests=[request.pk], action="refuse", actor="staff:1", now=NOW)
    request.refresh_from_db()
    assert request.closed_at == NOW


@pytest.mark.parametrize("count", [1, 40])
def test_moving_many_takes_no_more_statements_than_moving_one(count, django_assert_num_queries):
    pks = [make_request().pk for _ in range(count)]
    with django_assert_num_queries(7):  # savepoint, lock, update, two for the chains, insert, release
        transition(requests=pks, action="propose", actor="system", now=NOW)
