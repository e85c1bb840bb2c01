"""The server's time of every page of the portal, against a plain page in the same run: the same middleware, session and base
template, and one query. Both are answered by the whole WSGI application, without a network.

And whether the answer to a known address can be told from the answer to an unknown one by the clock.
"""

from __future__ import annotations

import gzip
import io
import math
import random
import statistics
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest import mock

from bench import portal_paths
from bench.measured import Row, against, timed

PLAIN = "bench/plain/"
EID = {"INSYN_EID_ISSUER": "https://broker.example", "INSYN_EID_CLIENT_ID": "bench", "INSYN_EID_CLAIM": "personnummer"}


def measure(repeats: int) -> Iterator[Row]:
    from django.test import override_settings

    with _plain_page(), override_settings(**EID):  # the pages of identity offer it; nobody is led to the broker
        browser = Browser()
        once, proved = browser.signed_in(portal_paths.PERSON, level=1), browser.signed_in(portal_paths.PERSON, level=2)
        waiting = browser.signed_in(portal_paths.WAITING, level=2)
        portal_paths.ask_for_a_code_by_phone(browser, once)
        paths = portal_paths.fill(browser, proved)
        for label, path in paths.items():
            who = once if label.startswith("identity") else waiting if label == "waive" else proved
            if label.startswith("sign_in"):
                who = browser.waiting_for_code("customer-2@example.com" if label == "sign_in_code" else "")
            ours, plain = partial(browser.get, path, who), partial(browser.get, f"/{PLAIN}", who)
            status, size, statements = look(browser, path, who)
            if status not in (200, 286):
                print(f"not measured: {label}, it answered {status}", file=sys.stderr)
                continue
            for work in (ours, plain) * 3:
                work()
            pairs = [(timed(ours), timed(plain)) for _ in range(repeats)]
            seconds, simple = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
            yield against(f"page {label}", seconds, simple, 3, statements=statements, kilobytes=round(size / 1000, 1))


def measure_answers(tries: int) -> Iterator[Row]:
    """Asking for a code and entering a wrong one, as somebody we know and as somebody we do not, in random order."""
    from django.test import override_settings
    from django.utils import timezone

    from accounts import people

    limits = ("CODES_PER_IDENTITY_HOUR", "CODES_PER_ADDRESS_HOUR", "CODES_TOTAL_HOUR", "CODE_FAILURES_PER_IDENTITY_DAY")
    known = [f"customer-{number}@example.com" for number in range(1001, 1001 + tries)]
    unknown = [f"customer-{number}@example.org" for number in range(1001, 1001 + tries)]
    for email in known:
        people.find_or_create_customer(email=email, language="sv", now=timezone.now())
    taken: dict[str, dict[bool, list[float]]] = {"asking": {True: [], False: []}, "wrong code": {True: [], False: []}}
    with override_settings(**{f"INSYN_{name}": 10**9 for name in limits}):
        browser = Browser()
        for email in known[:20] + unknown[:20]:
            _try(browser, email)  # warm
        order = [(email, True) for email in known] + [(email, False) for email in unknown]
        random.shuffle(order)
        for email, is_known in order:
            for step, seconds in _try(browser, email).items():
                taken[step][is_known].append(seconds)
    for step, times in taken.items():
        yield _compared(f"known or not: {step}", times[True], times[False])


def _try(browser: Browser, email: str) -> dict[str, float]:
    asked, cookies = browser.post("/sign-in/", {"email": email}, {})
    refused, _ = browser.post("/sign-in/code/", {"code": "000000"}, cookies)
    return {"asking": asked, "wrong code": refused}


def _compared(name: str, one: list[float], other: list[float]) -> Row:
    """The Mann-Whitney test, and beside it what it would help: how often a guess by the clock is right (0.5: never better)."""
    p, guess = mann_whitney(one, other)
    return {
        "bench": name,
        "ours_s": round(statistics.median(one), 5),
        "plain_s": round(statistics.median(other), 5),
        "ratio": round(statistics.median(one) / statistics.median(other), 3),
        "target": "p ≥ 0.001, a guess ≤ 0.55",
        "met": p >= 0.001 and max(guess, 1 - guess) <= 0.55,
        "tries": len(one) + len(other),
        "p": round(p, 4),
        "guess": round(guess, 4),
    }


def mann_whitney(one: list[float], other: list[float]) -> tuple[float, float]:
    """(two-sided p, share of pairs in which the one is larger), by the normal approximation; ties count half."""
    values = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    rank_sum, ties, at = 0.0, 0.0, 0
    while at < len(values):
        end = at
        while end < len(values) and values[end][0] == values[at][0]:
            end += 1
        rank_sum += (at + 1 + end) / 2 * sum(1 for _, side in values[at:end] if side == 0)
        ties += (end - at) ** 3 - (end - at)
        at = end
    n, m = len(one), len(other)
    u = rank_sum - n * (n + 1) / 2
    spread = math.sqrt(n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1))))
    z = (u - n * m / 2) / spread if spread else 0.0
    return math.erfc(abs(z) / math.sqrt(2)), u / (n * m)


# --- the application, asked directly --------------------------------------------------------------------------------------


class Browser:
    """Asks the WSGI application and minds cookies; nothing of a test client's own work is in the times."""

    def __init__(self) -> None:
        from django.core.handlers.wsgi import WSGIHandler

        self.application = WSGIHandler()

    def ask(self, path: str, cookies: dict[str, str], body: bytes | None = None) -> tuple[int, bytes, dict[str, str]]:
        answered: dict[str, Any] = {}
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": "GET" if body is None else "POST",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_ACCEPT_ENCODING": "gzip",
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body or b"")),
            "wsgi.input": io.BytesIO(body or b""),
            "wsgi.url_scheme": "http",
            "wsgi.errors": io.StringIO(),
        }
        response = self.application(environ, lambda status, headers: answered.update(status=status, headers=headers))
        content = b"".join(response)
        response.close()
        set_here = dict(value.partition(";")[0].split("=", 1) for name, value in answered["headers"] if name == "Set-Cookie")
        return int(answered["status"][:3]), content, cookies | set_here

    def get(self, path: str, cookies: dict[str, str]) -> None:
        self.ask(path, cookies)

    def text(self, path: str, cookies: dict[str, str]) -> str:
        return gzip.decompress(self.ask(path, cookies)[1]).decode()

    def post(self, path: str, data: dict[str, str], cookies: dict[str, str]) -> tuple[float, dict[str, str]]:
        """Seconds of the POST alone, and the cookies after it. The token is one that the form would carry."""
        from urllib.parse import urlencode

        token = cookies.get("csrftoken", "a" * 32)
        body = urlencode(data | {"csrfmiddlewaretoken": token}).encode()
        began = time.perf_counter()
        _, _, after = self.ask(path, cookies | {"csrftoken": token}, body)
        return time.perf_counter() - began, after

    def signed_in(self, email: str, *, level: int) -> dict[str, str]:
        from importlib import import_module

        from django.conf import settings
        from django.utils import timezone

        from accounts import people, signin

        customer = people.find_or_create_customer(email=email, language="sv", now=timezone.now())
        now = int(timezone.now().timestamp())
        session = import_module(settings.SESSION_ENGINE).SessionStore()
        session[signin.SESSION_KEY] = {"id": customer.pk, "level": level, "since": now, "seen": now}
        session.save()
        return {settings.SESSION_COOKIE_NAME: session.session_key, "csrftoken": "a" * 32}

    def waiting_for_code(self, email: str) -> dict[str, str]:
        return self.post("/sign-in/", {"email": email}, {})[1] if email else {"csrftoken": "a" * 32}


def look(browser: Browser, path: str, cookies: dict[str, str]) -> tuple[int, int, int]:
    """(status, bytes on the wire, statements)."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with mock.patch("django.db.reset_queries"), CaptureQueriesContext(connection) as captured:
        status, content, _ = browser.ask(path, cookies)
    return status, len(content), len(captured)


# --- the pages, and the plain one -----------------------------------------------------------------------------------------


class _plain_page:  # noqa: N801 - read as a `with` block
    """The application with one address more, while the block runs."""

    def __enter__(self) -> None:
        from django.template import engines
        from django.urls import clear_url_caches, path

        from config import urls

        template = engines["django"].from_string("{% extends 'base.html' %}{% block content %}<h1>{{ count }}</h1>{% endblock %}")
        urls.urlpatterns.append(path(PLAIN, partial(self._show, template)))
        clear_url_caches()

    def __exit__(self, *_error: object) -> None:
        from django.urls import clear_url_caches

        from config import urls

        urls.urlpatterns.pop()
        clear_url_caches()

    @staticmethod
    def _show(template: Any, request: Any) -> Any:
        from django.http import HttpResponse

        from requests_app.models import RightsRequest

        return HttpResponse(template.render({"count": RightsRequest.objects.filter(pk=1).count()}, request))
