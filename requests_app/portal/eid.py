"""Identity level 2 by electronic identification: what the broker says must be what a store has long held for this person."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from stdnum.exceptions import ValidationError as NoSuchNumber
from stdnum.se import personnummer

from accounts import eid, people, signin
from accounts.models import Customer
from accounts.signin import SignedIn, customer_required
from privacy import actions
from privacy.crypto import decrypt, encrypt
from privacy.engine.identity import InvalidIdentity, canonical
from requests_app.portal.identity import record_on_waiting_requests, show_other_ways
from requests_app.portal.navigation import safe_path

log = structlog.get_logger("insyn.eid")
PENDING = "eid"
PERSONNUMMER = "personnummer"


@customer_required()
@require_safe
def go(request: HttpRequest) -> HttpResponse:
    """To the broker. By a link and not by a form: browsers hold `form-action` against every redirect that follows a form."""
    way_on = safe_path(request, request.GET.get("next", ""), default="portal:requests")
    if not eid.is_on():
        return redirect("portal:identity")
    try:
        pending, url = eid.begin(redirect_uri=_own_address(request), language=get_language() or "sv", now=timezone.now())
    except eid.EidFailed as error:
        return _failed(request, way_on, error)
    kept = encrypt(json.dumps(asdict(pending)).encode()).decode()
    signin.notes(request)[PENDING] = {"pending": kept, "next": way_on}
    request.session.modified = True
    return HttpResponseRedirect(url)


def back(request: HttpRequest) -> HttpResponseBase:
    """From the broker. The answer stands in the address, so whoever is not signed in is led away without it."""
    if signin.current(request) is None:
        return redirect(f"{reverse('portal:sign_in')}?{urlencode({'next': reverse('portal:identity')})}")
    return _back(request)


@customer_required()
@require_safe
def _back(request: HttpRequest) -> HttpResponse:
    signed_in: SignedIn = request.signed_in  # type: ignore[attr-defined]
    noted = signin.notes(request).pop(PENDING, None)  # an answer counts once
    request.session.modified = True
    if noted is None or not eid.is_on():
        return redirect("portal:identity")
    way_on, now = safe_path(request, noted["next"], default="portal:requests"), timezone.now()
    try:
        pending = eid.Pending(**json.loads(decrypt(noted["pending"].encode())))
        claim = eid.finish(pending=pending, answer=request.GET.dict(), redirect_uri=_own_address(request), now=now)
        matches = is_held(signed_in.customer, claim, now=now)
    except eid.EidFailed as error:
        return _failed(request, way_on, error)
    except actions.StoreUnavailable:
        return show_other_ways(request, way_on, reason="unavailable")
    if not matches:
        log.warning("eid_does_not_match", customer=signed_in.customer.pk)
        return show_other_ways(request, way_on, reason="eid_mismatch")
    signin.sign_in(request, signed_in.customer, 2)
    record_on_waiting_requests(signed_in.customer, level=2, by="eid", now=now)
    messages.success(request, _("Thank you. We now know that it is you."))
    return HttpResponseRedirect(way_on)


def is_held(customer: Customer, claim: str, *, now: datetime) -> bool:
    """Whether a store has held this claim for this very person, unchanged for as long as a telephone must have been.

    Raises privacy.actions.StoreUnavailable.
    """
    kind = settings.INSYN_EID_MATCHES
    oldest_change = now - timedelta(days=settings.INSYN_IDENTITY_UNCHANGED_DAYS)
    wanted = comparable(kind, claim)
    return bool(wanted) and any(
        comparable(kind, held.value) == wanted
        for held in actions.held_identities(people.person_of(customer), kind=kind)
        if held.unchanged_since is not None and held.unchanged_since <= oldest_change
    )


def comparable(kind: str, value: str) -> str:
    """The form in which two spellings are the same; empty for what is none. A personnummer is told by its twelve digits."""
    if kind != PERSONNUMMER:
        try:
            return canonical(kind, value)
        except InvalidIdentity:
            return ""
    digits = re.sub(r"[^0-9]", "", value)
    if len(digits) == 12:
        return digits
    try:
        return f"{personnummer.get_birth_date(personnummer.validate(value)):%Y%m%d}{digits[-4:]}"
    except NoSuchNumber:
        return ""


def _own_address(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("portal:eid_back"))


def _failed(request: HttpRequest, way_on: str, error: eid.EidFailed) -> HttpResponse:
    log.warning("eid_failed", why=str(error))
    return show_other_ways(request, way_on, reason="eid_cancelled" if isinstance(error, eid.EidCancelled) else "eid_failed")
