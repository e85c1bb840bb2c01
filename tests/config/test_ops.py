"""Probes, metrics, the request log, and the headers that every page carries."""

import json
import logging

import pytest
from django.test import override_settings
from psycopg import OperationalError

from config import logs


def test_alive_whatever_the_host_is_called(client):
    assert client.get("/healthz", headers={"host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.django_db
def test_ready_when_the_database_and_redis_answer(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"database": True, "redis": True}


@pytest.mark.django_db
def test_not_ready_without_redis(client, settings):
    settings.REDIS_URL = "unix:///nonexistent/redis.sock"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"database": True, "redis": False}


def test_probes_only_read(client):
    assert client.post("/healthz").status_code == 405


def test_metrics_in_the_demo(client):
    assert b"insyn_http_requests" in client.get("/metrics").content


def test_metrics_in_production_ask_for_the_token(client):
    with override_settings(DEMO=False, INSYN_METRICS_TOKEN=""):
        assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 403
    with override_settings(DEMO=False, INSYN_METRICS_TOKEN="token"):
        assert client.get("/metrics").status_code == 403
        assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 403
        assert client.get("/metrics", headers={"authorization": "Bearer token"}).status_code == 200


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1", "nonsense"])
def test_the_demo_answers_this_machine_alone(client, address):
    assert client.get("/healthz", REMOTE_ADDR=address).status_code == 404
    with override_settings(DEMO=False):
        assert client.get("/healthz", REMOTE_ADDR=address).status_code == 200


@pytest.mark.django_db
def test_the_content_security_policy_is_strict(client):
    policy = client.get("/admin/login/").headers["Content-Security-Policy"]
    parts = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}
    assert parts["default-src"] == ["'none'"]
    assert parts["script-src"] == parts["style-src"] == parts["form-action"] == ["'self'"]
    assert parts["frame-ancestors"] == parts["base-uri"] == ["'none'"]
    assert "unsafe" not in policy


def logged(record: logging.LogRecord) -> dict:
    handler = logging.StreamHandler()
    configured = logs.CONFIGURATION["formatters"]["json"]
    handler.setFormatter(configured["()"](foreign_pre_chain=configured["foreign_pre_chain"], processors=configured["processors"]))
    return json.loads(handler.format(record))


@pytest.mark.django_db
def test_the_request_log_has_the_route_and_neither_path_nor_query(client, caplog):
    caplog.set_level(logging.INFO, logger="insyn.request")
    client.get("/admin/login/?next=/secret/")
    line = logged(next(record for record in caplog.records if record.name == "insyn.request"))
    assert line["route"] == "admin/login/"
    assert line["method"] == "GET"
    assert "secret" not in json.dumps(line)


def test_django_s_own_lines_lose_the_path():
    record = logging.LogRecord("django.request", logging.WARNING, __file__, 1, "%s: %s", ("Not Found", "/requests/abc/"), None)
    assert logs.WithoutPaths().filter(record)
    assert logged(record)["event"] == "Not Found: -"


def test_an_exception_is_logged_without_its_text():
    try:
        raise OperationalError("Key (email)=(anna@example.com) already exists")
    except OperationalError as error:
        info = (type(error), error, error.__traceback__)
    line = logged(logging.LogRecord("x", logging.ERROR, __file__, 1, "it failed", (), info))
    assert line["exception"] == "psycopg.OperationalError"
    assert line["frames"]
    assert "anna" not in json.dumps(line)


def test_a_task_is_logged_without_its_arguments_result_and_error():
    record = logging.LogRecord(
        "celery.app.trace", logging.ERROR, __file__, 1, "Task %(name)s[%(id)s] %(description)s: %(exc)s", (), None
    )
    record.args = {"name": "task", "id": "7", "description": "raised", "exc": "anna@example.com", "kwargs": "anna@example.com"}
    assert logs.WithoutTaskContents().filter(record)
    assert logged(record)["event"] == "Task task[7] raised: -"
