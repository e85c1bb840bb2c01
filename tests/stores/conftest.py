"""One fixture per kind of database; each test gets an empty place of its own."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import embedded
from tests.stores.sites import MariaSite, PostgresSite, SqliteSite


@pytest.fixture(scope="session")
def stores_database() -> Iterator[str]:
    """One PostgreSQL database for all these tests: a schema in it is made quicker than a database."""
    name = f"throwaway_{os.getpid()}_{secrets.token_hex(4)}"
    embedded.ensure_running()
    yield embedded.create_database(name)
    embedded.drop_database(name)


@pytest.fixture
def postgres_site(stores_database: str) -> Iterator[PostgresSite]:
    site = PostgresSite(stores_database, f"s_{secrets.token_hex(4)}")
    yield site
    site.close()


@pytest.fixture
def maria_site(mariadb_url: str) -> MariaSite:
    return MariaSite(mariadb_url)


@pytest.fixture
def sqlite_site(sqlite_path: Path) -> SqliteSite:
    return SqliteSite(f"sqlite:///{sqlite_path}")
