"""Two at once: only real transactions on connections of their own show who wins."""

import threading
import time

import pytest
from django.db import connection, transaction
from django.utils import timezone

from privacy import audit
from requests_app import cases
from requests_app.models import OutboxItem, ResidueScan, RightsRequest, RunState, State, StoreRun
from requests_app.running import leases, outbox
from requests_app.running.scans import scan_due
from requests_app.running.workers import locate_due, run_due, sweep
from tests.factories import make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*steps):
    """Run the steps in threads that start together; answers what each returned or raised."""
    barrier = threading.Barrier(len(steps))
    results = [None] * len(steps)

    def run(number, step):
        try:
            barrier.wait()
            results[number] = step()
        except Exception as error:  # noqa: BLE001 - handed to the test
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number, step)) for number, step in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


@pytest.fixture
def queued(engine):
    """Thirty approved restrictions in one store."""
    make_store("crm")
    approver = make_staff("approver")
    requests = [make_request(right="restriction") for _ in range(30)]
    locate_due()
    for request in requests:
        cases.approve_request(request=request, acting_user=approver, reason="", now=timezone.now())
    return requests


def test_two_workers_claim_disjoint_runs(queued, engine, monkeypatch):
    monkeypatch.setattr(leases, "BATCH", 10)
    engine.on_execute = lambda store, item: time.sleep(0.005)
    assert sum(at_once(run_due, run_due, run_due, run_due)) == 30
    done = [case for call in engine.executions for case in call["cases"]]
    assert sorted(done) == sorted(request.reference for request in queued)
    assert set(StoreRun.objects.values_list("state", "attempt")) == {(RunState.DONE, 2)}
    assert set(RightsRequest.objects.values_list("state", flat=True)) == {State.RESTRICTED}
    for request in queued:
        assert audit.events(request.reference).filter(action="run.done").count() == 1


def test_a_store_is_looked_at_by_one_worker_at_a_time(engine):
    store = make_store("crm")
    make_store("billing")
    reading, most = [], []

    def look(store_key):
        reading.append(store_key)
        most.append(reading.count(store_key))
        time.sleep(0.05)
        reading.remove(store_key)

    engine.on_scan = look
    for request in [make_request(right="access") for _ in range(3)]:
        RightsRequest.objects.filter(pk=request.pk).update(right="erasure", state=State.RUNNING, source="operator")
    StoreRun.objects.update(right="erasure", state=RunState.DONE, finished_at=timezone.now())
    assert sum(at_once(scan_due, scan_due, scan_due, scan_due)) == 2
    assert set(most) == {1}
    assert ResidueScan.objects.filter(store=store).count() == 1
    assert set(RightsRequest.objects.values_list("state", flat=True)) == {State.COMPLETED}


def test_two_rights_of_one_person_are_not_claimed_at_once(engine):
    make_store("crm")
    customer = make_customer()
    one = make_request(customer, right="restriction")
    locate_due()
    cases.approve_request(request=one, acting_user=make_staff("approver"), reason="", now=timezone.now())
    make_request(customer, right="objection")
    locate_due()
    running, most = [0], [0]

    def execute(store, item):
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.2)
        running[0] -= 1

    engine.on_execute = execute
    at_once(run_due, run_due)
    run_due()
    assert most == [1]
    assert len(engine.executions) == 2


def test_of_two_approvals_one_wins(engine, monkeypatch):
    make_store("crm")
    request = make_request(right="erasure")
    locate_due()
    cases.propose_erasure(request=request, acting_user=make_staff("agent"), reason="", now=timezone.now())
    digest = cases.plan_digest(request)

    def approve(user):
        mine = RightsRequest.objects.get(pk=request.pk)
        return lambda: cases.approve_erasure(
            request=mine, acting_user=user, plan_digest=digest, otp_device_verified=True, now=timezone.now()
        )

    results = at_once(approve(make_staff("approver")), approve(make_staff("approver")))
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "SomebodyElseGotThereFirst"]
    assert audit.events(request.reference).filter(action="request.approve_erasure").count() == 1


def test_of_approval_and_refusal_one_wins(engine):
    make_store("crm")
    request = make_request(right="restriction")
    locate_due()
    one, other = make_staff("approver"), make_staff("approver")
    first, second = RightsRequest.objects.get(), RightsRequest.objects.get()
    results = at_once(
        lambda: cases.approve_request(request=first, acting_user=one, reason="", now=timezone.now()),
        lambda: cases.refuse_request(request=second, acting_user=other, reason="No.", now=timezone.now()),
    )
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "SomebodyElseGotThereFirst"]
    request.refresh_from_db()
    assert request.state in (State.APPROVED, State.REFUSED)


def test_of_two_submits_one_opens_and_the_other_is_led_to_it():
    customer = make_customer()
    results = at_once(lambda: make_request(customer), lambda: make_request(customer))
    opened = next(result for result in results if isinstance(result, RightsRequest))
    refused = next(result for result in results if isinstance(result, cases.AlreadyOpen))
    assert refused.request == opened
    assert RightsRequest.objects.count() == 1


def test_taking_back_and_claiming_do_not_both_win(queued, engine):
    engine.on_execute = lambda store, item: time.sleep(0.002)
    target = queued[7]
    results = at_once(run_due, lambda: cases.withdraw_request(request=target, customer=target.customer, now=timezone.now()))
    target = RightsRequest.objects.get(pk=target.pk)
    executed = any(target.reference in call["cases"] for call in engine.executions)
    if target.state == State.WITHDRAWN:
        assert not executed
    else:
        assert isinstance(results[1], cases.NotAllowed)
        assert executed


def test_an_outbox_item_is_taken_by_one(mailbox):
    for number in range(20):
        outbox.enqueue(kind="email", key=f"K:x:{number}", to="a@example.se", payload={"text": "x"}, now=timezone.now())
    results = at_once(outbox.deliver_due, outbox.deliver_due, outbox.deliver_due)
    assert sum(results) == 20
    assert len({message.key for message in mailbox}) == len(mailbox) == 20
    assert not OutboxItem.objects.filter(delivered_at=None).exists()


def test_many_writers_do_not_wait_in_a_circle(queued, engine, monkeypatch):
    monkeypatch.setattr(leases, "BATCH", 5)
    approver = make_staff("approver")

    def assign():
        for request in reversed(queued):
            mine = RightsRequest.objects.get(pk=request.pk)
            try:
                cases.assign_request(request=mine, assignee=approver, acting_user=approver, now=timezone.now())
            except cases.NotAllowed:
                continue

    def work():
        while run_due():
            pass

    results = at_once(work, work, assign, lambda: [sweep(now=timezone.now()) for _ in range(10)])
    assert not any(isinstance(result, Exception) for result in results), results


# --- whose worker is gone ---------------------------------------------------------------------------------------------


def in_thread(step):
    """Runs on a session of its own that ends with it, as a worker process does."""
    (result,) = at_once(step)
    return result


def test_a_worker_whose_session_ended_is_replaced_at_once(engine, settings):
    settings.INSYN_LEASE_SECONDS = 3600
    make_store("crm")
    request = make_request(right="objection", level=1)
    locate_due()

    def claim_and_vanish():
        claim = leases.claimed(leases.next_batch, now=timezone.now())
        assert len(claim.__enter__()) == 1
        leases.unlock = lambda numbers: None  # killed: nothing is tidied up

    unlock = leases.unlock
    try:
        in_thread(claim_and_vanish)
    finally:
        leases.unlock = unlock
    assert StoreRun.objects.get().state == RunState.RUNNING
    assert sweep(now=timezone.now()) == ["run_batch", "deliver_outbox"]
    assert run_due() == 1
    request.refresh_from_db()
    assert request.state == State.COMPLETED


def test_a_worker_that_lives_is_left_alone(engine):
    make_store("crm")
    make_request(right="objection", level=1)
    locate_due()
    seen = []

    def execute(store, item):
        seen.append(in_thread(lambda: sweep(now=timezone.now())))
        seen.append(StoreRun.objects.get().state)

    engine.on_execute = execute
    run_due()
    assert seen == [["deliver_outbox"], RunState.RUNNING]


def test_who_lost_the_lease_and_still_acts_keeps_others_away(engine, settings):
    settings.INSYN_LEASE_SECONDS = 5
    make_store("crm")
    make_request(right="objection", level=1)
    locate_due()
    seen = []

    def execute(store, item):
        if not seen:
            later = timezone.now() + timezone.timedelta(seconds=6)
            seen.append(in_thread(lambda: sweep(now=later)))
            seen.append(in_thread(lambda: run_due(clock=lambda: later)))
            seen.append(StoreRun.objects.get().state)

    engine.on_execute = execute
    run_due()
    assert seen == [["run_batch", "deliver_outbox"], 0, RunState.QUEUED]
    run = StoreRun.objects.get()
    assert (run.state, run.report) == (RunState.QUEUED, None)  # the late one wrote nothing
    assert run_due(clock=lambda: run.due_at) == 1
    assert StoreRun.objects.get().state == RunState.DONE


def test_steps_of_two_cases_in_one_transaction_each_hold_their_own_chain():
    one, other = make_request(), make_request()
    with transaction.atomic():
        for request in (one, other):
            audit.record(chain=request.reference, actor="system", action="test.step", payload={}, now=timezone.now())
    assert audit.verify() == []
