"""The words of our answers, from templates/letters/. A refusal that lacks what Art. 12(4) asks for cannot be sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from privacy import own
from privacy.collection_words import period_words
from requests_app.case.answers import Standing, StoreAnswer, human_answers
from requests_app.errors import NotAllowed
from requests_app.models import Outcome, Right, RightsRequest

AUTHORITY = "Integritetsskyddsmyndigheten"
RECORD = "requests_app_rightsrequest"
COURT = re.compile(r"domstol|tingsrätt|\bcourt", re.IGNORECASE)


def refusal(*, request: RightsRequest, reason: str, excessive: bool = False) -> str:
    """The refusal in the person's language; NotAllowed where reasons, authority or court are missing."""
    with override(request.language):
        text = _render("refusal", request, reason=reason, excessive=excessive)
    return complete(text, reason)


def fee(*, request: RightsRequest, reason: str, fee: int) -> str:
    """That the answer costs something, why, and what can be done about that (Art. 12(5)); NotAllowed as a refusal is."""
    with override(request.language):
        text = _render("fee", request, reason=reason, fee=fee)
    return complete(text, reason)


def complete(text: str, reason: str) -> str:
    """The letter itself, where it has reasons, authority and court; else NotAllowed says what it lacks."""
    lacking = _lacking(text, reason)
    if lacking:
        raise NotAllowed(_("The letter cannot be sent: it lacks %(parts)s (Art. 12(4)).") % {"parts": ", ".join(lacking)})
    return text


def extension(*, request: RightsRequest, reason: str, due_on: date) -> str:
    """That the answer takes longer, why, and until when (Art. 12(3)); `complete` says whether it may be sent."""
    with override(request.language):
        return _render("extension", request, reason=reason, due_on=date_format(due_on, "DATE_FORMAT"))


def closing(*, request: RightsRequest, outcome: str, standing: Standing | None = None, recipients: Sequence[str] = ()) -> str:
    """What was done in every store, which `recipients` are told of it (Art. 19), and the right to complain.

    `standing` where it was read for many cases.
    """
    with override(request.language):
        opening = _opening(request, outcome)
        # Of an erasure that found nothing the person is told where else was looked (R21).
        told = outcome != Outcome.NOTHING or request.right == Right.ERASURE
        answers = human_answers(request, standing) if told else []
        if outcome == Outcome.NOTHING and request.right in (Right.ACCESS, Right.PORTABILITY):
            line = _("We hold the identities that you have proved and your requests. You see them when you are signed in.")
            answers = [StoreAnswer(own.dataset().name, (line,))]
        answers = [*answers, _own_data()] if request.right == Right.ERASURE and outcome != Outcome.ERASED else answers
        reason = request.decision_reason or ""
        return _render("closing", request, opening=opening, reason=reason, answers=answers, recipients=_told(recipients))


def _told(recipients: Sequence[str]) -> str:
    if not recipients:
        return ""
    return _(
        "We tell those to whom we had given the data: %(names)s. When you are signed in you see when each of them was told."
    ) % {"names": ", ".join(recipients)}


def _own_data() -> StoreAnswer:
    """What becomes of the account and of this very letter (R24)."""
    (rule,) = own.dataset().collections[RECORD].keeps
    lines = (
        ngettext(
            "Your account, the identities that you have proved and what you wrote to us are erased %(count)d day after "
            "this answer, so that you can read it.",
            "Your account, the identities that you have proved and what you wrote to us are erased %(count)d days after "
            "this answer, so that you can read it.",
            settings.INSYN_ACCOUNT_DAYS,
        )
        % {"count": settings.INSYN_ACCOUNT_DAYS},
        _("That you asked and what we answered is kept for %(period)s: %(basis)s")
        % {"period": period_words(rule.period), "basis": rule.basis},
    )
    return StoreAnswer(own.dataset().name, lines)


def _opening(request: RightsRequest, outcome: str) -> str:
    if outcome == Outcome.NOTHING:
        return _(
            "We looked in all our systems and found nothing under the identities that you have proved. If you think that we know "
            "you by another e-mail address, telephone or customer number, prove that one too and ask again."
        )
    if outcome == Outcome.LIFTED:
        return _("The restriction that you got by your request is lifted.")
    if outcome == Outcome.ERASED:
        return _("The restriction that you got by your request has ended, since your data are erased.")
    return {
        Right.ACCESS: _("Your data are ready. Sign in to download them."),
        Right.PORTABILITY: _("Your data are ready to take along. Sign in to download them."),
        Right.RECTIFICATION: _("We have corrected your data."),
        Right.RESTRICTION: _("Your data are restricted. We tell you before the restriction is lifted."),
        Right.ERASURE: _(
            "We have erased your data. What a law makes us keep is named below, with the date until which we keep it."
        ),
        Right.OBJECTION: _("You get no more marketing from us."),
    }[Right(request.right)]


def _lacking(text: str, reason: str) -> list[str]:
    found = {
        _("the reasons"): bool(reason.strip()) and reason in text,
        _("the supervisory authority (IMY)"): AUTHORITY in text,
        _("the judicial remedy"): bool(COURT.search(text)),
    }
    return [part for part, is_there in found.items() if not is_there]


def _render(name: str, request: RightsRequest, **context: object) -> str:
    parts = {
        "reference": request.reference,
        "right": request.get_right_display(),
        "authority": _(
            "You may complain to the Swedish authority for privacy protection, Integritetsskyddsmyndigheten (IMY), Box 8114, "
            "104 20 Stockholm, imy@imy.se, www.imy.se, whatever we have answered and without asking us first."
        ),
        "court": _(
            "You may also bring the matter before a court (Art. 79 GDPR). In Sweden that is the district court (tingsrätt) where "
            "you or we are."
        ),
        "company": settings.INSYN_COMPANY_NAME,
        "contact": settings.INSYN_SUPPORT_EMAIL,
    }
    text = render_to_string(f"letters/{name}.txt", parts | context)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
