"""What a worker does with a claim: run a batch in a store, build a package, sweep up what others left (R25–R27).

Only an error of the data halves a batch, down to the one run that cannot be done; trouble with connections, locks or resources
sends all of it back to be tried later. Nothing of an exception but its class is kept: its text may hold somebody's data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import transaction
from django.utils import timezone

from accounts.people import people_of
from privacy import actions
from privacy.actions import RunItem, RunOutcome
from requests_app import policy
from requests_app.case.closing import settle
from requests_app.delivering import building
from requests_app.models import OutboxItem, Right, RightsRequest, RunState, StoreRun
from requests_app.running import doorbell, scans
from requests_app.running.blame import where
from requests_app.running.leases import (
    STOPPED_AFTER,
    Lease,
    LeaseLost,
    abandoned,
    claimed,
    executable,
    locatable,
    mine,
    next_batch,
    next_packages,
)
from requests_app.running.locating import locate_due
from requests_app.running.outcomes import begin, put_back, remember_restrictions, write_outcomes
from requests_app.running.runs import PACKAGED, kept_by_restrictions, look_again_for_new_identities, options_for, plan_digests

__all__ = ["build_due", "locate_due", "run_due", "sweep"]

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
WORST_FIRST = ("blocked", "failed", "done")
# How long a worker takes the stores' schemas for unchanged while it builds packages.
BUILDING_SECONDS = 5
# How long a package that is written waits for others, to be handed over with them.
AT_LATEST = timedelta(seconds=1)
# Trouble of the machine, not of the data: no run is at fault.
RESOURCES = (MemoryError, OSError)


def run_due(*, clock: Clock = timezone.now) -> int:
    """Claim one batch and carry it out; answers how many runs it took, 0 when nothing is due."""
    with claimed(next_batch, now=clock()) as runs:
        if runs:
            begin(runs, now=clock())
            _run(runs, Lease(runs, clock=clock), clock)
        return len(runs)


def build_due(*, clock: Clock = timezone.now) -> int:
    """Claim some cases that are answered by a package each and build these; answers how many runs it took."""
    with claimed(next_packages, now=clock()) as runs:
        if runs:
            begin(runs, now=clock())
            _build(runs, Lease(runs, clock=clock), clock)
        return len(runs)


def build_some(*, clock: Clock = timezone.now) -> int:
    """Build packages for a while, the stores opened once for all of them; answers how many runs it took."""
    taken, until = 0, monotonic() + BUILDING_SECONDS
    with actions.opened_once():
        while runs := build_due(clock=clock):
            taken += runs
            if monotonic() > until:
                break
    return taken


def sweep(*, now: datetime) -> list[str]:
    """Take back runs whose worker disappeared, look again for new identities; answers which bells to ring."""
    gone = abandoned(now)
    with transaction.atomic():
        cases = {run.request_id for run in gone}
        list(RightsRequest.objects.select_for_update().filter(pk__in=cases).order_by("pk"))
        rows = StoreRun.objects.filter(mine(gone), state__in=(RunState.RUNNING, RunState.LOCATING))
        error = f"its worker ended {STOPPED_AFTER} times without an answer"
        rows.filter(lost__gte=STOPPED_AFTER).update(state=RunState.BLOCKED, error=error, due_at=None, lease_until=None)
        rows.filter(state=RunState.RUNNING).update(state=RunState.QUEUED, due_at=now, lease_until=None)
        rows.filter(state=RunState.LOCATING).update(due_at=now, lease_until=None)
        settle(requests=cases, now=now)
    look_again_for_new_identities(now=now)
    scans.settle_forgotten(now=now)
    due = {
        doorbell.LOCATE: locatable(now),
        doorbell.RUN_BATCH: executable(now).exclude(right__in=PACKAGED),
        doorbell.BUILD_PACKAGE: executable(now).filter(right__in=PACKAGED),
        doorbell.DELIVER_OUTBOX: OutboxItem.objects.filter(delivered_at=None, due_at__lte=now).exclude(kind=OutboxItem.Kind.TASK),
    }
    bells = [bell for bell, rows in due.items() if rows.exists()]
    bells += [doorbell.SCAN_RESIDUE] if scans.outstanding(now) else []
    return bells + ([doorbell.TELL_POLICY] if policy.somebody_to_tell() else [])


# --- one batch in one store -----------------------------------------------------------------------------------------------


def _run(runs: Sequence[StoreRun], lease: Lease, clock: Clock) -> None:
    runs = _only_as_approved(runs, lease, clock)
    if not runs:
        return
    store_key = runs[0].store.key
    try:
        answers = actions.execute(
            store_key=store_key,
            right=runs[0].right,
            items=_items(runs),
            heartbeat=lease.beat,
            remember=partial(_remember, runs, lease, clock),
            committing=lease.holding,
        )
    except LeaseLost:
        log.warning("lease_lost", runs=[run.pk for run in runs])
    except actions.StoreUnavailable as error:
        _later(runs, str(error), lease, clock)
    except actions.UnknownStore:
        _stop(runs, "no data map is loaded for this store", lease, clock)
    except DatabaseError:
        raise  # our own database: nothing can be written down; the lease ends and somebody tries again
    except RESOURCES as error:
        log.error("batch_put_back", runs=[run.pk for run in runs], error=type(error).__name__, at=where(error))
        _later(runs, type(error).__name__, lease, clock)
    except Exception as error:  # noqa: BLE001 - whatever one person's data provoke
        if len(runs) > 1:
            _run(runs[: len(runs) // 2], lease, clock)
            _run(runs[len(runs) // 2 :], lease, clock)
        else:
            log.error("run_stopped", run=runs[0].pk, error=type(error).__name__, at=where(error))
            _stop(runs, type(error).__name__, lease, clock)
    else:
        silence = RunOutcome("blocked", reason="the engine gave no answer for this case")
        _report(runs, {run.pk: answers.get(run.request.reference, silence) for run in runs}, lease, clock)


def _remember(runs: Sequence[StoreRun], lease: Lease, clock: Clock, states: Mapping[str, Any]) -> None:
    with lease.holding():
        remember_restrictions(runs, states, now=clock())


def _items(runs: Sequence[StoreRun]) -> list[RunItem]:
    kept = kept_by_restrictions(runs)
    people = people_of(run.request.customer for run in runs)
    return [
        RunItem(
            case=run.request.reference,
            ref=run.subject,
            identities=people[run.request.customer_id].identities,
            plan=run.plan or {},
            options=options_for(run, kept),
        )
        for run in runs
    ]


def _only_as_approved(runs: Sequence[StoreRun], lease: Lease, clock: Clock) -> Sequence[StoreRun]:
    """R29: an erasure whose plan is not the one that was approved does not begin."""
    if runs[0].right != Right.ERASURE:
        return runs
    digests = plan_digests({run.request_id for run in runs})
    changed = [run for run in runs if digests[run.request_id] != run.request.plan_digest]
    if changed:
        _stop(changed, "the plan is not the one that was approved", lease, clock)
    return [run for run in runs if run not in changed] if changed else runs


def _build(runs: Sequence[StoreRun], lease: Lease, clock: Clock) -> None:
    """One package after the other. Some are handed over together, but none waits for long: see AT_LATEST."""
    waiting, last = building.begin({run.request for run in runs}, now=clock()), clock()
    built: list[building.Build] = []
    try:
        for build in waiting:
            if build.outcomes is None:
                _write(build, [run for run in runs if run.request_id == build.request.pk], lease)
            built.append(build)
            if clock() - last > AT_LATEST:
                _hand_over(built, runs, lease, clock)
                built, last = [], clock()
        _hand_over(built, runs, lease, clock)
    except LeaseLost:
        log.warning("lease_lost", runs=[run.pk for run in runs])


def _write(build: building.Build, runs: Sequence[StoreRun], lease: Lease) -> None:
    """Write one package, or note why it could not be: the others are built all the same."""
    try:
        lease.beat()
        building.write(build, lease.beat)
    except (LeaseLost, DatabaseError):
        raise
    except actions.StoreUnavailable as error:
        outcome = RunOutcome("failed", reason=str(error))
    except RESOURCES as error:
        log.error("package_put_back", runs=[run.pk for run in runs], error=type(error).__name__, at=where(error))
        outcome = RunOutcome("failed", reason=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - whatever one person's data provoke
        log.error("package_stopped", runs=[run.pk for run in runs], error=type(error).__name__, at=where(error))
        outcome = RunOutcome("blocked", reason=type(error).__name__)
    else:
        return
    build.outcomes = {run.store.key: outcome for run in runs}


def _hand_over(built: Sequence[building.Build], runs: Sequence[StoreRun], lease: Lease, clock: Clock) -> None:
    building.hand_over(built, now=clock())
    outcomes: dict[int, RunOutcome] = {}
    for build in built:
        own = [run for run in runs if run.request_id == build.request.pk]
        outcomes |= _package_outcomes(own, build.outcomes or {})
    _report([run for run in runs if run.pk in outcomes], outcomes, lease, clock)


def _package_outcomes(runs: Sequence[StoreRun], answers: dict[str, RunOutcome]) -> dict[int, RunOutcome]:
    """The package is one answer: no run of it is done before all are."""
    silence = RunOutcome("blocked", reason="the package holds nothing from this store")
    outcomes = {run.pk: answers.get(run.store.key, silence) for run in runs}
    worst = min((outcome.status for outcome in outcomes.values()), key=WORST_FIRST.index)
    if worst == "done":
        return outcomes
    waits = RunOutcome(worst, reason="another store of this package is not done")
    return {pk: outcome if outcome.status == worst else waits for pk, outcome in outcomes.items()}


def _later(runs: Sequence[StoreRun], error: str, lease: Lease, clock: Clock) -> None:
    put_back(runs, error=error, now=clock())
    lease.reported(runs)


def _stop(runs: Sequence[StoreRun], reason: str, lease: Lease, clock: Clock) -> None:
    _report(runs, {run.pk: RunOutcome("blocked", reason=reason) for run in runs}, lease, clock)


def _report(runs: Sequence[StoreRun], outcomes: dict[int, RunOutcome], lease: Lease, clock: Clock) -> None:
    write_outcomes(runs, outcomes, now=clock())
    lease.reported(runs)
