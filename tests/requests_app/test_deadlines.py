"""The due date, by the vectors of the law page and by a second, slower way of counting."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requests_app.case.deadlines import LOCAL, due_date, is_working_day, local_date, notice_due, paused_days_between


def received(day: str) -> datetime:
    """Noon, local time."""
    return datetime.combine(date.fromisoformat(day), time(12), tzinfo=LOCAL)


@pytest.mark.parametrize(
    ("day", "due"),
    [
        pytest.param("2026-03-05", "2026-04-07", id="Easter Sunday, Easter Monday"),
        pytest.param("2027-01-31", "2027-03-01", id="28 February is a Sunday"),
        pytest.param("2028-01-31", "2028-02-29", id="leap year"),
        pytest.param("2026-08-31", "2026-09-30", id="clamped"),
        pytest.param("2026-04-14", "2026-05-15", id="Ascension Day"),
        pytest.param("2026-11-25", "2026-12-28", id="25 to 27 December"),
        pytest.param("2026-11-24", "2026-12-24", id="Christmas Eve is a working day by law"),
        pytest.param("2026-12-06", "2027-01-07", id="Epiphany"),
    ],
)
def test_it_is_one_month_later_and_never_on_a_weekend_or_holiday(day: str, due: str) -> None:
    assert due_date(received(day)) == date.fromisoformat(due)


def test_the_local_date_of_receipt_counts() -> None:
    assert due_date(datetime(2026, 3, 31, 22, 30, tzinfo=UTC)) == date(2026, 5, 4)
    assert due_date(datetime(2026, 3, 31, 21, 30, tzinfo=UTC)) == date(2026, 4, 30)


@pytest.mark.parametrize(
    ("day", "without", "with_eves"),
    [
        ("2026-11-24", "2026-12-24", "2026-12-28"),  # Christmas Eve
        ("2026-11-30", "2026-12-30", "2026-12-30"),
        ("2027-11-30", "2027-12-30", "2027-12-30"),
        ("2026-12-01", "2027-01-04", "2027-01-04"),
        ("2025-11-30", "2025-12-30", "2025-12-30"),
        ("2025-12-01", "2026-01-02", "2026-01-02"),
        ("2026-05-19", "2026-06-19", "2026-06-22"),  # Midsummer's Eve, then the weekend
        ("2027-10-31", "2027-11-30", "2027-11-30"),
    ],
)
def test_the_eves_roll_only_when_the_setting_says_so(day: str, without: str, with_eves: str) -> None:
    assert due_date(received(day)) == date.fromisoformat(without)
    assert due_date(received(day), eves_roll=True) == date.fromisoformat(with_eves)


def test_new_years_eve_is_one_of_the_eves() -> None:
    assert due_date(received("2026-08-31"), extended=True) == date(2026, 11, 30)
    assert due_date(received("2026-09-30"), extended=True) == date(2026, 12, 30)
    assert due_date(received("2026-11-30"), paused_days=1) == date(2026, 12, 31)
    assert due_date(received("2026-11-30"), paused_days=1, eves_roll=True) == date(2027, 1, 4)


@pytest.mark.parametrize(
    ("day", "notice", "final"),
    [
        pytest.param("2026-01-31", "2026-03-02", "2026-04-30", id="clamp, weekend"),
        pytest.param("2026-11-30", "2026-12-30", "2027-03-01", id="28 February is a Sunday"),
    ],
)
def test_an_extension_counts_three_months_from_receipt(day: str, notice: str, final: str) -> None:
    assert notice_due(received(day)) == date.fromisoformat(notice)
    assert due_date(received(day), extended=True) == date.fromisoformat(final)


def test_a_pause_adds_its_whole_local_days() -> None:
    days = paused_days_between(received("2026-09-11"), received("2026-09-23"))
    assert days == 12
    assert due_date(received("2026-09-10"), paused_days=days) == date(2026, 10, 22)


def test_a_pause_is_counted_in_local_days_not_in_hours() -> None:
    # 23:30 to 00:30 in Sweden crosses midnight there, though not in UTC.
    assert paused_days_between(datetime(2026, 9, 10, 21, 30, tzinfo=UTC), datetime(2026, 9, 10, 22, 30, tzinfo=UTC)) == 1
    assert paused_days_between(datetime(2026, 9, 10, 22, 30, tzinfo=UTC), datetime(2026, 9, 11, 21, 30, tzinfo=UTC)) == 0


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due_date(datetime(2026, 3, 5, 12, 0))
    with pytest.raises(ValueError, match="negative"):
        due_date(received("2026-03-05"), paused_days=-1)


# --- a second way of counting ---------------------------------------------------------------------------------------

moments = st.datetimes(datetime(2018, 5, 25), datetime(2060, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))


def easter_sunday(year: int) -> date:
    """Gauss's rule, as Meeus gives it."""
    a, b, c = year % 19, year // 100, year % 100
    d, e, f = b // 4, b % 4, (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def is_free(day: date, eves_roll: bool) -> bool:
    """Lag (1989:253) om allmänna helgdagar, from its text."""
    since_easter = (day - easter_sunday(day.year)).days
    in_june = day.month == 6
    midsummer_day = day.weekday() == 5 and (in_june and 20 <= day.day <= 26)
    all_saints = day.weekday() == 5 and ((day.month, day.day) == (10, 31) or (day.month == 11 and day.day <= 6))
    fixed = (day.month, day.day) in {(1, 1), (1, 6), (5, 1), (6, 6), (12, 25), (12, 26)}
    eve = (day.month, day.day) in {(12, 24), (12, 31)} or (in_june and 19 <= day.day <= 25 and day.weekday() == 4)
    return day.weekday() >= 5 or fixed or since_easter in {-2, 0, 1, 39, 49} or midsummer_day or all_saints or (eves_roll and eve)


def slow_due_date(received_at: datetime, paused_days: int, extended: bool, eves_roll: bool) -> date:
    """Walks day by day: month by month to the same date or the last before it, then the pause, then to a working day."""
    start = local_date(received_at)
    day, months_passed, wanted = start, 0, 3 if extended else 1
    while months_passed < wanted:
        day += timedelta(days=1)
        if day.day == 1:
            months_passed += 1
    while day.day < start.day and (day + timedelta(days=1)).month == day.month:
        day += timedelta(days=1)
    for _ in range(paused_days):
        day += timedelta(days=1)
    while is_free(day, eves_roll):
        day += timedelta(days=1)
    return day


@given(moments, st.integers(0, 200), st.booleans(), st.booleans())
def test_it_agrees_with_counting_day_by_day(received_at: datetime, paused_days: int, extended: bool, eves_roll: bool) -> None:
    due = due_date(received_at, paused_days=paused_days, extended=extended, eves_roll=eves_roll)
    assert due == slow_due_date(received_at, paused_days, extended, eves_roll)
    assert is_working_day(due, eves_roll=eves_roll)


@given(moments, moments, st.integers(0, 60))
def test_later_receipt_never_means_an_earlier_due_date(one: datetime, other: datetime, paused_days: int) -> None:
    first, second = sorted((one, other))
    assert due_date(first, paused_days=paused_days) <= due_date(second, paused_days=paused_days)
    assert due_date(first, paused_days=paused_days) <= due_date(first, paused_days=paused_days + 1)
    assert notice_due(first, paused_days=paused_days) < due_date(first, paused_days=paused_days, extended=True)
