"""What operators' machines ask (alive, ready, metrics), the request log, and what every template knows."""

import hmac
import os
import time
from collections.abc import Callable
from ipaddress import ip_address

import prometheus_client
import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, HttpResponseNotFound, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import multiprocess

log = structlog.get_logger("insyn.request")

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
REQUESTS = prometheus_client.Counter("insyn_http_requests", "Answered requests", ["method", "status"])
SECONDS = prometheus_client.Histogram("insyn_http_request_seconds", "Time to answer")


class RequestLogMiddleware:
    """One line per answered request: method, route (the pattern, so no reference or query is in it), status and time."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - began
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(method, response.status_code).inc()
        SECONDS.observe(seconds)
        route = request.resolver_match.route if request.resolver_match else None
        log.info("request", method=method, route=route, status=response.status_code, milliseconds=round(seconds * 1000))
        return response


class ProbeMiddleware:
    """Answers probes before anything else looks at the request: they come from inside, by whatever host name, without TLS.

    And it keeps the demo on this machine, on whatever address it was made to listen.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.DEMO and not _is_loopback(request.META.get("REMOTE_ADDR", "")):
            return HttpResponseNotFound("The demo answers this machine alone.\n", content_type="text/plain")
        probe = PROBES.get(request.path_info)
        return probe(request) if probe else self.get_response(request)


def _is_loopback(address: str) -> bool:
    try:
        return not address or ip_address(address).is_loopback  # none: a Unix socket
    except ValueError:
        return False


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """The database and Redis answer: 200, else 503 naming which does not."""
    checks = {"database": _database_answers(), "redis": _redis_answers()}
    return JsonResponse(checks, status=200 if all(checks.values()) else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for whoever holds INSYN_METRICS_TOKEN (in the demo: for everybody on this machine)."""
    given = request.headers.get("Authorization", "").encode()
    if not settings.DEMO and not (
        settings.INSYN_METRICS_TOKEN and hmac.compare_digest(given, f"Bearer {settings.INSYN_METRICS_TOKEN}".encode())
    ):
        return HttpResponseForbidden("Set INSYN_METRICS_TOKEN and send it as a bearer token.\n", content_type="text/plain")
    registry = prometheus_client.REGISTRY
    if (
        "PROMETHEUS_MULTIPROC_DIR" in os.environ
    ):  # the web's processes tell their numbers to each other there (config/gunicorn.py)
        registry = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return HttpResponse(prometheus_client.generate_latest(registry), content_type=prometheus_client.CONTENT_TYPE_LATEST)


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}


def company(request: HttpRequest) -> dict[str, object]:
    """Template context: who answers the requests, and whether this is the demo."""
    return {
        "company_name": settings.INSYN_COMPANY_NAME,
        "support_email": settings.INSYN_SUPPORT_EMAIL,
        "support_phone": settings.INSYN_SUPPORT_PHONE,
        "demo": settings.DEMO,
    }
