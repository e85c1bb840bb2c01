"""Who may do what: one table of role × action, asked by every admin view and action; docs/roles.md is printed from it.

Superusers have no place in it: a right that is not in the table does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.models import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENT, APPROVER, ENGINEER, OFFICER, ADMINISTRATOR = Role

_CASE_STAFF = {AGENT, APPROVER}
_CASE_READERS = {AGENT, APPROVER, OFFICER}
_MAP_READERS = {AGENT, APPROVER, ENGINEER, OFFICER, ADMINISTRATOR}


@dataclass(frozen=True)
class Rule:
    what: str | Promise
    roles: frozenset[Role]


def _rule(what: str | Promise, roles: set[Role]) -> Rule:
    return Rule(what, frozenset(roles))


TABLE: dict[str, Rule] = {
    # Cases. The engineer sees stores, never people; the officer sees every record and changes none.
    "request.see": _rule(_("See the queue and the cases"), _CASE_READERS),
    "request.read_words": _rule(_("Read the customer's own words"), _CASE_READERS),
    "request.write": _rule(_("Write to the customer"), _CASE_STAFF),
    "request.reveal_identity": _rule(_("Show a masked identity in full (logged)"), _CASE_READERS),
    "request.search": _rule(_("Find a person's cases by exact identity (logged)"), _CASE_READERS),
    "request.enter": _rule(_("Enter a request that came by phone, letter or e-mail"), {AGENT}),
    "request.assign": _rule(_("Take a case"), _CASE_STAFF),
    "request.note": _rule(_("Write a note on a case, and mention colleagues in it"), _CASE_STAFF),
    "request.share_view": _rule(_("Save a view of the queue for everybody"), _CASE_STAFF),
    "request.record_identity": _rule(_("Accept evidence of identity"), _CASE_STAFF),
    "request.decide_role": _rule(_("Accept or refuse the role of somebody who acts for another"), _CASE_STAFF),
    "request.open_file": _rule(_("Open a file that a customer sent (logged)"), _CASE_STAFF),
    "request.ask_identity": _rule(_("Ask for more proof of identity"), _CASE_STAFF),
    "request.choose_contested": _rule(_("Decide on contested rows"), _CASE_STAFF),
    "request.see_contested": _rule(_("Look at the fields of contested rows (logged)"), _CASE_STAFF),
    "request.preview": _rule(_("See a package as the person will get it, and leave things out of it (logged)"), {APPROVER}),
    "request.keep_back": _rule(_("Keep fields from an erasure on a ground of Art. 17(3)"), _CASE_STAFF),
    "request.extend": _rule(_("Extend the deadline"), _CASE_STAFF),
    "request.approve": _rule(_("Approve a request other than erasure"), {APPROVER}),
    "request.propose_erasure": _rule(_("Propose an erasure"), _CASE_STAFF),
    "request.approve_erasure": _rule(_("Approve an erasure that somebody else proposed"), {APPROVER}),
    "request.return": _rule(_("Send a proposal back to assessment"), _CASE_STAFF),
    "request.claim_excess": _rule(_("Propose to refuse a request as excessive, or to charge for it"), _CASE_STAFF),
    "request.decide_excess": _rule(_("Decide on that, where somebody else proposed it"), {APPROVER}),
    "request.refuse": _rule(_("Refuse a request"), {APPROVER}),
    "request.resume": _rule(_("Start a stopped run again"), _CASE_STAFF),
    "request.tell_before_lifting": _rule(_("Tell the customer before a restriction is lifted"), _CASE_STAFF),
    "request.lift": _rule(_("Lift a restriction"), {APPROVER}),
    "request.report_task": _rule(_("Report that a task outside the system is done"), _CASE_STAFF),
    "recipient.tell": _rule(_("Tell a recipient of a change, or write down why not (logged)"), _CASE_STAFF),
    # Disclosures to authorities and others. Who enters one does not decide it; the officer says when the person may know.
    "disclosure.see": _rule(_("See the register of disclosures"), _CASE_READERS),
    "disclosure.enter": _rule(_("Enter a demand for data, and what was given"), _CASE_STAFF),
    "disclosure.decide": _rule(_("Decide on a demand for data that somebody else entered"), {APPROVER}),
    "disclosure.clear": _rule(_("Let the person see a disclosure"), {OFFICER}),
    "forwarding.report": _rule(_("Forward a request to a controller by hand, and report that it is dealt with"), _CASE_STAFF),
    # Breaches. Here the officer decides, too: it is advice that Art. 39 asks of them, and 72 hours wait for nobody.
    "breach.see": _rule(_("See breaches"), _CASE_READERS),
    "breach.open": _rule(_("Open a breach for an answer that reached the wrong person"), _CASE_STAFF),
    "breach.record": _rule(_("Write down what is known of a breach, and who was told"), _CASE_STAFF),
    "breach.decide": _rule(
        _("Decide whether the authority and the person are told of a breach that somebody else opened"), {APPROVER, OFFICER}
    ),
    # What is held and where. No person appears here.
    "store.see": _rule(_("See data stores, data maps and purges"), _MAP_READERS),
    "processing.see": _rule(_("See and download the record of processing"), _MAP_READERS),
    "map.confirm": _rule(_("Confirm what a data map only assumed"), {ENGINEER}),
    "recipient.change": _rule(_("Add and change recipients"), {ADMINISTRATOR}),
    "delivery.see": _rule(_("See whether messages and hooks were delivered, never their content"), {ENGINEER, OFFICER}),
    # Proof.
    "audit.see": _rule(_("Read the audit log and verify it"), {OFFICER, ADMINISTRATOR}),
    "audit.export": _rule(_("Take the audit log away as a file (logged)"), {OFFICER, ADMINISTRATOR}),
    "record.see": _rule(_("See restrictions, the suppression list, the erasure ledger and operators' commands"), {OFFICER}),
    # People who work here.
    "staff.see": _rule(_("See the list of staff"), {OFFICER, ADMINISTRATOR}),
    "staff.manage": _rule(_("Invite and deactivate staff, set roles, reset second factors"), {ADMINISTRATOR}),
}


def may(user: Any, action: str) -> bool:
    """Whether this member of staff may do `action`; an action that is not in the table is a programming error."""
    rule = TABLE[action]
    has_role = getattr(user, "has_role", None)
    return bool(has_role and has_role(*rule.roles))


def has_any_role(user: Any) -> bool:
    has_role = getattr(user, "has_role", None)
    return bool(has_role and has_role(*Role))


def as_markdown() -> str:
    """The table as docs/roles.md holds it, in English."""
    with override("en"):
        return "\n".join(_markdown_lines()) + "\n"


def _markdown_lines() -> Iterator[str]:
    yield "# Roles"
    yield ""
    yield "Made from `accounts/roles.py` by `manage.py roles --markdown`; a test fails when the two differ. A person may hold"
    yield "several roles. Whatever the roles: who entered a request neither sets its identity level nor decides it, and an"
    yield "erasure is proposed by one person and approved by another."
    yield ""
    yield "| action | " + " | ".join(str(role.label) for role in Role) + " |"
    yield "|---|" + "---|" * len(Role)
    for key, rule in TABLE.items():
        yield f"| {rule.what} (`{key}`) | " + " | ".join("yes" if role in rule.roles else "" for role in Role) + " |"
