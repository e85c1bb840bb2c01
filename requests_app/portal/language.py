"""Which language a page is in, and the switch that stands on every page."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language_from_request, get_supported_language_variant
from django.views.decorators.http import require_POST

from accounts import signin
from requests_app.portal.navigation import safe_path

COOKIE_SECONDS = 365 * 24 * 3600


class LanguageMiddleware:
    """Pages are in the language that the person chose, else in the company's own (LANGUAGE_CODE).

    The browser's Accept-Language is not asked: many phones in Sweden say English for people who read Swedish mail. Programs
    that call the API have no cookie, so there it is.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        for_a_program = request.path_info.startswith("/api/")
        language = get_language_from_request(request) if for_a_program else chosen_language(request)
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
        if "public" not in response.get("Cache-Control", ""):  # a stylesheet is the same for everybody
            patch_vary_headers(response, ("Cookie",))
        response.headers.setdefault("Content-Language", language)
        return response


def chosen_language(request: HttpRequest) -> str:
    try:
        return get_supported_language_variant(request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME) or settings.LANGUAGE_CODE)
    except LookupError:
        return settings.LANGUAGE_CODE


@require_POST
def switch_language(request: HttpRequest) -> HttpResponse:
    """Show the page one came from in the other language, and write to a signed-in person in that language from now on."""
    response = HttpResponseRedirect(safe_path(request, request.POST.get("next", "")))
    language = request.POST.get("language", "")
    if language not in dict(settings.LANGUAGES):
        return response
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    found = signin.current(request)
    if found and found.customer.language != language:
        found.customer.language = language
        found.customer.save(update_fields=["language"])
    return response
