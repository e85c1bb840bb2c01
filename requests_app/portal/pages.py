"""Pages for everybody: what the rights are, the notice, cookies, other doors."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.views.decorators.http import require_safe

from requests_app.portal.rights import RIGHTS


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/start.html", {"rights": RIGHTS.values()})


@require_safe
def notice(request: HttpRequest, version: str = "") -> HttpResponse:
    """The privacy notice in force, or an older one: a request names the version that its sender was shown (Art. 13)."""
    version = version or settings.INSYN_NOTICE_VERSION
    try:
        text = get_template(f"portal/notices/{version}.html")
    except TemplateDoesNotExist:
        raise Http404 from None
    return render(
        request, "portal/notice.html", {"version": version, "text": text, "is_current": version == settings.INSYN_NOTICE_VERSION}
    )


@require_safe
def cookies(request: HttpRequest) -> HttpResponse:
    names = {
        "session": settings.SESSION_COOKIE_NAME,
        "csrf": settings.CSRF_COOKIE_NAME,
        "language": settings.LANGUAGE_COOKIE_NAME,
    }
    return render(request, "portal/cookies.html", {"names": names})


@require_safe
def contact(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/contact.html")
