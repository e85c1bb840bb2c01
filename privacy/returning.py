"""Kept rows come back by themselves when their day has come, and shared rows go with their last owner (R11, R20).

Every erasure that leaves such rows leaves a remnant. Each night those are looked at whose day has come, that share rows with
somebody, that have no day yet, or whose data map changed since: the rules of today count. They are erased by the same engine,
under the purge's guard. A night that is killed is gone on with by the next: rows that went are no longer found, and the record
says so once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from privacy import audit, retention
from privacy.datamap.graph import Node
from privacy.engine.contested.answers import Answers
from privacy.engine.erasure import erase as erasing
from privacy.engine.erasure import remnant as remnants
from privacy.engine.erasure.decide import DELETE, Decision, decide
from privacy.engine.erasure.erase import subject_of
from privacy.engine.erasure.report import Report
from privacy.engine.holding import Holding
from privacy.engine.locate.search import locate
from privacy.finding import located
from privacy.maps import Maps
from privacy.models import AuditEvent, DatasetVersion, Remnant, Store
from privacy.stores.base import StoreError, Values
from privacy.terms import Person

BATCH = 100


@dataclass(frozen=True)
class Leaving:
    """The remnant of one case in one store. `error`: why it cannot be looked at or carried out; `held`: somebody needs it."""

    case: str
    store: str
    on: str | None
    shared: int
    held: bool = False
    collections: Mapping[str, int] = field(default_factory=dict)  # rows that stay, or that went
    error: str = ""


# -- when an erasure ends -----------------------------------------------------------------------------------------------


def keep(*, store_key: str, reports: Iterable[tuple[str, str, int, Report]], now: datetime) -> None:
    """Remember what erasures left: (case, person, map version, report). The same again changes nothing."""
    left = [(case, ref, version, report) for case, ref, version, report in reports if report.remnant]
    if not left:
        return
    store = Store.objects.get(key=store_key)
    rows = [
        Remnant(case=case, subject=ref, store=store, kept_at=now, map_version=version, **_facts(report))
        for case, ref, version, report in left
    ]
    _with_what_stood(rows, store)
    changing = ["plan", "origin", "map_version", "counts", "due_on", "shared", "undated", "state", "note", "closed_at"]
    Remnant.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["case", "store"], update_fields=changing, batch_size=500
    )


def _with_what_stood(rows: Sequence[Remnant], store: Store) -> None:
    """A case that was located anew and erased once more may have left other rows than before: none of them is forgotten."""
    before = {row.case: row for row in Remnant.objects.filter(store=store, case__in=[row.case for row in rows])}
    for row in rows:
        old = before.get(row.case)
        if old is None:
            continue
        row.origin = old.origin
        if old.plan and row.plan and remnants.alike([row.plan, old.plan]):
            row.plan = remnants.together([row.plan, old.plan])
            row.counts = {**old.counts, **row.counts}
            row.due_on = min((day for day in (row.due_on, old.due_on) if day), default=None)


def _facts(report: Report) -> dict[str, Any]:
    counts = {}
    for name, done in report.collections.items():
        kept = done["kept"]
        entry = {"kept": sum(part["rows"] for part in kept), "pinned": done["pinned"], "shared": done.get("waiting", 0)}
        entry["undated"] = sum(part["rows"] for part in kept if part.get("start_missing"))
        if days := [part["until"] for part in kept if part["until"]]:
            entry["until"] = max(days)
        if any(entry.values()):
            counts[name] = entry
    sums = {key: sum(entry[key] for entry in counts.values()) for key in ("shared", "undated")}
    return {"plan": report.remnant, "counts": counts, "due_on": report.due, "state": Remnant.State.WAITING, **sums}


def reopen(*, store_key: str, since: datetime, now: datetime) -> int:
    """A backup taken at `since` came back, and with it rows that went after: the next night looks for them; answers how many."""
    returned = Remnant.objects.filter(store__key=store_key, returned_at__gt=since).exclude(origin=None)
    rows = list(returned.select_for_update(of=("self",)).order_by("pk"))
    for row in rows:
        row.plan, row.due_on, row.state, row.closed_at = row.origin, timezone.localdate(now), Remnant.State.WAITING, None
        row.save(update_fields=["plan", "due_on", "state", "closed_at"])
    return len(rows)


def forget(*, now: datetime) -> None:
    """No backup is older than the horizon: what is gone need not be found again."""
    horizon = now - timedelta(days=settings.INSYN_BACKUP_HORIZON_DAYS)
    Remnant.objects.filter(closed_at__lt=horizon).exclude(origin=None).update(origin=None)


# -- looking and going --------------------------------------------------------------------------------------------------


def open_remnants() -> QuerySet[Remnant]:
    return Remnant.objects.filter(closed_at=None, store__is_active=True).select_related("store")


def _to_look_at(now: datetime) -> QuerySet[Remnant]:
    current = DatasetVersion.objects.filter(store=OuterRef("store"), is_current=True).values("version")
    reasons = Q(due_on__lte=timezone.localdate(now)) | Q(shared__gt=0) | Q(undated__gt=0) | ~Q(map_version=F("current"))
    return open_remnants().annotate(current=Subquery(current)).filter(reasons, current__isnull=False)


def plan(*, now: datetime) -> list[Leaving]:
    """Everything that waits, with its day; nothing is changed and no store is asked."""
    held = _held_people()
    return [
        Leaving(
            row.case,
            row.store.key,
            row.due_on.isoformat() if row.due_on else None,
            row.shared,
            row.subject in held.get(row.store.key, ()),
            {name: counts["kept"] + counts["pinned"] + counts["shared"] for name, counts in row.counts.items()},
            row.note,
        )
        for row in open_remnants().order_by("due_on", "pk")
    ]


def _held_people() -> dict[str, set[str]]:
    keeper = retention.guard()
    return {store.key: {p.ref for p in keeper.protected(store.key)} for store in Store.objects.filter(is_active=True)}


def run(*, now: datetime) -> list[Leaving]:
    """Erase what no rule keeps and nobody shares any more. Safe to repeat; two at once share the work between them."""
    keeper = retention.guard()
    forget(now=now)
    done: list[Leaving] = []
    for store in Store.objects.filter(is_active=True, versions__is_current=True).order_by("key"):
        for batch in _batches(_to_look_at(now).filter(store=store)):
            done += _look_at(store, _to_look_at(now).filter(pk__in=batch), keeper, now)
    return done


def _batches(rows: QuerySet[Remnant]) -> Iterator[list[int]]:
    """Their ids, some hundred at a time; those who share rows stand in one batch."""
    numbers: list[int] = []

    def plans() -> Iterator[Any]:
        for number, plan in rows.order_by("pk").values_list("pk", "plan").iterator(chunk_size=BATCH):
            numbers.append(number)
            yield plan

    circles = [[numbers[place] for place in circle] for circle in remnants.circles(plans())]
    sharing = {number for circle in circles for number in circle}
    batch: list[int] = []
    for together in (*circles, *([number] for number in numbers if number not in sharing)):
        if batch and len(batch) + len(together) > BATCH:
            yield batch
            batch = []
        batch = batch + together
    if batch:
        yield batch


def _look_at(store: Store, rows: QuerySet[Remnant], keeper: retention.Guard, now: datetime) -> list[Leaving]:
    """One batch, in a transaction that holds its records; what another night holds is left to it."""
    with transaction.atomic():
        batch = list(rows.select_for_update(of=("self",), skip_locked=True).order_by("pk"))
        return _look(store.key, batch, keeper.protected(store.key), now) if batch else []


def _look(store: str, rows: Sequence[Remnant], protected: Sequence[Person], now: datetime) -> list[Leaving]:
    refs = {person.ref for person in protected}
    with located(list(protected)) as (maps, sessions, holdings, down):
        if store not in sessions or (protected and down):
            reason = down.get(store) or "people with open requests may have rows here that cannot be found now"
            return [_answer(row, error=reason) for row in rows]
        needed = {(node, values) for holding in holdings for node, groups in holding.in_store(store).items() for values in groups}
        jobs = [_job(maps, store, row.plan or {}) for row in rows]
        found = _judged(maps, store, sessions[store], jobs, now)
        held = [row.subject in refs or _meets(store, holding, needed) for row, (holding, _) in zip(rows, found, strict=True)]
        circles = [circle for circle in remnants.circles([job.plan for job in jobs]) if not any(held[i] for i in circle)]
        circles = [circle for circle in circles if remnants.alike([jobs[i].plan for i in circle])]
        united = [_job(maps, store, remnants.together([jobs[i].plan for i in circle])) for circle in circles]
        ending = [
            (circle, job)
            for circle, job, (_, decision) in zip(
                circles, united, _judged(maps, store, sessions[store], united, now), strict=True
            )
            if _something_goes(decision)
        ]
    out = _end(maps, store, [job for _, job in ending], now)
    gone = {number for circle, _ in ending for number in circle}
    going = []
    for number, (row, job, (holding, decision)) in enumerate(zip(rows, jobs, found, strict=True)):
        if held[number]:
            out.append(_answer(row, held=True))
        elif number in gone or _asks(row, holding, decision, maps, now):
            going.append((row, job))
        else:
            row.looked_at = now
            row.save(update_fields=["looked_at"])
    return out + _go(maps, store, going, now)


def _job(maps: Maps, store: str, remembered: Mapping[str, Any]) -> erasing.Job:
    """By the rules and the schema of today. Rows that were shared wait for their last owner; what is newly contested stops it."""
    today = {**remembered, "schema": maps.graph.digest(store), "map_version": maps.versions[store].version}
    return erasing.Job((), today, dict.fromkeys(today["groups"], "keep"), returning=True)


def _judged(maps: Maps, store: str, session: Any, jobs: Sequence[erasing.Job], now: datetime) -> list[tuple[Holding, Decision]]:
    """What an erasure of each remnant would do today."""
    graph = maps.graph
    holdings = locate(graph, {store: session}, [subject_of(graph, (), job.plan, {}) for job in jobs]) if jobs else []
    remnants.set_apart(graph, session, store, [(job.plan, holding) for job, holding in zip(jobs, holdings, strict=True)])
    answers = [Answers.read(graph, job.plan, job.answers) for job in jobs]
    decisions = decide(graph, session, store, holdings, answers=answers, today=timezone.localdate(now))
    return list(zip(holdings, decisions, strict=True))


def _end(maps: Maps, store: str, jobs: Sequence[erasing.Job], now: datetime) -> list[Leaving]:
    """Rows whose owners are all erased go; their records are brought up to date one by one after it."""
    for job in jobs:
        try:
            erasing.erase(maps.graph, maps.stores[store], [job], today=timezone.localdate(now))
        except StoreError as error:
            return [Leaving("", store, None, 0, error=str(error))]
    return []


def _meets(store: str, holding: Holding, needed: set[tuple[Node, Values]]) -> bool:
    return any((node, values) in needed for node, groups in holding.in_store(store).items() for values in groups)


def _asks(row: Remnant, holding: Holding, decision: Decision, maps: Maps, now: datetime) -> bool:
    """Whether there is something to do: rows may go, are gone, a day has come, or other rules hold now."""
    return (
        holding.empty
        or _something_goes(decision)
        or bool(row.due_on and row.due_on <= timezone.localdate(now))
        or row.map_version != maps.versions[row.store.key].version
    )


def _something_goes(decision: Decision) -> bool:
    return any(fate.kind == DELETE for _, _, fate in decision)


def _go(maps: Maps, store: str, going: Sequence[tuple[Remnant, erasing.Job]], now: datetime) -> list[Leaving]:
    """All at once; where the store refuses, one by one, so that one that cannot go holds up no other."""
    if not going:
        return []
    try:
        reports = erasing.erase(maps.graph, maps.stores[store], [job for _, job in going], today=timezone.localdate(now))
    except StoreError as error:
        if len(going) > 1:
            return [answer for one in going for answer in _go(maps, store, [one], now)]
        return [_stop(going[0][0], str(error), now)]
    version = maps.versions[store].version
    return [_note(row, report, version, now) for (row, _), report in zip(going, reports, strict=True)]


def _note(row: Remnant, report: Report, version: int, now: datetime) -> Leaving:
    if report.blocked:
        return _stop(row, report.blocked, now)
    row.origin = row.origin or row.plan
    happened = {"map_version": version, "note": "", "looked_at": now, "returned_at": now}
    for name, value in (_facts(report) | happened).items():
        setattr(row, name, value)
    if report.remnant is None:
        row.state, row.closed_at, row.counts = Remnant.State.GONE, now, {}
    row.save()
    counts = {
        name: {key: done[key] for key in ("deleted", "anonymized", "erased_earlier") if done.get(key)}
        for name, done in report.collections.items()
    }
    counts = {name: done for name, done in counts.items() if done}
    _record(row, "kept.returned", {"collections": counts, "left": row.closed_at is None}, now)
    return _answer(row, collections={name: sum(done.values()) for name, done in counts.items()})


def _stop(row: Remnant, reason: str, now: datetime) -> Leaving:
    """Say it once; it is tried again every night."""
    if row.note != reason[:255]:
        row.state, row.note = Remnant.State.STOPPED, reason[:255]
        _record(row, "kept.stopped", {"reason": reason[:255]}, now)
    row.looked_at = now
    row.save(update_fields=["state", "note", "looked_at"])
    return _answer(row, error=reason)


def _record(row: Remnant, action: str, payload: dict[str, Any], now: datetime) -> None:
    """In the chain of the case, where it has one of its own: an operator's command has none."""
    chain = row.case if AuditEvent.objects.filter(chain=row.case).exists() else audit.SYSTEM
    about = {} if chain == row.case else {"case": row.case}
    audit.record(chain=chain, actor="system", action=action, payload={"store": row.store.key, **about, **payload}, now=now)


def _answer(row: Remnant, **more: Any) -> Leaving:
    return Leaving(row.case, row.store.key, row.due_on.isoformat() if row.due_on else None, row.shared, **more)
