import pytest

from tests.privacy.shared_rows import Shop


@pytest.fixture
def shop(make_postgres_database, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    return Shop(make_postgres_database())
