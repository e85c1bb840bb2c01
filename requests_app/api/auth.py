"""Who calls the API: the customer of the portal's sitting (with CSRF), or the holder of a token with a scope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from accounts import signin
from accounts.models import Customer
from requests_app.api import tokens

Answer = tuple["Caller", None]


@dataclass(frozen=True)
class Caller:
    """What `request.user` is in the API."""

    customer: Customer
    level: int
    scope: str
    by_session: bool

    is_authenticated = True

    @property
    def pk(self) -> int:
        return self.customer.pk


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer insyn_…`."""

    def authenticate(self, request: Request) -> Answer | None:
        kind, _space, plain = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = tokens.find_token(plain.strip(), now=timezone.now())
        if token is None:
            raise exceptions.AuthenticationFailed(_("The token is unknown or has expired; get a new one."))
        return Caller(token.customer, token.identity_level, token.scope, by_session=False), None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="insyn"'


class SittingAuthentication(BaseAuthentication):
    """The portal's session cookie; what changes something needs the CSRF token as well."""

    def authenticate(self, request: Request) -> Answer | None:
        signed_in = signin.current(request._request)
        if signed_in is None:
            return None
        check = CSRFCheck(lambda _request: HttpResponse())
        check.process_request(request._request)
        if refusal := check.process_view(request._request, lambda _request: HttpResponse(), (), {}):
            raise exceptions.PermissionDenied(_("The CSRF token is missing or wrong.") + f" ({refusal})")
        return Caller(signed_in.customer, signed_in.level, tokens.WRITE, by_session=True), None


class InScope(BasePermission):
    """A token to read does not write."""

    message = gettext_lazy("This token may only read; get one with the scope “write”.")

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.method in SAFE_METHODS or getattr(request.user, "scope", "") == tokens.WRITE


class BySession(BasePermission):
    """Tokens are made by who is signed in: a token makes no tokens."""

    message = gettext_lazy("Sign in to the portal to get a token; a token does not make another one.")

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(getattr(request.user, "by_session", False))


class PerCustomer(SimpleRateThrottle):
    """Counts the calls of one customer in the view's `throttle_scope`, whichever way they signed in."""

    def __init__(self) -> None:
        """The rate is known only with the view."""

    def allow_request(self, request: Request, view: Any) -> bool:
        self.scope = view.throttle_scope_of(request)
        self.rate = self.get_rate()
        self.num_requests, self.duration = self.parse_rate(self.rate)
        return bool(super().allow_request(request, view))

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        return f"throttle:{self.scope}:{request.user.pk}" if request.user else None


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token from POST /api/v1/tokens/, good for one hour."}


class SittingScheme(OpenApiAuthenticationExtension):
    target_class = SittingAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        from django.conf import settings

        description = "The portal's session; requests that change something carry the header X-CSRFToken."
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": description}
