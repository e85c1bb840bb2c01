"""Where a link or a form may lead back to."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


def safe_path(request: HttpRequest, path: str, *, default: str = "portal:start") -> str:
    """`path` if it is one of our own, else the page named `default`: an open redirect would lend our name to a fraud."""
    ours = path.startswith("/") and url_has_allowed_host_and_scheme(
        path, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return path if ours else reverse(default)
