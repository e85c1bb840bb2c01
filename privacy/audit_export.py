"""The audit log as a file for somebody else: JSON lines that `scripts/verify_audit.py` checks, or a table.

A line of the JSON form is the object whose hash stands in the log, with that hash as `hash`: see docs/audit.md.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from privacy import audit
from privacy.engine.package.encode import guard
from privacy.models import AuditEvent

COLUMNS = ("chain", "seq", "at", "actor", "action", "payload", "prev", "hash")
EXPORTED = "audit.exported"
_AT_ONCE = 2000


@dataclass(frozen=True)
class Wanted:
    """Which events: of a chain, of a kind (the beginning of their action), by whom, on which local days (both included)."""

    chain: str = ""
    what: str = ""
    who: str = ""  # an actor, or the beginning of one that ends in a colon: "staff:"
    since: date | None = None
    until: date | None = None

    def condition(self) -> Q:
        found = Q()
        if self.chain:
            found &= Q(chain=self.chain)
        if self.what:
            found &= Q(action__startswith=self.what)
        if self.who:
            found &= Q(actor__startswith=self.who) if self.who.endswith(":") else Q(actor=self.who)
        if self.since:
            found &= Q(at__gte=_midnight(self.since))
        if self.until:
            found &= Q(at__lt=_midnight(self.until + timedelta(days=1)))
        return found

    def stated(self) -> dict[str, Any]:
        """What was asked for, as the log tells of it."""
        asked = {"chain": self.chain, "what": self.what, "who": self.who, "since": self.since, "until": self.until}
        return {key: value.isoformat() if isinstance(value, date) else value for key, value in asked.items() if value}


def export(*, wanted: Wanted, form: str, actor: str, now: datetime) -> Iterator[bytes]:
    """Write down that somebody takes the log away, then give it in pieces. `form`: jsonl | csv."""
    write = FORMS[form]
    with transaction.atomic():
        payload = {"form": form, **wanted.stated()}
        audit.record(chain=audit.SYSTEM, actor=actor, action=EXPORTED, payload=payload, now=now)
    return write(AuditEvent.objects.filter(wanted.condition()).order_by("chain", "seq"))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _json_lines(found: QuerySet[AuditEvent]) -> Iterator[bytes]:
    for row in _rows(found):
        yield audit.canonical({**row, "v": audit.VERSION}) + b"\n"


def _table(found: QuerySet[AuditEvent]) -> Iterator[bytes]:
    yield _csv_line(COLUMNS)
    for row in _rows(found):
        yield _csv_line([guard(str(value)) for value in {**row, "payload": audit.canonical(row["payload"]).decode()}.values()])


def _rows(found: QuerySet[AuditEvent]) -> Iterator[Mapping[str, Any]]:
    names = ("chain", "seq", "at", "actor", "action", "payload", "prev_hash", "hash")
    for chain, seq, at, *rest in found.values_list(*names).iterator(chunk_size=_AT_ONCE):
        moment = at.astimezone(UTC).isoformat(timespec="microseconds")
        yield dict(zip(COLUMNS, (chain, seq, moment, *rest), strict=True))


def _csv_line(cells: Any) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()


FORMS: Mapping[str, Callable[[QuerySet[AuditEvent]], Iterator[bytes]]] = {"jsonl": _json_lines, "csv": _table}
