"""Periods of time as data maps write them (ISO 8601 durations) and the day on which a kept row may go.

`until` is always the first day on which erasure is allowed (R20).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from dateutil.relativedelta import relativedelta

ALIGNMENTS = ("none", "calendar_year", "fiscal_year")
LONGEST_YEARS = 1000
_PERIOD = re.compile(r"P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?")


@dataclass(frozen=True)
class Period:
    """A calendar duration in whole years, months and days."""

    years: int = 0
    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: object) -> Period:
        """Read `P7Y`, `P6M`, `P2W`, `P30D` or a combination. Raises ValueError."""
        match = _PERIOD.fullmatch(str(text))
        if not match:
            raise ValueError(f"{text!r} is no ISO 8601 period of years, months, weeks or days, such as P7Y or P30D")
        if any(len(part or "") > 6 for part in match.groups()) or int(match[1] or 0) > LONGEST_YEARS:
            raise ValueError(f"a period of more than {LONGEST_YEARS} years is a slip")
        years, months, weeks, days = (int(part or 0) for part in match.groups())
        return cls(years, months, days + 7 * weeks)

    def after(self, start: date) -> date:
        return start + relativedelta(years=self.years, months=self.months, days=self.days)


@dataclass(frozen=True)
class YearEnd:
    """The last day of the fiscal year, as month and day."""

    month: int = 12
    day: int = 31

    @classmethod
    def parse(cls, text: object) -> YearEnd:
        match = re.fullmatch(r"(\d\d)-(\d\d)", str(text))
        if not match:
            raise ValueError(f"{text!r} is no month and day such as 06-30")
        month, day = int(match[1]), int(match[2])
        date(2023, month, day)  # raises for 02-30; a year that is no leap year
        return cls(month, day)

    def of(self, day: date) -> date:
        """The end of the fiscal year that `day` lies in."""
        end = date(day.year, self.month, self.day)
        if self.month == 2 and self.day == 28:  # a year ending with February ends on the 29th in leap years
            end = date(day.year, 3, 1) - relativedelta(days=1)
        return end if day <= end else self.of(date(day.year + 1, 1, 1))


def until(start: date, period: Period, align: str, year_end: YearEnd = YearEnd()) -> date:
    """The first day on which a row starting at `start` may go.

    `fiscal_year` follows bokföringslagen (1999:1078) 7 kap. 2 §: kept through the n-th year after the end of the calendar year
    in which the fiscal year ended. `calendar_year` counts from the end of the calendar year of `start`. A start so late that the
    calendar ends before, such as the 9999-12-31 that stands for "for ever", keeps to the calendar's last day.
    """
    try:
        if align == "none":
            return period.after(start)
        last = year_end.of(start) if align == "fiscal_year" else start
        return period.after(date(last.year + 1, 1, 1))
    except (ValueError, OverflowError):
        return date.max


def as_date(value: Any) -> date | None:
    """The day of whatever a driver gives for a date, a timestamp, an ISO text or a Unix time; None if it is none."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        match = re.match(r"\d{4}-\d\d-\d\d", value.strip())
        try:
            return date.fromisoformat(match[0]) if match else None
        except ValueError:
            return None
    return None
