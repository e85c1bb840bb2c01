"""The broker is a doorbell (R25): emptied, or stopped and started, it loses messages and no work."""

import pytest

from requests_app.models import RunState, State
from tests.factories import make_customer
from tests.failures.conftest import wait_until
from tests.failures.worlds import approved, ask, assert_ended_once, assert_erased_truly, assert_gone, letters_to, run, state

EVERY_SECOND = {
    "sweep": {"task": "requests_app.tasks.sweep", "schedule": 0.5, "options": {"expires": 10}},
    "deliver-outbox": {"task": "requests_app.tasks.deliver_outbox", "schedule": 0.5, "options": {"expires": 5}},
}


@pytest.fixture
def beat(workers):
    """The real beat, sweeping more often than in real life."""
    workers.start_beat(CELERY_BEAT_SCHEDULE=EVERY_SECOND)


def test_emptied_while_work_is_due(shop, workers, own_servers, beat):
    shop.load()
    request = approved("erasure")
    workers.ring(*["run_batch", "deliver_outbox"] * 20)
    wait_until(lambda: workers.waiting() >= 40, "the messages")
    own_servers.empty_redis()
    workers.start()
    wait_until(lambda: state(request) == State.COMPLETED, "the completion")
    wait_until(lambda: letters_to("sven@example.se", about="answered"), "the letter")
    assert_ended_once(request)
    assert_erased_truly(request)


def test_emptied_while_workers_listen(shop, workers, own_servers, beat):
    """Who listens already goes on listening, and beat goes on ringing."""
    shop.load()
    workers.start()
    first = ask("objection", level=1)
    wait_until(lambda: state(first) == State.COMPLETED, "the first one's end")
    own_servers.empty_redis()
    request = approved("restriction", customer=first.customer)
    wait_until(lambda: state(request) == State.RESTRICTED, "the second one's end")


def test_stopped_and_started_while_a_worker_is_busy(shop, workers, own_servers, beat, held):
    shop.load()
    request = approved("erasure")
    worker = workers.start({"what": "set", "place": "requests_app.running.doorbell:SILENT_SECONDS", "value": 1})
    wait_until(shop.is_being_erased, "the erasure")
    own_servers.stop_redis()
    try:
        held.rollback()
        wait_until(lambda: run(request, "support").state == RunState.DONE, "the end of what was begun")
        later = ask("objection", customer=make_customer("lisa@example.se"), level=1)
    finally:
        own_servers.start_redis()
    for each in (request, later):
        wait_until(lambda each=each: state(each) == State.COMPLETED, "the completion")
        assert_ended_once(each)
    assert worker.lives
    assert_erased_truly(request)
    assert_gone(shop)
