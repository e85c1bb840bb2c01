"""Every night the ledger's file is completed, what no backup brings back is forgotten, and the audit log is signed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from privacy import audit, ledger, proof

NOW = datetime(2026, 3, 5, 3, 20, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> Path:
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    settings.INSYN_CHECKPOINT_DIR = tmp_path / "checkpoints"
    settings.INSYN_BACKUP_HORIZON_DAYS = 30
    return tmp_path


def test_a_night_completes_the_ledger_and_signs_the_log(folders: Path) -> None:
    audit.record(chain="A", actor="system", action="x", payload={}, now=NOW)
    ledger.record(case="A", store_key="crm", entries=[("link", "a.b", "1")], now=NOW)  # the file is written after the commit
    assert not list(ledger.read_file())
    assert proof.keep(now=NOW)
    assert len(list(ledger.read_file())) == 1
    assert len(list((folders / "checkpoints").iterdir())) == 1
    assert audit.verify() == []
    assert proof.keep(now=NOW + timedelta(days=30))
    assert not list(ledger.read_file())


def test_a_log_that_does_not_verify_is_told_and_the_rest_is_done(
    folders: Path, django_capture_on_commit_callbacks: Callable
) -> None:
    for _ in range(3):
        audit.record(chain="A", actor="system", action="x", payload={}, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE privacy_auditevent DISABLE TRIGGER audit_append_only")
        cursor.execute("DELETE FROM privacy_auditevent WHERE seq = 2")
    ledger.record(case="A", store_key="crm", entries=[("link", "a.b", "1")], now=NOW)
    assert not proof.keep(now=NOW)
    assert len(list(ledger.read_file())) == 1
    assert not (folders / "checkpoints").exists()
