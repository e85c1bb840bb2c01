"""The tables of the case: the case itself, what its person agreed to, and who acts for whom."""

from requests_app.models.case import (
    LIFT,
    OPEN_STATES,
    REFERENCE_ALPHABET,
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
from requests_app.models.representation import Representation

__all__ = [
    "LIFT",
    "OPEN_STATES",
    "REFERENCE_ALPHABET",
    "ApiToken",
    "Consent",
    "Message",
    "OutboxItem",
    "Outcome",
    "Package",
    "PolicyVersion",
    "Representation",
    "ResidueScan",
    "Right",
    "RightsRequest",
    "RunState",
    "Source",
    "State",
    "StoreRun",
    "Upload",
    "chain_of",
    "new_reference",
]
