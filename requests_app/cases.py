"""The one door to a case: every business function, by name. Views, admin actions, API and tasks import this."""

from requests_app.case.decision import approve_erasure, approve_request, propose_erasure, refuse_request
from requests_app.case.intake import (
    NEEDED_LEVEL,
    ask_identity,
    claims_to_accept,
    goes_before,
    level_for,
    level_of_representative,
    may_be_told,
    may_read_letter,
    record_identity_level,
    submit_for_another,
    submit_request,
    waive_waiting,
    withdraw_request,
)
from requests_app.case.lifting import lift_restriction, tell_before_lifting
from requests_app.case.notes import mentioned_in, read_mention, write_note
from requests_app.case.representing import accept_role, end_role, refuse_role
from requests_app.case.triage import (
    CONTESTED_ANSWERS,
    assign_request,
    assign_requests,
    choose_contested,
    extend_deadline,
    extension_letter,
    record_corrections,
    resume_run,
    return_to_triage,
)
from requests_app.errors import AlreadyOpen, NotAllowed, SomebodyElseGotThereFirst
from requests_app.running.runs import plan_digest, undecided_contested

__all__ = [
    "CONTESTED_ANSWERS",
    "NEEDED_LEVEL",
    "AlreadyOpen",
    "NotAllowed",
    "SomebodyElseGotThereFirst",
    "accept_role",
    "approve_erasure",
    "approve_request",
    "ask_identity",
    "assign_request",
    "assign_requests",
    "choose_contested",
    "claims_to_accept",
    "end_role",
    "extend_deadline",
    "extension_letter",
    "goes_before",
    "level_for",
    "level_of_representative",
    "lift_restriction",
    "may_be_told",
    "may_read_letter",
    "mentioned_in",
    "plan_digest",
    "propose_erasure",
    "read_mention",
    "record_corrections",
    "record_identity_level",
    "refuse_request",
    "refuse_role",
    "resume_run",
    "return_to_triage",
    "submit_for_another",
    "submit_request",
    "tell_before_lifting",
    "undecided_contested",
    "waive_waiting",
    "withdraw_request",
    "write_note",
]
