"""What a person asked for, in rows of a summary: before it is sent, and afterwards on the page of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from requests_app.models import Right
from requests_app.portal import grounds
from requests_app.portal.ask_forms import CATEGORIES
from requests_app.portal.correction_forms import label_of, shown

DAY = "j F Y"


@dataclass(frozen=True)
class Row:
    question: str | Promise
    lines: tuple[str | Promise, ...]
    step: str  # where it is changed
    old: str = ""  # for a correction: what stood there, as this person may see it
    hidden: bool = False  # there is an answer, but this identity level does not show it


def answered_rows(
    right: str, sending: Mapping[str, Any], *, level: int, own_words: bool = True, for_another: bool = False
) -> list[Row]:
    """`sending` holds ground, reason and details as they are sent; `own_words` is false where free text must stay hidden.

    `for_another`: read by who acts for the person, and who was not asked for the ground of an erasure.
    """
    details = sending["details"] or {}
    rows = []
    if right in (Right.ACCESS, Right.PORTABILITY):
        rows += _scope(details)
    if right in grounds.BY_RIGHT and (sending["ground"] or not for_another):
        rows.append(Row(_("Why"), (grounds.words(right, sending["ground"], for_another=for_another),), "ground"))
    rows += [_correction(correction, level=level, own_words=own_words) for correction in details.get("corrections", ())]
    if right == Right.OBJECTION:
        rows.append(Row(_("What you ask for"), (_("No direct marketing, in any way"),), ""))
    elif sending["reason"]:
        lines = tuple(sending["reason"].splitlines()) if own_words else ()
        rows.append(Row(_("What you wrote"), lines, "reason", hidden=not own_words))
    elif right != Right.PORTABILITY:
        rows.append(Row(_("What you wrote"), (_("Nothing – you do not have to"),), "reason"))
    return rows


def _scope(details: Mapping[str, Any]) -> list[Row]:
    rows = []
    if details.get("categories"):
        names = tuple(CATEGORIES[name].label for name in details["categories"] if name in CATEGORIES)
        rows.append(Row(_("Which data"), names, "categories"))
    if details.get("since"):
        rows.append(Row(_("From when"), (_period(details),), "period"))
    return rows or [Row(_("Which data"), (_("Everything we have about you"),), "scope")]


def _period(details: Mapping[str, Any]) -> str:
    since = date_format(date.fromisoformat(details["since"]), DAY)
    if not details.get("until"):
        return _("From %(since)s until today") % {"since": since}
    until = date_format(date.fromisoformat(details["until"]), DAY)
    return _("From %(since)s until and including %(until)s") % {"since": since, "until": until}


def _correction(correction: Mapping[str, Any], *, level: int, own_words: bool) -> Row:
    label = label_of({"label": {}, **correction})
    if not own_words:
        return Row(label, (), "values", hidden=True)
    holding = {"kind": correction.get("kind", "text"), "value": correction.get("old", "")}
    return Row(label, (correction.get("new", ""),), "values", old=shown(holding, level=level))
