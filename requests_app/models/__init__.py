"""The tables of the case: the case itself, what its person agreed to, who acts for whom, and what goes to others."""

from requests_app.models.breach import BreachCase
from requests_app.models.case import (
    ANSWERED_STATES,
    LIFT,
    OPEN_STATES,
    REFERENCE_ALPHABET,
    AnswerTimes,
    ApiToken,
    Message,
    OutboxItem,
    Outcome,
    Package,
    ResidueScan,
    Right,
    RightsRequest,
    RunState,
    Source,
    State,
    StoreRun,
    Upload,
    new_reference,
)
from requests_app.models.consent import Consent, PolicyVersion, chain_of
from requests_app.models.desk import Mention, Note, SavedView
from requests_app.models.disclosure import Disclosure
from requests_app.models.excess import Excess
from requests_app.models.forwarding import Forwarding
from requests_app.models.recipient_notice import RecipientNotice
from requests_app.models.representation import Representation

__all__ = [
    "ANSWERED_STATES",
    "LIFT",
    "OPEN_STATES",
    "REFERENCE_ALPHABET",
    "AnswerTimes",
    "ApiToken",
    "BreachCase",
    "Consent",
    "Disclosure",
    "Excess",
    "Forwarding",
    "Mention",
    "Message",
    "Note",
    "OutboxItem",
    "Outcome",
    "Package",
    "PolicyVersion",
    "RecipientNotice",
    "Representation",
    "ResidueScan",
    "Right",
    "RightsRequest",
    "RunState",
    "SavedView",
    "Source",
    "State",
    "StoreRun",
    "Upload",
    "chain_of",
    "new_reference",
]
