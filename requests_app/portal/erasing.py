"""What an erasure would do, shown before it is asked for: counted for who proved it twice, in general for everybody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from accounts.models import Customer
from accounts.people import person_of
from privacy import actions
from privacy.vocabulary import POLICY_CATEGORIES, chosen, readable
from requests_app.portal.drafts import Draft
from requests_app.portal.summary import DAY
from requests_app.running.blame import where

log = structlog.get_logger("insyn.outlook")

LEVEL = 2
FRESH_FOR, FRESH_WITH_GAPS = timedelta(minutes=30), timedelta(minutes=1)


@dataclass(frozen=True)
class Group:
    title: Any
    intro: Any


GROUPS: dict[str, Group] = {
    "goes": Group(gettext_lazy("This goes"), gettext_lazy("It is deleted, and cannot be brought back.")),
    "anonymous": Group(
        gettext_lazy("This no longer says that it is about you"),
        gettext_lazy("Something else needs the entry itself, so everything in it that points at you is taken out."),
    ),
    "running": Group(
        gettext_lazy("Not yet: this is needed while something is running"),
        gettext_lazy("We do not end it by ourselves. End it first, and then ask us to erase what is left."),
    ),
    "kept": Group(
        gettext_lazy("This stays until the law lets it go"),
        gettext_lazy(
            "We use it for nothing else, and it goes by itself when the day has come. The rest of these entries is taken out."
        ),
    ),
    "shared": Group(
        gettext_lazy("This is also about somebody else"), gettext_lazy("A person here looks at it and decides what can go.")
    ),
    "undecided": Group(gettext_lazy("This has to be looked at"), gettext_lazy("A person here decides.")),
}


@dataclass(frozen=True)
class Line:
    label: str
    about: str  # the policy's categories
    text: str


def look_up(draft: Draft, customer: Customer, *, level: int, now: datetime) -> None:
    """Fill `draft.outlook` for who proved enough, unless it is fresh. It never raises and never takes more than some seconds."""
    if level < LEVEL:
        return
    if draft.outlook is not None:
        fresh = FRESH_WITH_GAPS if draft.outlook["unreachable"] else FRESH_FOR
        if datetime.fromisoformat(draft.outlook["at"]) > now - fresh:
            return
    try:
        found = actions.outlook(person_of(customer))
    except Exception as error:  # noqa: BLE001 - a preview that fails must not keep anybody from asking
        log.error("outlook_failed", error=type(error).__name__, at=where(error))
        found = {"groups": {}, "unreachable": [_("our records")], "rows": 0}
    draft.outlook = {**found, "at": now.isoformat()}


def shown(draft: Draft, *, level: int) -> dict[str, Any]:
    """For the template: the groups that hold something, or the general list for who may not be told what we have."""
    language = (get_language() or "sv")[:2]
    if level < LEVEL or draft.outlook is None:
        return {"general": [_general(item, language) for item in actions.general_outlook(language)]}
    found = draft.outlook
    groups = [
        (group, [_line(name, item, language) for item in _merged(found["groups"][name])])
        for name, group in GROUPS.items()
        if found["groups"].get(name)
    ]
    nothing = not groups and not found["unreachable"]
    return {"groups": groups, "unreachable": found["unreachable"], "nothing": nothing}


def _merged(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One item per collection and reason: ten years of invoices are one line, from the first day to the last."""
    merged: dict[str, dict[str, Any]] = {}
    for item in items:
        key = repr((item["label"], item.get("basis"), item.get("until") is None, item.get("ends")))
        into = merged.setdefault(key, item | {"rows": 0, "first": item.get("until")})
        into["rows"] += item["rows"]
        if item.get("until"):
            into["first"], into["until"] = min(into["first"], item["until"]), max(into["until"], item["until"])
    return list(merged.values())


def _line(group: str, item: dict[str, Any], language: str) -> Line:
    rows = ngettext("%(count)d entry", "%(count)d entries", item["rows"]) % {"count": item["rows"]}
    return Line(chosen(item["label"], language, ""), _categories(item), _say(group, item, rows, language))


def _say(group: str, item: dict[str, Any], rows: str, language: str) -> str:
    words = {"rows": rows, "law": item.get("basis", "")}
    if group == "running":
        ends = chosen(item["ends"], language, "")
        return _("%(rows)s (%(law)s). It can go when there is a date for “%(ends)s”.") % {**words, "ends": ends}
    if group != "kept":
        return rows
    if item.get("until"):
        first, last = (date_format(date.fromisoformat(item[key]), DAY) for key in ("first", "until"))
        if first != last:
            return _("%(rows)s; the first goes on %(first)s, the last on %(last)s: %(law)s") % {
                **words,
                "first": first,
                "last": last,
            }
        return _("%(rows)s, until %(day)s: %(law)s") % {**words, "day": last}
    if item.get("basis") == KEPT_ALWAYS:
        return _("%(rows)s. We are obliged to keep it; ask us if you want to know why.") % words
    return _("%(rows)s: %(law)s. A person here works out until when, and tells you.") % words


KEPT_ALWAYS = "on_erasure: keep"  # the engine's word for a collection that is never erased


def _general(item: dict[str, Any], language: str) -> Line:
    fates: dict[str, str | Promise] = {
        "delete": gettext_lazy("Goes."),
        "anonymize": gettext_lazy("Everything that points at you is taken out."),
        "keep": gettext_lazy("Stays: we are obliged to keep it."),
    }
    text = " ".join([str(fates.get(item["fate"], gettext_lazy("A person here decides."))), *item["kept"]])
    return Line(chosen(item["label"], language, ""), _categories(item), text)


def _categories(item: dict[str, Any]) -> str:
    return ", ".join(str(POLICY_CATEGORIES.get(key, readable(key))) for key in item["categories"])
