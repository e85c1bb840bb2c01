"""Building the packages of access and portability: some cases together, each package a file of its own (R15, R27).

A build takes a name of its own and writes it into the case's Package row; the file's key gets into the row only with the
statement that makes the package READY, and only while the row still has that name. So a build that was killed leaves bytes that
nothing opens, and of two builds at once the one that began last counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO, cast

import pyrage
from django.conf import settings
from django.db import transaction

from accounts.people import people_of
from privacy import actions, audit
from privacy.actions import Person, RunOutcome
from privacy.engine.identity import canonical, same
from privacy.own import Own
from requests_app.case import notices, representing
from requests_app.delivering import package_files
from requests_app.keeping import own_data
from requests_app.models import Package, Right, RightsRequest, RunState, StoreRun
from requests_app.running.bulk import write_columns

State = Package.State
ANNOUNCED = "announced"  # the notice
Outcomes = dict[str, RunOutcome]  # {store key: outcome}


@dataclass
class Build:
    """One case's package on its way; with `outcomes` it has ended, and is to be handed over where these are all done."""

    package: Package
    request: RightsRequest
    content: Mapping[str, Any] = field(default_factory=dict)  # what `actions.write_package` is asked for
    contacts: Sequence[tuple[str, str]] = ()  # who else reads of it
    outcomes: Outcomes | None = None
    is_told: bool = True  # whether the person may hear of it from us


class _NotWanted(Exception):
    """Some store did not answer `done`: the file is thrown away."""


def build_package(*, request: RightsRequest, now: datetime, heartbeat: Callable[[], None] = lambda: None) -> Outcomes:
    """Build one case's package; answers {store key: outcome}. READY only when every outcome is `done`; the same again is as once.

    Raises what `write` raises; nothing of the package is left then.
    """
    (build,) = begin([request], now=now)
    if build.outcomes is None:
        write(build, heartbeat)
        hand_over([build], now=now)
    return build.outcomes or {}


def begin(requests: Iterable[RightsRequest], *, now: datetime) -> list[Build]:
    """The packages of these cases: with their outcomes, or under a new name and with what goes into them."""
    cases = {request.pk: request for request in requests}
    with transaction.atomic():
        new = [Package(request=case, file_name=package_files.new_name(), created_at=now) for case in cases.values()]
        Package.objects.bulk_create(new, ignore_conflicts=True)
        packages = list(Package.objects.select_for_update().filter(request__in=cases).order_by("pk"))
        to_build = [package for package in packages if package.state not in (State.READY, State.REVOKED)]
        for package in to_build:
            package.state, package.file_name, package.created_at = State.BUILDING, package_files.new_name(), now
        write_columns(to_build, ["state", "file_name", "created_at"])
    runs = _runs(cases)
    people = people_of(case.customer for case in cases.values())
    own = own_data.own_of({cases[package.request_id].customer for package in to_build})
    told, represented = representing.told(cases), representing.brought(cases)
    builds = []
    for package in packages:
        case = cases[package.request_id]
        if package.state == State.BUILDING:
            held = own[case.customer_id]
            held = own_data.for_representative(held) if case.pk in represented else held
            content = _content(case, runs[case.pk], people[case.customer_id], held)
            builds.append(Build(package, case, content, is_told=case.pk in told))
        else:
            builds.append(Build(package, case, outcomes=_as_it_stands(package, runs[case.pk])))
    return builds


def write(build: Build, heartbeat: Callable[[], None]) -> None:
    """Write the file and note the outcomes. Raises StoreUnavailable, OSError (the disk), and what `heartbeat` raises."""
    package, identity = build.package, pyrage.x25519.Identity.generate()
    if build.is_told:
        build.contacts = _other_contacts(build.content["person"], build.content["plans"])
    outcomes: Outcomes = {}
    try:
        with package_files.sealed(package.file_name, identity.to_public()) as sink:
            outcomes |= actions.write_package(cast(BinaryIO, sink), **build.content, heartbeat=heartbeat)
            if any(outcome.status != "done" for outcome in outcomes.values()):
                raise _NotWanted
    except _NotWanted:
        pass
    else:
        package.key, package.sha256, package.size = str(identity), sink.sha256, sink.size
        package.contents = {store: outcome.report.get("collections", {}) for store, outcome in outcomes.items()}
    build.outcomes = outcomes


def hand_over(builds: Iterable[Build], *, now: datetime) -> None:
    """Make the packages that were written READY, each with its key, and announce them."""
    written = {build.package.pk: build for build in builds if build.package.key and build.package.state == State.BUILDING}
    expires_at = now + timedelta(days=settings.INSYN_PACKAGE_DAYS)
    with transaction.atomic():
        rows = Package.objects.select_for_update().filter(pk__in=written, state=State.BUILDING).order_by("pk")
        ready = [written[pk] for pk, name in rows.values_list("pk", "file_name") if written[pk].package.file_name == name]
        told = []
        for build in ready:
            package = build.package
            package.state, package.ready_at, package.expires_at, package.deleted_at = State.READY, now, expires_at, None
            facts = {"sha256": package.sha256, "size": package.size}
            told.append(audit.Entry(build.request.reference, "package.built", facts))
        columns = ["state", "key", "sha256", "size", "contents", "ready_at", "expires_at", "deleted_at"]
        write_columns([build.package for build in ready], columns)
        audit.record_many(told, actor="system", now=now)
        for build in ready:
            notices.announce(request=build.request, event=ANNOUNCED, contacts=build.contacts, now=now)
    for build in written.values():
        if build.package.state != State.READY:  # withdrawn meanwhile, or another build began after this one: that one counts
            package_files.remove([build.package.file_name])
            changed = RunOutcome("failed", reason="the package changed hands while it was built")
            build.outcomes = dict.fromkeys(build.outcomes or {}, changed)


def _as_it_stands(package: Package, runs: Sequence[StoreRun]) -> Outcomes:
    if package.state == State.READY:
        return {store: RunOutcome("done", {"collections": counts}) for store, counts in package.contents.items()}
    withdrawn = RunOutcome("blocked", reason="the package was withdrawn; a new request makes a new one")
    return {run.store.key: withdrawn for run in runs}


def what_goes_in(request: RightsRequest) -> dict[str, Any]:
    """What the package of one case is made of, as it stands now: what `actions.write_package` is asked for."""
    held = own_data.own_of({request.customer})[request.customer_id]
    if representing.brought([request.pk]):
        held = own_data.for_representative(held)
    return _content(request, _runs([request.pk])[request.pk], people_of([request.customer])[request.customer_id], held)


def _runs(cases: Iterable[int]) -> dict[int, list[StoreRun]]:
    found: dict[int, list[StoreRun]] = {pk: [] for pk in cases}
    for run in StoreRun.objects.filter(request__in=found).exclude(state=RunState.CANCELLED).select_related("store"):
        found[run.request_id].append(run)
    return found


def _content(case: RightsRequest, runs: Sequence[StoreRun], person: Person, own: Own) -> dict[str, Any]:
    runs = [run for run in runs if run.plan]
    details = case.details or {}
    options = {key: details[key] for key in ("categories", "since", "until") if details.get(key)}
    return {
        "person": person,
        "plans": {run.store.key: run.plan for run in runs},
        "language": case.language,
        "portability": case.right == Right.PORTABILITY,
        "options": options | {"contested": {run.store.key: run.choices for run in runs if run.choices}},
        "information": {"reference": case.reference, "requested_at": case.received_at},
        "own": own,
    }


def _other_contacts(person: Person, plans: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The person's contacts that nobody proved in the portal: should it be a stranger who asks, they read of it there (R31).

    Those alone whose age the data map follows: they are the person's own, not some colleague's beside them.
    """
    return [
        (contact.kind, contact.value)
        for contact in actions.contacts(person, plans=plans, dated=True)
        if contact.unchanged_since is not None
        and not any(same(own.kind, contact.value, canonical(own.kind, own.value)) for own in person.identities)
    ]
