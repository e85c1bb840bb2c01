"""Access and portability are answered by one package: built once for all stores, or not at all."""

import pytest

from privacy import actions
from privacy.actions import RunOutcome, StoreUnavailable
from requests_app import cases
from requests_app.leases import LeaseLost
from requests_app.models import RunState, State, StoreRun
from requests_app.workers import build_due, locate_due, run_due
from tests.factories import NOW, make_request, make_staff, make_store

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
