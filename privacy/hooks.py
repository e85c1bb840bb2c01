"""Signed web hooks: what a store's own system is told, and waited for (R17)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

SECONDS = 10
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class HookFailed(Exception):
    """The hook was not taken. The text names the host and the status, never the content."""


def sign(body: bytes, *, stamp: str, secret: str) -> str:
    """HMAC-SHA-256 in hex of `stamp + "." + body`: what the receiver compares before it believes the body."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, sha256).hexdigest()


def post(url: str, body: Mapping[str, Any], *, key: str, now: datetime) -> None:
    """POST and await the answer; `key` makes a repeated call recognisable. Any 2xx means taken. Raises HookFailed."""
    import httpx2

    host = _allowed_host(url)
    content = json.dumps(body, ensure_ascii=False, sort_keys=True).encode()
    stamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "X-Insyn-Timestamp": stamp,
        "X-Insyn-Signature": "v1=" + sign(content, stamp=stamp, secret=settings.INSYN_HOOK_SECRET),
    }
    try:
        answer = httpx2.post(url, content=content, headers=headers, timeout=SECONDS, follow_redirects=False)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise HookFailed(f"{host} cannot be reached ({type(error).__name__})") from None
    if not answer.is_success:
        raise HookFailed(f"{host} answered {answer.status_code}")


def _allowed_host(url: str) -> str:
    """The host of a URL that may be posted to, and with a signature that not everybody can make; else raises HookFailed."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host not in settings.INSYN_HOOK_HOST_ALLOWLIST:
        raise HookFailed(f"the host {host} is not in INSYN_HOOK_HOST_ALLOWLIST")
    if parts.scheme != "https" and host not in LOOPBACK:
        raise HookFailed(f"{host} is asked without TLS: its address must begin with https://")
    if not settings.INSYN_HOOK_SECRET:
        raise HookFailed("set INSYN_HOOK_SECRET: anybody could sign with an empty one")
    return host
