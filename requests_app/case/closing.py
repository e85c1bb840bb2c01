"""The end of a case: what its runs add up to, the letter, the notice, and what an erasure takes with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from privacy import audit
from privacy.models import Restriction
from requests_app.case import letters, notices
from requests_app.case.answers import Standing, left_behind, standing_of
from requests_app.case.corrections import follow_in_account
from requests_app.case.lifecycle import transition
from requests_app.case.steps import SYSTEM, move
from requests_app.delivering import delivery
from requests_app.models import LIFT, OutboxItem, Outcome, Right, RightsRequest, RunState, State, StoreRun
from requests_app.registers.telling_recipients import owe_recipients
from requests_app.running import doorbell, outbox
from requests_app.running.bulk import write_columns
from requests_app.running.runs import found_nothing, goes_later, unscanned_cases

# Art. 18(1): who contests accuracy (a) or awaits the weighing of an objection (d) loses nothing by an erasure; who asked for
# storage instead of erasure (b) or needs the data for a claim (c) would (R17).
ENDED_BY_ERASURE = ("a", "d")
SETTLED = (State.APPROVED, State.RUNNING, State.RESTRICTED)
STILL_MOVING = {RunState.LOCATING, RunState.READY, RunState.QUEUED, RunState.RUNNING, RunState.FAILED}


def settle(*, requests: Iterable[int], now: datetime) -> None:
    """Close the cases whose runs are all done, stop those where only staff can go on, leave the others."""
    with transaction.atomic():
        cases = RightsRequest.objects.select_for_update().filter(pk__in=list(requests), state__in=SETTLED).order_by("pk")
        moving = list(cases)
        standing = standing_of(case.pk for case in moving)
        done = [case for case in moving if _settle(case, standing.runs[case.pk], now)]
        if done:
            transition(requests=[case.pk for case in done], action="start", actor=SYSTEM, now=now)
            waiting = unscanned_cases(done)
            if waiting:
                doorbell.ring(doorbell.SCAN_RESIDUE)
            _complete([case for case in done if case.pk not in waiting], standing, now)


def _settle(request: RightsRequest, runs: Sequence[StoreRun], now: datetime) -> bool:
    """Answers whether the case is to be completed, which is done for many at once."""
    runs = [run for run in runs if run.state != RunState.CANCELLED]
    states = {run.state for run in runs}
    if request.state == State.RESTRICTED:
        if runs and all(run.right == LIFT and run.state == RunState.DONE for run in runs):
            told = owe_recipients(requests=[request], standing=None, now=now, about=LIFT)
            _end_restriction(request, Outcome.LIFTED, now, told=told.get(request.pk, ()))
        elif runs and all(run.state == RunState.DONE for run in runs):
            owe_recipients(requests=[request], standing=None, now=now)  # rows that came since may have other recipients
        return False
    if states <= {RunState.DONE}:
        return True
    if RunState.BLOCKED in states and not _goes_on(runs):
        stores = [run.store.key for run in runs if run.state == RunState.BLOCKED]
        move(request, seen=request.state, action="block", actor=SYSTEM, now=now, payload={"stores": stores})
    return False


def _goes_on(runs: Sequence[StoreRun]) -> bool:
    moving = [run.pk for run in runs if run.state in STILL_MOVING]
    return bool(moving) and StoreRun.objects.filter(pk__in=moving).exclude(goes_later()).exists()


def _complete(requests: Sequence[RightsRequest], standing: Standing, now: datetime) -> None:
    _finish_erasures([request for request in requests if request.right == Right.ERASURE], standing, now)
    told = owe_recipients(requests=requests, standing=standing, now=now)
    ends: dict[tuple[str, Outcome], list[int]] = {}
    for request in requests:
        nothing = found_nothing(standing.runs[request.pk]) and request.right != Right.OBJECTION
        outcome = Outcome.NOTHING if nothing else Outcome.FULFILLED
        request.answer = letters.closing(request=request, outcome=outcome, standing=standing, recipients=told.get(request.pk, ()))
        if request.right == Right.RECTIFICATION and not nothing:
            follow_in_account(request, now=now)
        action = "restrict" if request.right == Right.RESTRICTION and not nothing else "complete"
        ends.setdefault((action, outcome), []).append(request.pk)
    write_columns(requests, ["answer"])
    for (action, outcome), cases in ends.items():
        changes = payload = {"outcome": outcome}
        transition(requests=cases, action=action, actor=SYSTEM, now=now, payload=payload, changes=changes)
    notices.tell_all(requests=requests, event="answered", now=now)


def _finish_erasures(requests: Sequence[RightsRequest], standing: Standing, now: datetime) -> None:
    """What an erasure ends beside the rows: packages, restrictions, and what it left is somebody's task."""
    customers = [request.customer_id for request in requests]
    with_packages = delivery.customers_with_packages(customers) if customers else set()
    restricted = RightsRequest.objects.filter(customer__in=customers, state=State.RESTRICTED, ground__in=ENDED_BY_ERASURE)
    with_restrictions = set(restricted.values_list("customer_id", flat=True)) if customers else set()
    for request in requests:
        if request.customer_id in with_packages:
            delivery.revoke_packages(customer=request.customer, reason="erasure", now=now)
        if request.customer_id in with_restrictions:
            _end_restrictions_by_erasure(request, now)
        _look_at_what_is_left(request, standing.runs[request.pk], now)


def _look_at_what_is_left(request: RightsRequest, runs: Sequence[StoreRun], now: datetime) -> None:
    """The letter says that a person looks at what the scan still found: this is that person's task."""
    for run in runs:
        if run.state == RunState.DONE and (left := left_behind(run)):
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


def _end_restriction(request: RightsRequest, outcome: Outcome, now: datetime, *, told: Sequence[str] = ()) -> None:
    # Both letters stay: the one that told of the restriction stands below the one that ends it.
    ending = letters.closing(request=request, outcome=outcome, recipients=told)
    letter = "\n\n".join(part for part in (ending, request.answer) if part)
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
