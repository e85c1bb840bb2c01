"""Many cases settled at once: the same end for each as alone, in a number of statements that does not grow with them."""

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from privacy import audit
from requests_app import cases
from requests_app.models import OutboxItem, RightsRequest, RunState, State, StoreRun
from requests_app.running.bulk import write_columns
from requests_app.running.scans import scan_due
from requests_app.running.workers import locate_due, run_due
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


def approved_erasures(count, clock):
    agent, approver = make_staff("agent"), make_staff("approver")
    requests = [make_request(make_customer(language="en"), right="erasure", ground="a", now=NOW) for _ in range(count)]
    while locate_due(clock=clock):
        pass
    for request in requests:
        cases.propose_erasure(request=request, acting_user=agent, reason="", now=NOW)
        digest = cases.plan_digest(request)
        cases.approve_erasure(request=request, acting_user=approver, plan_digest=digest, otp_device_verified=True, now=NOW)
    return requests


def test_no_case_costs_statements_of_its_own(engine, clock):
    make_store("billing")
    counts = []
    for many in (3, 13):
        requests = approved_erasures(many, clock)
        with CaptureQueriesContext(connection) as queries:
            assert run_due(clock=clock) == many
            while scan_due(clock=clock):
                pass
        counts.append(len(queries))
        for request in requests:
            request.refresh_from_db()
            assert request.state == State.COMPLETED
            assert "3 records erased" in request.answer
            actions = [event.action for event in audit.events(request.reference)]
            assert [actions.count(name) for name in ("request.start", "run.done", "request.complete")] == [1, 1, 1]
            assert OutboxItem.objects.filter(request=request, key__contains=":answered:").count() == 1
    assert counts[1] <= counts[0]


def test_a_case_that_cannot_go_on_leaves_those_beside_it_alone(engine, clock):
    store = make_store("billing")
    stopped, fine = approved_erasures(2, clock)
    make_store("crm")
    StoreRun.objects.create(
        request=stopped,
        store=store.__class__.objects.get(key="crm"),
        right="erasure",
        subject=stopped.customer.public_id,
        state=RunState.BLOCKED,
        error="stopped",
    )
    while run_due(clock=clock) or scan_due(clock=clock):
        pass
    stopped.refresh_from_db(), fine.refresh_from_db()
    assert (stopped.state, stopped.answer) == (State.BLOCKED, None)
    assert (fine.state, bool(fine.answer)) == (State.COMPLETED, True)


def test_columns_of_many_rows_are_written_as_each_row_has_them(engine, clock):
    make_store("billing")
    first, second = (StoreRun.objects.get(request=make_request(make_customer(), now=NOW)) for _ in range(2))
    untouched = StoreRun.objects.get(request=make_request(make_customer(), now=NOW))
    first.finding, first.plan, first.error, first.finished_at, first.lost = {"ö": [1, None]}, {"p": 1}, "it's", NOW, 3
    second.finding, second.plan, second.error, second.finished_at, second.lost = None, None, "", None, 0
    write_columns([first, second], ["finding", "plan", "error", "finished_at", "lost"])
    for run in first, second:
        stored = StoreRun.objects.get(pk=run.pk)
        for name in "finding", "plan", "error", "finished_at", "lost", "state", "subject":
            assert getattr(stored, name) == getattr(run, name)
    assert StoreRun.objects.filter(finding__isnull=True).count() == 2
    assert StoreRun.objects.get(pk=untouched.pk).error == ""
    write_columns([], ["error"])
    first.error = "x" * 256
    with pytest.raises(DataError), transaction.atomic():
        write_columns([first], ["error"])
    request = RightsRequest.objects.get(pk=first.request_id)
    request.answer = "Hej"
    write_columns([request], ["answer"])
    assert RightsRequest.objects.get(pk=request.pk).answer == "Hej"
