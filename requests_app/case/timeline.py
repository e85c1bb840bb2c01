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
from requests_app.case.answers import human_answers
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
    """How one kind of event is told; `words` adds what the payload or the case says."""

    kind: str
    title: Promise
    words: Words = lambda _request, _payload: ""


def _due(request: RightsRequest, payload: Mapping[str, Any]) -> str:
    day = date_format(date.fromisoformat(payload["due_on"]), "DATE_FORMAT")
    return _("You get the answer by %(day)s at the latest.") % {"day": day}


def _takes_effect(_request: RightsRequest, payload: Mapping[str, Any]) -> str:
    if "takes_effect_at" not in payload:
        return ""
    when = timezone.localtime(datetime.fromisoformat(payload["takes_effect_at"]))
    return _("For your safety it takes effect on %(day)s; the address or number that is replaced was told.") % {
        "day": date_format(when, "DATETIME_FORMAT")
    }


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
        lambda _request, _payload: _(
            "For this right a mailbox is not proof enough. Sign in and prove your identity a second way."
        ),
    ),
    "request.ask_identity": Told(
        "identity",
        gettext_lazy("We asked you for more proof of identity"),
        lambda _request, _payload: _("The time until you give it is added to the time for our answer."),
    ),
    "role.accepted": Told("identity", gettext_lazy("The right to act for the person was accepted")),
    "role.refused": Told("identity", gettext_lazy("We asked for more proof of the right to act for the person")),
    "upload.received": Told("identity", gettext_lazy("A file was sent"), _which_file),
    "identity.recorded": Told("identity", gettext_lazy("Your identity was proved")),
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
    "restriction.telling": Told(
        "answer",
        gettext_lazy("The restriction is going to be lifted"),
        lambda _request, _payload: _("Contact us if you do not want that."),
    ),
    "restriction.withdrawn": Told("submitted", gettext_lazy("You took back the restriction")),
    "message.sent": Told("work", gettext_lazy("We wrote to you")),
    "message.received": Told("submitted", gettext_lazy("You wrote to us")),
    "request.refuse": Told("answer", gettext_lazy("Your request was refused"), _letter),
    "request.withdraw": Told("submitted", gettext_lazy("You withdrew your request")),
    "request.complete": Told("answer", gettext_lazy("Your request was answered"), _letter),
    "request.restrict": Told("answer", gettext_lazy("The restriction is in force"), _letter_in_force),
    "request.end_restriction": Told("answer", gettext_lazy("The restriction has ended"), _letter),
}


def timeline(request: RightsRequest, *, for_representative: bool = False) -> list[Entry]:
    """What happened, the oldest first, in the active language. Who acts for the person does not learn that the person wrote."""
    return [
        entry
        for event in audit.events(request.reference)
        if not (for_representative and event.action == "message.received" and "by" not in event.payload)
        and (entry := _entry(request, event.at, event.action, event.payload))
    ]


def _entry(request: RightsRequest, at: datetime, action: str, payload: Mapping[str, Any]) -> Entry | None:
    told = TOLD.get(action)
    if told is None:
        return None
    return Entry(at=at, title=str(told.title), text=told.words(request, payload), kind=told.kind)
