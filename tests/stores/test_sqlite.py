"""SQLite keeps the contract of a store."""

import pytest

from tests.stores.contract import StoreContract
from tests.stores.sites import SqliteSite


class TestContract(StoreContract):
    @pytest.fixture
    def site(self, sqlite_site: SqliteSite) -> SqliteSite:
        return sqlite_site
