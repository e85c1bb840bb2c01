"""The ledger recognises what was erased, outlives the database, and forgets when no backup can bring it back."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from privacy import ledger
from privacy.models import LedgerEntry

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
CASE = "K7MW-3QXD-9TBF"
ENTRIES = [
    ("identity", "email", "anna@example.com"),
    ("spelling", "customer.email", "Anna@Example.com"),
    ("link", "customer.id", "4711"),
]
BEFORE = NOW - timedelta(days=1)


@pytest.fixture(autouse=True)
def file(tmp_path: Path, settings: Any) -> Path:
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger" / "ledger.jsonl"
    settings.INSYN_BACKUP_HORIZON_DAYS = 30
    return settings.INSYN_LEDGER_FILE


@pytest.fixture
def record(db: None, django_capture_on_commit_callbacks: Callable) -> Callable[..., int]:
    def run(entries: Any = ENTRIES, *, case: str = CASE, store_key: str = "crm", now: datetime = NOW) -> int:
        with django_capture_on_commit_callbacks(execute=True):
            return ledger.record(case=case, store_key=store_key, entries=entries, now=now)

    return run


def erased(store_key: str = "crm", instant: datetime = BEFORE) -> ledger.Erased:
    return ledger.erased_since(store_key=store_key, instant=instant)


def test_an_erased_value_is_recognised_by_kind_and_field(record: Callable) -> None:
    assert record() == 3
    found = erased()
    assert found.cases(kind="link", field="customer.id", value="4711") == {CASE: NOW}
    assert found.cases(kind="identity", field="email", value="anna@example.com") == {CASE: NOW}
    assert found.cases(kind="link", field="order.customer_id", value="4711") == {}
    assert found.cases(kind="link", field="customer.id", value="4712") == {}
    assert found.fields() == {("identity", "email"), ("spelling", "customer.email"), ("link", "customer.id")}


def test_only_what_was_erased_after_the_backup_and_in_that_store(record: Callable) -> None:
    record()
    assert not erased(instant=NOW)
    assert erased(instant=NOW - timedelta(seconds=1))
    assert not erased(store_key="billing")


def test_neither_table_nor_file_holds_a_value(record: Callable, file: Path) -> None:
    record()
    kept = file.read_text() + json.dumps(list(LedgerEntry.objects.values()), default=str)
    for value in ("anna", "Anna", "4711"):
        assert value not in kept.replace(CASE, "")
    assert len(set(LedgerEntry.objects.values_list("lookup", flat=True))) == 3


def test_the_same_again_changes_nothing(record: Callable) -> None:
    record()
    record()
    assert LedgerEntry.objects.count() == 3
    assert erased().cases(kind="link", field="customer.id", value="4711") == {CASE: NOW}


def test_a_database_that_was_rolled_back_is_made_good_by_the_file(record: Callable) -> None:
    record()
    LedgerEntry.objects.all().delete()
    assert erased().cases(kind="link", field="customer.id", value="4711") == {CASE: NOW}


def test_a_lost_file_is_made_good_by_the_database_and_completed(record: Callable, file: Path) -> None:
    record()
    file.unlink()
    assert erased()
    assert ledger.complete_file() == 3
    assert ledger.complete_file() == 0
    assert len(file.read_text().splitlines()) == 3


def test_nothing_is_written_to_the_file_when_the_transaction_fails(
    db: None, file: Path, django_capture_on_commit_callbacks: Callable
) -> None:
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        ledger.record(case=CASE, store_key="crm", entries=ENTRIES, now=NOW)
        transaction.set_rollback(True)
    assert not file.exists()
    assert LedgerEntry.objects.count() == 0


def test_file_and_folder_are_for_the_owner_alone(record: Callable, file: Path) -> None:
    record()
    assert (file.parent.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_line_cut_off_by_a_crash_spoils_no_other(record: Callable, file: Path) -> None:
    record(ENTRIES[:1])
    with file.open("ab") as broken:
        broken.write(b'{"case": "K7')
    record(ENTRIES[1:])
    LedgerEntry.objects.all().delete()
    assert len(erased().fields()) == 3


def test_many_cases_take_one_statement_and_one_append(
    db: None, django_assert_num_queries: Callable, django_capture_on_commit_callbacks: Callable
) -> None:
    cases = [(f"C-{number}", [("link", "customer.id", str(number))]) for number in range(300)]
    with django_capture_on_commit_callbacks(execute=True) as callbacks, django_assert_num_queries(3):  # with its savepoint
        assert ledger.record_many(cases, store_key="crm", now=NOW) == 300
    assert len(callbacks) == 1
    assert erased().cases(kind="link", field="customer.id", value="17") == {"C-17": NOW}


def test_entries_end_with_the_backup_horizon(record: Callable, file: Path) -> None:
    record()
    record(case="later", now=NOW + timedelta(days=5))
    assert ledger.expire(now=NOW + timedelta(days=29)) == 0
    assert ledger.expire(now=NOW + timedelta(days=30)) == 3
    assert {mark.case for mark in ledger.read_file()} == {"later"}
    assert set(LedgerEntry.objects.values_list("case", flat=True)) == {"later"}
    assert ledger.complete_file() == 0
    assert (file.stat().st_mode & 0o777) == 0o600
    assert ledger.expire(now=NOW + timedelta(days=36)) == 3
    assert not erased()


def test_entries_of_an_earlier_hash_key_are_found_while_it_is_kept(record: Callable, settings: Any) -> None:
    record()
    old = dict(settings.INSYN_HASH_KEYS)
    settings.INSYN_HASH_KEYS = {"new": b"x" * 32, **old}
    record(case="second")
    assert erased().cases(kind="link", field="customer.id", value="4711") == {CASE: NOW, "second": NOW}
    settings.INSYN_HASH_KEYS = {"new": b"x" * 32}
    with pytest.raises(KeyError, match="INSYN_HASH_KEYS"):
        erased()


def test_nothing_erased_is_nothing_written(record: Callable, file: Path) -> None:
    assert record([]) == 0
    assert not file.exists()
    assert not erased()


def test_an_unknown_kind_is_refused(record: Callable) -> None:
    with pytest.raises(ValueError, match="identity, spelling, link"):
        record([("name", "customer.name", "Anna")])


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.text(max_size=30), min_size=1, max_size=5, unique=True), other=st.text(max_size=30))
def test_it_recognises_what_it_was_given_and_nothing_else(
    db: None, values: list[str], other: str, django_capture_on_commit_callbacks: Callable, file: Path
) -> None:
    LedgerEntry.objects.all().delete()
    file.unlink(missing_ok=True)
    with django_capture_on_commit_callbacks(execute=True):
        ledger.record(case=CASE, store_key="crm", entries=[("link", "a.b", value) for value in values], now=NOW)
    found = erased()
    for value in values:
        assert found.cases(kind="link", field="a.b", value=value)
    assert bool(found.cases(kind="link", field="a.b", value=other)) == (other in values)
