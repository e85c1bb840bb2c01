"""What the person asked for, as staff read it: scope, corrections, ground, own words. Decrypted for roles that may read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from requests_app.desk.due import day
from requests_app.desk.words import CATEGORY_NAMES, GROUNDS
from requests_app.models import RightsRequest
from requests_app.portal.masks import mask


@dataclass(frozen=True)
class Asked:
    scope: list[str]
    ground: str
    corrections: list[dict[str, str]]
    words: str


def what_was_asked(request: RightsRequest, *, own_words: bool) -> Asked:
    details: dict[str, Any] = (request.details or {}) if own_words else {}
    return Asked(
        scope=_scope(details),
        ground=str(GROUNDS.get(request.right, {}).get(request.ground, request.ground)),
        corrections=[_correction(item) for item in details.get("corrections") or []],
        words=(request.reason or "") if own_words else "",
    )


def _scope(details: dict[str, Any]) -> list[str]:
    lines = [str(CATEGORY_NAMES.get(name, name)) for name in details.get("categories") or []]
    if details.get("since"):
        since = day(date.fromisoformat(details["since"]))
        lines.append(_("from %(day)s") % {"day": since})
    if details.get("until"):
        lines.append(_("until %(day)s") % {"day": day(date.fromisoformat(details["until"]))})
    return lines


def _correction(item: dict[str, Any]) -> dict[str, str]:
    """The new value is the person's own word; what stands in the store is masked, as in the portal."""
    names = item.get("fields") or [item.get("field", "")]
    return {
        "field": ", ".join(names),
        "old": mask(str(item.get("kind", "")), str(item.get("old") or "")),
        "new": str(item.get("new", "")),
    }
