"""The audit trail of a case in words: when, who, what. The page of an event shows its payload as it was written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Staff
from privacy.models import AuditEvent
from requests_app.desk.queue import name_of
from requests_app.desk.trail_details import details

DIGEST = re.compile(r"[0-9a-f]{64}")

# Actions that have no words of their own are shown as they are written.
WORDS: dict[str, Any] = {
    "request.submitted": gettext_lazy("The request came in"),
    "request.wait_for_identity": gettext_lazy("Waits for proof of identity"),
    "request.identified": gettext_lazy("The identity is proved well enough; being assessed"),
    "request.ask_identity": gettext_lazy("Asked for more proof of identity; the clock stands still"),
    "identity.recorded": gettext_lazy("Identity level recorded"),
    "identity.replaced": gettext_lazy("The account follows the corrected address or number"),
    "identity.revealed": gettext_lazy("Looked at an identity in full"),
    "clock.resumed": gettext_lazy("The clock runs again"),
    "deadline.extended": gettext_lazy("Extended the deadline"),
    "request.assigned": gettext_lazy("Assigned the case"),
    "request.propose": gettext_lazy("Proposed the erasure"),
    "request.return": gettext_lazy("Sent it back to assessment"),
    "request.approve": gettext_lazy("Approved"),
    "request.approve_erasure": gettext_lazy("Approved the erasure"),
    "request.fulfil": gettext_lazy("The objection is followed without a decision"),
    "request.refuse": gettext_lazy("Refused"),
    "request.withdraw": gettext_lazy("Withdrawn"),
    "request.start": gettext_lazy("The workers began"),
    "request.block": gettext_lazy("Stopped; waits for staff"),
    "request.resume": gettext_lazy("Goes on"),
    "request.complete": gettext_lazy("Completed"),
    "request.restrict": gettext_lazy("The restriction is in force"),
    "request.end_restriction": gettext_lazy("The restriction has ended"),
    "kept.returned": gettext_lazy("Kept rows went: their time had come"),
    "kept.stopped": gettext_lazy("Kept rows could not go"),
    "contested.looked": gettext_lazy("Looked at contested rows"),
    "contested.chosen": gettext_lazy("Decided on contested rows"),
    "run.resumed": gettext_lazy("Started a store again"),
    "run.located": gettext_lazy("A store was searched"),
    "run.done": gettext_lazy("A store is done"),
    "run.blocked": gettext_lazy("A store stopped"),
    "run.failed": gettext_lazy("A store failed"),
    "person.forgotten": gettext_lazy("The account and the words of the person were erased"),
    "case.forgotten": gettext_lazy("The case was deleted: its time was over"),
    "role.claimed": gettext_lazy("Brought by somebody who acts for the person"),
    "role.accepted": gettext_lazy("Accepted the proof of the role"),
    "role.refused": gettext_lazy("The proof of the role was not enough"),
    "role.ended": gettext_lazy("Ended the role"),
    "person.named": gettext_lazy("The request is the person's own from now on"),
    "upload.received": gettext_lazy("A file was sent with the case"),
    "upload.opened": gettext_lazy("Opened a file"),
    "upload.deleted": gettext_lazy("A file was deleted"),
    "receipt.issued": gettext_lazy("The receipt of the erasure was downloaded"),
    "message.sent": gettext_lazy("Wrote to the person"),
    "message.received": gettext_lazy("The person wrote"),
    "message.noted": gettext_lazy("Left a message of the person without an answer"),
    "excess.claimed": gettext_lazy("Proposed to refuse the request as excessive, or to charge for it"),
    "excess.decided": gettext_lazy("Decided whether the request is excessive"),
    "erasure.kept_back": gettext_lazy("Decided what an erasure keeps on a ground of Art. 17(3)"),
    "package.previewed": gettext_lazy("Looked at the package as the person will get it"),
    "package.withheld": gettext_lazy("Left something out of the package"),
    "package.shown_again": gettext_lazy("No longer leaves something out of the package"),
    "package.built": gettext_lazy("The package is ready"),
    "package.downloaded": gettext_lazy("The package was downloaded"),
    "package.resumed": gettext_lazy("A download of the package went on"),
    "package.read": gettext_lazy("The package was read in the browser"),
    "package.expired": gettext_lazy("The package expired and was deleted"),
    "package.revoked": gettext_lazy("The package was withdrawn and deleted"),
    "recipient.owed": gettext_lazy("A recipient has to be told"),
    "recipient.told": gettext_lazy("A recipient was told"),
    "recipient.not_told": gettext_lazy("Wrote down why a recipient cannot be told"),
    "recipient.words_seen": gettext_lazy("Looked at what a recipient is told"),
    "recipient.reminded": gettext_lazy("Reminded of a recipient who has not been told"),
    "recipient.escalated": gettext_lazy("The officer is shown a recipient who has not been told"),
    "restriction.telling": gettext_lazy("Tells the person that the restriction will be lifted"),
    "restriction.told": gettext_lazy("The person was told that the restriction will be lifted"),
    "restriction.lifting": gettext_lazy("Lifts the restriction"),
    "operator.began": gettext_lazy("Began to carry it out from the command line"),
    "task.done": gettext_lazy("Reported a task as done"),
    "data.located": gettext_lazy("The stores were searched"),
    "corrections.recorded": gettext_lazy("Wrote down the corrections"),
    "erasure.waived": gettext_lazy("Lets the erasure go ahead of the other open requests"),
    "restriction.ended": gettext_lazy("An erasure ended the restriction"),
    "restriction.withdrawn": gettext_lazy("Took back the restriction"),
    "request.forwarded": gettext_lazy("Forwarded to the controllers whose data we hold"),
    "request.forwarded_read": gettext_lazy("A controller read the forwarded request"),
    "request.forwarded_done": gettext_lazy("A controller has dealt with the forwarded request"),
    "request.forwarded_by_hand": gettext_lazy("Forwarded to a controller by hand"),
    "request.forwarding_seen": gettext_lazy("Looked at who asks and who the controller is"),
    "breach.opened": gettext_lazy("Opened a breach"),
    "breach.recorded": gettext_lazy("Wrote down what is known of a breach"),
    "breach.authority_decided": gettext_lazy("Decided whether the authority is notified"),
    "breach.notified": gettext_lazy("The authority was notified"),
    "breach.person_decided": gettext_lazy("Decided whether the person is told of a breach"),
    "breach.person_told": gettext_lazy("The person was told of a breach"),
    "breach.closed": gettext_lazy("The breach is closed"),
    "disclosure.entered": gettext_lazy("Entered a demand for data"),
    "disclosure.granted": gettext_lazy("Decided that data may be given"),
    "disclosure.refused": gettext_lazy("Refused a demand for data"),
    "disclosure.given": gettext_lazy("Wrote down what was given"),
    "disclosure.cleared": gettext_lazy("Let the person see the disclosure"),
    # the system's own chain
    "staff.invited": gettext_lazy("Invited a colleague"),
    "staff.enrolled": gettext_lazy("Set up a second factor"),
    "staff.roles_set": gettext_lazy("Set a colleague's roles"),
    "staff.second_factor_reset": gettext_lazy("Reset a colleague's second factor"),
    "staff.deactivated": gettext_lazy("Deactivated a colleague's account"),
    "staff.reactivated": gettext_lazy("Let a colleague in again"),
    "person.searched": gettext_lazy("Looked for a person by identity"),
    "recipient.added": gettext_lazy("Added a recipient"),
    "recipient.changed": gettext_lazy("Changed a recipient"),
    "datamap.loaded": gettext_lazy("Loaded a data map"),
    "datamap.unloaded": gettext_lazy("Unloaded a data map"),
    "datamap.assumption_confirmed": gettext_lazy("Confirmed what a data map assumed"),
    "operator.looked": gettext_lazy("Looked somebody up by command"),
    "operator.export": gettext_lazy("Exported by command"),
    "operator.erase": gettext_lazy("Erased by command"),
    "operator.rectify": gettext_lazy("Corrected by command"),
    "operator.restrict": gettext_lazy("Restricted by command"),
    "operator.lift": gettext_lazy("Lifted a restriction by command"),
    "retention.purged": gettext_lazy("Purged by a retention rule"),
    "ledger.replayed": gettext_lazy("Erased again from the ledger"),
    "note.written": gettext_lazy("Wrote a note"),
    "audit.verified": gettext_lazy("Verified the whole log"),
    "audit.exported": gettext_lazy("Took the log away as a file"),
    "audit.checkpoint": gettext_lazy("Signed a checkpoint of the log"),
}


@dataclass(frozen=True)
class Line:
    at: datetime
    who: str
    what: str
    payload: str
    details: list[str]  # what does not fit a line: counts per store and collection


def trail(events: Iterable[AuditEvent]) -> list[Line]:
    """In the order given; the names of all acting colleagues in one query."""
    events = list(events)
    names = staff_names(event.actor for event in events)
    return [
        Line(
            event.at,
            actor_in_words(event.actor, names),
            str(WORDS.get(event.action, event.action)),
            compact(event.payload),
            details(event.payload),
        )
        for event in events
    ]


def staff_names(actors: Iterable[str]) -> dict[str, str]:
    """{"staff:12": name} of those actors that are staff."""
    pks = {int(actor.removeprefix("staff:")) for actor in actors if actor.startswith("staff:")}
    return {f"staff:{person.pk}": name_of(person) for person in Staff.objects.filter(pk__in=pks)} if pks else {}


def actor_in_words(actor: str, names: dict[str, str]) -> str:
    if actor == "customer":
        return _("the customer")
    if actor == "system":
        return _("Insyn")
    if actor.startswith("operator:"):
        return _("an operator (%(name)s)") % {"name": actor.removeprefix("operator:")}
    return names.get(actor, actor)


def compact(payload: dict[str, Any]) -> str:
    """The plain values of a payload on one line, `right: erasure · level: 2`; a digest by its beginning."""
    return " · ".join(
        f"{key}: {_value(value)}" for key, value in payload.items() if value not in ("", None) and not _is_nested(value)
    )


def nested(payload: dict[str, Any]) -> str:
    """The rest of it, letter for letter."""
    rest = {key: value for key, value in payload.items() if _is_nested(value)}
    return json.dumps(rest, ensure_ascii=False, sort_keys=True, indent=1) if rest else ""


def _is_nested(value: Any) -> bool:
    """Whether it is an object, or a list that holds anything but plain values."""
    if isinstance(value, list):
        return any(isinstance(item, dict | list) for item in value)
    return isinstance(value, dict) and bool(value)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:12]}…" if DIGEST.fullmatch(text) else text
