"""What staff do while a case is assessed: take it, extend its deadline, decide on contested rows, start stopped runs again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import roles
from accounts.models import Staff
from privacy import audit
from privacy.contested import contested_groups
from privacy.engine.contested.answers import collection_of
from privacy.engine.exceptions import is_exception
from requests_app.case import letters, notices
from requests_app.case.deadlines import due_date, local_date, notice_due, paused_days_between
from requests_app.case.steps import (
    locked,
    move,
    require_not_entered_by,
    require_open,
    require_role,
    require_words,
    staff_actor,
)
from requests_app.errors import NotAllowed, SomebodyElseGotThereFirst
from requests_app.models import LIFT, OPEN_STATES, Right, RightsRequest, RunState, State, StoreRun
from requests_app.running import doorbell
from requests_app.running.runs import PACKAGED, locate_again, open_runs, plan_digest

CONTESTED_ANSWERS = ("keep", "redact", "anonymize", "disclose")


def assign_request(*, request: RightsRequest, assignee: Staff | None, acting_user: Staff, now: datetime) -> None:
    """Give the case to a colleague, or to nobody. Whoever has it now must be who had it when `request` was read."""
    with locked(request) as row:
        _require_may_assign(acting_user, assignee)
        require_open(row)
        if row.assignee_id != request.assignee_id:
            raise SomebodyElseGotThereFirst(_("Somebody else got there first and assigned the request. Look at it again."))
        row.assignee = assignee
        row.save(update_fields=["assignee"])
        payload = {"assignee": staff_actor(assignee) if assignee else None}
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="request.assigned", payload=payload, now=now)


def assign_requests(
    *, seen: Mapping[int, int | None], assignee: Staff | None, acting_user: Staff, now: datetime
) -> tuple[int, int]:
    """Give several cases to a colleague, or to nobody: {case: whose it was when they were chosen}.

    Answers how many were given, and how many were not since somebody else assigned or closed them meanwhile.
    """
    _require_may_assign(acting_user, assignee)
    with transaction.atomic():
        rows = RightsRequest.objects.select_for_update().filter(pk__in=list(seen), state__in=OPEN_STATES).order_by("pk")
        mine = [row for row in rows if row.assignee_id == seen[row.pk]]
        RightsRequest.objects.filter(pk__in=[row.pk for row in mine]).update(assignee=assignee)
        payload = {"assignee": staff_actor(assignee) if assignee else None}
        told = [audit.Entry(row.reference, "request.assigned", payload) for row in mine]
        audit.record_many(told, actor=staff_actor(acting_user), now=now)
    return len(mine), len(seen) - len(mine)


def _require_may_assign(acting_user: Staff, assignee: Staff | None) -> None:
    require_role(acting_user, "request.assign")
    if assignee is not None and not roles.may(assignee, "request.assign"):
        raise NotAllowed(_("That colleague's role does not handle requests."))


def extend_deadline(*, request: RightsRequest, acting_user: Staff, reason: str, now: datetime) -> None:
    """Two further months, told with reasons within the first (Art. 12(3)); refused after the unextended deadline."""
    with locked(request) as row:
        require_role(acting_user, "request.extend")
        require_open(row)
        if row.extended_at is not None:
            raise NotAllowed(_("The deadline was extended before; the law allows it once."))
        words = require_words(
            reason, _("Say why more time is needed: how complex the request is, or how many there are (Art. 12(3)).")
        )
        # A pause that still lasts moves the day on which the notice is due, too.
        paused = row.paused_days + (paused_days_between(row.paused_at, now) if row.paused_at else 0)
        last_day = notice_due(row.received_at, paused_days=paused, eves_roll=settings.INSYN_EVES_ROLL)
        if local_date(now) > last_day:
            raise NotAllowed(_("Too late: the person had to be told of an extension by %(day)s.") % {"day": last_day.isoformat()})
        row.extended_at, row.extension_reason = now, words
        row.due_on = due_date(row.received_at, paused_days=row.paused_days, extended=True, eves_roll=settings.INSYN_EVES_ROLL)
        letters.complete(letters.extension(request=row, reason=words, due_on=row.due_on), words)
        row.save(update_fields=["extended_at", "extension_reason", "due_on"])
        payload = {"due_on": row.due_on.isoformat()}
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="deadline.extended", payload=payload, now=now)
        notices.tell(request=row, event="extended", now=now)


def extension_letter(request: RightsRequest) -> str:
    """The words of the extension, empty where there is none."""
    if request.extended_at is None:
        return ""
    return letters.extension(request=request, reason=request.extension_reason or "", due_on=request.due_on)


def choose_contested(*, run: StoreRun, choices: Mapping[str, str], acting_user: Staff, now: datetime) -> None:
    """Say what happens to rows that are somebody else's too (R11), by collection or by group key (`privacy.contested`).

    What is not named keeps its answer; an answer for a collection takes the place of those for its groups.
    """
    request = run.request
    with locked(request) as row:
        require_role(acting_user, "request.choose_contested")
        require_not_entered_by(row, acting_user)
        if row.state != State.TRIAGE and not (row.state == State.BLOCKED and row.right != Right.ERASURE):
            raise NotAllowed(_("This is decided while the request is being assessed; send it back to assessment first."))
        current = StoreRun.objects.select_for_update(of=("self",)).select_related("store").get(pk=run.pk)
        for answer in choices.values():
            if answer not in CONTESTED_ANSWERS:
                raise NotAllowed(_("Choose one of: %(answers)s.") % {"answers": ", ".join(CONTESTED_ANSWERS)})
        before, current.choices = given_groups(current), _merged(current, choices)
        current.save(update_fields=["choices"])
        if row.right == Right.ERASURE and given_groups(current) != before:
            # What is below them is listed, or no longer, by the next look; in other stores, too.
            locate_again(StoreRun.objects.filter(request=row, state=RunState.READY), now=now)
            doorbell.ring(doorbell.LOCATE)
        payload = {"store": current.store.key, "choices": dict(choices)}
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="contested.chosen", payload=payload, now=now)
    run.refresh_from_db()


def given_groups(run: StoreRun) -> set[str]:
    """The contested groups that were given to the person."""
    groups = list(contested_groups(run.plan or {}))
    return {group.key for group in groups if run.choices.get(group.key, run.choices.get(group.collection)) == "disclose"}


def _merged(run: StoreRun, choices: Mapping[str, str]) -> dict[str, str]:
    """The run's answers with the new ones among them; answers for groups that are no longer contested are dropped."""
    groups = {group.key: group.collection for group in contested_groups(run.plan or {})}
    whole = {key for key in choices if collection_of(key) == key}
    for key in choices:
        collection = collection_of(key)
        if not (run.finding or {}).get(collection, {}).get("contested") or (key not in whole and key not in groups):
            raise NotAllowed(_("Nothing in %(collection)s is contested.") % {"collection": collection})
    kept = {
        key: answer
        for key, answer in run.choices.items()
        if is_exception(key) or (collection_of(key) not in whole and (collection_of(key) == key or key in groups))
    }
    for collection in {collection_of(key) for key in choices} - whole:
        if answer := kept.pop(collection, ""):  # the groups that are not named keep what was said of them all
            kept |= {key: answer for key, place in groups.items() if place == collection}
    return {**kept, **choices}


def record_corrections(
    *, request: RightsRequest, corrections: Sequence[Mapping[str, Any]], acting_user: Staff, now: datetime
) -> None:
    """Write down what a request in free words asks to correct: [{"field": "store.collection.column", "old": …, "new": …}]."""
    with locked(request) as row:
        require_role(acting_user, "request.choose_contested")
        require_not_entered_by(row, acting_user)
        if row.right != Right.RECTIFICATION or row.state != State.TRIAGE:
            raise NotAllowed(_("Corrections are written down while a request to correct data is being assessed."))
        stores = set(StoreRun.objects.filter(request=row).values_list("store__key", flat=True))
        for correction in corrections:
            field = str(correction.get("field", ""))
            if field.count(".") < 2 or field.split(".")[0] not in stores or "new" not in correction:
                raise NotAllowed(_("Name each field as store.collection.column, and give its new value."))
        row.details = {**(row.details or {}), "corrections": [dict(correction) for correction in corrections]}
        row.save(update_fields=["details"])
        payload = {"fields": [str(correction["field"]) for correction in corrections]}
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="corrections.recorded", payload=payload, now=now)


def resume_run(*, run: StoreRun, acting_user: Staff, now: datetime) -> None:
    """Try a stopped or failed run again now: locate it where nothing is located yet, else carry on with its plan."""
    request = run.request
    with locked(request) as row:
        require_role(acting_user, "request.resume")
        if row.state == State.RESTRICTED and run.right not in (Right.RESTRICTION, LIFT):
            raise NotAllowed(_("This run is over."))
        current = StoreRun.objects.select_for_update(of=("self",)).select_related("store").get(pk=run.pk)
        looks_again = current.state == RunState.READY and row.state == State.TRIAGE
        if current.state not in (RunState.BLOCKED, RunState.FAILED) and not looks_again:
            if run.state in (RunState.BLOCKED, RunState.FAILED):
                raise SomebodyElseGotThereFirst(_("Somebody else got there first. Look at the request again."))
            raise NotAllowed(_("Only a stopped or failed run can be started again."))
        if looks_again or current.located_at is None:
            locate_again(StoreRun.objects.filter(pk=current.pk), now=now)
            doorbell.ring(doorbell.LOCATE)
        else:
            _queue_again(row, current, now)
        audit.record(
            chain=row.reference,
            actor=staff_actor(acting_user),
            action="run.resumed",
            payload={"store": current.store.key},
            now=now,
        )
        if row.state == State.BLOCKED:
            move(row, seen=row.state, action="resume", actor=staff_actor(acting_user), now=now)
    run.refresh_from_db()


def _queue_again(request: RightsRequest, run: StoreRun, now: datetime) -> None:
    if request.state not in (State.APPROVED, State.RUNNING, State.BLOCKED, State.RESTRICTED):
        raise NotAllowed(_("This run waits for a decision on its request."))
    if request.right == Right.ERASURE and request.plan_digest != plan_digest(request):
        raise NotAllowed(_("The plan is not the one that was approved; send the request back to assessment for a new approval."))
    again = StoreRun.objects.filter(pk=run.pk)
    if run.right in PACKAGED:  # one package: its runs go together
        again = StoreRun.objects.filter(request=request, state__in=(RunState.BLOCKED, RunState.FAILED))
    again.update(state=RunState.QUEUED, due_at=now, retries=0, lost=0, error="")
    doorbell.ring(doorbell.BUILD_PACKAGE if run.right in PACKAGED else doorbell.RUN_BATCH)


def return_to_triage(*, request: RightsRequest, acting_user: Staff, reason: str, now: datetime) -> None:
    """Undo a proposal or an approval that cannot go on; what is not done yet is located anew and decided anew."""
    with locked(request) as row:
        require_role(acting_user, "request.return")
        words = require_words(reason, _("Say why the request goes back to assessment."))
        was_decided = row.state in (State.BLOCKED, State.APPROVED)
        move(
            row,
            seen=request.state,
            action="return",
            actor=staff_actor(acting_user),
            now=now,
            proposed_by=None,
            proposed_at=None,
            approved_by=None,
            decided_at=None,
            decision_reason=words,
            plan_digest="",
        )
        if was_decided:
            unfinished = StoreRun.objects.filter(request=row).exclude(state__in=(RunState.DONE, RunState.CANCELLED))
            locate_again(unfinished, now=now)
        open_runs(row, now=now)
        doorbell.ring(doorbell.LOCATE)
