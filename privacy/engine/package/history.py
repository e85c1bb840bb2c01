"""How many rows of a collection fall into which month, counted while they go past."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from operator import attrgetter, itemgetter
from typing import Any

MOST_MONTHS = 36  # beyond that, years say more
MOST_YEARS = 40
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_YEAR_AND_MONTH, _BEGINNING = attrgetter("year", "month"), itemgetter(slice(10))
_LOOKED_AT = 50  # rows by which a column is known to hold dates


class History:
    """Counts by the first column that holds dates; `preferred` goes first, `never` are dates that tell of no event."""

    def __init__(self, columns: Sequence[str], *, preferred: str = "", never: Iterable[str] = ()) -> None:
        self._order = sorted(
            (place for place, name in enumerate(columns) if name not in set(never)), key=lambda place: columns[place] != preferred
        )
        self._columns = columns
        self._months: Counter[int] = Counter()
        self._place: int | None = None

    @property
    def column(self) -> str:
        """The name of the column that was counted; empty where none holds dates."""
        return "" if self._place is None else self._columns[self._place]

    def count(self, rows: Sequence[Sequence[Any]]) -> None:
        if self._place is None:
            self._place = next((place for place in self._order if _holds_dates(rows[:_LOOKED_AT], place)), None)
            if self._place is None:
                return
        values = list(map(itemgetter(self._place), rows))
        # Columns of one type, the rule, are counted without a step of Python's for each row.
        types = set(map(type, values))
        if types <= {date, datetime}:
            self._add((year * 12 + month - 1, n) for (year, month), n in Counter(map(_YEAR_AND_MONTH, values)).items())
        elif types == {str}:
            self._add((_month(text), n) for text, n in Counter(map(_BEGINNING, values)).items())
        else:
            self._add((_month(value), 1) for value in values)

    def _add(self, months: Iterable[tuple[int, int]]) -> None:
        for month, rows in months:
            self._months[month] += rows

    def periods(self) -> list[tuple[str, int]]:
        """(`2026-03` or `2026`, rows), the oldest first, without gaps; at most some forty."""
        counted = {month: rows for month, rows in self._months.items() if month >= 0}
        if not counted:
            return []
        first, last = min(counted), max(counted)
        if last - first < MOST_MONTHS:
            return [(f"{month // 12:04d}-{month % 12 + 1:02d}", counted.get(month, 0)) for month in range(first, last + 1)]
        years: Counter[int] = Counter()
        for month, rows in counted.items():
            years[month // 12] += rows
        # Of dates that somebody mistyped, such as year 1 or 9999, the years with most rows are left.
        known = sorted(year for year, _rows in years.most_common(MOST_YEARS))
        if known[-1] - known[0] >= MOST_YEARS:
            return [(f"{year:04d}", years[year]) for year in known]
        return [(f"{year:04d}", years[year]) for year in range(known[0], known[-1] + 1)]


def _holds_dates(rows: Sequence[Sequence[Any]], place: int) -> bool:
    found = next((row[place] for row in rows if row[place] is not None), None)
    return isinstance(found, date) or (isinstance(found, str) and _month(found) >= 0)


def _month(value: Any) -> int:
    """Months since year 0 of a date or an ISO text; -1 for what is neither."""
    if isinstance(value, date):
        return value.year * 12 + value.month - 1
    if isinstance(value, str) and _ISO.match(value):
        month = int(value[5:7]) - 1
        return int(value[:4]) * 12 + month if 0 <= month < 12 else -1
    return -1
