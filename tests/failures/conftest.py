"""Real workers on a broker of their own, told where to die; stores that tell afterwards what was done to them."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from celery import current_app
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from config import env
from requests_app.models import OutboxItem, RunState, StoreRun
from requests_app.running import doorbell
from tests.failures.servers import OwnServers
from tests.failures.worlds import Shop

PROJECT = Path(__file__).resolve().parents[2]
DATABASE = ("NAME", "HOST", "PORT", "USER", "PASSWORD")
SWEEP_EVERY = 0.25
PATIENCE = 60  # seconds; nothing here takes more than a few of them
# Somebody's locks are held on purpose, for as long as a busy machine takes.
PATIENT_IN_STORES = {"what": "set", "place": "privacy.stores.postgresql:LOCK_SECONDS", "value": PATIENCE}


def wait_until(condition: Callable[[], Any], what: str, *, meanwhile: Callable[[], Any] = lambda: None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {PATIENCE} seconds")
        meanwhile()
        time.sleep(0.03)


class Worker:
    """A Celery worker process with one child, the leader of its process group."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    @property
    def lives(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def is_frozen(self) -> bool:
        told = subprocess.run(["ps", "-o", "stat=", "-p", str(self.pid)], capture_output=True, text=True, check=False).stdout
        return told.startswith("T")

    def signal(self, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, what)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        wait_until(lambda: not self.lives, "the end of a killed worker")

    def has_died(self) -> None:
        """Wait until it died of its own, where it was told to."""
        wait_until(lambda: not self.lives, "the death of the worker")


class Workers:
    """Starts workers on a queue of this test, rings for them and moves the clock on."""

    def __init__(self, nursery: subprocess.Popen[str], broker: str, folder: Path, settings: dict[str, Any]) -> None:
        self.nursery, self.folder, self.settings = nursery, folder, settings
        self.queue = f"test-{secrets.token_hex(4)}"
        self.broker = broker.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
        self.started: list[Worker] = []

    def start(self, *faults: dict[str, Any], **settings: Any) -> Worker:
        """A worker that stops at `faults` (tests.failures.faults)."""
        command = ["worker", "-c", "1", "-Q", self.queue, "--loglevel", "ERROR"]
        return self._born([*command, "--without-gossip", "--without-mingle", "--without-heartbeat"], faults, settings)

    def start_beat(self, **settings: Any) -> Worker:
        return self._born(["beat", "-s", str(self.folder / "beat"), "--pidfile=", "--loglevel", "ERROR"], (), settings)

    def _born(self, command: list[str], faults: Any, settings: dict[str, Any]) -> Worker:
        line = {
            "command": command,
            "settings": {
                "CELERY_BROKER_URL": self.broker,
                "CELERY_TASK_DEFAULT_QUEUE": self.queue,
                **self.settings,
                **settings,
            },
            "database": {name: connection.settings_dict[name] for name in DATABASE},
            "faults": [PATIENT_IN_STORES, *faults],
            "log": str(self.folder / "workers.log"),
        }
        assert self.nursery.stdin
        assert self.nursery.stdout
        self.nursery.stdin.write(json.dumps(line) + "\n")
        self.nursery.stdin.flush()
        worker = Worker(int(self.nursery.stdout.readline()))
        self.started.append(worker)
        return worker

    def ring(self, *tasks: str) -> None:
        with current_app.connection_for_write(self.broker) as broker:
            for task in tasks:
                current_app.send_task(f"requests_app.tasks.{task}", queue=self.queue, connection=broker)

    def waiting(self) -> int:
        """How many messages nobody has taken."""
        with current_app.connection_for_write(self.broker) as broker:
            return int(broker.default_channel.client.llen(self.queue))

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Sweep as beat does, with time running fast: what waits for its next try is due at once."""
        last = 0.0

        def sweep() -> None:
            nonlocal last
            if time.monotonic() - last < SWEEP_EVERY:
                return
            last = time.monotonic()
            now = timezone.now()
            StoreRun.objects.filter(state__in=(RunState.FAILED, RunState.QUEUED), due_at__gt=now).update(due_at=now)
            OutboxItem.objects.filter(delivered_at=None, due_at__gt=now).update(due_at=now)
            if self.waiting() < 2:
                self.ring("sweep")

        try:
            wait_until(condition, what, meanwhile=sweep)
        except pytest.fail.Exception as failure:
            runs = list(StoreRun.objects.values_list("store__key", "request__state", "state", "attempt", "error"))
            raise pytest.fail.Exception(f"{failure}\n{runs}\n{self.log()[-4000:]}") from None

    def log(self) -> str:
        path = self.folder / "workers.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture(scope="session")
def own_servers() -> OwnServers:
    """Servers that a test may stop; the nursery removes them."""
    return OwnServers(f"f{os.getpid()}")


@pytest.fixture(scope="session")
def nursery(own_servers: OwnServers) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.failures.nursery", own_servers.instance]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    yield process
    process.stdin.close()
    process.wait(timeout=PATIENCE)
    process.stdout.close()


@pytest.fixture(scope="session")
def broker(nursery: subprocess.Popen[str], own_servers: OwnServers) -> str:
    return own_servers.start_redis()


@pytest.fixture
def workers(
    nursery: subprocess.Popen[str], broker: str, transactional_db: None, tmp_path: Path, settings: Any
) -> Iterator[Workers]:
    ours = {
        "INSYN_PACKAGE_DIR": str(tmp_path / "packages"),
        "INSYN_LEDGER_FILE": str(tmp_path / "ledger.jsonl"),
        "INSYN_TEST_LETTERS": str(tmp_path / "letters.jsonl"),
        "INSYN_EMAIL_MESSENGER": "tests.failures.letters.FileMessenger",
    }
    for name, value in ours.items():
        setattr(settings, name, value)
    workers = Workers(nursery, broker, tmp_path, ours)
    yield workers
    for worker in workers.started:
        worker.kill()


@pytest.fixture(autouse=True)
def _silent_bells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of these tests hear `workers.ring` only."""
    monkeypatch.setattr(doorbell, "ring_now", lambda task: None)


@pytest.fixture
def shop(make_postgres_database: Callable[[], str], transactional_db: None) -> Iterator[Shop]:
    with Shop(make_postgres_database(), make_postgres_database()) as world:
        yield world


@pytest.fixture
def held(shop: Shop) -> Iterator[psycopg.Connection[Any]]:
    """Sven's tickets are locked by somebody: an erasure gets that far and waits, until this is rolled back."""
    with psycopg.connect(shop.urls["support"]) as holder:
        holder.execute("SELECT * FROM ticket WHERE customer = 'K1' FOR UPDATE")
        yield holder
        holder.rollback()


@pytest.fixture
def own_application_database(own_servers: OwnServers, workers: Workers) -> Iterator[None]:
    """The application's database on a server that may be restarted, for this test and its workers."""
    own_servers.start_postgres()
    wanted = env.database("", own_servers.database("application"))
    before = {name: connection.settings_dict[name] for name in DATABASE}
    connection.close()
    connection.settings_dict.update({name: wanted[name] for name in DATABASE})
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def end_leases() -> None:
    """As if the time had passed."""
    StoreRun.objects.filter(lease_until__isnull=False).update(lease_until=timezone.now() - timedelta(seconds=1))
