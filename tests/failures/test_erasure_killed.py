"""An erasure whose worker is killed at every boundary there is ends exactly once, with a true report."""

import pytest
from django.utils import timezone

from privacy import audit
from requests_app import cases
from requests_app.models import OutboxItem, RunState, State
from tests.factories import make_staff
from tests.failures.worlds import approved, assert_ended_once, assert_erased_truly, assert_gone, letters_to, run, state, stop

BOUNDARIES = {
    "claimed": ("before", "requests_app.running.workers:begin"),
    "begun": ("after", "requests_app.running.workers:begin"),
    "in the store's transaction, nothing changed yet": ("before", "privacy.engine.erasure.erase:_delete"),
    "in the store's transaction, all of it done": ("after", "privacy.engine.erasure.erase:_delete"),
    "committed, not verified": ("before", "privacy.engine.erasure.erase:remaining"),
    "verified, not in the ledger": ("before", "privacy.executing:ledger.record_many"),
    "in the ledger's database, not in its file": ("before", "privacy.ledger:_append"),
    "in the ledger, the outcome not written": ("before", "requests_app.running.workers:write_outcomes"),
    "outcome written, the case not closed": ("before", "requests_app.running.outcomes:settle"),
    "closed, not committed": ("after", "requests_app.running.outcomes:settle"),
    "committed, before the bell rings again": ("after", "requests_app.running.workers:write_outcomes"),
}


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_it_ends_once(shop, workers, boundary):
    shop.load()
    request = approved("erasure")
    others = shop.rows(of="K2")
    moment, place = BOUNDARIES[boundary]
    victim = workers.start(stop(moment, place, call=2))  # the first call is for the other store
    workers.ring("run_batch")
    victim.has_died()

    workers.start()
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    workers.until(lambda: letters_to("sven@example.se", about="answered"), "the letter")
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)
    assert shop.rows(of="K2") == others
    assert len(letters_to("sven@example.se", about="answered")) == 1
    assert (run(request, "support").attempt, run(request, "shop").attempt) in ((2, 2), (2, 3))


LOOKING = {
    "claimed": ("before", "requests_app.running.scans:_read", 1),
    "a table read, not noted": ("before", "requests_app.running.scans:_note", 2),
    "a table noted": ("after", "requests_app.running.scans:_note", 2),
    "a store read, the case not closed": ("before", "requests_app.running.scans:settle", 1),
    "closed, not committed": ("after", "requests_app.running.scans:settle", 2),
    "committed": ("after", "requests_app.running.scans:_finish", 1),
}


@pytest.mark.parametrize("boundary", LOOKING)
def test_what_is_left_is_counted_once(shop, workers, boundary):
    """A last look that is cut short goes on, and no table is counted twice."""
    shop.execute("support", "CREATE TABLE memo (id integer, body text)")
    shop.execute("support", "INSERT INTO memo VALUES (1, 'ask sven@example.se'), (2, 'ask lisa@example.se')")
    shop.load()
    request = approved("erasure")
    moment, place, call = LOOKING[boundary]
    victim = workers.start(stop(moment, place, call=call))
    workers.ring("run_batch")
    victim.has_died()

    workers.start()
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert run(request, "support").residue == [{"column": "memo.body", "rows": 1, "mapped": False}]
    assert OutboxItem.objects.filter(request=request, kind="task", key__contains=":residue:").count() == 1
    assert audit.events("system").filter(action="residue.scanned").count() == 2
    assert_ended_once(request)
    assert_erased_truly(request)


def test_what_kills_every_worker_is_stopped_in_the_end(shop, workers):
    """The system kills the child again and again; its parent goes on, and so do the others' cases."""
    shop.load()
    request = approved("erasure")
    before = shop.rows(of="K1")
    fewer = {"what": "set", "place": "requests_app.running.workers:STOPPED_AFTER", "value": 3}
    worker = workers.start(fewer, stop("before", "privacy.engine.erasure.erase:_delete", way="kill child"))
    workers.ring("run_batch")
    workers.until(lambda: state(request) == State.BLOCKED, "the stop")
    stopped = run(request, "support")
    assert (stopped.state, stopped.lost, stopped.error) == (RunState.BLOCKED, 3, "its worker ended 3 times without an answer")
    assert shop.rows(of="K1") == before
    assert worker.lives

    worker.kill()
    workers.start()
    cases.resume_run(run=stopped, acting_user=make_staff("agent"), now=timezone.now())
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)
