"""Time to answer as shapes for SVGs that the server draws, and the same figures as a table whose cells lead to their cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from requests_app.case.answer_times import Answered
from requests_app.desk.words import RIGHT_NAMES

HEIGHT, STEP, WIDTH = 100, 16, 12
A_MONTH = 31  # days; the line that answers should stay below


@dataclass(frozen=True)
class Bar:
    """One month: the taller bar holds nine answers out of ten, the one inside it every other."""

    x: int
    p90: int  # heights; whole numbers, since a template writes 0.5 as 0,5
    median: int

    @property
    def p90_y(self) -> int:
        return HEIGHT - self.p90

    @property
    def median_y(self) -> int:
        return HEIGHT - self.median


@dataclass(frozen=True)
class Panel:
    right: str
    bars: tuple[Bar, ...]
    says: str  # the text alternative


@dataclass(frozen=True)
class Chart:
    panels: tuple[Panel, ...]
    months: tuple[date, ...]
    width: int
    month_y: int  # where the line of a month lies
    rights: tuple[str, ...]
    rows: tuple[tuple[date, tuple[dict[str, Any] | None, ...]], ...]  # the newest month first

    @property
    def first(self) -> str:
        return date_format(self.months[0], "M Y")

    @property
    def last(self) -> str:
        return date_format(self.months[-1], "M Y")


def chart_of(lines: Sequence[Answered], months: Sequence[date], queue: str) -> Chart | None:
    """None where nothing was answered. `queue` is the address of the list that a cell leads to."""
    if not lines:
        return None
    found = {(line.right, line.month): line for line in lines}
    rights = [right for right in RIGHT_NAMES if any(line.right == right for line in lines)]
    most = max(A_MONTH * 1.1, *(line.p90 for line in lines))
    panels = tuple(_panel(right, [found.get((right, month)) for month in months], most) for right in rights)
    rows = tuple(
        (month, tuple(_cell(found.get((right, month)), queue) for right in rights))
        for month in reversed(months)
        if any((right, month) in found for right in rights)
    )
    names = tuple(str(RIGHT_NAMES[right]) for right in rights)
    return Chart(panels, tuple(months), len(months) * STEP - STEP + WIDTH, HEIGHT - _height(A_MONTH, most), names, rows)


def _panel(right: str, lines: Sequence[Answered | None], most: float) -> Panel:
    bars = [Bar(number * STEP, _height(line.p90, most), _height(line.median, most)) for number, line in enumerate(lines) if line]
    last = next(line for line in reversed(lines) if line)
    says = _("%(right)s, %(month)s: half of the answers within %(median)s, nine of ten within %(p90)s") % {
        "right": RIGHT_NAMES[right],
        "month": date_format(last.month, "F Y"),
        "median": days_in_words(last.median),
        "p90": days_in_words(last.p90),
    }
    return Panel(str(RIGHT_NAMES[right]), tuple(bars), says)


def _cell(line: Answered | None, queue: str) -> dict[str, Any] | None:
    if line is None:
        return None
    return {"line": line, "url": f"{queue}?show=closed&right={line.right}&answered={line.month:%Y-%m}"}


def _height(days: float, most: float) -> int:
    return max(round(HEIGHT * days / most), 1)  # answered within the day is still seen


def days_in_words(days: float) -> str:
    number = round(days)
    return ngettext("%(days)d day", "%(days)d days", number) % {"days": number}
