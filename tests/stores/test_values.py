"""Values pass between types and through JSON without becoming others."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.stores.base import NO_MATCH, Column
from privacy.stores.values import convert, from_json, to_json

NUMBERS = st.integers() | st.floats(allow_nan=False) | st.decimals(allow_nan=False, allow_infinity=False)
TIMES = st.dates() | st.times() | st.datetimes() | st.datetimes(timezones=st.just(UTC)) | st.timedeltas()
PLAIN = st.none() | st.booleans() | st.text() | st.uuids() | st.binary() | NUMBERS | TIMES


@given(PLAIN)
def test_json_gives_back_the_same_value_of_the_same_type(value: object) -> None:
    again = from_json(to_json(value))
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize(
    ("value", "family", "expected"),
    [
        ("42", "int", 42), (" 42 ", "int", 42), ("-7", "int", -7), (Decimal("42.0"), "int", 42), ("42.0", "int", NO_MATCH),
        ("٤٢", "int", NO_MATCH), (2**31, "int", NO_MATCH),
        (-(2**31), "int", -(2**31)), (True, "int", 1), (float("nan"), "int", NO_MATCH),
        (42, "text", "42"), (Decimal("1E+2"), "text", "100"), (False, "text", "false"), (0, "text", "0"), ("", "text", ""),
        ("1e3", "decimal", Decimal(1000)), ("Infinity", "decimal", NO_MATCH), (b"1", "decimal", NO_MATCH),
        (0, "bool", False), ("f", "bool", False), ("", "bool", NO_MATCH), (2, "bool", NO_MATCH),
        ("2024-02-29", "date", date(2024, 2, 29)), (datetime(2024, 2, 29, 12), "date", date(2024, 2, 29)), ("", "date", NO_MATCH),
        (date(2024, 2, 29), "datetime", datetime(2024, 2, 29)), ("2024-02-29 10:00", "datetime", datetime(2024, 2, 29, 10)),
        ("12345678123456781234567812345678", "uuid", UUID("12345678123456781234567812345678")), ("", "uuid", NO_MATCH),
        ("10.0.0.1", "ip", "10.0.0.1"), ("10.0.0.1/32", "ip", "10.0.0.1"), ("::1", "ip", "::1"), ("x", "ip", NO_MATCH),
        (None, "text", NO_MATCH), (None, "int", NO_MATCH),
    ],
)  # fmt: skip
def test_a_value_becomes_its_targets_type_or_matches_nothing(value: object, family: str, expected: object) -> None:
    found = convert(value, Column("c", family, family, bits=31))
    assert found is expected if expected is NO_MATCH else found == expected and type(found) is type(expected)


def test_what_json_cannot_name_is_kept_as_its_text() -> None:
    assert from_json(to_json({"a": 1})) == "{'a': 1}"
    assert from_json(to_json(time(1, 2))) == time(1, 2)
    assert from_json(to_json(timedelta(seconds=1.5))) == timedelta(seconds=1.5)
