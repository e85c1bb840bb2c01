"""Whoever waits for a page waits for no store longer than was said, whatever the store does."""

import socket
from time import monotonic, sleep
from types import SimpleNamespace

import pytest

from privacy.stores import patience as waiting
from privacy.stores import registry
from privacy.stores.base import StoreUnavailable
from privacy.stores.patience import patience
from privacy.stores.registry import Policy
from tests.stores.contract import failure

ENDLESS = {
    "postgresql": "SELECT pg_sleep(30)",
    "mysql": "SELECT SLEEP(30)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
}


def stalls(site) -> str:
    return ENDLESS[site.open().engine.dialect.name.replace("mariadb", "mysql")]


@pytest.fixture(params=["postgres_site", "maria_site", "sqlite_site"])
def site(request):
    return request.getfixturevalue(request.param)


def test_a_statement_that_does_not_end_is_ended(site):
    began = monotonic()
    with patience(seconds=5, per_store=0.5):
        store = site.open()
        with pytest.raises(Exception) as caught, store.read() as session:
            session.all(stalls(site))
    assert type(caught.value).__module__ == "privacy.stores.base"
    assert "site" in str(caught.value)
    assert monotonic() - began < 5


def test_when_the_time_is_over_nobody_is_asked_any_more(site):
    with patience(seconds=0, per_store=1):
        error = failure(lambda: site.open().schema())
    assert isinstance(error, StoreUnavailable)
    assert "took all the time" in str(error)


def test_without_a_limit_and_within_it_a_store_answers(site):
    assert site.open().schema() is not None
    with patience(seconds=20, per_store=10), site.open().read() as session:
        assert session.all("SELECT 1")


def test_a_server_that_takes_the_call_and_says_nothing_is_given_up():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"postgresql://u:p@127.0.0.1:{listening.getsockname()[1]}/d"
        began = monotonic()
        with patience(seconds=5, per_store=2):
            store = registry.open_store("site", url, policy=Policy())
            assert isinstance(failure(store.schema), StoreUnavailable)
        assert monotonic() - began < 5


@pytest.mark.parametrize("error", [RuntimeError, ValueError, OSError, AttributeError])
def test_what_a_driver_says_when_its_connection_is_broken_off_reaches_nobody(capfd, monkeypatch, error):
    said = []
    monkeypatch.setattr("threading.excepthook", said.append)

    class Driver:
        tried = False

        def interrupt(self):
            self.tried = True
            raise error("canary: anna@example.se")

    driver = Driver()
    connection = SimpleNamespace(connection=SimpleNamespace(dbapi_connection=driver))
    with patience(seconds=5, per_store=0.01), waiting.bounded("site", connection):
        for _turn in range(500):
            if driver.tried:
                break
            sleep(0.01)
    assert driver.tried
    sleep(0.05)  # time for the thread to end, and to complain
    assert not said
    assert "canary" not in "".join(capfd.readouterr())
