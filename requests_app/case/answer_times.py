"""How long answers take: median and nine out of ten, by right and month, in days that the clock ran (Art. 12(3)).

A month that is over is reckoned once and kept, so that a page costs the same however many cases there were.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Aggregate, Count, DateField, FloatField, Min, Value
from django.utils.timezone import make_aware

from requests_app.case.deadlines import LOCAL, add_months, local_date
from requests_app.models import AnswerTimes, Right, RightsRequest

MONTHS = 12  # that are shown, this one included


@dataclass(frozen=True)
class Answered:
    month: date  # its first day
    right: str
    count: int
    median: float
    p90: float


class _Percentiles(Aggregate):
    """[the median, the ninth decile], each between two values where it falls between them."""

    function = "percentile_cont"
    template = "%(function)s(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = ArrayField(FloatField())


def months_shown(*, now: datetime) -> list[date]:
    """The first days of twelve months, the one that goes on last."""
    this_month = local_date(now).replace(day=1)
    return [add_months(this_month, number) for number in range(1 - MONTHS, 1)]


def answer_times(*, now: datetime) -> list[Answered]:
    """What was answered in these months, by month and right; two queries."""
    months = months_shown(now=now)
    first, this_month = months[0], months[-1]
    kept = [
        Answered(row.month, row.right, row.answered, row.median, row.p90)
        for row in AnswerTimes.objects.filter(month__gte=first, month__lt=this_month)
    ]
    since = max([first, *(add_months(row.month, 1) for row in kept)])
    return [*kept, *_reckoned(since, add_months(this_month, 1))]


def keep_answer_times(*, now: datetime) -> int:
    """Reckon the months that are over and not kept yet; answers how many lines came."""
    this_month = local_date(now).replace(day=1)
    last = AnswerTimes.objects.order_by("-month").values_list("month", flat=True).first()
    oldest = RightsRequest.objects.aggregate(at=Min("answered_at"))["at"]
    if oldest is None:
        return 0
    since = add_months(last, 1) if last else local_date(oldest).replace(day=1)
    rows = [
        AnswerTimes(month=found.month, right=found.right, answered=found.count, median=found.median, p90=found.p90)
        for found in _reckoned(since, this_month)
    ]
    return len(AnswerTimes.objects.bulk_create(rows, ignore_conflicts=True))


def answered_in(month: date) -> dict[str, datetime]:
    """The condition of cases that were answered in this month, as the figures count them."""
    return {"answered_at__gte": _midnight(month), "answered_at__lt": _midnight(add_months(month, 1))}


def _reckoned(since: date, until: date) -> list[Answered]:
    """The months from `since` up to `until`. One statement; each of its parts reads one stretch of an index and sorts numbers."""
    parts = []
    month = since
    while month < until:
        parts += [_part(month, right) for right in Right.values]
        month = add_months(month, 1)
    if not parts:
        return []
    found = parts[0].union(*parts[1:], all=True)
    lines = [Answered(month, right, count, *percentiles) for month, right, count, percentiles in found if count]
    return sorted(lines, key=lambda line: (line.month, line.right))


def _part(month: date, right: str) -> Any:
    found = RightsRequest.objects.filter(right=right, **answered_in(month)).order_by()
    named = found.annotate(of_month=Value(month, DateField()), of_right=Value(right)).values("of_month", "of_right")
    return named.annotate(count=Count("pk"), percentiles=_Percentiles("answered_days")).values_list(
        "of_month", "of_right", "count", "percentiles"
    )


def _midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, time.min), LOCAL)
