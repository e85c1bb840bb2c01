"""A due date in words and a tone: nobody should have to read a colour, or count days."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from requests_app.desk.reads import SOON_DAYS
from requests_app.models import RightsRequest


def badge(tone: str, text: object) -> SafeString:
    """Words in a coloured pill; `tone` is ok, warn, bad, info, neutral or plain (no pill)."""
    return format_html('<span class="badge {}">{}</span>', tone, text)


def due_badge(request: RightsRequest, today: date) -> SafeString:
    if request.closed_at is not None:
        return badge("plain", _("closed"))
    if request.paused_at is not None:
        return badge("info", _("clock paused"))
    days = (request.due_on - today).days
    if days < 0:
        return badge("bad", ngettext("%(days)d day overdue", "%(days)d days overdue", -days) % {"days": -days})
    if days == 0:
        return badge("bad", _("due today"))
    return badge(
        "warn" if days <= SOON_DAYS else "ok", ngettext("%(days)d day left", "%(days)d days left", days) % {"days": days}
    )


def day(value: Any) -> str:
    """A date as the reader's language writes it; empty for none."""
    return date_format(value, "DATE_FORMAT") if value else ""
