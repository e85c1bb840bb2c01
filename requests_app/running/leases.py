"""Who works on which runs: claims with a lease, and locks per person and store (R25–R27).

A claim raises `attempt`; whatever is written about a run later is conditional on that number, so a worker that was thought dead
and comes back changes nothing. The lease ends by itself when its worker gives no sign of life. Beside it every claim holds
advisory locks on the worker's own database session, taken before the claim can be seen: while a worker that lost its lease still
acts on a person, nobody else acts on that person in that store; and when the session is gone, so is the worker, and nobody has
to wait for the lease to end. Workers therefore need sessions of their own, not a pooler that shares them between transactions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from hashlib import blake2b

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts.models import CustomerIdentity
from requests_app.models import OPEN_STATES, Right, RightsRequest, RunState, State, StoreRun
from requests_app.running.runs import GO_BEFORE_ERASURE, PACKAGED, goes_later

BATCH = 200
PACKAGES, SMALL = 20, 5_000  # so many packages are built together, where each has so many rows at most
# A run whose worker disappeared this often is claimed alone, and stopped when that did not help: it may be what kills workers.
ALONE_AFTER, STOPPED_AFTER = 2, 5
LONGEST_LEASE = timedelta(hours=1)
BUSY_FOR = timedelta(seconds=15)
EXECUTING = (State.APPROVED, State.RUNNING, State.RESTRICTED)
LOOKING = (State.IDENTIFYING, State.TRIAGE, State.APPROVED, State.RUNNING, State.RESTRICTED)

Choose = Callable[[datetime], list[StoreRun]]


class LeaseLost(Exception):
    """Somebody else was given these runs; stop, and write nothing."""


# --- claiming -----------------------------------------------------------------------------------------------------------


@contextmanager
def claimed(choose: Choose, *, now: datetime) -> Iterator[list[StoreRun]]:
    """The runs that `choose` picks, leased and locked until the block ends; none when nothing is due."""
    held: list[int] = []
    try:
        with transaction.atomic():
            one_claim_at_a_time()
            chosen = choose(now)
            runs = _take(chosen, held, now) if chosen else []
        yield runs
    finally:
        # A session that broke has lost its locks, and what broke it is being raised.
        with suppress(DatabaseError):
            unlock(held)


def next_search(now: datetime) -> list[StoreRun]:
    """Up to a batch of runs of one right whose data are to be found."""
    due = locatable(now)
    head = due.order_by("due_at", "pk").defer("plan").first()
    return _oldest(due.filter(right=head.right), lost=head.lost, limit=BATCH) if head else []


def next_batch(now: datetime) -> list[StoreRun]:
    """Up to a batch of due runs of the same store, right and map version (R27), no two of one person."""
    due = executable(now).exclude(right__in=PACKAGED)
    head = due.order_by("due_at", "pk").defer("plan").first()
    if head is None:
        return []
    alike = due.filter(store=head.store_id, right=head.right, dataset_version=head.dataset_version)
    once = {run.subject: run for run in reversed(_oldest(alike, lost=head.lost, limit=BATCH))}
    return list(once.values())


def next_packages(now: datetime) -> list[StoreRun]:
    """All runs of some cases that are answered by one package each; a package with a store missing would be a wrong answer.

    No two cases of one person, and a case whose package is large alone: nobody waits for another's.
    """
    due = executable(now).filter(right__in=PACKAGED)
    head = due.order_by("due_at", "pk").defer("plan").first()
    if head is None:
        return []
    first = _oldest(due, lost=head.lost, limit=PACKAGES)
    siblings = StoreRun.objects.filter(request__in={run.request_id for run in first}).defer("plan")
    siblings = siblings.exclude(state__in=(RunState.DONE, RunState.CANCELLED)).order_by("pk")
    numbers = Counter(siblings.values_list("request", flat=True))
    locked: dict[int, list[StoreRun]] = {run.request_id: [] for run in first}
    for run in siblings.select_for_update(of=("self",), skip_locked=True):
        locked[run.request_id].append(run)
    whole = [
        runs
        for case, runs in locked.items()
        if len(runs) == numbers[case] and all(run.state in (RunState.QUEUED, RunState.FAILED) for run in runs)
    ]
    once: dict[str, list[StoreRun]] = {}
    for runs in whole:
        once.setdefault(runs[0].subject, runs)
    taken = list(once.values())
    small = [runs for runs in taken if sum(map(_rows_found, runs)) <= SMALL]
    return [run for runs in (small if small[:1] == taken[:1] else taken[:1]) for run in runs]


def _rows_found(run: StoreRun) -> int:
    return sum(counts.get("rows", 0) for counts in (run.finding or {}).values())


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
        ~goes_later(),
        state__in=(RunState.QUEUED, RunState.FAILED),
        located_at__isnull=False,
        due_at__lte=now,
        request__state__in=EXECUTING,
    )


def _oldest(due: QuerySet[StoreRun], *, lost: int, limit: int) -> list[StoreRun]:
    """The oldest of these, locked; alone if its workers keep disappearing, else without those whose do."""
    if lost >= ALONE_AFTER:
        limit, due = 1, due.filter(lost__gte=ALONE_AFTER)
    else:
        due = due.filter(lost__lt=ALONE_AFTER)
    return list(due.order_by("due_at", "pk").defer("plan").select_for_update(of=("self",), skip_locked=True)[:limit])


def _take(chosen: Sequence[StoreRun], held: list[int], now: datetime) -> list[StoreRun]:
    search = chosen[0].located_at is None
    numbers = {lock_number(_lock_name(run, search=search)): run for run in chosen}
    held += try_lock(sorted(numbers))
    free = [numbers[number] for number in held]
    if len(free) < len(chosen):
        # Somebody whose lease is over still acts on these people.
        waiting = {run.pk for run in chosen} - {run.pk for run in free}
        if chosen[0].right in PACKAGED and not search:  # a package is built of all runs of its case
            cases = {run.request_id for run in chosen if run.pk in waiting}
            waiting |= {run.pk for run in chosen if run.request_id in cases}
        StoreRun.objects.filter(pk__in=waiting).update(due_at=now + BUSY_FOR)
        free = [run for run in free if run.pk not in waiting]
    if free:
        columns = {"state": RunState.LOCATING} if search else {"state": RunState.RUNNING, "started_at": now}
        StoreRun.objects.filter(pk__in=[run.pk for run in free]).update(
            attempt=F("attempt") + 1,
            lost=F("lost") + 1,  # taken back when the worker reports; what it never reports was lost
            lease_until=now + lease_for(max(run.lost for run in free)),
            **columns,
        )
    rows = StoreRun.objects.filter(pk__in=[run.pk for run in free]).select_related("request__customer", "store").order_by("pk")
    return list(rows if chosen[0].right not in PACKAGED and not search else rows.defer("plan"))


# --- while working ------------------------------------------------------------------------------------------------------


def mine(runs: Sequence[StoreRun]) -> Q:
    """The condition of every write: these runs, in the attempt in which they were claimed."""
    condition = Q(pk__in=[])
    for attempt in {run.attempt for run in runs}:
        condition |= Q(pk__in=[run.pk for run in runs if run.attempt == attempt], attempt=attempt)
    return condition


def lease_for(lost: int) -> timedelta:
    """How long a claim lasts without a sign of life; longer each time it was too short."""
    return min(LONGEST_LEASE, timedelta(seconds=settings.INSYN_LEASE_SECONDS) * 2**lost)


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

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Nobody else can be given these runs until the block ends; a store commits within. Raises LeaseLost.

        The advisory locks may be gone without our knowing, with a session that broke; the rows tell, and stay locked meanwhile.
        """
        with transaction.atomic():
            held = StoreRun.objects.filter(mine(list(self._open.values())), state=RunState.RUNNING, lease_until__isnull=False)
            if len(held.order_by("pk").select_for_update().values_list("pk")) != len(self._open):
                raise LeaseLost
            yield

    def reported(self, runs: Sequence[StoreRun]) -> None:
        """These are written down; the hold goes on for the others."""
        for run in runs:
            self._open.pop(run.pk, None)


# --- whose worker is gone -------------------------------------------------------------------------------------------------


def abandoned(now: datetime) -> list[StoreRun]:
    """Claimed runs whose lease is over, or whose worker's session has ended."""
    claims = list(StoreRun.objects.filter(state__in=(RunState.RUNNING, RunState.LOCATING), lease_until__isnull=False))
    if not claims:
        return []
    with connection.cursor() as cursor:
        # After the runs were read: a lock that is released meanwhile belongs to a run that is reported, too.
        cursor.execute(
            "SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        held = {number for (number,) in cursor.fetchall()}
        cursor.execute("SELECT pg_postmaster_start_time()")
        (server_started_at,) = cursor.fetchone()

    def is_gone(run: StoreRun) -> bool:
        search = run.state == RunState.LOCATING
        if run.lease_until is not None and run.lease_until < now:
            return True
        # A server that restarted has forgotten all locks while its workers may live: their lease tells.
        locks_tell = search or (run.started_at is not None and run.started_at > server_started_at)
        return locks_tell and lock_number(_lock_name(run, search=search)) not in held

    return [run for run in claims if is_gone(run)]


# --- advisory locks -------------------------------------------------------------------------------------------------------


def _lock_name(run: StoreRun, *, search: bool) -> str:
    return f"search:{run.pk}" if search else f"person:{run.store_id}:{run.subject}"


def lock_number(name: str) -> int:
    return int.from_bytes(blake2b(f"insyn.run\0{name}".encode(), digest_size=8).digest(), signed=True)


def one_claim_at_a_time() -> None:
    """Two claims at once could each take another right of the same person; claims are short, so they queue."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock_number("claim")])


def try_lock(numbers: Sequence[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, pg_try_advisory_lock(number) FROM unnest(%s::bigint[]) AS number", [list(numbers)])
        return [number for number, was_free in cursor.fetchall() if was_free]


def unlock(numbers: Sequence[int]) -> None:
    if numbers:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(number) FROM unnest(%s::bigint[]) AS number", [list(numbers)])
