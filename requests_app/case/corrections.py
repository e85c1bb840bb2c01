"""What a person may have corrected: the fields that the data maps call correctable, as they are held now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Customer
from accounts.people import person_of, replace_identity
from privacy import actions, audit
from privacy.engine.identity import InvalidIdentity, canonical
from requests_app.case.steps import SYSTEM
from requests_app.errors import NotAllowed
from requests_app.models import Right, RightsRequest
from requests_app.models.representation import Representation

ACCOUNT_LEVEL = 2
IDENTITY_KINDS = {"email": "email", "phone": "phone_number"}


def correctable_fields(customer: Customer) -> list[dict[str, Any]]:
    """Every correctable fact with its value and all fields that hold it (R16). Raises StoreUnavailable."""
    person = person_of(customer)
    findings = actions.find([person], right=Right.RECTIFICATION).get(person.ref, {})
    plans = {key: finding.plan for key, finding in findings.items() if finding.status == "found" and finding.plan}
    return actions.preview_fields(person, plans=plans)


def resolve_corrections(customer: Customer, wanted: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
    """The corrections as a request holds them; what stands there now is read here, not believed.

    Raises NotAllowed, StoreUnavailable.
    """
    known = {fact["field"]: fact for fact in correctable_fields(customer)}
    resolved = []
    for correction in wanted:
        fact = known.get(correction["field"])
        if fact is None:
            raise NotAllowed(_("%(field)s is not a field that can be corrected here; describe it in `reason`.") % correction)
        if fact["kind"] == "email" and correction["new"].strip() and not _is_proved(customer, correction["new"]):
            raise NotAllowed(_("A new e-mail address is entered on the website, where a code to its mailbox confirms it."))
        resolved.append(
            {
                "field": fact["field"],
                "fields": fact.get("fields", [fact["field"]]),
                "label": fact["label"],
                "kind": fact["kind"],
                "old": fact["value"],
                "new": _checked(fact["kind"], correction["new"].strip()),
            }
            | ({"confirmed": True} if fact["kind"] == "email" else {})
        )
    return resolved


def _is_proved(customer: Customer, email: str) -> bool:
    try:
        plain = canonical("email", email)
    except InvalidIdentity:
        return True  # it is refused for what it is
    return any(identity.value == plain for identity in person_of(customer).identities if identity.kind == "email")


def _checked(kind: str, value: str) -> str:
    if kind in IDENTITY_KINDS and value:
        try:
            canonical(IDENTITY_KINDS[kind], value)
        except InvalidIdentity as error:
            raise NotAllowed(str(error)) from None
    return value


def follow_in_account(request: RightsRequest, *, now: datetime) -> None:
    """What was corrected in the stores is corrected in the account, too (R16, R24); who acts for another changes no account.

    Nor does who proved the mailbox alone: whoever reads it for a day would keep the account, and shut its person out of it.
    """
    if request.identity_level < ACCOUNT_LEVEL or Representation.objects.filter(request=request).exists():
        return
    for item in (request.details or {}).get("corrections", ()):
        kind, old, new = IDENTITY_KINDS.get(item.get("kind")), item.get("old"), item.get("new")
        if kind is None or not old:
            continue
        try:
            changed = replace_identity(
                customer=request.customer, kind=kind, old=old, new=new or "", proved=bool(new and item.get("confirmed")), now=now
            )
        except InvalidIdentity:
            continue  # what stood there was never an address or a number, so no account has it
        if changed:
            audit.record(chain=request.reference, actor=SYSTEM, action="identity.replaced", payload={"kind": kind}, now=now)
