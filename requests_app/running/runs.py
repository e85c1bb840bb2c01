"""A case's runs, one per store: which there are, what each is asked to do, and the digest an approval is bound to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db.models import Exists, OuterRef, Q

from accounts.models import Customer, CustomerIdentity
from privacy import actions
from privacy.contested import contested_groups
from privacy.engine.contested.answers import collection_of
from privacy.models import DatasetVersion, Restriction, Store
from requests_app.models import LIFT, Right, RightsRequest, RunState, State, StoreRun

# The answer to these two is one package over all stores; the others are carried out store by store.
PACKAGED = (Right.ACCESS, Right.PORTABILITY)
# An erasure waits until its person has these answers, or waives them (R30).
GO_BEFORE_ERASURE = (Right.ACCESS, Right.PORTABILITY, Right.RECTIFICATION)
# Their outcome does not hang on rows: an objection puts the identities on the suppression list, wherever they are.
WITHOUT_ROWS = (Right.OBJECTION,)
UNFINISHED = (RunState.LOCATING, RunState.READY, RunState.QUEUED, RunState.RUNNING, RunState.FAILED, RunState.BLOCKED)


def open_runs(request: RightsRequest, *, now: datetime) -> None:
    """One run per active store with a loaded map; asked again, it adds the stores that came since."""
    stores = Store.objects.filter(is_active=True, versions__is_current=True)
    StoreRun.objects.bulk_create(
        [
            StoreRun(request=request, store=store, right=request.right, subject=request.customer.public_id, due_at=now)
            for store in stores
        ],
        ignore_conflicts=True,  # the constraint one_run_per_store
    )


def locate_again(runs: Any, *, now: datetime) -> int:
    """Send runs (a queryset) back to be located; what was found before stays until something newer is found."""
    found: int = runs.update(state=RunState.LOCATING, located_at=None, due_at=now, lease_until=None, error="", retries=0)
    return found


def identities_fingerprint(customer: Customer) -> str:
    """SHA-256 over the keyed hashes of the verified identities: what one location was made for."""
    return identities_fingerprints([customer.pk])[customer.pk]


def identities_fingerprints(customers: Iterable[int]) -> dict[int, str]:
    """The same for many customers in one query."""
    verified: dict[int, list[tuple[str, str]]] = {pk: [] for pk in customers}
    rows = CustomerIdentity.objects.filter(customer__in=verified, verified_at__isnull=False).order_by("kind", "lookup")
    for pk, kind, lookup in rows.values_list("customer_id", "kind", "lookup"):
        verified[pk].append((kind, lookup))
    return {pk: sha256(json.dumps(pairs).encode()).hexdigest() for pk, pairs in verified.items()}


def look_again_for_new_identities(*, now: datetime, requests: Iterable[int] | None = None) -> set[int]:
    """Locate anew where an identity was verified since and no decision is proposed yet; answers the cases."""
    newer = CustomerIdentity.objects.filter(customer=OuterRef("request__customer"), verified_at__gt=OuterRef("located_at"))
    settled = Q(state=RunState.READY) | held_for_others()
    stale = StoreRun.objects.filter(Exists(newer), settled, request__state__in=(State.IDENTIFYING, State.TRIAGE))
    if requests is not None:
        stale = stale.filter(request__in=list(requests))
    found: set[int] = set()
    for run in stale.select_related("request__customer").defer("plan").order_by("pk"):
        # Proving the same mailbox again renews its date and finds nothing new.
        if run.located_for != identities_fingerprint(run.request.customer):
            again = StoreRun.objects.filter(settled, pk=run.pk)
            again.filter(held_for_others()).update(report=None)  # there may be further controllers
            found |= {run.request_id} if locate_again(again, now=now) else set()
    return found


def held_for_others() -> Q:
    """Runs in stores of which others are the controllers: searched, and forwarded instead of carried out."""
    return Q(state=RunState.CANCELLED, store__role="processor", located_at__isnull=False)


def forwarded(run: StoreRun) -> int:
    """To how many controllers a run's part of the request went."""
    return (run.report or {}).get("forwarded", 0) if run.state == RunState.CANCELLED else 0


def unscanned() -> Q:
    """Erasures' runs where nobody has looked yet for what is left (R21); a store that is no longer registered is not asked."""
    registered = Exists(DatasetVersion.objects.filter(store=OuterRef("store"), is_current=True, store__is_active=True))
    begun = Q(scan__isnull=False, scan__finished_at=None)
    return Q(begun | (Q(scan=None) & Q(registered)), right=Right.ERASURE, state=RunState.DONE)


def unscanned_cases(requests: Iterable[RightsRequest]) -> set[int]:
    """Those of the erasures that wait for the look at what they left."""
    erasures = [request.pk for request in requests if request.right == Right.ERASURE]
    return (
        set(StoreRun.objects.filter(unscanned(), request__in=erasures).values_list("request_id", flat=True))
        if erasures
        else set()
    )


def queue_ready(request: RightsRequest, *, now: datetime, due_at: datetime) -> None:
    """The decision is made: what was found goes to the workers at `due_at`, and stores that hold nothing are done."""
    ready = StoreRun.objects.filter(request=request, state=RunState.READY)
    if request.right not in WITHOUT_ROWS:
        done_at_once = Q(finding={})
        if request.right == Right.RECTIFICATION:
            done_at_once |= ~Q(store__key__in=corrections_by_store(request))
        ready.filter(done_at_once).update(state=RunState.DONE, report={}, finished_at=now, due_at=None)
    ready.update(state=RunState.QUEUED, due_at=due_at, retries=0, error="")


def corrections_by_store(request: RightsRequest) -> dict[str, dict[str, dict[str, Any]]]:
    """What a rectification asks for: {store key: {"collection.column": {"old": …, "new": …}}}.

    A correction names one `field` ("store.collection.column"), or several `fields` that hold the same fact.
    """
    wanted: dict[str, dict[str, dict[str, Any]]] = {}
    for correction in (request.details or {}).get("corrections", []):
        for name in correction.get("fields") or [correction["field"]]:
            store_key, _dot, column = name.partition(".")
            wanted.setdefault(store_key, {})[column] = {"old": correction.get("old"), "new": correction["new"]}
    return wanted


def options_for(run: StoreRun, kept: Mapping[tuple[str, int], Any]) -> dict[str, Any]:
    """What `privacy.actions.execute` is told beside the plan. `kept`: {(case, store id): what a restriction replaced}."""
    request = run.request
    options: dict[str, Any] = {"contested": run.choices} if run.choices else {}
    if run.right == Right.RECTIFICATION:
        options["set"] = corrections_by_store(request).get(run.store.key, {})
    elif run.right in (Right.RESTRICTION, LIFT):
        options["ground"] = request.ground
        options["state"] = kept.get((request.reference, run.store_id))
    return options


def kept_by_restrictions(runs: Iterable[StoreRun]) -> dict[tuple[str, int], Any]:
    cases = {run.request.reference for run in runs if run.right in (Right.RESTRICTION, LIFT)}
    rows = Restriction.objects.filter(case__in=cases, lifted_at=None) if cases else []
    return {(row.case, row.store_id): row.state for row in rows}


def plan_digest(request: RightsRequest) -> str:
    """SHA-256 over what was found in every store and what staff chose: what an approval is given to (R29)."""
    return plan_digests([request.pk])[request.pk]


def plan_digests(requests: Iterable[int]) -> dict[int, str]:
    """The same for many cases in one query."""
    parts: dict[int, list[list[Any]]] = {pk: [] for pk in requests}
    rows = StoreRun.objects.filter(request__in=parts).exclude(state=RunState.CANCELLED).order_by("store__key")
    for pk, store_key, digest, choices in rows.values_list("request_id", "store__key", "digest", "choices"):
        parts[pk].append([store_key, digest, choices])
    return {
        pk: sha256(json.dumps(part, sort_keys=True, separators=(",", ":")).encode()).hexdigest() for pk, part in parts.items()
    }


def goes_later() -> Q:
    """R19: a store whose rows lead into other stores is erased after these; so its run waits until theirs are over."""
    unfinished = StoreRun.objects.filter(request=OuterRef("request"), state__in=UNFINISHED)
    waits = Q(pk__in=[])
    for store_key, fed in actions.erased_before().items():
        if fed:
            waits |= Q(Exists(unfinished.filter(store__key__in=fed)), store__key=store_key)
    return Q(waits, right=Right.ERASURE, state__in=(RunState.QUEUED, RunState.FAILED))


def found_nothing(runs: Iterable[StoreRun]) -> bool:
    """Whether no store holds a row of this person (R13); a case without stores has found nothing too."""
    return all(run.finding == {} for run in runs)


def undecided_contested(run: StoreRun) -> list[str]:
    """Collections with rows that are another person's too and that nobody, nor the map, has decided on."""
    open_ones = [
        name
        for name, counts in (run.finding or {}).items()
        if counts.get("contested") and counts.get("erase", {}).get("contested", 0) and name not in run.choices
    ]
    answered = {collection_of(key) for key in run.choices} & set(open_ones)  # group by group: are all of them?
    if not answered:
        return open_ones
    missing = {
        group.collection for group in contested_groups(run.plan or {}) if group.standing == "ask" and group.key not in run.choices
    }
    return [name for name in open_ones if name not in answered or name in missing]


def undecided_erasure(run: StoreRun) -> list[str]:
    """Collections whose data map does not say what erasing does to them (R3)."""
    return [name for name, counts in (run.finding or {}).items() if counts.get("erase", {}).get("undecided")]
