"""The end of a case: what its runs add up to, the letter, the notice, and what an erasure takes with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from privacy import audit
from privacy.models import Restriction
from requests_app import delivery, letters, notices, outbox
from requests_app.answers import left_behind
from requests_app.lifecycle import transition
from requests_app.models import LIFT, OutboxItem, Outcome, Right, RightsRequest, RunState, State, StoreRun
from requests_app.runs import found_nothing, goes_later
from requests_app.steps import SYSTEM, move

# Art. 18(1): who contests accuracy (a) or awaits the weighing of an objection (d) loses nothing by an erasure; who asked for
# storage instead of erasure (b) or needs the data for a claim (c) would (R17).
ENDED_BY_ERASURE = ("a", "d")
STILL_MOVING = {RunState.LOCATING, RunState.READY, RunState.QUEUED, RunState.RUNNING, RunState.FAILED}


def settle(*, requests: Iterable[int], now: datetime) -> None:
    """Close the cases whose runs are all done, stop those where only staff can go on, leave the others."""
    with transaction.atomic():
        for request in RightsRequest.objects.select_for_update().filter(pk__in=list(requests)).order_by("pk"):
            _settle(request, now)


def _settle(request: RightsRequest, now: datetime) -> None:
    runs = StoreRun.objects.filter(request=request).exclude(state=RunState.CANCELLED)
    standing = set(runs.values_list("right", "state"))
    states = {state for _right, state in standing}
    if request.state == State.RESTRICTED:
        if standing and standing <= {(LIFT, RunState.DONE)}:
            _end_restriction(request, Outcome.LIFTED, now)
        return
    if request.state not in (State.APPROVED, State.RUNNING):
        return
    if states <= {RunState.DONE}:
        transition(requests=[request.pk], action="start", actor=SYSTEM, now=now)
        request.refresh_from_db()
        _complete(request, now)
    elif RunState.BLOCKED in states and not runs.filter(state__in=STILL_MOVING).exclude(goes_later()).exists():
        stores = sorted(runs.filter(state=RunState.BLOCKED).values_list("store__key", flat=True))
        move(request, seen=request.state, action="block", actor=SYSTEM, now=now, payload={"stores": stores})


def _complete(request: RightsRequest, now: datetime) -> None:
    nothing = found_nothing(request) and request.right != Right.OBJECTION
    outcome = Outcome.NOTHING if nothing else Outcome.FULFILLED
    if request.right == Right.ERASURE:
        delivery.revoke_packages(customer=request.customer, reason="erasure", now=now)
        _end_restrictions_by_erasure(request, now)
        _look_at_what_is_left(request, now)
    action = "restrict" if request.right == Right.RESTRICTION and not nothing else "complete"
    letter = letters.closing(request=request, outcome=outcome)
    payload = {"outcome": outcome}
    move(request, seen=request.state, action=action, actor=SYSTEM, now=now, payload=payload, answer=letter, outcome=outcome)
    notices.tell(request=request, event="answered", now=now)


def _look_at_what_is_left(request: RightsRequest, now: datetime) -> None:
    """The letter says that a person looks at what the scan still found: this is that person's task."""
    for run in StoreRun.objects.filter(request=request, state=RunState.DONE).select_related("store").defer("plan"):
        if left := left_behind(run.report or {}):
            columns = ", ".join(f"{item['column']} ({item['rows']})" for item in left)
            with override(settings.LANGUAGE_CODE):
                words = _("The person still stands in these columns of %(store)s: %(columns)s. Erase it there, or map them.")
                task = {"text": words % {"store": run.store.key, "columns": columns}}
            key = outbox.key_for(request, "residue", run.store_id)
            outbox.enqueue(kind=OutboxItem.Kind.TASK, key=key, to=None, payload=task, request=request, now=now)


def _end_restrictions_by_erasure(erasure: RightsRequest, now: datetime) -> None:
    ended = RightsRequest.objects.filter(customer=erasure.customer, state=State.RESTRICTED, ground__in=ENDED_BY_ERASURE)
    for request in ended.select_for_update().order_by("pk"):
        rows = Restriction.objects.filter(case=request.reference, lifted_at=None)
        if rows.update(lifted_at=now):
            audit.record(
                chain=request.reference, actor=SYSTEM, action="restriction.ended", payload={"by": erasure.reference}, now=now
            )
        StoreRun.objects.filter(request=request).exclude(state=RunState.DONE).update(state=RunState.CANCELLED, lease_until=None)
        _end_restriction(request, Outcome.ERASED, now)


def _end_restriction(request: RightsRequest, outcome: Outcome, now: datetime) -> None:
    # Both letters stay: the one that told of the restriction stands below the one that ends it.
    letter = "\n\n".join(part for part in (letters.closing(request=request, outcome=outcome), request.answer) if part)
    payload = {"outcome": outcome}
    move(
        request,
        seen=request.state,
        action="end_restriction",
        actor=SYSTEM,
        now=now,
        payload=payload,
        answer=letter,
        outcome=outcome,
    )
    notices.tell(request=request, event="answered", occasion=outcome, now=now)
