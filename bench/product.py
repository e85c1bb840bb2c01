"""The whole product on the bench's own servers: an application database made anew, the shop's map, staff, a worker process.

The product asks two people to decide on every erasure (a constraint of its database says so), so nothing approves by itself:
`approve` plays both, by the same public functions that the desk calls. Mail goes to the demo's inbox.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.shop import FOLDER, KEY
from config import embedded

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 600  # seconds until something is taken to hang


def make_ready(url: str) -> None:
    """An empty application with the shop as its one store. Call it before anything of the product is imported."""
    make_empty()

    from django.utils import timezone

    from privacy import maps

    maps.load(
        sources=[(FOLDER / "shop.yml").read_text()],
        urls={KEY: url},
        on_erasure="delete",
        actor="operator:bench",
        now=timezone.now(),
    )


def make_empty(database: str = embedded.DATABASE) -> None:
    """An empty application. Call it before anything of the product is imported."""
    import django.conf
    from django.core.management import call_command
    from django.db import connections

    if django.conf.settings.configured:
        connections.close_all()
    embedded.drop_database(database)
    embedded.create_database(database)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    use(database)
    call_command("migrate", verbosity=0, interactive=False)


def use(database: str) -> None:
    """This process works in that database from here on."""
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = database


def submit(emails: Sequence[str], right: str) -> list[int]:
    """A request each, of people who proved their mailbox and a second thing; answers the requests' ids."""
    from django.utils import timezone

    from accounts import people
    from requests_app import cases

    requests = []
    for email in emails:
        now = timezone.now()
        request = cases.submit_request(
            customer=people.find_or_create_customer(email=email, language="sv", now=now),
            right=right,
            source="portal",
            language="sv",
            identity_level=2,
            now=now,
            ground="a" if right in ("erasure", "restriction") else "",
        )
        requests.append(request.pk)
    return requests


def approve(requests: Sequence[int]) -> None:
    """Both decisions on each of the requests that stand before them."""
    from django.utils import timezone

    from requests_app import cases
    from requests_app.models import RightsRequest

    agent, approver = staff("agent"), staff("approver")
    for request in RightsRequest.objects.filter(pk__in=requests).order_by("pk"):
        now = timezone.now()
        if request.right != "erasure":
            cases.approve_request(request=request, acting_user=approver, reason="", now=now)
            continue
        cases.propose_erasure(request=request, acting_user=agent, reason="", now=now)
        request.refresh_from_db()
        cases.approve_erasure(
            request=request, acting_user=approver, plan_digest=request.plan_digest, otp_device_verified=True, now=now
        )


def staff(role: str) -> Any:
    from django.contrib.auth.models import Group

    from accounts.models import Staff

    email = f"{role}@bench.example"
    user = Staff.objects.filter(email=email).first() or Staff.objects.create_user(email, os.urandom(16).hex(), is_staff=True)
    user.groups.set([Group.objects.get_or_create(name=role)[0]])
    return user


def wait(condition: Callable[[], bool], what: str, *, every: float = 0.02) -> None:
    """Until the condition holds, asked `every` so many seconds: asking takes some of the machine, too."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {PATIENCE} seconds")
        time.sleep(every)


def all_found(requests: Sequence[int]) -> bool:
    from requests_app.models import RunState, StoreRun

    return not StoreRun.objects.filter(request__in=requests, state=RunState.LOCATING).exists()


def all_carried_out(requests: Sequence[int]) -> bool:
    """Whether every store is done and verified; the look for residue and the letter may still be to come (R21)."""
    from requests_app.models import RunState, StoreRun

    return not StoreRun.objects.filter(request__in=requests).exclude(state=RunState.DONE).exists()


def all_packed(requests: Sequence[int]) -> bool:
    from requests_app.models import Package

    return Package.objects.filter(request__in=requests, state=Package.State.READY).count() == len(requests)


def is_idle() -> bool:
    """Whether nothing waits for a worker: no case, no message, no bell."""
    from celery import current_app

    from requests_app.models import OutboxItem, RightsRequest, State

    if RightsRequest.objects.filter(closed_at=None).exclude(state=State.TRIAGE).exists():
        return False
    if OutboxItem.objects.filter(delivered_at=None).exclude(kind=OutboxItem.Kind.TASK).exists():
        return False
    with current_app.connection_for_read() as connection:
        return not connection.default_channel.client.llen("celery")


class Worker:
    """A worker as operators start it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def family(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    @contextmanager
    def held(self) -> Iterator[None]:
        """It does nothing until the block ends: what is prepared meanwhile is done from then on."""
        for pid in self.family():
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in self.family():
                os.kill(pid, signal.SIGCONT)


@contextmanager
def worker(processes: int = 2) -> Iterator[Worker]:
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-c", str(processes), "--loglevel", "ERROR"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield Worker(process)
    finally:
        process.terminate()
        process.wait(timeout=60)
