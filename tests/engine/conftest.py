import os
import secrets
from collections.abc import Iterator

import pytest

from config import embedded


@pytest.fixture(scope="session")
def engine_database() -> Iterator[str]:
    """One PostgreSQL database for all these tests: a schema in it is made quicker than a database."""
    name = f"throwaway_{os.getpid()}_{secrets.token_hex(4)}"
    embedded.ensure_running()
    yield embedded.create_database(name)
    embedded.drop_database(name)
