"""The whole product on the bench's own servers: an application database made anew, the shop's map, staff, a worker process.

The product asks two people to decide on every erasure (a constraint of its database says so), so nothing approves by itself:
`approve` plays both, by the same public functions that the desk calls. Mail goes to the demo's inbox.
"""

from __future__ import annotations

import os
import re
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
    import django
    from django.core.management import call_command

    embedded.drop_database(embedded.DATABASE)
    embedded.create_database(embedded.DATABASE)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)

    from django.utils import timezone

    from privacy import maps

    maps.load(
        sources=[(FOLDER / "shop.yml").read_text()],
        urls={KEY: url},
        on_erasure="delete",
        actor="operator:bench",
        now=timezone.now(),
    )


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
            ground="a" if right == "erasure" else "",
        )
        requests.append(request.pk)
    return requests


def approve(requests: Sequence[int]) -> None:
    """Both decisions on each of the requests that stand before them."""
    from django.utils import timezone

    from requests_app import cases
    from requests_app.models import RightsRequest

    agent, approver = _staff("agent"), _staff("approver")
    for request in RightsRequest.objects.filter(pk__in=requests).order_by("pk"):
        now = timezone.now()
        if request.right != "erasure":
            cases.approve_request(request=request, acting_user=agent, reason="", now=now)
            continue
        cases.propose_erasure(request=request, acting_user=agent, reason="", now=now)
        request.refresh_from_db()
        cases.approve_erasure(
            request=request, acting_user=approver, plan_digest=request.plan_digest, otp_device_verified=True, now=now
        )


def _staff(role: str) -> Any:
    from django.contrib.auth.models import Group

    from accounts.models import Staff

    email = f"{role}@bench.example"
    user = Staff.objects.filter(email=email).first() or Staff.objects.create_user(email, os.urandom(16).hex(), is_staff=True)
    user.groups.set([Group.objects.get_or_create(name=role)[0]])
    return user


def wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {PATIENCE} seconds")
        time.sleep(0.002)


def all_found(requests: Sequence[int]) -> bool:
    from requests_app.models import RunState, StoreRun

    return not StoreRun.objects.filter(request__in=requests, state=RunState.LOCATING).exists()


def all_done(requests: Sequence[int]) -> bool:
    from requests_app.models import RightsRequest, State

    return not RightsRequest.objects.filter(pk__in=requests).exclude(state=State.COMPLETED).exists()


class Worker:
    """A worker as operators start it, with as many processes as it takes by itself or `processes`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def family(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def forget_peaks(self) -> int:
        """Begin to watch memory anew; answers what the family holds now, in KiB."""
        for pid in self.family():
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        return sum(_kib(pid, "VmRSS") for pid in self.family())

    def peak(self) -> int:
        """The sum of what each held at most since then, in KiB."""
        return sum(_kib(pid, "VmHWM") for pid in self.family())


def _kib(pid: int, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


@contextmanager
def worker(processes: int = 1) -> Iterator[Worker]:
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-c", str(processes), "--loglevel", "ERROR"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=sys.stderr, start_new_session=True)
    try:
        yield Worker(process)
    finally:
        process.terminate()
        process.wait(timeout=60)
