"""A real worker on the real broker, killed in the middle of an erasure in a real store, and started again."""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from privacy import audit, maps
from privacy.models import LedgerEntry
from requests_app import cases
from requests_app.models import RunState, State, StoreRun
from requests_app.running.workers import locate_due
from tests.factories import make_customer, make_request, make_staff

pytestmark = pytest.mark.django_db(transaction=True)
PROJECT = Path(__file__).resolve().parents[2]

SHOP = """
CREATE TABLE customer (id integer PRIMARY KEY, email text NOT NULL, name text NOT NULL);
CREATE TABLE invoice (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customer, note text);
INSERT INTO customer VALUES (1, 'sven@example.se', 'Sven'), (2, 'lisa@example.se', 'Lisa');
INSERT INTO invoice SELECT n, 1 + n % 2, 'Invoice ' || n FROM generate_series(1, 40) AS n;
"""
MAP = """
dataset:
- fides_key: shop
  name: Shop
  meta: {privacy: {collections: {customer: {on_erasure: delete}, invoice: {on_erasure: delete}}}}
  collections:
  - name: customer
    fields:
    - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
  - name: invoice
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: customer_id
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}
    - {name: note, data_categories: [user.content]}
"""


@pytest.fixture
def shop(make_postgres_database):
    url = make_postgres_database()
    with psycopg.connect(url, autocommit=True) as store:
        store.execute(SHOP)
        maps.load(sources=[MAP], urls={"shop": url}, actor="operator:test", now=timezone.now())
        yield store, url


@pytest.fixture
def worker():
    """Starts Celery workers on a queue and a database of this test; what still runs at the end is ended."""
    queue, started = f"test-{secrets.token_hex(4)}", []

    def start():
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.worker_settings",
            "INSYN_TEST_DATABASE": connection.settings_dict["NAME"],
            "INSYN_TEST_QUEUE": queue,
        }
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-c", "1", "-Q", queue, "--loglevel", "ERROR"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, start_new_session=True)
        started.append(process)
        return process

    def ring(task):
        current_app.send_task(f"requests_app.tasks.{task}", queue=queue)

    start.ring = ring
    yield start
    for process in started:
        kill(process)


def kill(process):
    """The worker and its child, with no chance to tidy up."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition, *, seconds=60, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"{what} did not happen in {seconds} seconds")


def approved_erasure(email):
    request = make_request(make_customer(email), right="erasure", ground="a")
    locate_due()
    cases.propose_erasure(request=request, acting_user=make_staff("agent"), reason="", now=timezone.now())
    cases.approve_erasure(
        request=request,
        acting_user=make_staff("approver"),
        plan_digest=cases.plan_digest(request),
        otp_device_verified=True,
        now=timezone.now(),
    )
    return request


def test_it_is_completed_once_by_the_next_worker(shop, worker, settings):
    store, url = shop
    request = approved_erasure("sven@example.se")
    others = store.execute("SELECT * FROM customer WHERE id = 2").fetchall()
    others += store.execute("SELECT * FROM invoice WHERE customer_id = 2 ORDER BY id").fetchall()

    def run():
        return StoreRun.objects.get(request=request)

    def waits_for_the_lock():
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return store.execute(waiting).fetchone()[0] > 0

    with psycopg.connect(url) as holder:
        holder.execute("SELECT * FROM customer WHERE id = 1 FOR UPDATE")  # the erasure gets this far and waits
        first = worker()
        worker.ring("run_batch")
        wait_until(waits_for_the_lock, what="the erasure")
        assert (run().state, run().attempt) == (RunState.RUNNING, 2)
        kill(first)
        holder.rollback()
    assert run().state == RunState.RUNNING
    assert store.execute("SELECT count(*) FROM invoice WHERE customer_id = 1").fetchone() == (20,)

    worker()
    worker.ring("sweep")

    def is_completed():
        request.refresh_from_db()
        return request.state == State.COMPLETED

    wait_until(is_completed, what="the completion")
    assert (run().state, run().attempt) == (RunState.DONE, 3)
    report = run().report["collections"]
    assert (report["customer"]["deleted"], report["invoice"]["deleted"]) == (1, 20)
    assert store.execute("SELECT count(*) FROM customer WHERE id = 1").fetchone() == (0,)
    assert store.execute("SELECT count(*) FROM invoice WHERE customer_id = 1").fetchone() == (0,)
    left = store.execute("SELECT * FROM customer").fetchall() + store.execute("SELECT * FROM invoice ORDER BY id").fetchall()
    assert left == others
    actions = [event.action for event in audit.events(request.reference)]
    assert actions.count("run.done") == actions.count("request.complete") == 1
    assert LedgerEntry.objects.filter(case=request.reference).exists()
    assert audit.verify() == []
