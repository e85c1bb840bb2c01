"""An engine that answers as it is told, so that cases can be led without any database behind their stores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest

from privacy import actions
from privacy.actions import Finding, Person, RunItem, RunOutcome, Scanned
from requests_app.running import doorbell
from tests.factories import NOW
from tests.mailbox import Mailbox


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


class FakeEngine:
    """What privacy.actions answers in these tests; every call is kept."""

    def __init__(self) -> None:
        self.rows = 3
        self.counts: dict[str, dict[str, Any]] = {}  # per store, instead of one collection with `rows` rows
        self.nothing_in: set[str] = set()
        self.down: set[str] = set()
        self.digest = "d1"
        self.find_error: Callable[[Person], Exception | None] = lambda person: None
        self.on_execute: Callable[[str, RunItem], RunOutcome | Exception | None] = lambda store_key, item: None
        self.state: dict[str, Any] = defaultdict(lambda: None)
        self.finds: list[dict[str, Any]] = []
        self.executions: list[dict[str, Any]] = []
        self.beats = 0
        self.residue: dict[str, list[dict[str, Any]]] = {}  # what everybody's look for what is left finds, per store
        self.on_scan: Callable[[str], Exception | None] = lambda store_key: None
        self.scans: list[dict[str, Any]] = []

    def find(
        self, people: Sequence[Person], *, right: str, store_keys: Sequence[str] | None = None, given: Any = None
    ) -> dict[str, dict[str, Finding]]:
        self.finds.append({"people": [person.ref for person in people], "right": right, "stores": list(store_keys or [])})
        for person in people:
            if error := self.find_error(person):
                raise error
        return {person.ref: {key: self._finding(key) for key in store_keys or []} for person in people}

    def _finding(self, key: str) -> Finding:
        if key in self.down:
            return Finding("unreachable", error=f"{key} cannot be reached")
        if key in self.nothing_in:
            return Finding("nothing", digest=self.digest, dataset_version=1)
        counts = self.counts.get(key) or {
            "customer": {"rows": self.rows, "contested": 0, "others": 0, "erase": {"delete": self.rows}}
        }
        return Finding("found", counts=counts, plan={"links": [1, 2]}, digest=self.digest, dataset_version=1)

    def execute(
        self,
        *,
        store_key: str,
        right: str,
        items: Sequence[RunItem],
        heartbeat: Callable[[], None] = lambda: None,
        remember: Callable[[dict[str, Any]], None] = lambda states: None,
        committing: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> dict[str, RunOutcome]:
        self.executions.append({"store": store_key, "right": right, "cases": [item.case for item in items], "items": list(items)})
        answers = {}
        if self.state[store_key] is not None:
            remember({item.case: self.state[store_key] for item in items})
        for item in items:
            for _ in range(self.beats):
                heartbeat()
            outcome = self.on_execute(store_key, item)
            if isinstance(outcome, Exception):
                raise outcome
            done = RunOutcome(
                "done", report={"collections": {"customer": {"rows": 3, "deleted": 3}}}, state=self.state[store_key]
            )
            answers[item.case] = outcome or done
        with committing():
            return answers

    def scan(
        self,
        *,
        store_key: str,
        people: Sequence[Person],
        heartbeat: Callable[[], None] = lambda: None,
        done: Collection[str] = (),
        begun: Scanned | None = None,
    ) -> Iterator[Scanned]:
        self.scans.append({"store": store_key, "people": len(people), "done": sorted(done), "begun": begun})
        for table in ("customer", "ticket"):
            if table in done:
                continue
            for _ in range(self.beats):
                heartbeat()
            if error := self.on_scan(store_key):
                raise error
            items = [item for item in self.residue.get(store_key, ()) if item["column"].startswith(f"{table}.")]
            yield Scanned(table, 3, {person.ref: items for person in people if items})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(actions, "find", fake.find)
    monkeypatch.setattr(actions, "execute", fake.execute)
    monkeypatch.setattr(actions, "scan", fake.scan)
    return fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def mailbox(settings: Any) -> Iterator[list[Any]]:
    settings.INSYN_LEASE_SECONDS = 60
    settings.INSYN_EMAIL_MESSENGER = settings.INSYN_SMS_MESSENGER = "tests.mailbox.Mailbox"
    Mailbox.kept.clear()
    yield Mailbox.kept
    Mailbox.kept.clear()


@pytest.fixture(autouse=True)
def bells(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bells that were rung after commit, instead of messages to a broker."""
    rung: list[str] = []
    monkeypatch.setattr(doorbell, "ring_now", rung.append)
    return rung
