"""The last look of an erasure: one pass over each store for all who wait, and no answer before it (R21)."""

from datetime import timedelta

import pytest
from django.db import connection

from privacy import actions, audit
from privacy.actions import Scanned, StoreUnavailable
from privacy.models import Store
from requests_app import cases
from requests_app.models import ResidueScan, RightsRequest, State, StoreRun
from requests_app.running import leases, scans
from requests_app.running.scans import scan_due
from requests_app.running.workers import locate_due, run_due, sweep
from tests.factories import NOW, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def approve(engine, clock):
    """Makes approved erasures of that many people."""
    agent, approver = make_staff("agent"), make_staff("approver")

    def make(count=1):
        requests = [make_request(right="erasure", ground="a", now=NOW) for _ in range(count)]
        while locate_due(clock=clock):
            pass
        for request in requests:
            cases.propose_erasure(request=request, acting_user=agent, reason="", now=NOW)
            digest = cases.plan_digest(request)
            cases.approve_erasure(request=request, acting_user=approver, plan_digest=digest, otp_device_verified=True, now=NOW)
        return requests

    return make


def states(requests):
    return {RightsRequest.objects.get(pk=request.pk).state for request in requests}


def test_one_pass_over_each_store_serves_all_who_wait(approve, engine, clock, bells, django_capture_on_commit_callbacks):
    make_store("crm"), make_store("billing")
    requests = approve(3)
    with django_capture_on_commit_callbacks(execute=True):
        while run_due(clock=clock):
            pass
    assert states(requests) == {State.RUNNING}
    assert bells.count("scan_residue") == 1
    while scan_due(clock=clock):
        pass
    assert sorted((call["store"], call["people"]) for call in engine.scans) == [("billing", 3), ("crm", 3)]
    assert states(requests) == {State.COMPLETED}
    assert ResidueScan.objects.count() == 2


def test_a_pass_is_in_the_log_without_anybody_in_it(approve, engine, clock):
    make_store("crm")
    engine.residue["crm"] = [{"column": "ticket.body", "rows": 2, "mapped": False}]
    approve(2)
    run_due(clock=clock), scan_due(clock=clock)
    event = audit.events(audit.SYSTEM).get(action="residue.scanned")
    assert event.payload == {"store": "crm", "people": 2, "tables": 2, "columns": 6, "unread": 0, "rows": 4}


def test_who_is_nowhere_is_looked_for_too(approve, engine, clock):
    make_store("crm")
    engine.nothing_in = {"crm"}
    engine.residue["crm"] = [{"column": "ticket.body", "rows": 1, "mapped": False}]
    (request,) = approve()
    assert states([request]) == {State.RUNNING}
    assert [run_due(clock=clock), scan_due(clock=clock)] == [0, 1]
    request.refresh_from_db()
    assert (request.state, request.outcome) == (State.COMPLETED, "nothing")
    assert "still stands in 1 place here" in request.answer


def test_a_pass_waits_a_while_for_erasures_under_way(approve, engine, clock, monkeypatch):
    monkeypatch.setattr(leases, "BATCH", 1)
    make_store("crm")
    requests = approve(3)
    run_due(clock=clock)
    assert scan_due(clock=clock) == 0
    clock.forward(seconds=61)
    assert scan_due(clock=clock) == 1  # but not for ever
    run_due(clock=clock), run_due(clock=clock)
    assert scan_due(clock=clock) == 1
    assert [call["people"] for call in engine.scans] == [1, 2]
    assert states(requests) == {State.COMPLETED}


def test_a_store_that_is_down_is_looked_at_later_and_takes_along_who_came_since(approve, engine, clock):
    make_store("crm")
    (first,) = approve()
    engine.on_scan = lambda store: StoreUnavailable("crm cannot be reached")
    run_due(clock=clock), scan_due(clock=clock)
    scan = ResidueScan.objects.get()
    assert (scan.error, scan.finished_at, scan.lease_until, scan.retries) == ("crm cannot be reached", None, None, 1)
    assert states([first]) == {State.RUNNING}
    (second,) = approve()
    run_due(clock=clock)
    assert scan_due(clock=clock) == 0  # not before its time
    engine.on_scan = lambda store: None
    assert "scan_residue" in sweep(now=clock.forward(minutes=2))
    assert scan_due(clock=clock) == 1
    assert engine.scans[-1]["people"] == 2
    assert states([first, second]) == {State.COMPLETED}


def test_another_stores_trouble_keeps_only_the_answer_back(approve, engine, clock):
    make_store("billing"), make_store("crm")
    (request,) = approve()
    while run_due(clock=clock):
        pass
    engine.on_scan = lambda store: StoreUnavailable("billing is down") if store == "billing" else None
    assert [scan_due(clock=clock) for _ in range(3)] == [1, 1, 0]
    finished = dict(ResidueScan.objects.values_list("store__key", "finished_at"))
    assert finished["billing"] is None
    assert finished["crm"] is not None
    assert states([request]) == {State.RUNNING}


def test_a_pass_that_was_cut_short_goes_on_after_what_it_read(approve, engine, clock):
    make_store("crm")
    engine.residue["crm"] = [{"column": name, "rows": 1, "mapped": False} for name in ("customer.note", "ticket.body")]
    (request,) = approve()
    run_due(clock=clock)

    def killed(store):
        if ResidueScan.objects.get().tables:
            raise KeyboardInterrupt  # the worker goes, and tells nobody

    engine.on_scan = killed
    with pytest.raises(KeyboardInterrupt):
        scan_due(clock=clock)
    assert ResidueScan.objects.get().lease_until is not None
    engine.on_scan = lambda store: None
    assert scan_due(clock=lambda: clock.now + timedelta(minutes=5)) == 1
    assert engine.scans[-1]["done"] == ["customer"]
    scan = ResidueScan.objects.get()
    assert (scan.tables, scan.columns, scan.attempt) == (["customer", "ticket"], 6, 2)
    assert [item["column"] for item in StoreRun.objects.get().residue] == ["customer.note", "ticket.body"]
    assert states([request]) == {State.COMPLETED}


def test_a_pass_that_was_cut_short_in_a_large_table_goes_on_there(approve, engine, clock, monkeypatch):
    make_store("crm")
    approve()
    run_due(clock=clock)
    (run,) = StoreRun.objects.all()
    held = {str(run.pk): [{"column": "ticket.body", "rows": 3, "mapped": False}]}

    def reading(*, begun, **_rest):
        engine.scans.append({"begun": begun})
        if begun is None:
            for number in range(1, 4):
                clock.forward(seconds=11)
                yield Scanned("ticket", 2, held if number == 3 else {}, mark=["anna@example.com", number])
            raise KeyboardInterrupt  # the worker goes, and tells nobody
        yield Scanned("ticket", 2, {ref: [{**item, "rows": 5} for item in items] for ref, items in begun.found.items()})

    monkeypatch.setattr(actions, "scan", reading)
    with pytest.raises(KeyboardInterrupt):
        scan_due(clock=clock)
    with connection.cursor() as cursor:
        cursor.execute("SELECT partial::text FROM requests_app_residuescan")
        assert "anna" not in cursor.fetchone()[0]
    approve()
    run_due(clock=clock)
    clock.forward(minutes=5)
    assert scan_due(clock=clock) == 1
    assert engine.scans[-1]["begun"] == Scanned("ticket", 2, held, mark=["anna@example.com", 3])
    scan = ResidueScan.objects.get()
    # Whoever came since was not looked for in what was read before.
    assert (scan.tables, scan.partial, scan.runs.get()) == (["ticket"], None, run)
    run.refresh_from_db()
    assert [item["rows"] for item in run.residue] == [5]


def test_a_long_pass_lets_other_work_in_between(approve, engine, clock):
    make_store("crm")
    approve()
    run_due(clock=clock)
    engine.on_scan = lambda store: clock.forward(minutes=2) and None
    assert scan_due(clock=clock) == 1
    scan = ResidueScan.objects.get()
    assert (scan.tables, scan.finished_at, scan.lease_until) == (["customer"], None, None)
    (second,) = approve()
    run_due(clock=clock)
    while scan_due(clock=clock):
        pass
    # Who was done meanwhile had to wait for the next pass: the first table was read without them.
    assert [(call["people"], call["done"]) for call in engine.scans[:2]] == [(1, []), (1, ["customer"])]
    assert StoreRun.objects.get(request=second).scan_id != scan.pk
    assert states(RightsRequest.objects.all()) == {State.COMPLETED}


def test_a_worker_that_was_replaced_writes_nothing(approve, engine, clock):
    make_store("crm")
    (request,) = approve()
    run_due(clock=clock)

    def somebody_else(store):
        ResidueScan.objects.update(attempt=7)

    engine.on_scan = somebody_else
    scan_due(clock=clock)
    scan = ResidueScan.objects.get()
    assert (scan.tables, scan.finished_at, scan.attempt) == ([], None, 7)
    assert states([request]) == {State.RUNNING}


def test_a_store_that_goes_out_of_use_is_not_waited_for(approve, engine, clock):
    make_store("crm")
    (request,) = approve()
    run_due(clock=clock)
    Store.objects.update(is_active=False)
    assert not scans.outstanding(clock())
    sweep(now=clock())
    assert states([request]) == {State.COMPLETED}
