"""Short-lived tokens for the customer's own API: random, scoped, stored as a hash, never at a higher level than the sitting."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from accounts.models import Customer
from requests_app.models import ApiToken

LIFETIME = timedelta(hours=1)
PREFIX = "insyn_"  # so that a leaked token is recognised by scanners
READ, WRITE = "read", "write"


def create_token(*, customer: Customer, scope: str, identity_level: int, now: datetime) -> tuple[ApiToken, str]:
    """The token's row, and the token itself: it is told once and cannot be told again."""
    plain = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        customer=customer,
        token_hash=_hash(plain),
        scope=scope,
        identity_level=identity_level,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    return token, plain


def find_token(plain: str, *, now: datetime) -> ApiToken | None:
    """The live token with these letters; none when it is unknown or its hour is over."""
    return ApiToken.objects.select_related("customer").filter(token_hash=_hash(plain), expires_at__gt=now).first()


def _hash(plain: str) -> str:
    # The token has 256 random bits, so a slow hash would protect nothing more.
    return sha256(plain.encode()).hexdigest()
