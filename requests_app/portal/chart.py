"""A small chart as shapes for an SVG that the server draws: no script, no style, whole numbers (a template writes 0.5 as 0,5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format

HEIGHT, STEP, GAP = 100, 20, 4
LEAST_BARS = 12  # that there is room for: two bars are not drawn as two walls


@dataclass(frozen=True)
class Bar:
    label: str
    count: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Chart:
    bars: tuple[Bar, ...]
    width: int
    height: int

    @property
    def first(self) -> Bar:
        return self.bars[0]

    @property
    def last(self) -> Bar:
        return self.bars[-1]

    @property
    def most(self) -> Bar:
        return max(self.bars, key=lambda bar: bar.count)


def chart_of(history: Sequence[tuple[str, int]]) -> Chart | None:
    """One bar for each period; None where a single one would tell nothing."""
    if len(history) < 2:
        return None
    most = max(count for _period, count in history) or 1
    bars = tuple(_bar(number, period, count, most) for number, (period, count) in enumerate(history))
    return Chart(bars, max(len(bars), LEAST_BARS) * STEP - GAP, HEIGHT)


def _bar(number: int, period: str, count: int, most: int) -> Bar:
    height = max(round(HEIGHT * count / most), 3 if count else 0)  # one row among thousands is still seen
    return Bar(_name(period), count, number * STEP, HEIGHT - height, STEP - GAP, height)


def _name(period: str) -> str:
    """`2026-03` as a month in words, `2026` as it is."""
    year, dash, month = period.partition("-")
    return date_format(date(int(year), int(month), 1), "F Y") if dash else year
