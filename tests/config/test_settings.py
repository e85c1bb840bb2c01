"""Settings in production and in the demo."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from config import env

PROJECT = Path(__file__).resolve().parents[2]
KEY = "A" * 43 + "="

PRODUCTION = {
    "DATABASE_URL": "postgresql://insyn:pass%40word@db.example:5433/insyn?sslmode=verify-full",
    "REDIS_URL": "redis://redis.example:6379/0",
    "SECRET_KEY": "a-long-secret-that-is-only-for-this-test-and-no-other-use-at-all",
    "INSYN_ENCRYPTION_KEYS": KEY,
    "INSYN_HASH_KEYS": f"2:{KEY},1:{KEY}",
    "INSYN_CHECKPOINT_KEY": KEY,
    "INSYN_CHECKPOINT_DIR": "/srv/insyn/checkpoints",
    "INSYN_LEDGER_FILE": "/srv/insyn/ledger.jsonl",
    "INSYN_PACKAGE_DIR": "/srv/insyn/packages",
    "INSYN_COMPANY_NAME": "Company",
    "INSYN_SUPPORT_EMAIL": "support@company.example",
    "ALLOWED_HOSTS": "insyn.company.example",
    "EMAIL_HOST": "mail.company.example",
}


@pytest.fixture
def settings_of(monkeypatch):
    """Reads config/settings.py anew in a given environment; answers its names."""

    def read(environment: dict[str, str]) -> dict[str, Any]:
        for name in env.READ:
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(PROJECT / "config" / "settings.py"))

    return read


@pytest.fixture
def refusal_of(settings_of):
    """What the settings say to a wrong environment."""

    def read(environment: dict[str, str]) -> str:
        with pytest.raises(ImproperlyConfigured) as refused:
            settings_of(environment)
        return str(refused.value)

    return read


def test_production_has_nothing_of_the_demo(settings_of):
    found = settings_of(PRODUCTION)
    assert found["DEMO"] is False
    assert found["DEBUG"] is False
    assert "demo" not in found["INSTALLED_APPS"]
    assert found["DEMO_DIR"] is None
    assert found["SESSION_COOKIE_SECURE"] is True


def test_the_demo_s_debugging_and_messengers_cannot_be_switched_on_in_production(settings_of, refusal_of):
    assert settings_of(PRODUCTION | {"INSYN_DEBUG": "true"})["DEBUG"] is False
    assert "INSYN_SMS_MESSENGER" in refusal_of(PRODUCTION | {"INSYN_SMS_MESSENGER": "demo.inbox.InboxMessenger"})


def test_an_empty_database_url_is_an_error_and_no_demo(refusal_of):
    assert "DATABASE_URL is set but empty" in refusal_of(PRODUCTION | {"DATABASE_URL": ""})


def test_the_database_url_is_read_as_libpq_reads_it(settings_of):
    database = settings_of(PRODUCTION)["DATABASES"]["default"]
    assert database["PASSWORD"] == "pass@word"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", "5433", "insyn")
    assert database["OPTIONS"] == {"sslmode": "verify-full"}


@pytest.mark.parametrize("name", sorted(set(PRODUCTION) - {"DATABASE_URL"}))
def test_a_missing_setting_is_named(name, refusal_of):
    assert name in refusal_of({other: value for other, value in PRODUCTION.items() if other != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://root@localhost/insyn"),
        ("DATABASE_URL", "postgresql://localhost/"),
        ("INSYN_ENCRYPTION_KEYS", "secret-and-not-a-key"),
        ("INSYN_BRAND_COLOR", "green"),
        ("INSYN_HASH_KEYS", f"1:{KEY},1:{KEY}"),
        ("INSYN_HASH_KEYS", "1:c2VjcmV0"),
        ("INSYN_PACKAGE_DAYS", "soon"),
        ("INSYN_PACKAGE_DAYS", "0"),
        ("SECURE_SSL_REDIRECT", "maybe"),
        ("INSYN_CLAMAV", "clamav"),
        ("INSYN_CLAMAV", "clamav:port"),
    ],
)
def test_a_wrong_setting_is_named_and_a_secret_is_not_shown(name, value, refusal_of):
    told = refusal_of(PRODUCTION | {name: value})
    assert name in told
    assert "secret" not in told
    assert "c2VjcmV0" not in told


def test_the_demo_sends_codes_enough_to_try_every_right_and_names_a_number_that_nobody_has(settings_of):
    demo, production = settings_of({}), settings_of(PRODUCTION)
    assert (demo["INSYN_CODES_PER_IDENTITY_HOUR"], production["INSYN_CODES_PER_IDENTITY_HOUR"]) == (30, 5)
    assert demo["INSYN_SUPPORT_PHONE"] == "+46 8 465 004 97"  # of the numbers kept free for films and books


def test_files_are_taken_unscanned_in_the_demo_alone(settings_of):
    assert settings_of({})["INSYN_UPLOADS_OPEN"] is True
    assert settings_of(PRODUCTION)["INSYN_UPLOADS_OPEN"] is False
    assert settings_of(PRODUCTION | {"INSYN_CLAMAV": "clamav:3310"})["INSYN_UPLOADS_OPEN"] is True


def test_the_first_hash_key_is_current(settings_of):
    keys = settings_of(PRODUCTION)["INSYN_HASH_KEYS"]
    assert list(keys) == ["2", "1"]
    assert len(keys["2"]) == 32


def test_the_production_checks_find_nothing():
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=PROJECT, env=kept | PRODUCTION, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_deploy_check_fails_in_the_demo():
    with pytest.raises(SystemCheckError, match=r"insyn\.E001"):
        call_command("check", deploy=True)


def test_every_setting_read_from_the_environment_is_documented(settings_of):
    settings_of({})
    settings_of(PRODUCTION)
    read = set(env.READ)
    for file in (PROJECT / "config").rglob("*.py"):
        read |= set(re.findall(r"environ(?:\.get|\.setdefault)?[\[(]\"([A-Z_]+)\"", file.read_text()))
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (PROJECT / "docs" / "operator.md").read_text(), re.MULTILINE))
    assert read - {"", "DJANGO_SETTINGS_MODULE"} == documented
