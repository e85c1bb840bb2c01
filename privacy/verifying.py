"""Verifying the whole audit log, and remembering that it was: the log itself tells when, by whom and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from privacy import audit, checkpoints
from privacy.audit import Problem
from privacy.models import AuditEvent

VERIFIED = "audit.verified"


@dataclass(frozen=True)
class Verification:
    event: int  # of the log
    at: datetime
    whole: bool


def verify_log(*, actor: str, now: datetime) -> list[Problem]:
    """Walk every chain and checkpoint, and write down what came of it; answers what is wrong."""
    problems = audit.verify()
    with transaction.atomic():
        audit.record(chain=audit.SYSTEM, actor=actor, action=VERIFIED, payload={"problems": len(problems)}, now=now)
    return problems


def last_verification() -> Verification | None:
    """The newest one; a checkpoint is signed only when the log verifies, so it counts as well."""
    told = AuditEvent.objects.filter(chain=audit.SYSTEM, action__in=(VERIFIED, checkpoints.RECORDED_AS)).order_by("-id").first()
    if told is None:
        return None
    payload = told.payload if isinstance(told.payload, dict) else {}
    # A checkpoint after a restore on purpose (`restart`) is made of a log that does not verify.
    whole = not payload.get("problems") and not payload.get("restart")
    return Verification(event=told.pk, at=told.at, whole=whole)
