"""The answer to access and portability: handed to its owner alone, gone when it expires (`building` makes it)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from time import monotonic
from types import MappingProxyType

import pyrage
import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import Customer
from privacy import audit
from requests_app.case import notices
from requests_app.case.steps import CUSTOMER, SYSTEM
from requests_app.delivering import package_files
from requests_app.errors import NotAllowed
from requests_app.models import Package, RightsRequest

log = structlog.get_logger(__name__)

State = Package.State
REVOKED, DELETED = "package_revoked", "package_deleted"  # the notices
EXPIRED_AT_ONCE = 500
LOOK_AGAIN_SECONDS = 1.0  # how long a package that was taken back may go on being sent


class TakenBack(Exception):
    """The package was withdrawn or has expired while it was being sent; the connection ends in the middle."""


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
    content = package_files.opened(package.file_name, identity)
    return while_ready(package, content), file_name(request), package.size


def while_ready(package: Package, content: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes as long as the package may be had. Raises TakenBack: fewer bytes than promised would pass for the next answer's.

    It has been looked at just now, so a short download costs no further question.
    """
    looked = monotonic()
    for chunk in content:
        if monotonic() - looked >= LOOK_AGAIN_SECONDS:
            looked = monotonic()
            ready = Package.objects.filter(pk=package.pk, state=State.READY).exclude(expires_at__lte=timezone.now())
            if not ready.exists():
                raise TakenBack("the package was taken back while it was being sent")
        yield chunk


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


def withdraw_package(*, request: RightsRequest, reason: str, now: datetime) -> bool:
    """Take back one package, finished or not, without a notice: whoever holds the account may be who must not have it."""
    with transaction.atomic():
        live = Package.objects.filter(request=request, state__in=(State.BUILDING, State.READY))
        packages = list(live.select_related("request").select_for_update(of=("self",)))
        _end(packages, state=State.REVOKED, action="package.revoked", payload={"reason": reason}, now=now)
    return bool(packages)


def delete_package(
    *, request: RightsRequest, customer: Customer, now: datetime, by_whom: Mapping[str, str] = MappingProxyType({})
) -> bool:
    """Its person takes back one package; False where it is gone already. They are told, should it be somebody else.

    `by_whom` is what the log says of who it is, where it is not the person.
    """
    with transaction.atomic():
        ready = Package.objects.filter(request=request, request__customer=customer, state=State.READY)
        packages = list(ready.select_related("request__customer").select_for_update(of=("self",)))
        payload = {"reason": "wish"} | dict(by_whom)
        _end(packages, state=State.REVOKED, action="package.revoked", payload=payload, now=now, actor=CUSTOMER)
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
