"""Pages for when something is wrong: in both languages, saying what to do, never with a word of what was sent."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form's token did not match: an old tab, or cookies switched off. Nothing of the form was used."""
    return _page(request, 403, template="portal/errors/csrf.html")


def server_error(request: HttpRequest) -> HttpResponse:
    """Rendered without context processors: what failed may be the database that they ask."""
    return HttpResponse(render_to_string("portal/errors/500.html"), status=500)


def _page(request: HttpRequest, status: int, *, template: str = "") -> HttpResponse:
    response = render(request, template or f"portal/errors/{status}.html", status=status)
    response.headers["Cache-Control"] = "private, no-store"
    return response
