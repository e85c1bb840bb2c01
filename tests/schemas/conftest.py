"""A zoo per kind of database: an empty store of its own for every test."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.schemas.zoo import Zoo
from tests.stores.conftest import stores_database  # noqa: F401 (a fixture)
from tests.stores.sites import MariaSite, PostgresSite, SqliteSite, SqlSite

KINDS = ("postgresql", "mariadb", "sqlite")
EveryKind = pytest.mark.parametrize("kind", KINDS)
MakeZoo = Callable[..., Zoo]


@pytest.fixture
def make_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], SqlSite]]:
    """Makes an empty place of a kind; they go when the test ends."""
    made: list[PostgresSite] = []

    def make(kind: str) -> SqlSite:
        if kind == "postgresql":
            site = PostgresSite(request.getfixturevalue("stores_database"), f"s_{secrets.token_hex(4)}")
            made.append(site)
            return site
        if kind == "mariadb":
            return MariaSite(request.getfixturevalue("mariadb_url"))
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite3"
        path.touch()
        return SqliteSite(f"sqlite:///{path}")

    yield make
    for site in made:
        site.close()


@pytest.fixture
def zoo(make_site: Any, tmp_path: Path, settings: Any) -> MakeZoo:
    """zoo("sqlite") is one store `zoo` there; zoo(shop="postgresql", crm="sqlite") are two."""
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"

    def make(kind: str = "", **kinds: str) -> Zoo:
        return Zoo({key: make_site(each) for key, each in (kinds or {"zoo": kind}).items()}, tmp_path)

    return make
