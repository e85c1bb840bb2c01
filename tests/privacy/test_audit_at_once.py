"""Cases never wait for one another's audit log; two events of one case do, and neither is lost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from privacy import audit
from privacy.audit import Entry
from privacy.models import AuditEvent

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(work: Callable[[], Any]) -> Any:
    """Run in a thread with a database connection of its own."""

    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(timeout=30)


def record(chain: str, *, wait: str = "200ms") -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{wait}'")
        audit.record(chain=chain, actor="system", action="x", payload={}, now=NOW)


def test_an_open_transaction_of_one_case_holds_up_no_other() -> None:
    with transaction.atomic():
        record("A")
        elsewhere(lambda: record("B"))
        elsewhere(lambda: record("system"))
        with pytest.raises(OperationalError):
            elsewhere(lambda: record("A"))
    record("A")
    assert list(audit.events("A").values_list("seq", flat=True)) == [1, 2]
    assert audit.verify() == []


def test_events_written_at_once_make_one_chain() -> None:
    def work(number: int) -> None:
        try:
            for step in range(10):
                entries = [Entry("A", "x", {"n": number, "step": step}), Entry("B", "y"), Entry("A", "z")]
                with transaction.atomic():
                    audit.record_many(entries if number % 2 else list(reversed(entries)), actor="system", now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4), timeout=60))
    assert AuditEvent.objects.filter(chain="A").count() == 80
    assert list(audit.events("A").values_list("seq", flat=True)) == list(range(1, 81))
    assert audit.verify() == []


def test_an_event_whose_transaction_fails_leaves_no_gap() -> None:
    record("A")
    with transaction.atomic():
        record("A")
        transaction.set_rollback(True)
    record("A")
    assert audit.verify() == []


def test_a_checkpoint_while_events_are_written_verifies(tmp_path: Any, settings: Any) -> None:
    from privacy import checkpoints

    settings.INSYN_CHECKPOINT_DIR = tmp_path
    stop = threading.Event()

    def keep_writing() -> None:
        try:
            while not stop.is_set():
                with transaction.atomic():
                    audit.record_many([Entry("A", "x"), Entry("B", "x")], actor="system", now=NOW)
        finally:
            connection.close()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for _ in range(5):
            checkpoints.checkpoint(now=NOW)
            assert audit.verify() == []
    finally:
        stop.set()
        writer.join()
    assert audit.verify() == []
