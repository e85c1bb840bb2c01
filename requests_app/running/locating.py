"""Finding a batch of people's data in every store, and writing down what was found (R13: unreachable is not empty)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import transaction
from django.utils import timezone

from accounts.people import people_of
from privacy import actions, audit
from privacy.actions import Finding
from privacy.contested import contested_groups
from privacy.engine.contested.answers import collection_of
from privacy.engine.exceptions import kept_among
from requests_app.case.closing import settle
from requests_app.case.steps import SYSTEM
from requests_app.models import Right, RightsRequest, RunState, State, StoreRun
from requests_app.running import doorbell
from requests_app.running.backoff import backoff
from requests_app.running.blame import where
from requests_app.running.bulk import write_columns
from requests_app.running.leases import claimed, mine, next_search
from requests_app.running.runs import WITHOUT_ROWS, identities_fingerprints

log = structlog.get_logger(__name__)

FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=30), timedelta(hours=1)
UNDECIDED = (State.RECEIVED, State.IDENTIFYING, State.TRIAGE)


def locate_due(*, clock: Callable[[], datetime] = timezone.now) -> int:
    """Claim and locate one batch; answers how many runs it took, 0 when nothing is due."""
    with claimed(next_search, now=clock()) as runs:
        if runs:
            _locate(runs, clock)
        return len(runs)


def _locate(runs: Sequence[StoreRun], clock: Callable[[], datetime]) -> None:
    subjects = {run.request.customer_id: run.subject for run in runs}
    known = people_of(run.request.customer for run in runs)
    people = {subject: known[pk] for pk, subject in subjects.items()}
    fingerprints = {subjects[pk]: fingerprint for pk, fingerprint in identities_fingerprints(subjects).items()}
    store_keys = sorted({run.store.key for run in runs})
    try:
        found = actions.find(list(people.values()), right=runs[0].right, store_keys=store_keys, given=_given(runs))
    except actions.StoreUnavailable as error:
        found = _everywhere(runs, Finding("unreachable", error=str(error)))
    except DatabaseError:
        raise  # our own database: the lease ends and somebody tries again
    except Exception as error:  # noqa: BLE001 - whatever one person's data provoke
        if len(people) > 1:
            halfway = sorted(people)[len(people) // 2]
            _locate([run for run in runs if run.subject < halfway], clock)
            _locate([run for run in runs if run.subject >= halfway], clock)
            return
        log.error("locating_stopped", runs=[run.pk for run in runs], error=type(error).__name__, at=where(error))
        found = _everywhere(runs, Finding("stopped", error=type(error).__name__))
    _write(runs, found, fingerprints, clock())


def _given(runs: Sequence[StoreRun]) -> dict[str, dict[str, tuple[dict[str, Any], dict[str, str]]]]:
    """{person: {store key: (plan, answers)}} of erasures that were looked for before, where the answers change what is found."""
    out: dict[str, dict[str, tuple[dict[str, Any], dict[str, str]]]] = {}
    cases = {run.request_id for run in runs if run.right == Right.ERASURE}
    for run in StoreRun.objects.filter(request__in=cases).exclude(choices={}).select_related("store"):
        if run.plan and ("disclose" in run.choices.values() or kept_among(run.choices)):
            out.setdefault(run.subject, {})[run.store.key] = (run.plan, run.choices)
    return out


def _everywhere(runs: Sequence[StoreRun], finding: Finding) -> dict[str, dict[str, Finding]]:
    answers: dict[str, dict[str, Finding]] = {}
    for run in runs:
        answers.setdefault(run.subject, {})[run.store.key] = finding
    return answers


def _write(
    runs: Sequence[StoreRun], found: Mapping[str, Mapping[str, Finding]], fingerprints: Mapping[str, str], now: datetime
) -> None:
    missing = Finding("unreachable", error="the store gave no answer")
    events: dict[str, dict[str, Any]] = {}
    with transaction.atomic():
        requests = RightsRequest.objects.select_for_update().filter(pk__in={run.request_id for run in runs}).order_by("pk")
        cases = {request.pk: request for request in requests}
        ours = StoreRun.objects.select_for_update().filter(mine(runs), state=RunState.LOCATING).order_by("pk")
        still_ours = set(ours.values_list("pk", flat=True))
        written = [run for run in runs if run.pk in still_ours]
        for run in written:
            request = cases[run.request_id]
            finding = found.get(run.subject, {}).get(run.store.key, missing)
            _apply(run, request, finding, fingerprints[run.subject], now)
            rows = sum(counts.get("rows", 0) for counts in finding.counts.values())
            events.setdefault(request.reference, {})[run.store.key] = {"status": finding.status, "rows": rows}
        write_columns(written, _WRITTEN)
        told = [audit.Entry(reference, "data.located", {"stores": stores}) for reference, stores in sorted(events.items())]
        audit.record_many(told, actor=SYSTEM, now=now)
        settle(requests=cases, now=now)
        if any(run.state == RunState.QUEUED for run in written):
            doorbell.ring(doorbell.RUN_BATCH)


_WRITTEN = [
    "state", "choices", "finding", "plan", "digest", "dataset_version", "located_at", "located_for",
    "due_at", "lease_until", "error", "retries", "lost", "finished_at",
]  # fmt: skip


def _apply(run: StoreRun, request: RightsRequest, finding: Finding, fingerprint: str, now: datetime) -> None:
    run.lease_until, run.lost = None, 0
    if finding.status not in ("found", "nothing"):
        run.retries += 1
        run.error = finding.error[:255]
        run.due_at = now + backoff(run.retries, first=FIRST_RETRY, longest=LONGEST_RETRY)
        run.state = RunState.BLOCKED if finding.status == "stopped" else RunState.FAILED
        return
    run.located_at, run.located_for = now, fingerprint
    run.error, run.retries, run.due_at = "", 0, None
    if not _keeps_its_plan(run, finding):
        run.choices = _of_what_was_seen(run)
        run.finding = dict(finding.counts) if finding.status == "found" else {}
        run.plan = finding.plan or {}
        run.digest, run.dataset_version = finding.digest, finding.dataset_version
    _next_state(run, request, now)


def _of_what_was_seen(run: StoreRun) -> dict[str, str]:
    """Who gives a whole collection to the person gives the rows that were listed, not those that the next look lists."""
    whole = {name for name, answer in run.choices.items() if answer == "disclose" and collection_of(name) == name}
    if not whole:
        return run.choices  # nearly everybody: the plan was not fetched with the claim, and need not be
    seen = {group.key: "disclose" for group in contested_groups(run.plan or {}) if group.collection in whole}
    named = {collection_of(key) for key in seen}
    return seen | {name: answer for name, answer in run.choices.items() if name not in named}


def _keeps_its_plan(run: StoreRun, finding: Finding) -> bool:
    """A run that had begun never ends as "nothing found": what it was to do is what its first plan says (R19)."""
    return finding.status == "nothing" and run.started_at is not None and bool(run.plan)


def _next_state(run: StoreRun, request: RightsRequest, now: datetime) -> None:
    """Before the decision a located run waits for it; afterwards (objection, newer rows of a restricted person) it goes on.

    What we hold for others is never decided here: it is forwarded (requests_app/registers/forwarding.py).
    """
    if run.store.role == "processor":
        run.state, run.finished_at = RunState.CANCELLED, now
    elif request.state in UNDECIDED:
        run.state = RunState.READY
    elif run.finding == {} and Right(request.right) not in WITHOUT_ROWS:
        run.state, run.finished_at = RunState.DONE, now
    else:
        run.state, run.due_at = RunState.QUEUED, now
