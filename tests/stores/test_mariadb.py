"""MariaDB keeps the contract of a store."""

import pytest

from tests.stores.contract import StoreContract
from tests.stores.sites import MariaSite


class TestContract(StoreContract):
    @pytest.fixture
    def site(self, maria_site: MariaSite) -> MariaSite:
        return maria_site
