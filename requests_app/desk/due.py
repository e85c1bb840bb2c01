"""A due date in words and a tone: nobody should have to read a colour, or count days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from requests_app.desk.reads import SOON_DAYS
from requests_app.models import RightsRequest


@dataclass(frozen=True)
class Badge:
    tone: str  # ok | warn | bad | info | plain
    text: str

    def __html__(self) -> str:
        return format_html('<span class="badge {}">{}</span>', self.tone, self.text)

    __str__ = __html__  # a template asks for the text first, and only then whether it is safe


def due_badge(request: RightsRequest, today: date) -> Badge:
    if request.closed_at is not None:
        return Badge("plain", _("closed"))
    if request.paused_at is not None:
        return Badge("info", _("clock paused"))
    days = (request.due_on - today).days
    if days < 0:
        return Badge("bad", ngettext("%(days)d day overdue", "%(days)d days overdue", -days) % {"days": -days})
    if days == 0:
        return Badge("bad", _("due today"))
    return Badge(
        "warn" if days <= SOON_DAYS else "ok", ngettext("%(days)d day left", "%(days)d days left", days) % {"days": days}
    )


def day(value: Any) -> str:
    """A date as the reader's language writes it; empty for none."""
    return date_format(value, "DATE_FORMAT") if value else ""
