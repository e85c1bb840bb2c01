"""Effects owed to the world: rows written with the decision, delivered at least once under an idempotency key (R25).

A delivery is claimed by moving its `due_at` on, which is also its backoff: a worker that dies in the middle leaves the item to be
tried again, and two workers never take the same one. Tasks for people wait in the table until somebody reports them done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from accounts import messaging
from accounts.models import Staff
from privacy import audit, hooks
from privacy.models import Restriction
from requests_app import doorbell
from requests_app.backoff import backoff
from requests_app.models import OutboxItem, RightsRequest
from requests_app.steps import staff_actor

log = structlog.get_logger(__name__)

Kind = OutboxItem.Kind
CARRIED = (Kind.EMAIL, Kind.SMS, Kind.HOOK)
FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=2), timedelta(hours=6)
# The notice that a restriction will be lifted: its delivery is the date of Art. 18(3).
LIFTING = "lifting"


def enqueue(
    *,
    kind: str,
    key: str,
    to: str | None,
    payload: dict[str, Any],
    now: datetime,
    request: RightsRequest | None = None,
    due_at: datetime | None = None,
) -> None:
    """Owe this effect, once per `key`. Payloads: mail and SMS {"subject", "text"}; hook {"url", "body"}; task {"text"}."""
    enqueue_all([item(kind=kind, key=key, to=to, payload=payload, request=request, now=now, due_at=due_at)])


def item(
    *,
    kind: str,
    key: str,
    to: str | None,
    payload: dict[str, Any],
    now: datetime,
    request: RightsRequest | None = None,
    due_at: datetime | None = None,
) -> OutboxItem:
    """An effect for `enqueue_all`."""
    return OutboxItem(kind=kind, key=key, to=to, payload=payload, request=request, created_at=now, due_at=due_at or now)


def enqueue_all(items: Sequence[OutboxItem]) -> None:
    """Owe these effects, each once per `key`."""
    OutboxItem.objects.bulk_create(items, ignore_conflicts=True)
    if any(owed.kind in CARRIED for owed in items):
        doorbell.ring(doorbell.DELIVER_OUTBOX)


def deliver_due(*, now: datetime | None = None, limit: int = 500, clock: Callable[[], datetime] = timezone.now) -> int:
    """Deliver what is due, one item at a time; answers how many left the house. `now` fixes the clock, for tests and commands."""
    tick = clock if now is None else (lambda: now)
    delivered = 0
    for _turn in range(limit):
        item = _claim(tick())
        if item is None:
            break
        delivered += _deliver(item, tick)
    return delivered


def report_done(*, item: OutboxItem, acting_user: Staff, now: datetime) -> bool:
    """A task for a person was carried out; False when it was reported before."""
    with transaction.atomic():
        if not _mark_delivered(item, now):
            return False
        if item.request:
            audit.record(
                chain=item.request.reference,
                actor=staff_actor(acting_user),
                action="task.done",
                payload={"task": item.pk},
                now=now,
            )
    return True


def forget_delivered(*, now: datetime, after: timedelta = timedelta(days=90)) -> int:
    """Drop what delivered items still hold, and old items that no case needs; answers how many rows went."""
    delivered = OutboxItem.objects.filter(delivered_at__isnull=False)
    delivered.exclude(payload=None, to=None).update(payload=None, to=None)
    return delivered.filter(request=None, delivered_at__lt=now - after).delete()[0]


def _claim(now: datetime) -> OutboxItem | None:
    with transaction.atomic():
        due = OutboxItem.objects.filter(delivered_at=None, kind__in=CARRIED, due_at__lte=now)
        item = due.order_by("due_at", "pk").select_for_update(skip_locked=True).first()
        if item is None:
            return None
        item.attempts += 1
        item.due_at = now + backoff(item.attempts, first=FIRST_RETRY, longest=LONGEST_RETRY)
        item.save(update_fields=["attempts", "due_at"])
        return item


def _deliver(item: OutboxItem, tick: Callable[[], datetime]) -> bool:
    try:
        if item.kind == Kind.HOOK:
            hook = item.payload or {}
            hooks.post(hook["url"], hook["body"], key=item.key, now=tick())
        else:
            content = item.payload or {}
            messaging.deliver(
                channel=item.kind, to=item.to or "", subject=content.get("subject", ""), text=content["text"], key=item.key
            )
    except (messaging.DeliveryFailed, hooks.HookFailed) as error:
        _remember_failure(item, str(error))
        return False
    except Exception as error:  # noqa: BLE001 - one broken item must not stop those behind it
        # Its text may carry the address; the class says where to look.
        _remember_failure(item, type(error).__name__)
        return False
    return _mark_delivered(item, tick())


def _remember_failure(item: OutboxItem, error: str) -> None:
    OutboxItem.objects.filter(pk=item.pk, delivered_at=None).update(error=error[:255])
    log.warning("outbox_not_delivered", item=item.pk, kind=item.kind, attempts=item.attempts, error=error)


def _mark_delivered(item: OutboxItem, now: datetime) -> bool:
    """Write the delivery down and drop the content; whoever is told of a lifting is told from now on (Art. 18(3))."""
    with transaction.atomic():
        rows = OutboxItem.objects.filter(pk=item.pk, delivered_at=None)
        if not rows.update(delivered_at=now, error="", payload=None, to=None):
            return False
        if item.request and event_of(item.key) == LIFTING:
            told = Restriction.objects.filter(case=item.request.reference, told_at=None, lifted_at=None).update(told_at=now)
            if told:
                audit.record(chain=item.request.reference, actor="system", action="restriction.told", payload={}, now=now)
        return True


def key_for(request: RightsRequest, event: str, contact: object = "") -> str:
    """The idempotency key of one notice of one case to one contact."""
    return f"{request.reference}:{event}:{contact}"


def event_of(key: str) -> str:
    return key.split(":")[1] if key.count(":") >= 2 else ""
