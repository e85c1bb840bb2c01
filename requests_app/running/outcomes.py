"""Writing down what became of claimed runs: conditional on the attempt, a case locked before its runs (R26)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from privacy import audit
from privacy.actions import RunOutcome
from privacy.audit_payload import looks_personal
from privacy.models import Restriction
from requests_app.case.closing import settle
from requests_app.case.lifecycle import transition
from requests_app.case.steps import SYSTEM
from requests_app.models import LIFT, Right, RightsRequest, RunState, StoreRun
from requests_app.running.backoff import backoff
from requests_app.running.bulk import write_columns
from requests_app.running.leases import mine

FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=30), timedelta(hours=1)


def begin(runs: Sequence[StoreRun], *, now: datetime) -> None:
    """Their cases are being carried out from here on."""
    transition(requests={run.request_id for run in runs}, action="start", actor=SYSTEM, now=now)


def put_back(runs: Sequence[StoreRun], *, error: str, now: datetime) -> None:
    """Nothing is wrong with these runs: they are tried again later, each after its own number of tries."""
    write_outcomes(runs, {run.pk: RunOutcome("failed", reason=error) for run in runs}, now=now)


def write_outcomes(runs: Sequence[StoreRun], outcomes: Mapping[int, RunOutcome], *, now: datetime) -> set[int]:
    """Write the outcomes ({run id: outcome}) of those runs that are still ours, and settle their cases; answers their ids."""
    with transaction.atomic():
        cases = RightsRequest.objects.select_for_update().filter(pk__in={run.request_id for run in runs}).order_by("pk")
        references = dict(cases.values_list("pk", "reference"))
        ours = StoreRun.objects.select_for_update().filter(mine(runs), state=RunState.RUNNING).order_by("pk")
        still_ours = set(ours.values_list("pk", flat=True))
        written = [run for run in runs if run.pk in still_ours]
        for run in written:
            _apply(run, outcomes[run.pk], now)
        columns = ["state", "report", "error", "due_at", "lease_until", "retries", "lost", "finished_at"]
        write_columns(written, columns)
        _keep_restrictions(written, outcomes, references, now)
        told = [
            audit.Entry(references[run.request_id], f"run.{run.state}", _payload(run))
            for run in sorted(written, key=lambda run: (run.request_id, run.pk))
        ]
        audit.record_many(told, actor=SYSTEM, now=now)
        settle(requests=references, now=now)
    return still_ours


def _apply(run: StoreRun, outcome: RunOutcome, now: datetime) -> None:
    run.lease_until, run.lost = None, 0
    run.error = outcome.reason[:255]
    if outcome.report:
        run.report = outcome.report
    if outcome.status == "done":
        run.state, run.finished_at, run.due_at, run.retries, run.error = RunState.DONE, now, None, 0, ""
        run.report = outcome.report
    elif outcome.status == "blocked":
        run.state, run.due_at = RunState.BLOCKED, None
    else:
        run.retries += 1
        run.state, run.due_at = RunState.FAILED, now + backoff(run.retries, first=FIRST_RETRY, longest=LONGEST_RETRY)


def _keep_restrictions(
    runs: Sequence[StoreRun], outcomes: Mapping[int, RunOutcome], references: Mapping[int, str], now: datetime
) -> None:
    """What a restriction replaced is kept, encrypted, until it is put back."""
    for run in runs:
        outcome, case = outcomes[run.pk], references[run.request_id]
        if run.right == LIFT and run.state == RunState.DONE:
            Restriction.objects.filter(case=case, store=run.store_id, lifted_at=None).update(lifted_at=now, state=None)
        elif run.right == Right.RESTRICTION and (run.state == RunState.DONE or outcome.state is not None):
            _keep(run, case, outcome.state, now)


def remember_restrictions(runs: Sequence[StoreRun], states: Mapping[str, Any], *, now: datetime) -> None:
    """Before a store commits: a worker that dies right after leaves behind what it takes to lift the restriction."""
    with transaction.atomic():
        for run in runs:
            if run.right == Right.RESTRICTION and run.request.reference in states:
                _keep(run, run.request.reference, states[run.request.reference], now)


def _keep(run: StoreRun, case: str, state: Any, now: datetime) -> None:
    new = {"subject": run.subject, "ground": run.request.ground, "set_at": now}
    kept, _made = Restriction.objects.get_or_create(case=case, store_id=run.store_id, defaults=new)
    if state is not None:
        kept.state = state
        kept.save(update_fields=["state"])


def _payload(run: StoreRun) -> dict[str, Any]:
    """The store and what was counted there; an audit payload holds no row."""
    payload: dict[str, Any] = {"store": run.store.key, "attempt": run.attempt}
    if run.state == RunState.DONE:
        payload["collections"] = {
            name: {key: value for key, value in counts.items() if isinstance(value, int)}
            for name, counts in (run.report or {}).get("collections", {}).items()
        }
    elif run.error and not looks_personal(run.error):
        payload["error"] = run.error
    return payload
