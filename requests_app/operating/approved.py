"""Carry out an approved case from the command line, outside the demo: the same claims and leases as the workers' (DESIGN §7)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.people import person_of
from privacy import audit
from privacy.actions import Person
from privacy.engine.identity import canonical
from requests_app.case.answers import left_behind
from requests_app.delivering import delivery
from requests_app.errors import NotAllowed
from requests_app.models import Right, RightsRequest, RunState, State, StoreRun
from requests_app.operating.exporting import written
from requests_app.running import scans, workers

RIGHTS = {
    "export": (Right.ACCESS, Right.PORTABILITY),
    "erase": (Right.ERASURE,),
    "restrict": (Right.RESTRICTION,),
    "lift": (Right.RESTRICTION,),
    "rectify": (Right.RECTIFICATION,),
}
WAITING = (RunState.QUEUED, RunState.FAILED, RunState.RUNNING)
ROUNDS = 1_000  # batches of others' work that may stand before this case's


class NotApproved(Exception):
    """Outside the demo an action carries out an approved case, and no other."""


def carry_out(
    *,
    reference: str | None,
    action: str,
    person: Person,
    out: Path | None,
    recipient: str | None = None,
    actor: str,
    now: datetime,
) -> dict[str, Any]:
    """Do what was approved, now and here; answers as DESIGN §7 gives it. Raises NotApproved."""
    request = _approved(reference, action, person)
    package = action == "export"
    with transaction.atomic():
        audit.record(chain=request.reference, actor=actor, action="operator.began", payload={"action": action}, now=now)
    for _ in range(ROUNDS):
        due = StoreRun.objects.filter(request=request, state__in=(RunState.QUEUED, RunState.FAILED), due_at__lte=timezone.now())
        if not due.exists() or not (workers.build_due() if package else workers.run_due()):
            break
    for _ in range(ROUNDS):
        if not scans.waits(request) or not scans.scan_due():
            break
    request.refresh_from_db()
    answer = _answer(request)
    if package and out is not None and not answer["left"]:
        _fetch(request, out, recipient, actor, now)
    return answer


def _approved(reference: str | None, action: str, person: Person) -> RightsRequest:
    if not reference:
        raise NotApproved("outside the demo this needs --request REF of an approved case")
    request = RightsRequest.objects.filter(reference=reference).select_related("customer").first()
    if request is None or request.right not in RIGHTS[action]:
        raise NotApproved(f"there is no approved case {reference} for {action}")
    if request.state not in (State.APPROVED, State.RUNNING, State.RESTRICTED, State.COMPLETED):
        raise NotApproved(f"the case {reference} is not approved; it is decided in the admin")
    if _spelled(person) - _spelled(person_of(request.customer)):
        raise NotApproved("an identity on the command line is not one that was verified in this case")
    return request


def _spelled(person: Person) -> set[tuple[str, str]]:
    return {(identity.kind, canonical(identity.kind, identity.value)) for identity in person.identities}


def _answer(request: RightsRequest) -> dict[str, Any]:
    stores: dict[str, Any] = {}
    left: list[str] = []
    scanned: dict[str, Any] = {}
    runs = StoreRun.objects.filter(request=request).exclude(state=RunState.CANCELLED).select_related("store", "scan")
    for run in runs:
        if run.state != RunState.DONE:
            left.append(f"{run.store.key}: {run.error or run.get_state_display()}")
        if run.state == RunState.FAILED:
            stores[run.store.key] = {"error": run.error}
        else:
            finding = {name: {k: c.get(k, 0) for k in ("rows", "contested", "others")} for name, c in (run.finding or {}).items()}
            report = (run.report or {}).get("collections", {})
            stores[run.store.key] = {name: {**finding.get(name, {}), **report.get(name, {})} for name in {*finding, *report}}
        if run.residue:
            stores[run.store.key]["residue"] = run.residue
        left += [f"{run.store.key}: the identities still stand in {item['column']}" for item in left_behind(run)]
        if run.right == Right.ERASURE and run.state == RunState.DONE:
            if run.scan is None or run.scan.finished_at is None:
                why = f": {run.scan.error}" if run.scan is not None and run.scan.error else ""
                left.append(f"{run.store.key}: the look for what is left is outstanding{why}")
            else:
                at = run.scan.finished_at.isoformat()
                scanned[run.store.key] = {"at": at, "tables": len(run.scan.tables), "columns": run.scan.columns}
    found = any(
        counts.get("rows") for collections in stores.values() for counts in collections.values() if isinstance(counts, dict)
    )
    return {"found": found, "stores": stores, "left": left} | ({"scanned": scanned} if scanned else {})


def _fetch(request: RightsRequest, out: Path, recipient: str | None, actor: str, now: datetime) -> None:
    """The package as the person gets it, written whole or not at all."""
    try:
        content, _name, _size = delivery.stream_package(request=request, customer=request.customer, now=now, actor=actor)
    except NotAllowed as error:
        raise NotApproved(str(error)) from None
    with written(out, recipient) as sink:
        for chunk in content:
            sink.write(chunk)
