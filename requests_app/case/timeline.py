"""The case as its person may read it, rebuilt from its audit events alone; the letters stand beside the event that sent them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from privacy import audit
from privacy.models import AuditEvent
from requests_app.case import representing
from requests_app.case.answers import human_answers
from requests_app.case.steps import CUSTOMER
from requests_app.case.triage import extension_letter
from requests_app.models import RightsRequest, State, Upload

__all__ = ["Entry", "human_answers", "timeline"]


@dataclass(frozen=True)
class Entry:
    at: datetime
    title: str
    text: str
    kind: str  # submitted | identity | clock | work | answer


Words = Callable[[RightsRequest, Mapping[str, Any]], str]


@dataclass(frozen=True)
class Told:
    """How one kind of event is told; `words` adds what the payload or the case says.

    `other` is the title for who did not do it, of the person and who acts for them, and `acted_for` the title for the latter
    of what we did; without one it is the same.
    `alone`: what the person did is not told to who acts for them.
    """

    kind: str
    title: Promise
    words: Words = lambda _request, _payload: ""
    other: Promise | None = None
    acted_for: Promise | None = None
    alone: bool = False


def _due(request: RightsRequest, payload: Mapping[str, Any]) -> str:
    day = date_format(date.fromisoformat(payload["due_on"]), "DATE_FORMAT")
    return _("You get the answer by %(day)s at the latest.") % {"day": day}


def _takes_effect(_request: RightsRequest, payload: Mapping[str, Any]) -> str:
    if "takes_effect_at" not in payload:
        return ""
    when = timezone.localtime(datetime.fromisoformat(payload["takes_effect_at"]))
    day = {"day": date_format(when, "DATETIME_FORMAT")}
    if not payload.get("told", True):
        return _("For safety it takes effect on %(day)s.") % day
    return _("For your safety it takes effect on %(day)s; the address or number that is replaced was told.") % day


def _what_is_missing(request: RightsRequest, _payload: Mapping[str, Any]) -> str:
    if representing.of(request) is not None:
        return _("First comes the right to act for the person, then who the person is. Until then we look for nothing.")
    return _("For this right a mailbox is not proof enough. Sign in and prove your identity a second way.")


def _which_file(_request: RightsRequest, payload: Mapping[str, Any]) -> str:
    return str(Upload.Purpose(payload["purpose"]).label)


def _letter(request: RightsRequest, _payload: Mapping[str, Any]) -> str:
    return request.answer or ""


def _letter_in_force(request: RightsRequest, _payload: Mapping[str, Any]) -> str:
    # Once it has ended, the letter that ends it holds this one too.
    return (request.answer or "") if request.state == State.RESTRICTED else ""


# Events that are not named here concern only the work inside the house.
TOLD: dict[str, Told] = {
    "request.submitted": Told("submitted", gettext_lazy("Your request was received")),
    "request.wait_for_identity": Told(
        "identity",
        gettext_lazy("We wait for your proof of identity"),
        _what_is_missing,
        acted_for=gettext_lazy("We wait for proof that you may act for the person"),
    ),
    "request.ask_identity": Told(
        "identity",
        gettext_lazy("We asked you for more proof of identity"),
        lambda _request, _payload: _("The time until you give it is added to the time for our answer."),
        acted_for=gettext_lazy("We asked for more proof of who the person is"),
    ),
    "role.accepted": Told("identity", gettext_lazy("The right to act for the person was accepted")),
    "role.refused": Told("identity", gettext_lazy("We asked for more proof of the right to act for the person")),
    "upload.received": Told("identity", gettext_lazy("A file was sent"), _which_file, alone=True),
    "upload.deleted": Told("identity", gettext_lazy("A file was taken back"), _which_file, alone=True),
    "identity.recorded": Told(
        "identity", gettext_lazy("Your identity was proved"), acted_for=gettext_lazy("The person's identity was accepted")
    ),
    "clock.resumed": Told("clock", gettext_lazy("The time for our answer runs again"), _due),
    "request.identified": Told("work", gettext_lazy("We assess your request")),
    "deadline.extended": Told("clock", gettext_lazy("We need more time"), lambda request, _payload: extension_letter(request)),
    "request.propose": Told("work", gettext_lazy("A first member of staff agreed; a second one looks at it")),
    "request.return": Told("work", gettext_lazy("We assess your request once more")),
    "request.approve": Told("work", gettext_lazy("Your request was approved"), _takes_effect),
    "request.approve_erasure": Told("work", gettext_lazy("Your request was approved")),
    "request.fulfil": Told("work", gettext_lazy("Your objection is followed")),
    "request.start": Told("work", gettext_lazy("Your request is being carried out")),
    "request.block": Told("work", gettext_lazy("A member of staff is looking into a part of your request")),
    "request.resume": Told("work", gettext_lazy("Your request is being carried out again")),
    "request.forwarded": Told("work", gettext_lazy("A part of your request was forwarded to those who decide over the data")),
    "request.forwarded_done": Told("work", gettext_lazy("Somebody to whom we forwarded your request has dealt with it")),
    "restriction.telling": Told(
        "answer",
        gettext_lazy("The restriction is going to be lifted"),
        lambda _request, _payload: _("Contact us if you do not want that."),
    ),
    "restriction.withdrawn": Told(
        "submitted", gettext_lazy("You took back the restriction"), other=gettext_lazy("The restriction was taken back")
    ),
    "erasure.waived": Told(
        "submitted",
        gettext_lazy("You let the erasure go ahead of your other requests"),
        other=gettext_lazy("The erasure goes ahead of other requests"),
    ),
    "message.sent": Told("work", gettext_lazy("We wrote to you")),
    "message.received": Told(
        "submitted", gettext_lazy("You wrote to us"), other=gettext_lazy("A message was written to us"), alone=True
    ),
    "package.read": Told(
        "answer", gettext_lazy("You read your data here"), other=gettext_lazy("The data was read here"), alone=True
    ),
    "package.downloaded": Told(
        "answer", gettext_lazy("You downloaded the package"), other=gettext_lazy("The package was downloaded"), alone=True
    ),
    "package.revoked": Told("answer", gettext_lazy("The package was withdrawn and deleted")),
    "receipt.issued": Told(
        "answer", gettext_lazy("You downloaded the receipt"), other=gettext_lazy("The receipt was downloaded"), alone=True
    ),
    "request.refuse": Told("answer", gettext_lazy("Your request was refused"), _letter),
    "request.withdraw": Told(
        "submitted", gettext_lazy("You withdrew your request"), other=gettext_lazy("The request was withdrawn")
    ),
    "request.complete": Told("answer", gettext_lazy("Your request was answered"), _letter),
    "request.restrict": Told("answer", gettext_lazy("The restriction is in force"), _letter_in_force),
    "request.end_restriction": Told("answer", gettext_lazy("The restriction has ended"), _letter),
}


def timeline(request: RightsRequest, *, for_representative: bool = False) -> list[Entry]:
    """What happened, the oldest first, in the active language, each of several like things on a day once.

    The person is told what was done by who acts for them; that somebody does not learn what the person wrote, sent or read.
    """
    entries: list[Entry] = []
    for event in audit.events(request.reference):
        entry = _entry(request, event, for_representative)
        if entry is not None and not _said_already(entries, entry):
            entries.append(entry)
    return entries


def _entry(request: RightsRequest, event: AuditEvent, for_representative: bool) -> Entry | None:
    told = TOLD.get(event.action)
    if told is None or (event.action == "upload.deleted" and event.payload["reason"] != "taken_back"):
        return None
    by_representative = event.payload.get("by") == "representative"
    if told.alone and for_representative and event.actor == CUSTOMER and not by_representative:
        return None
    did_it = event.actor == CUSTOMER and by_representative == for_representative
    title, text = told.title if did_it else told.other or told.title, told.words(request, event.payload)
    if for_representative and told.acted_for:
        title = told.acted_for
    if by_representative and not for_representative:
        text = " ".join(part for part in (text, _("Done by who acts for you.")) if part)
    return Entry(at=event.at, title=str(title), text=text, kind=told.kind)


def _said_already(entries: list[Entry], entry: Entry) -> bool:
    if not entries:
        return False
    last = entries[-1]
    same = (last.kind, last.title, last.text) == (entry.kind, entry.title, entry.text)
    return same and timezone.localdate(last.at) == timezone.localdate(entry.at)
