"""Tells workers that there is something to do. The database is the truth: a bell nobody hears costs time, never work (R25)."""

from __future__ import annotations

from functools import partial
from time import monotonic

import structlog
from celery import current_app
from django.db import transaction

log = structlog.get_logger(__name__)

SILENT_SECONDS = 30
_silent_until = 0.0

LOCATE, RUN_BATCH, BUILD_PACKAGE, DELIVER_OUTBOX = "locate", "run_batch", "build_package", "deliver_outbox"
SCAN_RESIDUE, TELL_POLICY = "scan_residue", "tell_policy"


def ring(*tasks: str) -> None:
    """Ring once the surrounding transaction is committed."""
    for task in tasks:
        transaction.on_commit(partial(ring_now, task))


def ring_now(task: str) -> None:
    """Send the message; a broker that is down is no reason to fail what was just committed, the sweep rings again."""
    global _silent_until
    if monotonic() < _silent_until:
        return
    try:
        current_app.send_task(f"requests_app.tasks.{task}", retry=False, ignore_result=True)
    except Exception as error:  # noqa: BLE001 - kombu, redis and socket errors of every kind
        # Finding out takes seconds, and somebody may be waiting for a page.
        _silent_until = monotonic() + SILENT_SECONDS
        log.warning("doorbell_not_heard", task=task, error=type(error).__name__)
