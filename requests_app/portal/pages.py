"""Pages for everybody: what the rights are, the privacy policy in its versions, cookies, other doors."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.views.decorators.http import require_safe

from accounts import signin
from requests_app import policy
from requests_app.models.consent import PolicyVersion
from requests_app.portal.rights import RIGHTS


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/start.html", {"rights": RIGHTS.values()})


@require_safe
def notice(request: HttpRequest, version: str = "") -> HttpResponse:
    """The privacy policy in force, or an older one: a request names the version that its sender was shown (Art. 13)."""
    known = policy.versions()
    row = _version(known, version)
    context = _about(request, known, row) | {"text": _text(policy.text_template(row.version))}
    return render(request, "portal/notice.html", context)


@require_safe
def notice_versions(request: HttpRequest) -> HttpResponse:
    """Every version that is or was in force, with its days."""
    known = policy.versions()
    until = [None, *[row.in_force_at for row in known[:-1]]]
    rows = list(zip(known, until, strict=True))
    return render(request, "portal/notice_versions.html", {"rows": rows, "first": known[-1].version})


@require_safe
def notice_changes(request: HttpRequest, version: str) -> HttpResponse:
    """What a version changed, in plain words."""
    known = policy.versions()
    row = _version(known, version)
    if row == known[-1]:
        return redirect("portal:notice_version", row.version)  # the first one changed nothing
    before = known[known.index(row) + 1]
    context = _about(request, known, row) | {"text": _text(policy.changes_template(row.version)), "before": before}
    return render(request, "portal/notice_changes.html", context)


@require_safe
def cookies(request: HttpRequest) -> HttpResponse:
    names = {
        "session": settings.SESSION_COOKIE_NAME,
        "csrf": settings.CSRF_COOKIE_NAME,
        "language": settings.LANGUAGE_COOKIE_NAME,
    }
    context = {"names": names, "hours": settings.INSYN_SESSION_HOURS, "minutes": settings.INSYN_SESSION_IDLE_MINUTES}
    return render(request, "portal/cookies.html", context)


@require_safe
def contact(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/contact.html")


def _version(known: list[PolicyVersion], version: str) -> PolicyVersion:
    """The row of a version that is or was in force; a text that waits for its day is nobody's business yet."""
    found = next((row for row in known if row.version == version), None) if version else known[0]
    if found is None:
        raise Http404
    return found


def _about(request: HttpRequest, known: list[PolicyVersion], row: PolicyVersion) -> dict[str, Any]:
    """What the pages of one version know; showing the one in force to a signed-in person is noted."""
    found = signin.current(request)
    if found and row == known[0]:
        policy.remember_seen(customer=found.customer, version=row.version)
    return {"row": row, "version": row.version, "is_current": row == known[0], "has_changes": row != known[-1]}


def _text(name: str) -> Any:
    try:
        return get_template(name)
    except TemplateDoesNotExist:
        raise Http404 from None
