"""Whom we tell of a change, for the person to read: every recipient by name, and when (Art. 19)."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from requests_app.models import RecipientNotice, RightsRequest

State, About = RecipientNotice.State, RecipientNotice.About


@dataclass(frozen=True)
class Told:
    name: str
    words: str
    reason: str


def recipients_of(case: RightsRequest) -> list[Told]:
    """In the active language; a recipient who was told of two things stands there twice."""
    found = RecipientNotice.objects.filter(request=case).defer("words").order_by("pk")
    return [Told(row.name, _words(row), row.reason or "") for row in found]


def _words(notice: RecipientNotice) -> str:
    what = {
        About.RECTIFICATION: _("that your data were corrected"),
        About.ERASURE: _("that your data were erased"),
        About.RESTRICTION: _("that your data are restricted"),
        About.LIFT: _("that the restriction is lifted"),
    }[About(notice.about)]
    if notice.state == State.TOLD and notice.told_at is not None:
        day = date_format(timezone.localtime(notice.told_at), "j F Y")
        return _("Told on %(day)s, %(how)s: %(what)s.") % {"day": day, "how": notice.get_how_display(), "what": what}
    if notice.state == State.OWED:
        return _("Is going to be told %(what)s.") % {"what": what}
    return _("Was not told %(what)s, since that is impossible or takes disproportionate effort.") % {"what": what}
