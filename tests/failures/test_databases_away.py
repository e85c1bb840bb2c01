"""PostgreSQL restarted under a busy worker; a store that cannot be reached for a while (R13, R25)."""

from contextlib import suppress

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from privacy import maps
from requests_app.models import RunState, State
from requests_app.running import leases
from tests.failures.conftest import end_leases, wait_until
from tests.failures.worlds import (
    PLANNED,
    Shop,
    approve,
    approved,
    ask,
    assert_ended_once,
    assert_erased_truly,
    assert_gone,
    count_of,
    run,
    state,
)

NEWS = """
dataset:
- fides_key: news
  name: News
  meta:
    privacy:
      purposes: [{key: news, basis: 6-1-a, recipients: [], transfer: none, automated_decision: false}]
      collections: {reader: {purpose: news, source: provided, on_erasure: delete}}
  collections:
  - name: reader
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
"""


def test_our_own_server_restarts_under_a_busy_worker(own_application_database, own_servers, shop, workers, held):
    shop.load()
    request = approved("erasure")
    before = shop.rows(of="K1")
    worker = workers.start()
    workers.ring("run_batch")
    wait_until(shop.is_being_erased, "the erasure")
    own_servers.stop_postgres()
    try:
        held.rollback()
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)"
        wait_until(lambda: shop.execute("support", others, held.info.backend_pid) == [(0,)], "the worker's end in the store")
    finally:
        own_servers.start_postgres()
        connection.close()
    assert shop.rows(of="K1") == before
    # The server has forgotten who held what, and somebody may still be at work: only the lease tells.
    assert run(request, "support").state == RunState.RUNNING
    assert leases.abandoned(timezone.now()) == []

    end_leases()
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert worker.lives
    assert run(request, "support").attempt == 3
    assert run(request, "support").report["collections"]["ticket"]["deleted"] == 4
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)


@pytest.fixture
def far_shop(own_servers, make_postgres_database, workers):
    """The shop on a server of its own, from which the support desk's rows hang, and the news beside them."""
    own_servers.start_postgres()
    name = f"shop_{timezone.now():%H%M%S%f}"
    news = make_postgres_database()
    with psycopg.connect(news, autocommit=True) as store:
        store.execute(
            "CREATE TABLE reader (id integer PRIMARY KEY, email text); INSERT INTO reader VALUES (1, 'sven@example.se')"
        )
    with Shop(own_servers.database(name), make_postgres_database()) as world:
        world.load()
        maps.load(sources=[NEWS], urls={"news": news}, actor="operator:test", now=timezone.now())
        yield world
    own_servers.start_postgres()


def test_what_hangs_below_a_store_that_is_away_is_unknown(far_shop, own_servers, workers):
    own_servers.stop_postgres()
    request = ask("erasure", ground="a")
    workers.start()
    workers.ring("locate")
    wait_until(lambda: run(request, "news").state == RunState.READY, "the search")
    assert run(request, "news").finding["reader"]["rows"] == 1
    for key, words in {"shop": "cannot be reached", "support": "what hangs below shop is unknown"}.items():
        one = run(request, key)
        assert (one.state, one.finding, one.located_at, one.retries) == (RunState.FAILED, None, None, 1)
        assert words in one.error
    assert state(request) == State.TRIAGE

    own_servers.start_postgres()
    workers.until(lambda: all(run(request, key).state == RunState.READY for key in PLANNED), "the second search")
    counted = {key: {name: counts["rows"] for name, counts in run(request, key).finding.items()} for key in PLANNED}
    assert counted == PLANNED


def test_a_store_that_goes_away_in_the_middle_of_its_erasure(far_shop, own_servers, workers):
    request = ask("erasure", ground="a")
    workers.start()
    workers.until(lambda: all(run(request, key).state == RunState.READY for key in (*PLANNED, "news")), "the search")
    approve(request)
    with suppress(psycopg.OperationalError), psycopg.connect(far_shop.urls["shop"]) as holder:
        holder.execute("SELECT * FROM orders WHERE number = 'K1' FOR UPDATE")
        workers.ring("run_batch")
        wait_until(lambda: far_shop.is_being_erased("shop"), "the erasure")
        own_servers.stop_postgres()
    wait_until(lambda: run(request).state == RunState.FAILED, "the failure")
    assert "shop: " in run(request).error
    assert (run(request).retries, run(request).lost, run(request).report) == (1, 0, None)
    assert {run(request, "news").state, run(request, "support").state} == {RunState.DONE}

    own_servers.start_postgres()
    far_shop.connect()
    assert len(far_shop.rows(of="K1")["shop.item"]) == PLANNED["shop"]["item"]
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert count_of("run.failed", request) >= 1
    assert_ended_once(request, runs=["news", "shop", "support"])
    assert_erased_truly(request, more={("news", "identity"), ("news", "spelling")})
    assert_gone(far_shop)
