"""The audit log tells what happened, in order, and shows every attempt to make it tell something else."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.transaction import TransactionManagementError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from privacy import audit
from privacy.audit import Entry
from privacy.audit_payload import InvalidPayload, PersonalPayload
from privacy.models import AuditEvent

NOW = datetime(2026, 3, 5, 12, 0, 0, 123456, tzinfo=UTC)
CASE, OTHER = "K7MW-3QXD-9TBF", "B2CD-4FGH-6JKM"


@pytest.fixture
def as_owner(db: None) -> Callable[..., None]:
    """What somebody does who owns the database: takes the trigger away, changes the log, puts it back."""

    def run(sql: str, *parameters: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE privacy_auditevent DISABLE TRIGGER audit_append_only")
            cursor.execute(sql, parameters)
            cursor.execute("ALTER TABLE privacy_auditevent ENABLE ALWAYS TRIGGER audit_append_only")

    return run


def write(count: int = 3, *, chain: str = CASE) -> None:
    for number in range(count):
        payload = {"rows": number, "stores": ["crm", "billing"], "what": "ö", "done": None, "ok": True}
        audit.record(chain=chain, actor="staff:7", action="request.step", payload=payload, now=NOW + timedelta(seconds=number))


def kinds() -> set[str]:
    return {problem.kind for problem in audit.verify()}


@pytest.mark.django_db
def test_events_are_numbered_and_linked_per_chain() -> None:
    write(2)
    write(1, chain=OTHER)
    first, second = audit.events(CASE)
    assert (first.seq, second.seq) == (1, 2)
    assert first.prev_hash == audit.GENESIS
    assert second.prev_hash == first.hash
    assert audit.events(OTHER).get().seq == 1
    assert audit.verify() == []


@pytest.mark.django_db
def test_the_hash_is_that_of_the_documented_canonical_json() -> None:
    event = audit.record(chain=CASE, actor="customer", action="request.submit", payload={"b": 1, "a": "å"}, now=NOW)
    text = (
        '{"action":"request.submit","actor":"customer","at":"2026-03-05T12:00:00.123456+00:00","chain":"K7MW-3QXD-9TBF",'
        f'"payload":{{"a":"å","b":1}},"prev":"{"0" * 64}","seq":1,"v":1}}'
    )
    assert event.hash == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.django_db
def test_the_time_zone_of_now_does_not_matter() -> None:
    audit.record(chain=CASE, actor="system", action="x", payload={}, now=NOW.astimezone(timezone(timedelta(hours=2))))
    assert audit.verify() == []


@pytest.mark.django_db
def test_many_chains_are_written_in_few_statements(django_assert_num_queries: Callable) -> None:
    write(2)
    entries = [
        Entry(chain, "request.start", {"n": number}) for number in range(2) for chain in (CASE, OTHER, *map(str, range(500)))
    ]
    with django_assert_num_queries(3):
        audit.record_many(entries, actor="system", now=NOW)
    assert [event.seq for event in audit.events(CASE)] == [1, 2, 3, 4]
    assert [event.payload["n"] for event in audit.events("77")] == [0, 1]
    assert audit.verify() == []


@pytest.mark.django_db
def test_no_entries_are_no_statements(django_assert_num_queries: Callable) -> None:
    with django_assert_num_queries(0):
        assert audit.record_many([], actor="system", now=NOW) == []


@pytest.mark.django_db(transaction=True)
def test_it_wants_the_transaction_of_the_change() -> None:
    with pytest.raises(TransactionManagementError):
        write(1)


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["UPDATE privacy_auditevent SET seq = seq", "DELETE FROM privacy_auditevent"])
def test_the_database_refuses_to_change_the_log(statement: str) -> None:
    write(1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.all().delete()
    assert audit.events(CASE).count() == 1


@pytest.mark.django_db
def test_the_database_refuses_to_empty_the_log() -> None:
    with connection.cursor() as cursor:  # the suite turns this trigger off, to empty tables between tests
        cursor.execute("ALTER TABLE privacy_auditevent ENABLE ALWAYS TRIGGER audit_no_truncate")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE privacy_auditevent")


@pytest.mark.django_db
def test_a_session_that_plays_a_replica_is_refused_too() -> None:
    write(1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute("DELETE FROM privacy_auditevent")


# --- tampering --------------------------------------------------------------------------------------------------------


def test_an_event_removed_from_the_middle_is_found(as_owner: Callable) -> None:
    write(4)
    as_owner("DELETE FROM privacy_auditevent WHERE seq = 2")
    (problem,) = audit.verify()
    assert (problem.chain, problem.kind) == (CASE, "missing")


def test_removing_the_first_event_is_found(as_owner: Callable) -> None:
    write(2)
    as_owner("DELETE FROM privacy_auditevent WHERE seq = 1")
    assert kinds() == {"missing"}


def test_closing_the_gap_is_found(as_owner: Callable) -> None:
    write(4)
    as_owner("DELETE FROM privacy_auditevent WHERE seq = 2")
    as_owner("UPDATE privacy_auditevent SET seq = seq - 1 WHERE seq = 3")
    as_owner("UPDATE privacy_auditevent SET seq = seq - 1 WHERE seq = 4")
    assert kinds() == {"edited", "broken_link"}


def test_two_events_that_change_places_are_found(as_owner: Callable) -> None:
    write(3)
    as_owner("UPDATE privacy_auditevent SET seq = 99 WHERE seq = 2")
    as_owner("UPDATE privacy_auditevent SET seq = 2 WHERE seq = 3")
    as_owner("UPDATE privacy_auditevent SET seq = 3 WHERE seq = 99")
    assert "broken_link" in kinds()


def test_an_edited_event_with_a_fitting_hash_is_found_by_its_successor(as_owner: Callable) -> None:
    write(3)
    event = audit.events(CASE).get(seq=2)
    fields = {name: getattr(event, name) for name in ("chain", "seq", "at", "action", "payload", "prev_hash")}
    forged = audit.event_hash(actor="staff:8", **fields)
    as_owner("UPDATE privacy_auditevent SET actor = 'staff:8', hash = %s WHERE seq = 2", forged)
    assert kinds() == {"broken_link"}


def test_an_event_moved_to_another_case_is_found(as_owner: Callable) -> None:
    write(2)
    as_owner("UPDATE privacy_auditevent SET chain = %s, seq = 1 WHERE seq = 2", OTHER)
    assert kinds() == {"edited", "broken_link"}


def test_only_the_chains_asked_for_are_checked(as_owner: Callable) -> None:
    write(2)
    write(2, chain=OTHER)
    as_owner("UPDATE privacy_auditevent SET action = 'y' WHERE chain = %s", OTHER)
    assert audit.verify([CASE]) == []
    assert {problem.chain for problem in audit.verify()} == {OTHER}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcåäö_. 😀", max_size=5), inner, max_size=3),
    max_leaves=6,
)
changes = {
    "actor": st.sampled_from(["customer", "staff:8", "system", "staff:77"]),
    "action": st.sampled_from(["request.approve", "request.steps", ""]),
    "at": st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    "payload": st.dictionaries(st.sampled_from(["rows", "stores", "x"]), json_values, max_size=3),
    "chain": st.sampled_from([OTHER, "K7MW-3QXD-9TBG", "system"]),
    "seq": st.integers(4, 2**31 - 1),
    "prev_hash": st.text("0123456789abcdef", min_size=64, max_size=64),
    "hash": st.text("0123456789abcdef", min_size=64, max_size=64),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), seq=st.integers(1, 3), column=st.sampled_from(sorted(changes)))
def test_any_change_of_any_event_is_found(as_owner: Callable, data: st.DataObject, seq: int, column: str) -> None:
    value = data.draw(changes[column])
    with transaction.atomic():
        write(3)
        before = getattr(audit.events(CASE).get(seq=seq), column)
        stored = json.dumps(value) if column == "payload" else value
        as_owner(f"UPDATE privacy_auditevent SET {column} = %s WHERE chain = %s AND seq = %s", stored, CASE, seq)
        assert (audit.verify() != []) == (value != before)
        transaction.set_rollback(True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=st.dictionaries(st.text("abcåäö_. 😀", max_size=8), json_values, max_size=4))
def test_whatever_may_be_recorded_verifies(db: None, payload: dict) -> None:
    with transaction.atomic():
        try:
            event = audit.record(chain=CASE, actor="customer", action="x", payload=payload, now=NOW)
        except PersonalPayload:
            return
        assert AuditEvent.objects.get(pk=event.pk).payload == payload
        assert audit.verify() == []
        transaction.set_rollback(True)


# --- what it refuses --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        "anna@example.com",
        "sent to Anna <anna.öberg@exempel.se> today",
        "+46 70 123 45 67",
        "070-123 45 67",
        "0046701234567",
        "08-465 006 00",
        "811228-9874",
        "19811228-9874",
        "198112289874",
        "8112289874",
        198112289874,
        "call 0701234567 now",
        "x" * 257,
    ],
)
def test_a_payload_that_looks_personal_is_refused_by_the_name_of_its_key(value: object) -> None:
    with pytest.raises(PersonalPayload) as refused:
        audit.record(chain=CASE, actor="system", action="x", payload={"a": {"b": [1, value]}}, now=NOW)
    assert "payload.a.b[1]" in str(refused.value)
    assert str(value) not in str(refused.value)
    assert audit.events(CASE).count() == 0


@pytest.mark.django_db
def test_a_key_that_looks_personal_is_refused_without_being_named() -> None:
    with pytest.raises(PersonalPayload) as refused:
        audit.record(chain=CASE, actor="system", action="x", payload={"anna@example.com": 1}, now=NOW)
    assert "anna" not in str(refused.value)


@pytest.mark.django_db
def test_in_production_it_is_left_out_and_its_key_logged(settings: object) -> None:
    settings.INSYN_AUDIT_STRICT = False  # type: ignore[attr-defined]
    event = audit.record(chain=CASE, actor="system", action="x", payload={"to": "anna@example.com", "n": 1}, now=NOW)
    assert event.payload == {"to": "[removed]", "n": 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        "K7MW-3QXD-9TBF",
        "2345-6789-2345",
        "2026-11-22T08:12:00.123456+00:00",
        "2026-11-22",
        "6-1-b",
        "0" * 64,
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "crm.customer.email",
        1_000_000_000_000,
        0,
        -5,
    ],
)
def test_references_dates_and_digests_are_not_taken_for_people(value: object) -> None:
    audit.record(chain=CASE, actor="system", action="x", payload={"value": value}, now=NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("value", [1.5, float("nan"), NOW, b"x", object(), "a\x00b", "\ud800", {1: 2}])
def test_what_would_not_come_back_the_same_is_refused(value: object) -> None:
    with pytest.raises(InvalidPayload):
        audit.record(chain=CASE, actor="system", action="x", payload={"value": value}, now=NOW)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"actor": "operator:anna@example.com"},
        {"actor": "anna"},
        {"actor": "staff:"},
        {"actor": "operator:" + "x" * 60},
        {"chain": "anna@example.com"},
        {"chain": ""},
        {"chain": "x" * 33},
        {"action": "Något annat"},
        {"now": datetime(2026, 1, 1)},
    ],
)
def test_actor_chain_action_and_time_have_a_form(wrong: dict) -> None:
    with pytest.raises(ValueError):
        audit.record(**({"chain": CASE, "actor": "system", "action": "x", "payload": {}, "now": NOW} | wrong))
