"""Who works on which runs: claims with a lease, and locks per person and store (R25–R27).

A claim raises `attempt`; whatever is written about a run later is conditional on that number, so a worker that was thought dead
and comes back changes nothing. The lease ends by itself when its worker does. Advisory locks on the worker's own connection
close the last gap: while a worker that lost its lease still acts on a person, nobody else acts on that person in that store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts.models import CustomerIdentity
from requests_app.models import OPEN_STATES, Right, RightsRequest, RunState, State, StoreRun
from requests_app.runs import GO_BEFORE_ERASURE, PACKAGED

BATCH = 200
# A run whose worker disappeared this often is claimed alone, and stopped when that did not help: it may be what kills workers.
ALONE_AFTER, STOPPED_AFTER = 2, 5
LONGEST_LEASE = timedelta(hours=1)
EXECUTING = (State.APPROVED, State.RUNNING, State.RESTRICTED)
LOOKING = (State.IDENTIFYING, State.TRIAGE, State.APPROVED, State.RUNNING, State.RESTRICTED)


class LeaseLost(Exception):
    """Somebody else was given these runs; stop, and write nothing."""


def lease_for(run_lost: int) -> timedelta:
    """How long a claim lasts without a sign of life; longer each time it was too short."""
    return min(LONGEST_LEASE, timedelta(seconds=settings.INSYN_LEASE_SECONDS) * 2**run_lost)


# --- claiming -----------------------------------------------------------------------------------------------------------


def claim_locating(*, now: datetime) -> list[StoreRun]:
    """Up to a batch of runs of one right whose data are to be found, theirs to write for a while."""
    with transaction.atomic():
        due = locatable(now)
        head = due.order_by("due_at", "pk").first()
        if head is None:
            return []
        runs = list(_locked(due.filter(right=head.right), lost=head.lost))
        if runs:
            lost = max(run.lost for run in runs)
            StoreRun.objects.filter(pk__in=[run.pk for run in runs]).update(
                state=RunState.LOCATING,
                attempt=F("attempt") + 1,
                lost=F("lost") + 1,  # taken back when the worker reports; what it never reports was lost
                lease_until=now + lease_for(lost),
            )
        return _claimed(runs)


def claim_batch(*, now: datetime) -> list[StoreRun]:
    """Up to a batch of due runs of the same store, right and map version (R27), no two of one person."""
    with transaction.atomic():
        _one_claim_at_a_time()
        due = executable(now)
        head = due.exclude(right__in=PACKAGED).order_by("due_at", "pk").first()
        if head is None:
            return []
        alike = due.filter(store=head.store_id, right=head.right, dataset_version=head.dataset_version)
        runs = {run.subject: run for run in reversed(_locked(alike, lost=head.lost))}
        return _start(list(runs.values()), now)


def claim_package(*, now: datetime) -> list[StoreRun]:
    """All runs of one case whose answer is one package."""
    with transaction.atomic():
        _one_claim_at_a_time()
        head = executable(now).filter(right__in=PACKAGED).order_by("due_at", "pk").first()
        if head is None:
            return []
        siblings = StoreRun.objects.filter(request=head.request_id).exclude(state__in=(RunState.DONE, RunState.CANCELLED))
        runs = list(siblings.select_for_update(of=("self",), skip_locked=True))
        waiting = [run for run in runs if run.state in (RunState.QUEUED, RunState.FAILED)]
        # All or nothing: a package with a store missing would be a wrong answer.
        return _start(waiting, now) if len(waiting) == siblings.count() else []


def locatable(now: datetime) -> QuerySet[StoreRun]:
    """Runs to be located now, of people with a proved identity; nobody holds them."""
    verified = CustomerIdentity.objects.filter(customer=OuterRef("request__customer"), verified_at__isnull=False)
    return StoreRun.objects.filter(
        Exists(verified),
        Q(lease_until=None) | Q(lease_until__lt=now),
        state__in=(RunState.LOCATING, RunState.FAILED),
        located_at=None,
        due_at__lte=now,
        request__identity_level__gte=1,
        request__state__in=LOOKING,
    )


def executable(now: datetime) -> QuerySet[StoreRun]:
    """Runs that are decided, located and due, of people for whom nothing else is being executed in that store (R30)."""
    busy = StoreRun.objects.filter(store=OuterRef("store"), subject=OuterRef("subject"), state=RunState.RUNNING)
    earlier = RightsRequest.objects.filter(
        customer=OuterRef("request__customer"), right__in=GO_BEFORE_ERASURE, state__in=OPEN_STATES
    )
    waits = Q(right=Right.ERASURE, request__waived_at=None) & Exists(earlier)
    return StoreRun.objects.filter(
        ~Exists(busy),
        ~waits,
        state__in=(RunState.QUEUED, RunState.FAILED),
        located_at__isnull=False,
        due_at__lte=now,
        request__state__in=EXECUTING,
    )


def _locked(due: QuerySet[StoreRun], *, lost: int) -> list[StoreRun]:
    """The oldest of these, locked; alone if its workers keep disappearing, else without those whose do."""
    limit = BATCH
    if lost >= ALONE_AFTER:
        limit, due = 1, due.filter(lost__gte=ALONE_AFTER)
    else:
        due = due.filter(lost__lt=ALONE_AFTER)
    return list(due.order_by("due_at", "pk").select_for_update(of=("self",), skip_locked=True)[:limit])


def _start(runs: Sequence[StoreRun], now: datetime) -> list[StoreRun]:
    if runs:
        lost = max(run.lost for run in runs)
        changes = {"attempt": F("attempt") + 1, "lost": F("lost") + 1, "lease_until": now + lease_for(lost)}
        StoreRun.objects.filter(pk__in=[run.pk for run in runs]).update(state=RunState.RUNNING, started_at=now, **changes)
    return _claimed(runs)


def _claimed(runs: Sequence[StoreRun]) -> list[StoreRun]:
    rows = StoreRun.objects.filter(pk__in=[run.pk for run in runs]).select_related("request__customer", "store")
    return list(rows.order_by("pk"))


def _one_claim_at_a_time() -> None:
    """Two claims at once could each take another right of the same person; claims are short, so they queue."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_number("claim")])


# --- while working ------------------------------------------------------------------------------------------------------


def mine(runs: Sequence[StoreRun]) -> Q:
    """The condition of every write: these runs, in the attempt in which they were claimed."""
    condition = Q(pk__in=[])
    for attempt in {run.attempt for run in runs}:
        condition |= Q(pk__in=[run.pk for run in runs if run.attempt == attempt], attempt=attempt)
    return condition


class Lease:
    """The hold of one worker on a batch; `beat` is cheap and may be called as often as one likes."""

    def __init__(self, runs: Sequence[StoreRun], *, clock: Callable[[], datetime]) -> None:
        self._open = {run.pk: run for run in runs}
        self._length = lease_for(max(run.lost - 1 for run in runs))
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """Prolong the lease when a third of it has passed; raises LeaseLost where a run is no longer ours."""
        now = self._clock()
        if now - self._last < self._length / 3:
            return
        kept = StoreRun.objects.filter(mine(list(self._open.values())), lease_until__isnull=False)
        if kept.update(lease_until=now + self._length) != len(self._open):
            raise LeaseLost
        self._last = now

    def reported(self, runs: Sequence[StoreRun]) -> None:
        """These are written down; the hold goes on for the others."""
        for run in runs:
            self._open.pop(run.pk, None)


@contextmanager
def subject_locks(runs: Sequence[StoreRun]) -> Iterator[list[StoreRun]]:
    """Hold the lock of each person in each store; yields the runs whose lock was free. Needs a connection of its own session."""
    numbers = {_number(f"{run.store_id}:{run.subject}"): run for run in runs}
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, pg_try_advisory_lock(number) FROM unnest(%s::bigint[]) AS number", [sorted(numbers)])
        free = [number for number, was_free in cursor.fetchall() if was_free]
    try:
        yield [numbers[number] for number in free]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(number) FROM unnest(%s::bigint[]) AS number", [free])


def _number(name: str) -> int:
    return int.from_bytes(blake2b(f"insyn.run\0{name}".encode(), digest_size=8).digest(), signed=True)
