"""The answer to access and portability: built once per case, encrypted, handed to its owner alone, gone when it expires.

A build takes a name of its own and writes it into the case's Package row; the file's key gets into the row only with the
statement that makes the package READY, and only while the row still has that name. So a build that was killed leaves bytes that
nothing opens, and of two builds at once the one that began last counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, BinaryIO, cast

import pyrage
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import Customer
from accounts.people import person_of
from privacy import actions, audit
from privacy.actions import Person, RunOutcome
from privacy.engine.identity import canonical, same
from requests_app import notices, own_data, package_files
from requests_app.errors import NotAllowed
from requests_app.models import Package, Right, RightsRequest, RunState, StoreRun
from requests_app.steps import CUSTOMER, SYSTEM

log = structlog.get_logger(__name__)

State = Package.State
REVOKED, DELETED, ANNOUNCED = "package_revoked", "package_deleted", "announced"  # the notices
EXPIRED_AT_ONCE = 500


class _NotWanted(Exception):
    """Some store did not answer `done`: the file is thrown away."""


# --- building ---------------------------------------------------------------------------------------------------------


def build_package(
    *, request: RightsRequest, now: datetime, heartbeat: Callable[[], None] = lambda: None
) -> dict[str, RunOutcome]:
    """Build the case's package; answers {store key: outcome}. READY only when every outcome is `done`; the same again is as once.

    Raises StoreUnavailable, OSError (the disk), and what `heartbeat` raises; nothing of the package is left then.
    """
    with transaction.atomic():
        package, _made = Package.objects.select_for_update().get_or_create(
            request=request, defaults={"file_name": package_files.new_name(), "created_at": now}
        )
        if package.state == State.READY:
            return {store: RunOutcome("done", {"collections": counts}) for store, counts in package.contents.items()}
        if package.state == State.REVOKED:
            reason = "the package was withdrawn; a new request makes a new one"
            return {run.store.key: RunOutcome("blocked", reason=reason) for run in _runs(request)}
        package.state, package.file_name, package.created_at = State.BUILDING, package_files.new_name(), now
        package.save(update_fields=["state", "file_name", "created_at"])
    return _build(package, request, now, heartbeat)


def _build(package: Package, request: RightsRequest, now: datetime, heartbeat: Callable[[], None]) -> dict[str, RunOutcome]:
    identity = pyrage.x25519.Identity.generate()
    content = _content_of(request)
    others = _other_contacts(content["person"], content["plans"])
    outcomes: dict[str, RunOutcome] = {}
    try:
        with package_files.sealed(package.file_name, identity.to_public()) as sink:
            outcomes |= actions.write_package(cast(BinaryIO, sink), **content, heartbeat=heartbeat)
            if any(outcome.status != "done" for outcome in outcomes.values()):
                raise _NotWanted
    except _NotWanted:
        return outcomes
    facts = {"sha256": sink.sha256, "size": sink.size}
    contents = {store: outcome.report.get("collections", {}) for store, outcome in outcomes.items()}
    with transaction.atomic():
        ready = Package.objects.filter(pk=package.pk, state=State.BUILDING, file_name=package.file_name).update(
            state=State.READY,
            key=str(identity),
            contents=contents,
            ready_at=now,
            expires_at=now + timedelta(days=settings.INSYN_PACKAGE_DAYS),
            deleted_at=None,
            **facts,
        )
        if ready:
            audit.record(chain=request.reference, actor="system", action="package.built", payload=facts, now=now)
            notices.announce(request=request, event=ANNOUNCED, contacts=others, now=now)
    if not ready:  # withdrawn meanwhile, or another build began after this one: its outcome is the one that counts
        package_files.remove([package.file_name])
        return {store: RunOutcome("failed", reason="the package changed hands while it was built") for store in outcomes}
    return outcomes


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


def _runs(request: RightsRequest) -> Iterator[StoreRun]:
    yield from StoreRun.objects.filter(request=request).exclude(state=RunState.CANCELLED).select_related("store")


def _content_of(request: RightsRequest) -> dict[str, Any]:
    """What `actions.write_package` is asked for."""
    runs = [run for run in _runs(request) if run.plan]
    details = request.details or {}
    options = {key: details[key] for key in ("categories", "since", "until") if details.get(key)}
    return {
        "person": person_of(request.customer),
        "plans": {run.store.key: run.plan for run in runs},
        "language": request.language,
        "portability": request.right == Right.PORTABILITY,
        "options": options | {"contested": {run.store.key: run.choices for run in runs if run.choices}},
        "information": {"reference": request.reference, "requested_at": request.received_at},
        "own": own_data.own(request.customer),
    }


# --- handing out ------------------------------------------------------------------------------------------------------


def stream_package(
    *, request: RightsRequest, customer: Customer, now: datetime, actor: str = CUSTOMER, by_evidence: bool = False
) -> tuple[Iterator[bytes], str, int]:
    """(plain bytes, file name, their number) of the case's package, for its owner; raises NotAllowed with what to tell.

    The caller has checked the identity level; `by_evidence` says that it is staff who accepted the proof for this request. The
    download is counted when it begins, and recorded as `actor`'s.
    """
    package = ready_package(request=request, customer=customer, now=now)
    with transaction.atomic():
        Package.objects.filter(pk=package.pk).update(downloads=F("downloads") + 1)
        payload = {"sha256": package.sha256, "size": package.size} | ({"level": "staff"} if by_evidence else {})
        audit.record(chain=request.reference, actor=actor, action="package.downloaded", payload=payload, now=now)
    identity = pyrage.x25519.Identity.from_str(package.key)
    return package_files.opened(package.file_name, identity), file_name(request), package.size


def ready_package(*, request: RightsRequest, customer: Customer, now: datetime) -> Package:
    """The case's package, where its owner may have it now; else NotAllowed with what to tell."""
    package = Package.objects.filter(request=request, request__customer=customer).first()
    if package is None:
        raise NotAllowed(_("There is no package to download here."))
    if package.state == State.BUILDING:
        raise NotAllowed(_("Your package is being made. Come back in a while."))
    if package.state == State.REVOKED:
        raise NotAllowed(_("The package was withdrawn and deleted. Make a new request if you want a new one."))
    if package.state == State.EXPIRED or package.key is None or (package.expires_at and package.expires_at <= now):
        day = date_format(localtime(package.expires_at), "j F Y") if package.expires_at else ""
        raise NotAllowed(
            _("The package could be downloaded until %(day)s and is deleted. Make a new request to get a new one.") % {"day": day}
        )
    try:
        package_files.require_there(package.file_name)
    except package_files.Spoilt as error:
        raise unreadable(package, error) from None
    return package


def unreadable(package: Package, error: package_files.Spoilt) -> NotAllowed:
    """What the person is told of a file that is not what was written; somebody here reads the log."""
    log.error("package_spoilt", package=package.pk, reason=str(error))
    return NotAllowed(_("The package cannot be read. Contact us, and we make a new one."))


def file_name(request: RightsRequest, ending: str = ".zip") -> str:
    with override(request.language):
        return f"{_('my-data')}-{request.reference}{ending}"


# --- taking back ------------------------------------------------------------------------------------------------------


def expire_packages(*, now: datetime) -> int:
    """Drop the keys of packages whose time is up, then their files, and sweep what nobody names; answers how many expired."""
    expired = 0
    while gone := _expire_some(now):
        expired += gone
    keep = set(Package.objects.filter(state__in=(State.BUILDING, State.READY)).values_list("file_name", flat=True))
    package_files.sweep(keep=keep, now=now)
    return expired


def _expire_some(now: datetime) -> int:
    with transaction.atomic():
        due = Package.objects.filter(state=State.READY, expires_at__lte=now).select_related("request").order_by("pk")
        packages = list(due.select_for_update(of=("self",), skip_locked=True)[:EXPIRED_AT_ONCE])
        _end(packages, state=State.EXPIRED, action="package.expired", payload={}, now=now)
    return len(packages)


def customers_with_packages(customers: Iterable[int]) -> set[int]:
    """Those of the customers who have a package to take back."""
    live = Package.objects.filter(request__customer__in=list(customers), state__in=(State.BUILDING, State.READY))
    return set(live.values_list("request__customer_id", flat=True))


def revoke_packages(*, customer: Customer, reason: str, now: datetime) -> int:
    """Take back all packages of a person, finished or not, and tell the person; answers how many. `reason` is one word."""
    with transaction.atomic():
        live = Package.objects.filter(request__customer=customer, state__in=(State.BUILDING, State.READY))
        packages = list(live.select_related("request__customer").select_for_update(of=("self",)).order_by("pk"))
        told = [package for package in packages if package.state == State.READY]
        _end(packages, state=State.REVOKED, action="package.revoked", payload={"reason": reason}, now=now)
        for package in told:
            notices.tell(request=package.request, event=REVOKED, now=now)
    return len(packages)


def delete_package(*, request: RightsRequest, customer: Customer, now: datetime) -> bool:
    """Its person takes back one package; False where it is gone already. They are told, should it be somebody else."""
    with transaction.atomic():
        ready = Package.objects.filter(request=request, request__customer=customer, state=State.READY)
        packages = list(ready.select_related("request__customer").select_for_update(of=("self",)))
        _end(packages, state=State.REVOKED, action="package.revoked", payload={"reason": "wish"}, now=now, actor=CUSTOMER)
        for package in packages:
            notices.tell(request=package.request, event=DELETED, now=now)
    return bool(packages)


def _end(
    packages: list[Package], *, state: str, action: str, payload: dict[str, str], now: datetime, actor: str = SYSTEM
) -> None:
    """First the keys, which makes the files worthless wherever copies of them lie; after the commit the files."""
    if not packages:
        return
    Package.objects.filter(pk__in=[package.pk for package in packages]).update(state=state, key=None, deleted_at=now)
    entries = [audit.Entry(package.request.reference, action, payload) for package in packages]
    audit.record_many(entries, actor=actor, now=now)
    transaction.on_commit(partial(package_files.remove, [package.file_name for package in packages]))
