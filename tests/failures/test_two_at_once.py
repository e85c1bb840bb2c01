"""Two workers, messages that come twice, a worker that goes on after its time: everything is done once (R26)."""

import signal

import pytest
from django.db import connection
from django.utils import timezone

from privacy import audit
from requests_app.models import RightsRequest, RunState, State, StoreRun
from requests_app.running.workers import locate_due
from tests.factories import make_customer
from tests.failures.conftest import end_leases, wait_until
from tests.failures.worlds import (
    approved,
    ask,
    assert_ended_once,
    assert_erased_truly,
    assert_gone,
    run,
    state,
    stop,
)


def end_sessions_of_claims():
    """Cut the application's database off from whoever holds a claim, as a failing network does."""
    mine = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND {mine}")
        assert cursor.fetchall()


def test_two_workers_and_messages_twice(shop, workers):
    shop.add_people(40)
    shop.load()
    requests = [ask("objection", customer=make_customer(f"p{n}@example.se"), level=1) for n in range(1, 41)]
    while locate_due():
        pass
    small = {"what": "set", "place": "requests_app.running.leases:BATCH", "value": 7}
    workers.start(small), workers.start(small)
    workers.ring(*["run_batch", "run_batch"] * 3)

    def all_done():
        return not RightsRequest.objects.exclude(state=State.COMPLETED).exists()

    workers.until(all_done, "the end of all")
    assert set(StoreRun.objects.values_list("state", "attempt")) == {(RunState.DONE, 2)}
    for request in requests:
        assert_ended_once(request)
    assert shop.execute("shop", "SELECT count(*) FROM customer WHERE marketing") == [(2,)]


def test_a_lease_that_ends_while_its_worker_waits_in_the_store(shop, workers, held):
    """Nobody takes over while the late one lives; what it did is not committed, and is done again by who has the lease."""
    shop.load()
    request = approved("erasure")
    workers.start(), workers.start()
    workers.ring("run_batch")
    wait_until(lambda: shop.is_being_erased(), "the erasure")
    end_leases()
    workers.ring("sweep")
    # The other one tries and finds the person locked: it is put off, without an attempt.
    wait_until(lambda: run(request, "support").state == RunState.QUEUED, "the end of the lease")
    wait_until(lambda: run(request, "support").due_at > timezone.now(), "the try of the other worker")
    assert run(request, "support").attempt == 2
    held.rollback()

    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert "lease_lost" in workers.log()
    assert run(request, "support").attempt == 3
    tickets = run(request, "support").report["collections"]["ticket"]
    assert (tickets["deleted"], tickets.get("erased_earlier", 0)) == (4, 0)
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)


def test_a_worker_cut_off_from_our_database_does_not_commit_what_somebody_else_was_given(shop, workers, held):
    """Its locks are gone without its knowing, and another one waits for the same rows already."""
    shop.load()
    request = approved("erasure")
    others = shop.rows(of="K2")
    workers.start(), workers.start()
    workers.ring("run_batch")
    wait_until(lambda: shop.is_being_erased(), "the erasure")
    end_sessions_of_claims()
    workers.ring("sweep")
    wait_until(lambda: run(request, "support").attempt == 3, "the other worker's claim")
    held.rollback()

    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert "OperationalError" in workers.log()
    tickets = run(request, "support").report["collections"]["ticket"]
    assert (tickets["deleted"], tickets.get("erased_earlier", 0)) == (4, 0)
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)
    assert shop.rows(of="K2") == others


@pytest.mark.parametrize(
    ("moment", "place", "erased_earlier"),
    [
        ("after", "privacy.engine.erasure.erase:_delete", 0),
        ("before", "privacy.engine.erasure.erase:remaining", 4),
        ("before", "requests_app.running.workers:write_outcomes", 4),
    ],
)
def test_a_worker_that_freezes_and_wakes_up_too_late(shop, workers, moment, place, erased_earlier):
    shop.load()
    request = approved("erasure")
    sleeper = workers.start(stop(moment, place, way="freeze"))
    workers.ring("run_batch")
    wait_until(sleeper.is_frozen, "the freeze")
    end_leases()
    workers.start()
    workers.ring("sweep")
    wait_until(lambda: run(request, "support").state == RunState.QUEUED, "the end of the lease")
    wait_until(lambda: run(request, "support").due_at > timezone.now(), "the try of the other worker")
    sleeper.signal(signal.SIGCONT)

    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    tickets = run(request, "support").report["collections"]["ticket"]
    assert (tickets["deleted"], tickets.get("erased_earlier", 0)) == (4 - erased_earlier, erased_earlier)
    assert [event.payload["attempt"] for event in audit.events(request.reference).filter(action="run.done")] == [3, 2]
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)
