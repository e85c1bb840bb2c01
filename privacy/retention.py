"""Scheduled purges: what is past its retention goes, in small batches, and never what somebody still needs (Art. 5(1)(e)).

A row goes when its retention rule and every keep rule of its collection have run out, no row points at it by a live key, and
nobody protects it. Who is protected (open requests, restrictions, holds) only the upper floors know: they are asked through the
guard that INSYN_PURGE_GUARD names, and without a guard no purge runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from privacy import audit
from privacy.datamap.graph import Graph, Node, start_of
from privacy.datamap.model import Keep, Retention
from privacy.datamap.periods import YearEnd, until
from privacy.engine.erasure.anonymize import assignments
from privacy.engine.erasure.erase import deletion_order
from privacy.engine.holding import Holding
from privacy.finding import below, located
from privacy.maps import Maps
from privacy.models import PurgeRun, Store
from privacy.stores.base import Expiry, Groups, Pinned, Session, StoreError, Values
from privacy.terms import Person

BATCH = 1_000
PAUSE_SECONDS = 0.05
COUNTED = 1_000_000  # a plan counts no further


class Guard(Protocol):
    def protected(self, store_key: str) -> Sequence[Person]:
        """People whose rows in this store must not be purged."""


class NoGuard(Exception):
    """No purge runs without the guard that INSYN_PURGE_GUARD names."""


@dataclass(frozen=True)
class Due:
    """What one rule would remove from one collection today. `error`: why it cannot be said."""

    store: str
    collection: str
    rule: str
    then: str
    before: date
    rows: int = 0
    guarded: int = 0
    error: str = ""


def guard() -> Guard:
    if not settings.INSYN_PURGE_GUARD:
        raise NoGuard("INSYN_PURGE_GUARD names no guard; without one nothing is purged")
    found: Guard = import_string(settings.INSYN_PURGE_GUARD)()
    return found


def plan(*, now: datetime) -> list[Due]:
    """What a run would remove now. Nothing changes."""
    out: list[Due] = []
    for step in _steps(now):
        if isinstance(step, Due):
            out.append(step)
            continue
        with step.maps.stores[step.node[0]].read() as session:
            # What points here and has a rule of its own goes first, so in a plan it is no obstacle.
            unless = tuple(p for p in step.unless if not _ruled(step.maps.graph, (step.node[0], p.table)))
            rows = session.expired(step.node[1], step.terms, unless=unless, spare=step.spare, limit=COUNTED)
        out.append(step.due(rows=len(rows), guarded=len(step.spare)))
    return out


def run(*, now: datetime, pause: float = PAUSE_SECONDS, sleep: Callable[[float], None] = time.sleep) -> list[PurgeRun]:
    """Purge every store. One run at a time per store; killed anywhere, the next run goes on where it was."""
    runs = []
    for step in _steps(now):
        purge = _open(step, now)
        if purge is None:
            continue
        if isinstance(step, Due):
            _close(purge, "failed", step.error, now)
        else:
            _purge(step, purge, now, pause, sleep)
        runs.append(purge)
    return runs


# -- what is due --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One collection to be purged in one store."""

    maps: Maps
    node: Node
    retention: Retention
    terms: tuple[Expiry, ...]
    unless: tuple[Pinned, ...]
    spare: tuple[Values, ...]

    def due(self, *, rows: int = 0, guarded: int = 0) -> Due:
        before = self.terms[0].before
        return Due(self.node[0], self.node[1], rule_name(self.retention), self.retention.then, before, rows, guarded)


def _ruled(graph: Graph, node: Node) -> bool:
    return graph.is_node(node) and graph.collection(node).retention is not None


def rule_name(rule: Retention) -> str:
    parts = [
        f"{n}{letter}" for n, letter in zip((rule.period.years, rule.period.months, rule.period.days), "YMD", strict=True) if n
    ]
    return f"{rule.start} + P{''.join(parts)}" + (f" ({rule.align})" if rule.align != "none" else "")


def _steps(now: datetime) -> Iterator[Step | Due]:
    """Every collection with a retention rule, children before the parents they point at."""
    keeper = guard()
    today = timezone.localdate(now)
    stores = [s.key for s in Store.objects.filter(is_active=True, versions__is_current=True)]
    people = {person.ref: person for key in stores for person in keeper.protected(key)}
    with located(list(people.values())) as (maps, sessions, holdings, down):
        unknown = below(maps.graph, set(down)) if people else set()
        spared = {key: _spared(maps.graph, session, key, holdings) for key, session in sessions.items()}
    for key in maps.versions:
        ruled = {node for node in maps.graph.nodes if node[0] == key and maps.graph.collection(node).retention}
        for node in deletion_order(maps.graph, key, ruled)[0]:
            rule = maps.graph.collection(node).retention
            assert rule is not None
            trouble = down.get(key) or (
                "people with open requests may have rows here that cannot be found now" if key in unknown else ""
            )
            if not trouble and not maps.graph.table(node).primary_key:
                trouble = f"the table {node[1]} has no primary key, so its rows cannot be purged one by one"
            if trouble:
                yield Due(
                    key,
                    node[1],
                    rule_name(rule),
                    rule.then,
                    cutoff(rule, today, maps.graph.datasets[key].year_end),
                    error=trouble,
                )
            else:
                yield _step(maps, node, rule, today, spared[key].get(node, ()))


def _step(maps: Maps, node: Node, rule: Retention, today: date, spare: Sequence[Values]) -> Step:
    year_end = maps.graph.datasets[node[0]].year_end
    collection = maps.graph.collection(node)
    since = _anonymized_until(maps, node, rule) if rule.then == "anonymize" else None
    terms = [_term(maps.graph, node, rule, cutoff(rule, today, year_end), since)]
    terms += [_term(maps.graph, node, keep, cutoff(keep, today, year_end), None) for keep in collection.keeps]
    unless = tuple(
        Pinned(pointer.child[1], tuple(zip(pointer.child_columns, pointer.parent_columns, strict=True)))
        for pointer in maps.graph.pointers
        if pointer.parent == node and pointer.enforced and pointer.child != node and rule.then == "delete"
    )
    return Step(maps, node, rule, tuple(terms), unless, tuple(spare))


def cutoff(rule: Retention | Keep, today: date, year_end: YearEnd) -> date:
    """The first start that is not due: rows that started before this day may go today."""
    low, high = date(1, 1, 1).toordinal(), today.toordinal() + 1
    while low < high:  # `until` never falls as the start rises
        middle = (low + high) // 2
        if until(date.fromordinal(middle), rule.period, rule.align, year_end) <= today:
            low = middle + 1
        else:
            high = middle
    return date.fromordinal(low)


def _term(graph: Graph, node: Node, rule: Retention | Keep, before: date, since: date | None) -> Expiry:
    place, column = start_of(graph.collection(node), rule.start)
    if place == node[1]:
        return Expiry(column, before, since)
    link = next(link for link in graph.links if {link.child, link.parent} == {node, (node[0], place)})
    ours, theirs = (link.child_columns, link.parent_columns) if link.child == node else (link.parent_columns, link.child_columns)
    return Expiry(column, before, since, place, tuple(zip(ours, theirs, strict=True)))


def _spared(graph: Graph, session: Session, key: str, holdings: Sequence[Holding]) -> dict[Node, list[Values]]:
    """Primary keys of everything the protected people have, contested rows too."""
    out: dict[Node, dict[Values, None]] = {}
    for holding in holdings:
        for node, groups in holding.in_store(key).items():
            primary = graph.table(node).primary_key
            if primary and graph.collection(node).retention:
                rows = session.rows(Groups(node[1], graph.group_columns[node], tuple(groups)), primary)
                out.setdefault(node, {}).update(dict.fromkeys(rows))
    return {node: list(keys) for node, keys in out.items()}


def _anonymized_until(maps: Maps, node: Node, rule: Retention) -> date | None:
    """Rows that an earlier run anonymized are not anonymized again."""
    done = PurgeRun.objects.filter(store__key=node[0], collection=node[1], rule=rule_name(rule), state="done", guarded=0)
    return done.order_by("-before_on").values_list("before_on", flat=True).first()


# -- purging ------------------------------------------------------------------------------------------------------------


def _open(step: Step | Due, now: datetime) -> PurgeRun | None:
    """The run's record, which is also its lock: None when a purge of this store is already under way."""
    due = step if isinstance(step, Due) else step.due(guarded=len(step.spare))
    store = Store.objects.get(key=due.store)
    stale = PurgeRun.objects.filter(store=store, state="running", started_at__lt=now - timedelta(hours=12))
    stale.update(state="stopped", note="ended without an answer", finished_at=now)
    try:
        with transaction.atomic():
            return PurgeRun.objects.create(
                store=store,
                collection=due.collection,
                rule=due.rule,
                before_on=due.before,
                guarded=due.guarded,
                state="running",
                started_at=now,
            )
    except IntegrityError:
        return None


def _purge(step: Step, purge: PurgeRun, now: datetime, pause: float, sleep: Callable[[float], None]) -> None:
    store = step.maps.stores[step.node[0]]
    done: list[Values] = []  # anonymized rows stay, so the next batch must pass them by
    try:
        while True:
            with store.write() as session:
                spare = (*step.spare, *done)
                keys = session.expired(step.node[1], step.terms, unless=step.unless, spare=spare, limit=BATCH)
                purge.removed += _remove(step, session, keys)
            PurgeRun.objects.filter(pk=purge.pk).update(removed=purge.removed)
            if step.retention.then == "anonymize":
                done += keys
            if len(keys) < BATCH:
                break
            sleep(pause)
    except StoreError as error:
        _close(purge, "failed", str(error), now)
    else:
        _close(purge, "done", "", now)


def _remove(step: Step, session: Session, keys: Sequence[Values]) -> int:
    if not keys:
        return 0
    table = step.maps.graph.table(step.node)
    groups = Groups(step.node[1], table.primary_key, tuple(keys))
    if step.retention.then == "delete":
        return session.delete(groups)
    staying = [node for node in step.maps.graph.nodes if node[0] == step.node[0]]
    return session.update(groups, assignments(step.maps.graph, step.node, staying=staying))


def _close(purge: PurgeRun, state: str, note: str, now: datetime) -> None:
    purge.state, purge.note, purge.finished_at, purge.planned = state, note[:255], timezone.now(), purge.removed
    with transaction.atomic():
        purge.save()
        payload: Mapping[str, Any] = {
            "store": purge.store.key,
            "collection": purge.collection,
            "rule": purge.rule,
            "removed": purge.removed,
            "state": state,
        }
        audit.record(chain="system", actor="system", action="retention.purged", payload=dict(payload), now=now)
