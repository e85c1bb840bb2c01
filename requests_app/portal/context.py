"""What every page of the portal knows. All of it is lazy: pages of the staff site pay for nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts import signin
from requests_app import policy
from requests_app.portal import brand, colours


def portal(request: HttpRequest) -> dict[str, Any]:
    return {
        "signed_in": SimpleLazyObject(lambda: signin.current(request) if hasattr(request, "session") else None),
        "changed_policy": SimpleLazyObject(lambda: _changed_policy(request)),
        "eid_name": settings.INSYN_EID_NAME,
        "postal_address": settings.INSYN_POSTAL_ADDRESS,
        "brand": SimpleLazyObject(brand.addresses),
        "brand_colours": SimpleLazyObject(colours.of_the_company),
        "languages": [("sv", "Svenska"), ("en", "English")],
        "here": request.get_full_path() if request.method in ("GET", "HEAD") else request.path,
    }


def _changed_policy(request: HttpRequest) -> str:
    """The policy's version in force, where a signed-in person has seen an older one only; else nothing."""
    found = signin.current(request) if hasattr(request, "session") else None
    if found is None or not found.customer.policy_seen or request.path_info.startswith("/privacy/"):
        return ""
    version = policy.current_version()
    return "" if found.customer.policy_seen == version else version
