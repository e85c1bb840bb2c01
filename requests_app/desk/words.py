"""Words for the keys that findings, maps and runs are written in."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from privacy.datamap.periods import Period
from requests_app.models import Right

# Shorter than the portal's, which speak with the customer's voice.
RIGHT_NAMES: dict[str, Any] = {
    Right.ACCESS.value: _("Access"),
    Right.PORTABILITY.value: _("Portability"),
    Right.RECTIFICATION.value: _("Rectification"),
    Right.RESTRICTION.value: _("Restriction"),
    Right.ERASURE.value: _("Erasure"),
    Right.OBJECTION.value: _("Objection to marketing"),
}
CATEGORY_NAMES: dict[str, Any] = {
    "identification": _("identification"),
    "contact": _("contact"),
    "history": _("history"),
    "other": _("other personal data"),
}
ON_ERASURE: dict[Any, Any] = {
    "delete": _("deleted"),
    "anonymize": _("anonymized"),
    "keep": _("kept"),
    "": _("undecided"),
    None: _("undecided"),
}
# What staff may answer for rows that are another person's too (R11).
CONTESTED_WORDS: dict[str, Any] = {
    "keep": _("leave them as they are, and hand none of them out"),
    "redact": _("hand them out without the other person's fields"),
    "disclose": _("hand them out as they are"),
    "anonymize": _("anonymize this person's part and leave the rest"),
}
OWN_WORDS: dict[str, Any] = {
    Right.ERASURE.value: _("treat them as this person's own, and erase them"),
    Right.RECTIFICATION.value: _("treat them as this person's own, and correct them too"),
    Right.RESTRICTION.value: _("treat them as this person's own, and restrict them too"),
    Right.OBJECTION.value: _("treat them as this person's own"),
}
COPIES = (Right.ACCESS.value, Right.PORTABILITY.value)


def contested_answers(right: str) -> dict[str, Any]:
    """The answers that make sense for contested rows under this right, in words."""
    wanted: tuple[str, ...] = ("keep", "redact", "disclose") if right in COPIES else ("keep", "anonymize", "disclose")
    if right not in (*COPIES, Right.ERASURE.value):
        wanted = ("keep", "disclose")
    words = CONTESTED_WORDS if right in COPIES else {**CONTESTED_WORDS, "keep": _("leave them as they are")}
    return {key: OWN_WORDS[right] if key == "disclose" and right in OWN_WORDS else words[key] for key in wanted}


GROUNDS: dict[str, dict[str, Any]] = {
    "erasure": {
        "a": _("no longer needed for its purpose (17(1)(a))"),
        "b": _("consent withdrawn (17(1)(b))"),
        "c": _("objection to the processing (17(1)(c))"),
        "d": _("processed unlawfully (17(1)(d))"),
        "e": _("a law demands erasure (17(1)(e))"),
        "f": _("collected from a child online (17(1)(f))"),
    },
    "restriction": {
        "a": _("the person disputes that the data are correct (18(1)(a))"),
        "b": _("processed unlawfully, but the person does not want erasure (18(1)(b))"),
        "c": _("the person needs the data for a legal claim (18(1)(c))"),
        "d": _("an objection is being weighed (18(1)(d))"),
    },
}


def period_in_words(period: Period) -> str:
    """`7 years`, `1 year 6 months`."""
    parts = [
        ngettext("%(count)d year", "%(count)d years", period.years) % {"count": period.years} if period.years else "",
        ngettext("%(count)d month", "%(count)d months", period.months) % {"count": period.months} if period.months else "",
        ngettext("%(count)d day", "%(count)d days", period.days) % {"count": period.days} if period.days else "",
    ]
    return " ".join(part for part in parts if part)
