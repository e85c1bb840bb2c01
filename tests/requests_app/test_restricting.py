"""Restricting: previous values are kept, newer rows follow at night, and nothing is lifted before the person was told."""

import pytest

from privacy import audit
from privacy.actions import StoreUnavailable
from privacy.models import Restriction
from requests_app import cases
from requests_app.keeping import maintenance
from requests_app.models import OutboxItem, Outcome, RunState, Source, State, StoreRun
from requests_app.running import outbox
from requests_app.running.workers import locate_due, run_due
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def approver():
    return make_staff("approver")


@pytest.fixture
def restricted(engine, clock, approver):
    """A restriction in force in `crm`; nothing is held in `billing`."""
    make_store("billing"), make_store("crm")
    engine.nothing_in = {"billing"}
    engine.state["crm"] = {"customer": {"rows": [[[1], {"suspended": False}]]}}
    request = make_request(make_customer("eva@example.se"), right="restriction", ground="a", now=NOW)
    work(clock)
    cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
    work(clock)
    request.refresh_from_db()
    return request


def work(clock):
    while locate_due(clock=clock) or run_due(clock=clock):
        pass


def test_it_is_in_force_and_remembers_what_it_replaced(restricted, engine):
    assert (restricted.state, restricted.outcome, restricted.closed_at) == (State.RESTRICTED, Outcome.FULFILLED, NOW)
    kept = Restriction.objects.get()
    assert (kept.case, kept.store.key, kept.ground, kept.subject) == (
        restricted.reference, "crm", "a", restricted.customer.public_id,
    )  # fmt: skip
    assert kept.state == {"customer": {"rows": [[[1], {"suspended": False}]]}}
    assert engine.executions[0]["items"][0].options == {"ground": "a", "state": None}
    assert "We tell you before" in restricted.answer


def test_what_is_replaced_is_remembered_before_the_store_commits(engine, clock, approver):
    """A worker that dies right after the commit leaves behind what it takes to lift the restriction."""
    make_store("crm")
    engine.state["crm"] = {"customer": {"rows": [[[1], {"suspended": False}]]}}
    engine.on_execute = lambda store, item: StoreUnavailable("crm went away after its commit")
    request = make_request(make_customer("eva@example.se"), right="restriction", ground="a", now=NOW)
    work(clock)
    cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
    run_due(clock=clock)
    assert Restriction.objects.get().state == {"customer": {"rows": [[[1], {"suspended": False}]]}}
    assert StoreRun.objects.get().state == RunState.FAILED


def test_newer_rows_are_restricted_at_night_and_the_first_memory_goes_along(restricted, engine, clock):
    maintenance.nightly(now=clock.forward(days=1))
    work(clock)
    assert len(engine.executions) == 2
    assert engine.executions[1]["items"][0].options["state"] == {"customer": {"rows": [[[1], {"suspended": False}]]}}
    restricted.refresh_from_db()
    assert restricted.state == State.RESTRICTED
    assert {run.state for run in StoreRun.objects.filter(request=restricted)} == {RunState.DONE}
    assert OutboxItem.objects.filter(request=restricted, key__contains=":answered:").count() == 1


def test_it_is_not_lifted_before_the_notice_is_delivered(restricted, engine, clock, approver):
    agent = make_staff("agent")
    with pytest.raises(cases.NotAllowed, match=r"18\(3\)"):
        cases.lift_restriction(request=restricted, acting_user=approver, now=clock())
    cases.tell_before_lifting(request=restricted, acting_user=agent, now=clock())
    cases.tell_before_lifting(request=restricted, acting_user=agent, now=clock())
    with pytest.raises(cases.NotAllowed, match=r"18\(3\)"):
        cases.lift_restriction(request=restricted, acting_user=approver, now=clock())
    outbox.deliver_due(now=clock.forward(hours=1))
    assert Restriction.objects.get().told_at == clock.now
    cases.lift_restriction(request=restricted, acting_user=approver, now=clock.forward(days=1))
    work(clock)
    restricted.refresh_from_db()
    assert (restricted.state, restricted.outcome) == (State.COMPLETED, Outcome.LIFTED)
    assert engine.executions[-1]["right"] == "lift"
    assert engine.executions[-1]["items"][0].options["state"] == {"customer": {"rows": [[[1], {"suspended": False}]]}}
    lifted = Restriction.objects.get()
    assert (lifted.lifted_at, lifted.state) == (clock.now, None)
    actions = [event.action for event in audit.events(restricted.reference)]
    assert actions.index("restriction.telling") < actions.index("restriction.told") < actions.index("restriction.lifting")


def test_both_letters_stay(restricted, clock, approver):
    Restriction.objects.update(told_at=NOW)
    cases.lift_restriction(request=restricted, acting_user=approver, now=clock())
    work(clock)
    restricted.refresh_from_db()
    assert "is lifted" in restricted.answer
    assert "We tell you before" in restricted.answer


def test_only_an_approver_lifts_and_only_case_staff_tell(restricted, clock):
    Restriction.objects.update(told_at=NOW)
    for role in ("agent", "engineer", "officer", "administrator"):
        with pytest.raises(cases.NotAllowed, match="role"):
            cases.lift_restriction(request=restricted, acting_user=make_staff(role), now=clock())
    with pytest.raises(cases.NotAllowed, match="role"):
        cases.tell_before_lifting(request=restricted, acting_user=make_staff("officer"), now=clock())


def test_the_person_takes_it_back_at_once(restricted, engine, clock):
    cases.withdraw_request(request=restricted, customer=restricted.customer, now=clock())
    work(clock)
    restricted.refresh_from_db()
    assert (restricted.state, restricted.outcome) == (State.COMPLETED, Outcome.LIFTED)


def test_a_store_that_is_down_while_lifting_is_lifted_later(restricted, engine, clock):
    from privacy.actions import StoreUnavailable

    engine.on_execute = lambda store, item: StoreUnavailable("crm cannot be reached")
    cases.withdraw_request(request=restricted, customer=restricted.customer, now=clock())
    work(clock)
    restricted.refresh_from_db()
    assert restricted.state == State.RESTRICTED
    engine.on_execute = lambda store, item: None
    clock.forward(minutes=1)
    work(clock)
    restricted.refresh_from_db()
    assert restricted.state == State.COMPLETED


def test_what_is_not_in_force_is_not_lifted(engine, clock, approver):
    request = make_request(right="restriction", now=NOW)
    with pytest.raises(cases.NotAllowed, match="possible while it is “Restriction in force”"):
        cases.lift_restriction(request=request, acting_user=approver, now=NOW)


def test_where_nothing_is_held_nothing_is_in_force(engine, clock, approver):
    make_store("crm")
    engine.nothing_in = {"crm"}
    request = make_request(right="restriction", now=NOW)
    work(clock)
    cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
    assert (request.state, request.outcome) == (State.COMPLETED, Outcome.NOTHING)


def test_who_entered_it_does_not_lift_it(engine, clock):
    make_store("crm")
    both = make_staff("agent", "approver")
    request = make_request(right="restriction", level=0, source=Source.PHONE, entered_by=both, now=NOW)
    cases.record_identity_level(request=request, level=1, acting_user=make_staff("agent"), note="Called back.", now=NOW)
    work(clock)
    cases.approve_request(request=request, acting_user=make_staff("approver"), reason="", now=NOW)
    work(clock)
    request.refresh_from_db()
    Restriction.objects.update(told_at=NOW)
    with pytest.raises(cases.NotAllowed, match="You entered"):
        cases.lift_restriction(request=request, acting_user=both, now=NOW)


def test_an_objection_is_carried_out_where_nothing_is_held_too(engine, clock):
    make_store("crm")
    engine.nothing_in = {"crm"}
    request = make_request(right="objection", level=1, now=NOW)
    work(clock)
    request.refresh_from_db()
    assert (request.state, request.outcome) == (State.COMPLETED, Outcome.FULFILLED)
    assert [call["right"] for call in engine.executions] == ["objection"]


def test_an_objection_goes_on_where_another_store_is_down(engine, clock):
    make_store("billing"), make_store("crm")
    engine.down = {"billing"}
    request = make_request(right="objection", level=1, now=NOW)
    work(clock)
    request.refresh_from_db()
    assert request.state == State.RUNNING
    assert [call["store"] for call in engine.executions] == ["crm"]
    engine.down = set()
    clock.forward(minutes=1)
    work(clock)
    request.refresh_from_db()
    assert request.state == State.COMPLETED


def test_an_objection_without_any_store_is_answered_at_once(engine):
    assert make_request(right="objection", level=1, now=NOW).state == State.COMPLETED
