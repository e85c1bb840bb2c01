"""When an answer is due: Art. 12(3) GDPR, counted as Regulation (EEC, Euratom) No 1182/71 says.

Art. 3(2)(c): a period of months ends with the day of the last month that has the same date as the day from which it runs, or with
the last day of that month where the date is missing. Art. 3(4): a last day that is a Saturday, Sunday or public holiday moves to
the end of the next working day; that is done once, at the very end. A pause (the person was asked to identify without undue
delay, EDPB Guidelines 01/2022 no. 157) adds the whole local days it lasted.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

LOCAL = ZoneInfo("Europe/Stockholm")
MONTHS, MONTHS_EXTENDED = 1, 3
SATURDAY = 5
# Midsummer's, Christmas and New Year's Eve are no public holidays by law (1989:253); many houses are closed all the same.
EVES = "de_facto"


def local_date(moment: datetime) -> date:
    """The calendar day in Sweden at this moment; raises ValueError for a datetime without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone to have a local date")
    return moment.astimezone(LOCAL).date()


def due_date(received_at: datetime, *, paused_days: int = 0, extended: bool = False, eves_roll: bool = False) -> date:
    """The last day on which the answer is in time."""
    if paused_days < 0:
        raise ValueError("a pause does not last a negative number of days")
    last_day = add_months(local_date(received_at), MONTHS_EXTENDED if extended else MONTHS) + timedelta(days=paused_days)
    return next_working_day(last_day, eves_roll=eves_roll)


def notice_due(received_at: datetime, *, paused_days: int = 0, eves_roll: bool = False) -> date:
    """The last day on which an extension may be told, with its reasons: the deadline without one."""
    return due_date(received_at, paused_days=paused_days, eves_roll=eves_roll)


def paused_days_between(paused_at: datetime, resumed_at: datetime) -> int:
    """Whole local days from one moment to the other; a pause within one day counts nothing."""
    return max(0, (local_date(resumed_at) - local_date(paused_at)).days)


def add_months(day: date, months: int) -> date:
    """The same day `months` later, or that month's last day where it has no such day."""
    years, month_index = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month_index + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def next_working_day(day: date, *, eves_roll: bool = False) -> date:
    """`day` itself where it is a working day."""
    while not is_working_day(day, eves_roll=eves_roll):
        day += timedelta(days=1)
    return day


def is_working_day(day: date, *, eves_roll: bool = False) -> bool:
    return day.weekday() < SATURDAY and day not in _holidays(day.year, eves_roll)


@lru_cache(maxsize=64)
def _holidays(year: int, eves_roll: bool) -> frozenset[date]:
    categories = ("public", EVES) if eves_roll else ("public",)
    # Swedish Sundays are holidays by law and the library counts them unless told not to; weekends are seen to above.
    return frozenset(holidays.Sweden(years=year, include_sundays=False, categories=categories))
