"""Messages only ring: a broker that is down fails nothing, and what they would have started is found by the sweep."""

import pytest
from celery import current_app
from django.db import transaction

from requests_app import tasks
from requests_app.registers import forwarding
from requests_app.running import doorbell, scans, workers

RING_NOW = doorbell.ring_now  # before the fixture of this folder replaces it


@pytest.fixture(autouse=True)
def heard(monkeypatch):
    monkeypatch.setattr(doorbell, "_silent_until", 0.0)


def test_a_message_names_a_task_and_nothing_else(monkeypatch):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda *args, **options: sent.append((args, options)))
    RING_NOW("locate")
    assert sent == [(("requests_app.tasks.locate",), {"retry": False, "ignore_result": True})]


def test_every_bell_is_a_task():
    for bell in (doorbell.LOCATE, doorbell.RUN_BATCH, doorbell.BUILD_PACKAGE, doorbell.DELIVER_OUTBOX, doorbell.SCAN_RESIDUE):
        assert getattr(tasks, bell).name == f"requests_app.tasks.{bell}"


def test_a_broker_that_is_down_fails_nothing_and_is_not_asked_again_at_once(monkeypatch):
    tries = []

    def refuse(*args, **options):
        tries.append(args)
        raise ConnectionError

    monkeypatch.setattr(current_app, "send_task", refuse)
    RING_NOW("locate")
    RING_NOW("run_batch")
    assert len(tries) == 1


@pytest.mark.django_db(transaction=True)
def test_it_rings_after_the_commit_and_not_after_a_rollback(bells):
    with transaction.atomic():
        doorbell.ring("locate", "run_batch")
        assert bells == []
    assert bells == ["locate", "run_batch"]
    with transaction.atomic():
        doorbell.ring("locate")
        transaction.set_rollback(True)
    assert bells == ["locate", "run_batch"]


def test_a_task_rings_again_while_there_was_work(monkeypatch, bells):
    left = [2, 1, 0]
    monkeypatch.setattr(workers, "run_due", lambda: left.pop(0))
    monkeypatch.setattr(scans, "outstanding", lambda now: False)
    for _ in range(3):
        tasks.run_batch()
    assert bells == ["run_batch", "run_batch"]


def test_when_all_is_erased_the_bell_rings_for_who_waits_to_be_looked_for(monkeypatch, bells):
    monkeypatch.setattr(workers, "run_due", lambda: 0)
    monkeypatch.setattr(scans, "outstanding", lambda now: True)
    tasks.run_batch()
    assert bells == ["scan_residue"]


def test_the_sweep_rings_for_what_is_due(monkeypatch, bells):
    forwarded = []
    monkeypatch.setattr(workers, "sweep", lambda *, now: ["locate", "build_package"])
    monkeypatch.setattr(forwarding, "forward_due", lambda *, now: forwarded.append(now))
    tasks.sweep()
    assert bells == ["locate", "build_package"]
    assert len(forwarded) == 1
