"""Where a request stands, as the person is told it: a name, a sentence, and how far along the road it is."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from requests_app.case import representing
from requests_app.models import Outcome, RightsRequest, State
from requests_app.models.representation import Representation


@dataclass(frozen=True)
class StateText:
    name: str | Promise
    meaning: str | Promise
    tone: str  # a class of portal.css: wait | work | done | stop | rest
    stage: int  # index into STAGES; -1 where the road was left


STAGES = (_("Received"), _("Identity confirmed"), _("Assessed"), _("Carried out"))

STATES: dict[str, StateText] = {
    State.RECEIVED: StateText(_("Received"), _("We have your request and will soon begin."), "work", 0),
    State.IDENTIFYING: StateText(
        _("Waiting for you"), _("We need to be sure that it is you before we go on. Until then your request waits."), "wait", 0
    ),
    State.TRIAGE: StateText(
        _("Being assessed"), _("We look for your data in our systems, and a person here looks at your request."), "work", 1
    ),
    State.PROPOSED: StateText(
        _("Being assessed"),
        _("One person here has looked at your request. A second one checks it, since it cannot be undone."),
        "work",
        1,
    ),
    State.APPROVED: StateText(_("Approved"), _("We have said yes. It is carried out in all our systems next."), "work", 2),
    State.RUNNING: StateText(_("Being carried out"), _("It is being carried out in all our systems right now."), "work", 2),
    State.BLOCKED: StateText(
        _("Being carried out"),
        _("Something needs to be looked at by a person here before it can be finished. You need not do anything."),
        "work",
        2,
    ),
    State.RESTRICTED: StateText(
        _("Restriction in force"), _("We store your data and do nothing else with it. We tell you before that ends."), "done", 3
    ),
    State.COMPLETED: StateText(_("Done"), _("Your request has been carried out."), "done", 3),
    State.REFUSED: StateText(_("Refused"), _("We have said no. Below you read why, and what you can do about it."), "stop", -1),
    State.WITHDRAWN: StateText(_("Withdrawn"), _("You took your request back. Nothing more is done about it."), "rest", -1),
}

OUTCOMES: dict[str, str | Promise] = {
    Outcome.NOTHING: _("We looked in all our systems and found nothing about you."),
    Outcome.LIFTED: _("The restriction is lifted: we use your data again as before."),
    Outcome.ERASED: _("The restriction ended because your data was erased."),
}


# While nobody has accepted who acts for whom, as whoever acts reads it.
SHOW_ROLE = StateText(
    _("Waiting for you"),
    _("Show us that you may act for the person. Until then your request waits, and we look for nothing."),
    "wait",
    0,
)
ROLE_IS_LOOKED_AT = StateText(
    _("Received"),
    _("We have your proof, and a person here looks at it. You get an e-mail if we need more. Until then we look for nothing."),
    "work",
    0,
)
PERSON_IS_LOOKED_AT = StateText(
    _("Received"),
    _("You may act for the person. A person here now makes sure who the person is, before we look for anything."),
    "work",
    0,
)


def state_text(case: RightsRequest, reader: Customer) -> StateText:
    """Where the request stands. It comes from a queryset of `representing.with_proof_sent`."""
    if case.state == State.IDENTIFYING and representing.is_representative(case, reader):
        if case.representation.state != Representation.State.CLAIMED:
            return PERSON_IS_LOOKED_AT
        return ROLE_IS_LOOKED_AT if case.proof_sent else SHOW_ROLE  # type: ignore[attr-defined]
    text = STATES[case.state]
    if case.state == State.COMPLETED and case.outcome in OUTCOMES:
        return StateText(text.name, OUTCOMES[case.outcome], text.tone, text.stage)
    return text
