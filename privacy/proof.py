"""What keeps the proof whole, every night: the ledger's file has all that the database has, and the audit log is signed."""

from __future__ import annotations

from datetime import datetime

import structlog

from privacy import checkpoints, ledger

log = structlog.get_logger("insyn.proof")


def keep(*, now: datetime) -> bool:
    """Complete and expire the ledger, then sign the audit log; False, and an error in the log, when that does not verify."""
    ledger.complete_file()
    ledger.expire(now=now)
    try:
        checkpoints.checkpoint(now=now)
    except checkpoints.CheckpointRefused as refused:
        kinds = sorted({problem.kind for problem in refused.problems})
        log.error("audit_log_does_not_verify", problems=len(refused.problems), kinds=kinds)
        return False
    return True
