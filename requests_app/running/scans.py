"""The last look of an erasure: where its people still stand, in every text of every store, mapped or not (R21).

A pass over one store serves all whose erasure is done by then; who is done later waits for the next. It is claimed with a lease
and a lock like a run, so no store is read twice at once, and it notes each table it has read, and how far it came in a
large one: a pass that was cut short goes on there. A case gets its answer when the passes over all its stores have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.people import people_of
from privacy import actions, audit
from privacy.actions import Person, Scanned
from requests_app.case.closing import settle
from requests_app.case.steps import SYSTEM
from requests_app.models import ResidueScan, Right, RightsRequest, State, StoreRun
from requests_app.running.backoff import backoff
from requests_app.running.blame import where
from requests_app.running.bulk import write_columns
from requests_app.running.leases import LeaseLost, executable, lease_for, lock_number, one_claim_at_a_time, try_lock, unlock
from requests_app.running.runs import UNFINISHED, unscanned, unscanned_cases

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
PEOPLE = 5_000  # of one pass
NOTED = timedelta(seconds=10)  # how often it is noted how far a large table is read
SLICE = timedelta(minutes=1)  # then the worker does what else is due, and goes on
PATIENCE = timedelta(minutes=1)  # how long a pass waits for erasures under way, to take their people too
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=30), timedelta(hours=1)


def scan_due(*, clock: Clock = timezone.now) -> int:
    """Claim a pass over one store and read for a while; answers how many it took, 0 when nothing is due."""
    with claimed(clock()) as scan:
        if scan is None:
            return 0
        _read(scan, clock)
        return 1


def outstanding(now: datetime) -> bool:
    """Whether somebody waits to be looked for, or a pass to be gone on with."""
    return ResidueScan.objects.filter(finished_at=None, due_at__lte=now).exists() or waiting().exists()


def waiting() -> QuerySet[StoreRun]:
    """Done parts of erasures that no pass has taken yet, of people for whom no store is left to erase in."""
    unfinished = StoreRun.objects.filter(request=OuterRef("request"), state__in=UNFINISHED)
    return StoreRun.objects.filter(unscanned(), ~Exists(unfinished), scan=None, request__state=State.RUNNING)


def waits(request: RightsRequest) -> bool:
    """Whether one case waits for the look at what its erasure left."""
    return bool(unscanned_cases([request]))


def settle_forgotten(*, now: datetime) -> None:
    """Close cases that waited for a store that is no longer registered."""
    left = StoreRun.objects.filter(unscanned() | Q(state__in=UNFINISHED), request=OuterRef("pk"))
    forgotten = RightsRequest.objects.filter(~Exists(left), right=Right.ERASURE, state=State.RUNNING)
    settle(requests=list(forgotten.values_list("pk", flat=True)), now=now)


# --- claiming -----------------------------------------------------------------------------------------------------------


@contextmanager
def claimed(now: datetime) -> Iterator[ResidueScan | None]:
    """The next pass, leased and locked until the block ends."""
    held: list[int] = []
    try:
        with transaction.atomic():
            one_claim_at_a_time()
            scan = _unfinished(now, held) or _new(now, held)
            if scan is not None:
                _take(scan, now)
        yield scan
    finally:
        # A session that broke has lost its locks, and what broke it is being raised.
        with suppress(DatabaseError):
            unlock(held)


def _unfinished(now: datetime, held: list[int]) -> ResidueScan | None:
    """The pass that has waited longest and whose worker, if it had one, is gone."""
    for scan in ResidueScan.objects.filter(finished_at=None, due_at__lte=now).order_by("due_at", "pk"):
        if _is_free(scan, now) and (locked := try_lock([_lock(scan.store_id)])):
            held += locked
            return scan
    return None


def _is_free(scan: ResidueScan, now: datetime) -> bool:
    if scan.lease_until is None or scan.lease_until < now:
        return True
    # Whoever holds the lease holds the lock; only a server that restarted has forgotten locks of workers that may live.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_postmaster_start_time() < %s", [scan.started_at])
        return bool(cursor.fetchone()[0])


def _new(now: datetime, held: list[int]) -> ResidueScan | None:
    open_ones = ResidueScan.objects.filter(finished_at=None).values("store")
    stores = waiting().exclude(store__in=open_ones).values("store").annotate(since=Min("finished_at")).order_by("since")
    for row in stores:
        soon = executable(now).filter(right=Right.ERASURE).exists()
        if soon and row["since"] is not None and now - row["since"] < PATIENCE:
            continue  # their people can come along
        if locked := try_lock([_lock(row["store"])]):
            held += locked
            return ResidueScan.objects.create(store_id=row["store"], due_at=now)
    return None


def _take(scan: ResidueScan, now: datetime) -> None:
    if not scan.tables and scan.partial is None:
        newly = waiting().filter(store=scan.store_id).order_by("finished_at", "pk").values_list("pk", flat=True)[:PEOPLE]
        StoreRun.objects.filter(pk__in=list(newly)).update(scan=scan)
    ResidueScan.objects.filter(pk=scan.pk).update(attempt=F("attempt") + 1, lease_until=now + lease_for(0), started_at=now)
    scan.refresh_from_db()


def _lock(store: int) -> int:
    return lock_number(f"scan:{store}")


# --- reading ------------------------------------------------------------------------------------------------------------


class _Hold:
    """The lease on a pass; calling it is cheap and a sign of life."""

    def __init__(self, scan: ResidueScan, clock: Clock) -> None:
        self._scan, self._clock, self._last = scan, clock, clock()

    def __call__(self) -> None:
        now = self._clock()
        if now - self._last > lease_for(0) / 3:
            _write(self._scan, lease_until=now + lease_for(0))
            self._last = now


def _write(scan: ResidueScan, **columns: object) -> None:
    """Only while the pass is ours; raises LeaseLost."""
    if not ResidueScan.objects.filter(pk=scan.pk, attempt=scan.attempt, finished_at=None).update(**columns):
        raise LeaseLost


def _read(scan: ResidueScan, clock: Clock) -> None:
    runs = {str(run.pk): run for run in scan.runs.select_related("request__customer").defer("plan").order_by("pk")}
    known = people_of({run.request.customer for run in runs.values()})
    people = [Person(ref, known[run.request.customer_id].identities) for ref, run in runs.items()]
    until, noted = clock() + SLICE, clock()
    done = {*scan.tables, *(table for table, _ in scan.unread)}
    begun = Scanned(**scan.partial) if scan.partial else None
    key, hold = scan.store.key, _Hold(scan, clock)
    try:
        for scanned in actions.scan(store_key=key, people=people, heartbeat=hold, done=done, begun=begun):
            if scanned.mark is not None:
                if clock() - noted >= NOTED:
                    _write(scan, partial=asdict(scanned))
                    noted = clock()
                continue
            _note(scan, scanned, runs)
            if clock() > until:
                _write(scan, lease_until=None, due_at=clock())
                return
        _finish(scan, list(runs.values()), clock())
    except LeaseLost:
        log.warning("scan_lost", scan=scan.pk)
    except actions.UnknownStore:  # nobody can look there any more, and the answer says when it was looked
        _finish(scan, list(runs.values()), clock())
    except actions.StoreUnavailable as error:
        _later(scan, str(error), clock())
    except DatabaseError:
        raise  # our own database: nothing can be written down; the lease ends and somebody tries again
    except Exception as error:  # noqa: BLE001 - whatever stands in the stores
        log.error("scan_put_back", scan=scan.pk, error=type(error).__name__, at=where(error))
        _later(scan, type(error).__name__, clock())


def _note(scan: ResidueScan, scanned: Scanned, runs: dict[str, StoreRun]) -> None:
    """One table is read: its findings and that it is are written together, so that no table counts twice."""
    with transaction.atomic():
        if scanned.error:
            scan.unread.append([scanned.table, scanned.error[:200]])
        else:
            scan.tables.append(scanned.table)
            scan.columns += scanned.columns
        _write(scan, tables=scan.tables, columns=scan.columns, unread=scan.unread, partial=None)
        found = [runs[ref] for ref in scanned.found]
        for run in found:
            run.residue = [*run.residue, *scanned.found[str(run.pk)]]
        write_columns(found, ["residue"])


def _finish(scan: ResidueScan, runs: Sequence[StoreRun], now: datetime) -> None:
    payload = {
        "store": scan.store.key,
        "people": len(runs),
        "tables": len(scan.tables),
        "columns": scan.columns,
        "unread": len(scan.unread),
        "rows": sum(item["rows"] for run in runs for item in run.residue),
    }
    with transaction.atomic():
        _write(scan, finished_at=now, lease_until=None, error="", partial=None)
        audit.record(chain=audit.SYSTEM, actor=SYSTEM, action="residue.scanned", payload=payload, now=now)
        settle(requests={run.request_id for run in runs}, now=now)


def _later(scan: ResidueScan, error: str, now: datetime) -> None:
    tries = scan.retries + 1
    due = now + backoff(tries, first=FIRST_RETRY, longest=LONGEST_RETRY)
    with suppress(LeaseLost):
        _write(scan, error=error[:255], retries=tries, due_at=due, lease_until=None)
