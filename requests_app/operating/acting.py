"""Act at once, every store's part remembered first, so that a command killed anywhere is resumed by the next (R19)."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from privacy import actions, audit
from privacy.actions import Identity, Person, RunItem, RunOutcome, Scanned
from privacy.crypto import keyed_hash
from privacy.engine.identity import canonical
from privacy.finding import find as find_people
from privacy.maps import open_maps
from privacy.models import OperatorRun, Store
from privacy.stores.base import StoreError
from requests_app.operating.answers import Answer, look, merge, tell_residue
from requests_app.operating.asked import RIGHTS, Asked, Say


def carry_out_now(asked: Asked, people: Sequence[Person], answers: list[Answer], progress: Say) -> None:
    now = timezone.now()
    runs = _pending(asked, people) or _remember(asked, people, answers, progress, now)
    by_store: dict[str, list[tuple[int, OperatorRun]]] = {}
    for number, run in runs:
        by_store.setdefault(run.store.key, []).append((number, run))
    graph = open_maps(only=()).graph
    # A store from which links lead into others goes after them (R19).
    for store in (key for key in reversed(graph.suppliers_first) if key in by_store):
        progress(f"{store} …")
        first = graph.erased_before[store] if asked.action == "erase" else frozenset()
        ready = [(number, run) for number, run in by_store[store] if not _put_off(run, first, answers[number])]
        _one_store(asked, store, ready, answers)
    if asked.action == "erase":
        _look_for_residue(asked, people, answers, progress)


def _look_for_residue(asked: Asked, people: Sequence[Person], answers: list[Answer], progress: Say) -> None:
    """One pass over each table of every store for all the people, also where they had no rows (R21)."""
    maps = open_maps(only=())
    for store in sorted(maps.versions):
        if (asked.stores and store not in asked.stores) or maps.graph.datasets[store].role == "processor":
            continue
        progress(f"{store}: looking for what is left …")
        tables: list[Scanned] = []
        try:
            tables += actions.scan(store_key=store, people=people)
        except actions.StoreUnavailable as error:
            for answer in answers:
                answer.left.append(f"{store}: the look for what is left is outstanding: {error}")
            continue
        read = [table for table in tables if not table.error]
        scope = {"at": timezone.now().isoformat(), "tables": len(read), "columns": sum(table.columns for table in read)}
        for person, answer in zip(people, answers, strict=True):
            answer.scanned[store] = scope
            answer.left += [f"{store}.{table.table} could not be read: {table.error}" for table in tables if table.error]
            tell_residue(answer, store, [item for table in read for item in table.found.get(person.ref, ())])


def _pending(asked: Asked, people: Sequence[Person]) -> list[tuple[int, OperatorRun]]:
    """What an earlier call of the same command left undone; its plan stands, identities are not looked for again."""
    hashes = {_who(asked, person): number for number, person in enumerate(people)}
    rows = OperatorRun.objects.filter(who__in=hashes, done_at=None).select_related("store")
    cases = {row.case for row in rows}
    siblings = OperatorRun.objects.filter(case__in=cases, who__in=hashes).select_related("store").order_by("pk")
    return [(hashes[row.who], row) for row in siblings]


def _remember(
    asked: Asked, people: Sequence[Person], answers: list[Answer], progress: Say, now: datetime
) -> list[tuple[int, OperatorRun]]:
    look(asked, people, answers, progress)
    findings = find_people(people, right=RIGHTS[asked.action])
    stores = {store.key: store for store in Store.objects.filter(is_active=True)}
    case = f"OP-{secrets.token_hex(6).upper()}"
    runs: list[tuple[int, OperatorRun]] = []
    for number, person in enumerate(people):
        answers[number].left.clear()
        answers[number].undone.clear()
        for store, finding in findings.get(person.ref, {}).items():
            if asked.stores and store not in asked.stores:
                continue
            if finding.status in ("unreachable", "unknown"):
                answers[number].failed(store, finding.error, status="blocked")  # it has no plan: the next call makes one
            elif finding.plan and (finding.status == "found" or asked.action == "lift"):
                runs.append((number, _run(asked, person, stores[store], finding, case, now)))
    with transaction.atomic():
        OperatorRun.objects.bulk_create(run for _, run in runs)
        payload = {
            "action": asked.action,
            "people": len(people),
            "stores": sorted({run.store.key for _, run in runs}),
            "case": case,
        }
        audit.record(chain="system", actor=asked.audited_as, action="operator.began", payload=payload, now=now)
    return runs


def _run(asked: Asked, person: Person, store: Store, finding: actions.Finding, case: str, now: datetime) -> OperatorRun:
    return OperatorRun(
        who=_who(asked, person),
        case=case,
        action=asked.action,
        store=store,
        identities=[[i.kind, i.value] for i in person.identities],
        plan=finding.plan,
        options=_options(asked, store, person, finding.counts),
        actor=asked.audited_as,
        created_at=now,
    )


def _options(asked: Asked, store: Store, person: Person, counts: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if asked.contested:
        options["contested"] = {name: asked.contested for name, entry in counts.items() if entry["contested"]}
    if asked.action == "rectify":
        mine = {path.split(".", 1)[1]: value for path, value in asked.changes.items() if path.startswith(f"{store.key}.")}
        options["set"] = {path: {"new": value} for path, value in mine.items()}
    if asked.action in ("restrict", "lift"):
        options["ground"] = asked.ground
        earlier = OperatorRun.objects.filter(who=_who(asked, person, "restrict"), store=store, action="restrict").exclude(
            done_at=None
        )
        last = earlier.order_by("-pk").first()
        options["state"] = last.state if last else None
    return options


def _who(asked: Asked, person: Person, action: str | None = None) -> str:
    spelled = sorted(f"{i.kind}={canonical(i.kind, i.value)}" for i in person.identities)
    return keyed_hash("\n".join([action or asked.action, *spelled]), purpose="operator")[1]


def _put_off(run: OperatorRun, first: frozenset[str], answer: Answer) -> bool:
    """Whether the stores `first` are still as they were, which are found through this one: then nothing of it may go."""
    if run.done_at is not None or not (waits_for := first & answer.undone.keys()):
        return False
    reason = f"{run.store.key}: is erased after {', '.join(sorted(waits_for))}, which is found through it"
    if "blocked" in (status := {answer.undone[key] for key in waits_for}):
        _note(run, RunOutcome("blocked", reason=reason))
    answer.failed(run.store.key, reason, status=min(status))
    return True


def _one_store(asked: Asked, store: str, runs: Sequence[tuple[int, OperatorRun]], answers: list[Answer]) -> None:
    names = _names(run for _, run in runs)
    waiting = [(number, run) for number, run in runs if run.done_at is None]
    items = [
        RunItem(names[run.pk], names[run.pk], tuple(Identity(*i) for i in run.identities), run.plan, run.options or {})
        for _, run in waiting
    ]
    try:
        outcomes = (
            actions.execute(
                store_key=store,
                right=RIGHTS[asked.action],
                items=items,
                remember=lambda states: _remember_state(waiting, names, states),
            )
            if items
            else {}
        )
    except (actions.StoreUnavailable, StoreError) as error:
        for number, _run in waiting:
            answers[number].failed(store, str(error))
        return
    for number, run in runs:
        outcome = outcomes.get(names[run.pk])
        if outcome is not None:
            _note(run, outcome)
        merge(answers[number], store, run.report or {}, outcome)


def _names(runs: Iterable[OperatorRun]) -> dict[int, str]:
    """{run id: by what its person is remembered}, the same whoever else a later call names, and in whatever order.

    Whoever one call named twice has a name for each time.
    """
    runs = sorted(runs, key=lambda run: run.pk)
    people: dict[str, dict[str, int]] = {}
    began = OperatorRun.objects.filter(case__in={run.case for run in runs}).order_by("pk")
    for case, who in began.values_list("case", "who"):
        known = people.setdefault(case, {})
        known.setdefault(who, len(known))
    seen: Counter[str] = Counter()
    names: dict[int, str] = {}
    for run in runs:
        name = f"{run.case}-{people[run.case][run.who]}"
        names[run.pk] = f"{name}-{seen[name]}" if seen[name] else name
        seen[name] += 1
    return names


def _remember_state(runs: Sequence[tuple[int, OperatorRun]], names: Mapping[int, str], states: Mapping[str, Any]) -> None:
    for _, run in runs:
        if names[run.pk] in states:
            run.state = states[names[run.pk]]
            run.options = {**(run.options or {}), "state": run.state}  # what a resumed run must not remember anew
            run.save(update_fields=["state", "options"])


def _note(run: OperatorRun, outcome: RunOutcome) -> None:
    run.report = outcome.report.get("collections", {})
    run.state = outcome.state
    # A blocked run is over too: what stopped it is said, and the next call makes a new plan.
    run.done_at = timezone.now() if outcome.status != "failed" else None
    with transaction.atomic():
        run.save(update_fields=["report", "state", "done_at"])
        counts = {name: {k: v for k, v in c.items() if isinstance(v, int)} for name, c in run.report.items()}
        payload = {"case": run.case, "store": run.store.key, "status": outcome.status, "collections": counts}
        audit.record(chain="system", actor=run.actor, action=f"operator.{run.action}", payload=payload, now=timezone.now())
