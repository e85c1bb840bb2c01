"""Effects owed to the world: rows written with the decision, delivered at least once under an idempotency key (R25).

A delivery is claimed by moving its `due_at` on, which is also its backoff: a worker that dies in the middle leaves its items to
be tried again, and two workers never take the same one. Tasks for people wait in the table until somebody reports them done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from accounts import messaging
from accounts.models import Staff
from privacy import audit, hooks
from privacy.models import Restriction
from requests_app.case.steps import staff_actor
from requests_app.models import OutboxItem, RecipientNotice, RightsRequest
from requests_app.running import doorbell
from requests_app.running.backoff import backoff
from requests_app.running.bulk import write_columns

log = structlog.get_logger(__name__)

Kind = OutboxItem.Kind
CARRIED = (Kind.EMAIL, Kind.SMS, Kind.HOOK)
FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=2), timedelta(hours=6)
# So many are taken at once, and those that no turn came to in this time are given back: long before they are due again.
AT_ONCE, HELD_SECONDS = 50, 30
# Who dies before that has delivered again what left the house in these seconds.
MARKED_WITHIN = 0.2
# The notice that a restriction will be lifted: its delivery is the date of Art. 18(3).
LIFTING = "lifting"
# What a recipient is told of a change: its delivery is the telling of Art. 19.
RECIPIENT = "recipient"


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
    """Deliver what is due, one item after the other; answers how many left the house. `now` fixes the clock, for tests and
    commands.
    """
    tick = clock if now is None else (lambda: now)
    delivered = 0
    for _turn in range(0, limit, AT_ONCE):
        items = _claim(tick(), AT_ONCE)
        delivered += _deliver_some(items, tick)
        if len(items) < AT_ONCE:
            break
    return delivered


def _deliver_some(items: Sequence[OutboxItem], tick: Callable[[], datetime]) -> int:
    """Deliver these for a while, and give back the others. What left the house is soon written down: see MARKED_WITHIN."""
    began = marked = monotonic()
    delivered: list[OutboxItem] = []
    count = 0
    for place, item in enumerate(items):
        if monotonic() - began > HELD_SECONDS:
            _give_back(items[place:], tick())
            break
        if _deliver(item, tick()):
            delivered.append(item)
        if monotonic() - marked > MARKED_WITHIN:
            count += _mark_delivered(delivered, tick())
            delivered, marked = [], monotonic()
    return count + _mark_delivered(delivered, tick())


def report_done(*, item: OutboxItem, acting_user: Staff, now: datetime) -> bool:
    """A task for a person was carried out; False when it was reported before."""
    with transaction.atomic():
        if not _mark_delivered([item], now):
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


def _claim(now: datetime, most: int) -> list[OutboxItem]:
    with transaction.atomic():
        due = OutboxItem.objects.filter(delivered_at=None, kind__in=CARRIED, due_at__lte=now)
        items = list(due.order_by("due_at", "pk").select_for_update(skip_locked=True)[:most])
        for item in items:
            item.attempts += 1
            item.due_at = now + backoff(item.attempts, first=FIRST_RETRY, longest=LONGEST_RETRY)
        write_columns(items, ["attempts", "due_at"])
    return items


def _give_back(items: Sequence[OutboxItem], now: datetime) -> None:
    """Nobody tried to deliver these. Who has taken them since, since we were slow, keeps them."""
    for item in items:
        OutboxItem.objects.filter(pk=item.pk, attempts=item.attempts, delivered_at=None).update(
            attempts=item.attempts - 1, due_at=now
        )


def _deliver(item: OutboxItem, now: datetime) -> bool:
    """Whether it left the house."""
    try:
        if item.kind == Kind.HOOK:
            hook = item.payload or {}
            hooks.post(hook["url"], hook["body"], key=item.key, now=now)
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
    return True


def _remember_failure(item: OutboxItem, error: str) -> None:
    OutboxItem.objects.filter(pk=item.pk, delivered_at=None).update(error=error[:255])
    log.warning("outbox_not_delivered", item=item.pk, kind=item.kind, attempts=item.attempts, error=error)


def _mark_delivered(items: Sequence[OutboxItem], now: datetime) -> int:
    """Write the deliveries down and drop the contents; whoever is told of a lifting is told from now on (Art. 18(3)).

    Answers how many had not been written down before.
    """
    if not items:
        return 0
    with transaction.atomic():
        rows = OutboxItem.objects.filter(pk__in=[item.pk for item in items], delivered_at=None)
        waiting = set(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
        rows.filter(pk__in=waiting).update(delivered_at=now, error="", payload=None, to=None)
        for item in items:
            if item.pk in waiting and event_of(item.key) == LIFTING and item.request:
                told = Restriction.objects.filter(case=item.request.reference, told_at=None, lifted_at=None).update(told_at=now)
                if told:
                    audit.record(chain=item.request.reference, actor="system", action="restriction.told", payload={}, now=now)
        _note_told([item.pk for item in items if item.pk in waiting and event_of(item.key) == RECIPIENT], now)
    return len(waiting)


def _note_told(letters: Sequence[int], now: datetime) -> None:
    """The recipients to whom these went are told (Art. 19)."""
    if not letters:
        return
    owed = RecipientNotice.objects.filter(message__in=letters, state=RecipientNotice.State.OWED).select_for_update(of=("self",))
    rows = list(owed.select_related("request").order_by("pk"))
    told = {"state": RecipientNotice.State.TOLD, "told_at": now, "how": RecipientNotice.How.EMAIL, "words": None}
    RecipientNotice.objects.filter(pk__in=[row.pk for row in rows]).update(**told)
    entries = [
        audit.Entry(row.request.reference, "recipient.told", {"recipient": row.recipient, "about": row.about, "how": "email"})
        for row in rows
    ]
    audit.record_many(entries, actor="system", now=now)


def key_for(request: RightsRequest, event: str, contact: object = "") -> str:
    """The idempotency key of one notice of one case to one contact."""
    return f"{request.reference}:{event}:{contact}"


def event_of(key: str) -> str:
    return key.split(":")[1] if key.count(":") >= 2 else ""
