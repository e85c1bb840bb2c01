"""Access and portability are answered by one package: built once for all stores, or not at all."""

import psycopg
import pytest
from django.db import connection

from privacy import actions, audit
from privacy.actions import RunOutcome, StoreUnavailable
from privacy.models import AuditEvent
from requests_app import cases
from requests_app.models import Package, RunState, State, StoreRun
from requests_app.running.leases import LeaseLost, lock_number
from requests_app.running.workers import build_due, locate_due, run_due
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def built(monkeypatch, settings, tmp_path):
    """The cases whose packages were written, and what the engine answers next."""
    settings.INSYN_PACKAGE_DIR = tmp_path
    calls, answers = [], {}

    def write_package(sink, *, information, plans, heartbeat, **_asked):
        calls.append(information["reference"])
        heartbeat()
        answer = answers.get("error") or answers.get(information["reference"])
        if answer:
            raise answer
        done = RunOutcome("done", {"collections": {"customer": {"rows": 3, "exported": 3}}})
        return {key: answers.get(key, done) for key in plans}

    monkeypatch.setattr(actions, "write_package", write_package)
    return calls, answers


STORES = ("billing", "crm")


@pytest.fixture
def approved(engine, clock):
    for key in STORES:
        make_store(key)
    request = make_request(right="access", now=NOW)
    locate_due(clock=clock)
    cases.approve_request(request=request, acting_user=make_staff("approver"), reason="", now=NOW)
    return request


def states(request):
    return {run.store.key: run.state for run in StoreRun.objects.filter(request=request)}


def test_one_package_answers_for_all_stores(approved, clock, built, engine):
    assert run_due(clock=clock) == 0
    assert build_due(clock=clock) == 2
    approved.refresh_from_db()
    assert approved.state == State.COMPLETED
    assert built[0] == [approved.reference]
    assert "3 records are in your package" in approved.answer
    assert engine.executions == []
    assert build_due(clock=clock) == 0


def test_a_store_that_is_down_delays_all_of_it(approved, clock, built):
    built[1]["error"] = StoreUnavailable("crm cannot be reached")
    build_due(clock=clock)
    assert set(states(approved).values()) == {RunState.FAILED}
    del built[1]["error"]
    assert build_due(clock=clock) == 0
    clock.forward(minutes=1)
    assert build_due(clock=clock) == 2
    approved.refresh_from_db()
    assert approved.state == State.COMPLETED


def test_a_store_that_may_not_be_exported_stops_all_of_it(approved, clock, built):
    built[1]["crm"] = RunOutcome("blocked", reason="no safeguard for the transfer abroad")
    build_due(clock=clock)
    assert set(states(approved).values()) == {RunState.BLOCKED}
    approved.refresh_from_db()
    assert approved.state == State.BLOCKED
    errors = {run.store.key: run.error for run in StoreRun.objects.filter(request=approved)}
    assert errors == {"billing": "another store of this package is not done", "crm": "no safeguard for the transfer abroad"}
    built[1].clear()
    run = StoreRun.objects.get(request=approved, store__key="crm")
    cases.resume_run(run=run, acting_user=make_staff("agent"), now=clock())
    assert build_due(clock=clock) == 2
    approved.refresh_from_db()
    assert approved.state == State.COMPLETED


@pytest.mark.parametrize(
    ("error", "state"),
    [(ValueError("Sven"), RunState.BLOCKED), (OSError(28, "disk"), RunState.FAILED), (LeaseLost(), RunState.RUNNING)],
)
def test_errors_are_sorted_as_for_batches(approved, clock, built, error, state):
    built[1]["error"] = error
    build_due(clock=clock)
    assert set(states(approved).values()) == {state}
    assert "Sven" not in str(list(StoreRun.objects.values_list("error", flat=True)))


def test_a_store_with_nothing_is_done_beforehand(engine, clock, built):
    for key in STORES:
        make_store(key)
    engine.nothing_in = {"billing"}
    request = make_request(right="portability", now=NOW)
    locate_due(clock=clock)
    cases.approve_request(request=request, acting_user=make_staff("approver"), reason="", now=NOW)
    assert build_due(clock=clock) == 1
    request.refresh_from_db()
    assert request.state == State.COMPLETED


def test_a_package_is_not_begun_while_one_of_its_runs_is_not_ready(approved, clock, built):
    StoreRun.objects.filter(request=approved, store__key="crm").update(state=RunState.BLOCKED)
    assert build_due(clock=clock) == 0


# --- some cases at once ---------------------------------------------------------------------------------------------------


def approved_case(clock, rows=3, **more):
    request = make_request(**{"customer": make_customer(), "right": "access", "now": NOW} | more)
    while locate_due(clock=clock):
        pass
    StoreRun.objects.filter(request=request, store__key="crm").update(finding={"customer": {"rows": rows}})
    cases.approve_request(request=request, acting_user=make_staff("approver"), reason="", now=NOW)
    return request


def state_of(request):
    request.refresh_from_db()
    return request.state


def test_packages_of_many_cases_are_one_claim(approved, clock, built, django_assert_max_num_queries):
    others = [approved_case(clock) for _ in range(6)]
    with django_assert_max_num_queries(90):  # some for each case: its package is read from the stores, and has a letter
        assert build_due(clock=clock) == 14
    assert {state_of(request) for request in (approved, *others)} == {State.COMPLETED}
    assert sorted(built[0]) == sorted(request.reference for request in (approved, *others))
    assert AuditEvent.objects.filter(action="package.built").count() == 7
    assert audit.verify() == []


def test_one_that_cannot_be_built_does_not_keep_the_others_waiting(approved, clock, built):
    down, fine = approved_case(clock), approved_case(clock)
    built[1][approved.reference] = ValueError("Sven")
    built[1][down.reference] = StoreUnavailable("crm cannot be reached")
    assert build_due(clock=clock) == 6
    assert [state_of(request) for request in (approved, down, fine)] == [State.BLOCKED, State.RUNNING, State.COMPLETED]
    clock.forward(minutes=1)
    del built[1][down.reference]
    assert build_due(clock=clock) == 2
    assert state_of(down) == State.COMPLETED


def test_a_large_package_is_built_alone(approved, clock, built):
    large = approved_case(clock, rows=1_000_000)
    small = approved_case(clock)
    assert build_due(clock=clock) == 4
    assert [state_of(request) for request in (approved, large, small)] == [State.COMPLETED, State.APPROVED, State.COMPLETED]
    assert build_due(clock=clock) == 2
    assert state_of(large) == State.COMPLETED


def test_two_cases_of_one_person_are_built_one_after_the_other(approved, clock, built):
    second = approved_case(clock, right="portability", customer=approved.customer)
    assert build_due(clock=clock) == 2
    assert [state_of(request) for request in (approved, second)] == [State.COMPLETED, State.APPROVED]
    assert build_due(clock=clock) == 2
    assert state_of(second) == State.COMPLETED


def test_whoever_is_acted_on_elsewhere_waits_with_all_stores(approved, clock, built):
    other = approved_case(clock)
    run = StoreRun.objects.get(request=other, store__key="billing")
    own = connection.get_connection_params()
    place = {name: own[name] for name in ("dbname", "user", "password", "host", "port") if name in own}
    with psycopg.connect(**place) as session:
        session.execute("SELECT pg_advisory_lock(%s)", [lock_number(f"person:{run.store_id}:{run.subject}")])
        assert build_due(clock=clock) == 2
        assert build_due(clock=clock) == 0
    assert [state_of(request) for request in (approved, other)] == [State.COMPLETED, State.APPROVED]
    clock.forward(minutes=1)
    assert build_due(clock=clock) == 2


def test_what_is_written_is_handed_over_before_a_slow_one_ends(approved, clock, built, monkeypatch):
    other = approved_case(clock)
    write, ready = actions.write_package, []

    def slow(sink, **asked):
        ready.append(Package.objects.filter(state=Package.State.READY).count())
        clock.forward(seconds=2)
        return write(sink, **asked)

    monkeypatch.setattr(actions, "write_package", slow)
    assert build_due(clock=clock) == 4
    assert ready == [0, 1]
    assert state_of(other) == State.COMPLETED
