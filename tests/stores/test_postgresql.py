"""PostgreSQL keeps the contract of a store."""

import pytest

from tests.stores.contract import StoreContract
from tests.stores.sites import PostgresSite


class TestContract(StoreContract):
    @pytest.fixture
    def site(self, postgres_site: PostgresSite) -> PostgresSite:
        return postgres_site
