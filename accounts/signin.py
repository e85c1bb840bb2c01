"""The customer's sitting: who is signed in, at which identity level, and since when. It has nothing to do with staff accounts.

It lies in Django's session under its own keys. Signing in rotates the session's key (fixation) and the CSRF token; a sitting
ends after INSYN_SESSION_IDLE_MINUTES without a request and after INSYN_SESSION_HOURS in any case. The identity level is
remembered for the sitting only: next time it is proved again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.messages.storage.session import SessionStorage
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.csrf import rotate_token
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.cache import patch_cache_control

from accounts.models import Customer

SESSION_KEY = "customer"
NOTES_KEY = "customer_notes"
UNREAD_KEY = SessionStorage.session_key  # what we said to whoever sat here, on a page that they never opened
WRITE_EVERY_SECONDS = 60  # how exact the idle time is: a session row written on every click helps nobody


@dataclass(frozen=True)
class SignedIn:
    customer: Customer
    level: int


def sign_in(request: HttpRequest, customer: Customer, level: int) -> None:
    """Begin a sitting, or raise the level of the one that is there. What somebody else left behind in this browser goes."""
    before = request.session.get(SESSION_KEY) or {}
    same_person = before.get("id") == customer.pk
    if not same_person:
        _drop(request, NOTES_KEY, UNREAD_KEY)
    now = int(timezone.now().timestamp())
    still_sitting = same_person and _alive(before, now)
    request.session.cycle_key()
    request.session[SESSION_KEY] = {
        "id": customer.pk,
        "level": max(level, before["level"]) if still_sitting else level,
        "since": before["since"] if still_sitting else now,
        "seen": now,
    }
    rotate_token(request)
    _remember(request, SignedIn(customer, request.session[SESSION_KEY]["level"]))


def sign_out(request: HttpRequest) -> None:
    """End the sitting and drop its notes; a member of staff signed in with the same browser stays signed in."""
    _drop(request, SESSION_KEY, NOTES_KEY, UNREAD_KEY)
    request.session.cycle_key()
    _remember(request, None)


def current(request: HttpRequest) -> SignedIn | None:
    """Who is signed in, if anybody; counts as activity. Asked once per request."""
    if hasattr(request, "_customer_signed_in"):
        return request._customer_signed_in
    found = None
    data = request.session.get(SESSION_KEY)
    if data:
        now = int(timezone.now().timestamp())
        if _alive(data, now):
            customer = Customer.objects.filter(pk=data["id"]).first()
            found = SignedIn(customer, data["level"]) if customer else None
            if found and now - data["seen"] >= WRITE_EVERY_SECONDS:
                request.session[SESSION_KEY] = data | {"seen": now}
        else:
            request._customer_timed_out = True  # type: ignore[attr-defined]
    _remember(request, found)
    return found


def timed_out(request: HttpRequest) -> bool:
    """Whether this browser's sitting ended by itself: the sign-in page then says so."""
    current(request)
    return getattr(request, "_customer_timed_out", False)


def notes(request: HttpRequest) -> dict[str, Any]:
    """What the portal keeps for the signed-in person during the sitting; encrypt what is personal.

    It outlives an idle time-out, for the same person only: `sign_in` drops it for anybody else. Set `session.modified` after
    changes.
    """
    found: dict[str, Any] = request.session.setdefault(NOTES_KEY, {})
    return found


View = Callable[..., HttpResponseBase]


def customer_required(level: int = 1) -> Callable[[View], View]:
    """Only for signed-in customers, at `level` or above; others are led to the page that gets them there, and back.

    The view finds the SignedIn as `request.signed_in`. Its answer is never stored by any cache.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            found = current(request)
            if found is None:
                return _lead_to(settings.INSYN_CUSTOMER_SIGNIN_URL, request)
            if found.level < level:
                return ask_for_second_proof(request)
            request.signed_in = found  # type: ignore[attr-defined]
            response = view(request, *args, **kwargs)
            patch_cache_control(response, private=True, no_store=True)
            return response

        return guarded

    return decorate


def ask_for_second_proof(request: HttpRequest) -> HttpResponse:
    """To the page that raises the sitting's level, and back."""
    return _lead_to(settings.INSYN_CUSTOMER_IDENTITY_URL, request)


def _lead_to(name: str, request: HttpRequest) -> HttpResponse:
    # After a POST the way back is the page itself: its form is shown again and nothing is repeated unasked.
    response = HttpResponseRedirect(f"{resolve_url(name)}?{urlencode({'next': request.get_full_path()})}")
    patch_cache_control(response, private=True, no_store=True)
    return response


def _drop(request: HttpRequest, *keys: str) -> None:
    for key in keys:
        request.session.pop(key, None)


def _alive(data: dict[str, Any], now: int) -> bool:
    return (
        now - data["seen"] < settings.INSYN_SESSION_IDLE_MINUTES * 60
        and now - data["since"] < settings.INSYN_SESSION_HOURS * 3600
    )


def _remember(request: HttpRequest, found: SignedIn | None) -> None:
    request._customer_signed_in = found  # type: ignore[attr-defined]
