"""How many rows fall into which month: by the column that says so, whatever its type, without being led astray."""

from datetime import UTC, date, datetime

from privacy.engine.package.history import MOST_MONTHS, MOST_YEARS, History


def counted(rows, *columns, **more):
    history = History(columns, **more)
    for row in rows:
        history.count([row])
    return history.column, history.periods()


def test_rows_are_counted_by_month_without_gaps():
    rows = [(1, datetime(2026, 1, 31, tzinfo=UTC)), (2, datetime(2026, 3, 1, tzinfo=UTC)), (3, datetime(2026, 3, 9, tzinfo=UTC))]
    assert counted(rows, "id", "at") == ("at", [("2026-01", 1), ("2026-02", 0), ("2026-03", 2)])


def test_dates_texts_and_moments_in_one_column_are_all_counted():
    rows = [("2026-01-05T10:00:00",), (date(2026, 1, 6),), (None,), ("soon",), ("2026-13-05",), (7,)]
    assert counted(rows, "at") == ("at", [("2026-01", 2)])


def test_many_months_are_told_as_years():
    rows = [(date(2020 + number // 12, number % 12 + 1, 1),) for number in range(MOST_MONTHS + 1)]
    assert counted(rows, "on")[1] == [("2020", 12), ("2021", 12), ("2022", 12), ("2023", 1)]


def test_mistyped_years_make_no_endless_chart():
    rows = [(date(1, 1, 1),), (date(9999, 1, 1),), *[(date(2026, 1, 1),)] * 5]
    assert counted(rows, "on")[1] == [("0001", 1), ("2026", 5), ("9999", 1)]
    everything = [(date(year, 1, 1),) for year in range(1, 3000)]
    assert len(counted(everything, "on")[1]) == MOST_YEARS


def test_the_preferred_column_goes_first_and_births_tell_nothing():
    row = (date(1980, 1, 1), date(2026, 1, 1), date(2026, 2, 1))
    assert counted([row], "born", "made", "paid", preferred="paid")[0] == "paid"
    assert counted([row], "born", "made", "paid", never=["born"])[0] == "made"
    assert counted([(1, "x")], "id", "name") == ("", [])
    assert counted([], "on") == ("", [])
