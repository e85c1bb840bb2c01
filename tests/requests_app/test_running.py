"""Batches, leases, retries: one poisoned run fails alone, trouble with a store sends all back, a worker that died is replaced."""

from datetime import timedelta

import pytest
from django.db import OperationalError

from privacy import audit
from privacy.actions import RunOutcome, StoreUnavailable, UnknownStore
from requests_app import cases
from requests_app.models import RightsRequest, RunState, State, StoreRun
from requests_app.running import leases
from requests_app.running.workers import locate_due, run_due, sweep
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue(engine, clock):
    """Makes approved restrictions of that many people in one store."""
    make_store("crm")
    approver = make_staff("approver")

    def make(count):
        requests = [make_request(right="restriction", now=NOW) for _ in range(count)]
        while locate_due(clock=clock):
            pass
        for request in requests:
            cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
        return requests

    return make


def run_of(request):
    return StoreRun.objects.get(request=request)


def state_of(request):
    return RightsRequest.objects.get(pk=request.pk).state


def test_people_of_one_store_and_right_are_one_batch(queue, engine, clock):
    requests = queue(5)
    assert run_due(clock=clock) == 5
    assert len(engine.executions) == 1
    assert sorted(engine.executions[0]["cases"]) == sorted(request.reference for request in requests)
    assert {state_of(request) for request in requests} == {State.RESTRICTED}
    assert run_due(clock=clock) == 0


def test_a_batch_has_a_size(queue, engine, clock, monkeypatch):
    monkeypatch.setattr(leases, "BATCH", 3)
    queue(5)
    assert [run_due(clock=clock), run_due(clock=clock), run_due(clock=clock)] == [3, 2, 0]


def test_rights_stores_and_map_versions_are_not_mixed(queue, engine, clock):
    requests = queue(3)
    StoreRun.objects.filter(request=requests[0]).update(dataset_version=2)
    StoreRun.objects.filter(request=requests[1]).update(store=make_store("billing"))
    assert [run_due(clock=clock) for _ in range(4)] == [1, 1, 1, 0]


def test_the_case_is_running_while_its_run_is(queue, engine, clock):
    (request,) = queue(1)
    seen = []
    engine.on_execute = lambda store, item: seen.append((state_of(request), run_of(request).state, run_of(request).attempt))
    run_due(clock=clock)
    assert seen == [(State.RUNNING, RunState.RUNNING, 2)]  # the first attempt was locating
    assert [event.action for event in audit.events(request.reference)][-3:] == ["request.start", "run.done", "request.restrict"]


def test_a_poisoned_run_stops_alone(queue, engine, clock):
    requests = queue(9)
    poisoned = requests[4].reference
    engine.on_execute = lambda store, item: ValueError("Sven Svensson, Storgatan 1") if item.case == poisoned else None
    run_due(clock=clock)
    assert [state_of(request) for request in requests].count(State.RESTRICTED) == 8
    assert (run_of(requests[4]).state, run_of(requests[4]).error) == (RunState.BLOCKED, "ValueError")
    assert state_of(requests[4]) == State.BLOCKED
    assert "Sven" not in str([event.payload for event in audit.events(poisoned)])


def test_nothing_of_an_exception_but_its_class_is_logged(queue, engine, clock, capsys, caplog):
    queue(1)
    engine.on_execute = lambda store, item: ValueError("Sven Svensson, Storgatan 1")
    run_due(clock=clock)
    captured = capsys.readouterr()
    assert "Sven" not in captured.out + captured.err + caplog.text


def test_a_store_that_is_down_sends_the_whole_batch_back(queue, engine, clock):
    requests = queue(4)
    engine.on_execute = lambda store, item: StoreUnavailable("crm: the connection was lost")
    run_due(clock=clock)
    assert len(engine.executions) == 1
    run = run_of(requests[0])
    assert (run.state, run.error, run.retries, run.lost) == (RunState.FAILED, "crm: the connection was lost", 1, 0)
    assert timedelta(seconds=30) <= run.due_at - NOW <= timedelta(seconds=38)
    assert state_of(requests[0]) == State.RUNNING
    engine.on_execute = lambda store, item: None
    assert run_due(clock=clock) == 0
    clock.forward(minutes=1)
    assert run_due(clock=clock) == 4
    assert state_of(requests[0]) == State.RESTRICTED


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_a_full_disk_does_not_split_a_batch(queue, engine, clock, error):
    requests = queue(4)
    engine.on_execute = lambda store, item: error
    run_due(clock=clock)
    assert len(engine.executions) == 1
    assert {run_of(request).state for request in requests} == {RunState.FAILED}


def test_our_own_database_in_trouble_writes_nothing_and_the_lease_ends(queue, engine, clock):
    (request,) = queue(1)
    engine.on_execute = lambda store, item: OperationalError("server closed the connection")
    with pytest.raises(OperationalError):
        run_due(clock=clock)
    assert run_of(request).state == RunState.RUNNING
    engine.on_execute = lambda store, item: None
    assert "run_batch" in sweep(now=clock.forward(seconds=61))
    run_due(clock=clock)
    assert state_of(request) == State.RESTRICTED


def test_a_store_without_a_map_stops_its_runs(queue, engine, clock):
    requests = queue(2)
    engine.on_execute = lambda store, item: UnknownStore("crm")
    run_due(clock=clock)
    assert {run_of(request).error for request in requests} == {"no data map is loaded for this store"}
    assert {state_of(request) for request in requests} == {State.BLOCKED}


def test_an_engine_that_forgets_a_case_stops_it(queue, engine, clock, monkeypatch):
    from privacy import actions

    (request,) = queue(1)
    monkeypatch.setattr(actions, "execute", lambda **called: {})
    run_due(clock=clock)
    assert run_of(request).state == RunState.BLOCKED


def test_failed_is_tried_again_and_blocked_waits_for_staff(queue, engine, clock):
    one, other = queue(2)
    outcomes = {one.reference: RunOutcome("failed", reason="lock wait"), other.reference: RunOutcome("blocked", reason="no map")}
    engine.on_execute = lambda store, item: outcomes[item.case]
    run_due(clock=clock)
    assert (run_of(one).state, run_of(one).error) == (RunState.FAILED, "lock wait")
    assert (run_of(other).state, run_of(other).error) == (RunState.BLOCKED, "no map")
    assert (state_of(one), state_of(other)) == (State.RUNNING, State.BLOCKED)
    clock.forward(minutes=1)
    engine.on_execute = lambda store, item: None
    assert run_due(clock=clock) == 1
    cases.resume_run(run=run_of(other), acting_user=make_staff("agent"), now=clock())
    assert run_due(clock=clock) == 1
    assert state_of(other) == State.RESTRICTED


def test_a_case_is_stopped_only_when_nothing_else_runs(engine, clock):
    make_store("billing"), make_store("crm")
    request = make_request(right="restriction", now=NOW)
    locate_due(clock=clock)
    cases.approve_request(request=request, acting_user=make_staff("approver"), reason="", now=NOW)
    engine.on_execute = lambda store, item: RunOutcome("blocked", reason="no") if store == "billing" else None
    run_due(clock=clock)
    assert state_of(request) == State.RUNNING
    run_due(clock=clock)
    assert state_of(request) == State.BLOCKED


# --- leases -----------------------------------------------------------------------------------------------------------


def die(store, item):
    return SystemExit()


class Killed(BaseException):
    pass


def killed(store, item):
    raise Killed


def test_a_killed_worker_is_replaced_when_its_lease_ends(queue, engine, clock):
    (request,) = queue(1)
    engine.on_execute = killed
    with pytest.raises(Killed):
        run_due(clock=clock)
    assert sweep(now=clock.forward(seconds=30)) == ["deliver_outbox"]
    assert run_of(request).state == RunState.RUNNING
    engine.on_execute = lambda store, item: None
    assert "run_batch" in sweep(now=clock.forward(seconds=31))
    assert run_due(clock=clock) == 1
    run = run_of(request)
    assert (run.state, run.attempt, run.lost) == (RunState.DONE, 3, 0)
    assert [event.action for event in audit.events(request.reference)].count("run.done") == 1


def test_a_heartbeat_keeps_the_lease(queue, engine, clock):
    (request,) = queue(1)
    engine.beats = 1

    def slow(store, item):
        return None

    engine.on_execute = slow
    original = leases.Lease.beat

    def beat(self):
        clock.forward(seconds=45)
        original(self)
        assert StoreRun.objects.get().lease_until == clock.now + timedelta(seconds=60)
        assert sweep(now=clock.now) == ["deliver_outbox"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases.Lease, "beat", beat)
        run_due(clock=clock)
    assert state_of(request) == State.RESTRICTED


def test_a_heartbeat_of_a_lost_lease_stops_the_worker_and_nothing_is_written(queue, engine, clock):
    (request,) = queue(1)
    engine.beats = 1
    original = leases.Lease.beat

    def overtaken(self):
        clock.forward(seconds=90)
        sweep(now=clock.now)
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases.Lease, "beat", overtaken)
        run_due(clock=clock)
    run = run_of(request)
    assert (run.state, run.report) == (RunState.QUEUED, None)


def test_a_worker_that_ends_late_writes_nothing(queue, engine, clock):
    (request,) = queue(1)

    def overtaken(store, item):
        StoreRun.objects.filter(request=request).update(attempt=9, lease_until=clock.now + timedelta(minutes=1))

    engine.on_execute = overtaken
    run_due(clock=clock)
    run = run_of(request)
    assert (run.state, run.attempt, run.report) == (RunState.RUNNING, 9, None)
    assert state_of(request) == State.RUNNING


def test_what_kills_its_workers_is_run_alone_and_stopped_in_the_end(queue, engine, clock):
    requests = queue(4)
    poisoned = requests[2].reference

    def execute(store, item):
        if item.case == poisoned:
            raise Killed

    engine.on_execute = execute
    for _ in range(30):
        try:
            taken = run_due(clock=clock)
        except Killed:
            taken = 1
        if not taken:
            clock.forward(hours=1, minutes=1)
            sweep(now=clock.now)
    assert [state_of(request) for request in requests].count(State.RESTRICTED) == 3
    assert (state_of(requests[2]), run_of(requests[2]).state) == (State.BLOCKED, RunState.BLOCKED)
    assert "5 times" in run_of(requests[2]).error


def test_nobody_acts_twice_for_one_person_in_one_store(queue, engine, clock):
    (request,) = queue(1)
    other = make_request(request.customer, right="objection", now=NOW)
    locate_due(clock=clock)
    StoreRun.objects.filter(request=request).update(state=RunState.RUNNING, lease_until=clock.now + timedelta(minutes=1))
    assert run_of(other).state == RunState.QUEUED
    assert run_due(clock=clock) == 0
    StoreRun.objects.filter(request=request).update(state=RunState.DONE)
    assert run_due(clock=clock) == 1


def test_a_batch_holds_a_person_once(engine, clock):
    make_store("crm")
    customer = make_customer()
    approver = make_staff("approver")
    for ground in ("a", "d"):
        request = make_request(customer, right="restriction", ground=ground, now=NOW)
        locate_due(clock=clock)
        cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
        run_due(clock=clock)
    StoreRun.objects.update(state=RunState.QUEUED, due_at=NOW)
    assert [run_due(clock=clock) for _ in range(3)] == [1, 1, 0]


def test_the_number_of_statements_does_not_grow_with_a_claim(queue, clock, django_assert_max_num_queries):
    queue(40)
    with django_assert_max_num_queries(12), leases.claimed(leases.next_batch, now=clock()) as runs:
        assert len(runs) == 40
