"""Requests that have come in before the demo is first opened, made by the same business functions as any other.

One is overdue, one waits for proof of identity, one for a second approval; the rest are at different steps of the way.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Customer, IdentityKind, Staff, VerificationMethod
from accounts.people import add_identity, find_or_create_customer
from demo import showcase
from demo.people import Person, populate
from demo.showcase import STAFF_DOMAIN
from requests_app import cases
from requests_app.models import Right, RightsRequest, Source
from requests_app.running import workers


@dataclass(frozen=True)
class Wish:
    """Somebody asked for something some days ago."""

    right: Right
    days_ago: int
    level: int
    former: bool = False  # asked by somebody whose contract has ended
    source: Source = Source.PORTAL
    ground: str = ""
    reason: str = ""


WISHES = {
    "overdue": Wish(Right.ACCESS, 41, 2, reason="Jag vill veta vad ni har sparat om mig."),
    "soon": Wish(Right.ACCESS, 24, 2),
    "restriction": Wish(
        Right.RESTRICTION, 9, 1, ground="a", reason="Adressen stämmer inte och jag vill att ni slutar använda den."
    ),
    "correction": Wish(Right.RECTIFICATION, 4, 1),
    "erasure": Wish(Right.ERASURE, 13, 2, former=True, ground="a", reason="Jag är inte kund längre."),
    "by_phone": Wish(Right.ACCESS, 6, 0, source=Source.PHONE),
    "waiting": Wish(Right.PORTABILITY, 2, 1),
    "objection": Wish(Right.OBJECTION, 1, 1),
    "refused": Wish(Right.RESTRICTION, 30, 1, ground="c"),
    "extended": Wish(Right.ERASURE, 22, 2, former=True, ground="b"),
}


def fill_queue(*, now: datetime) -> None:
    """Make the cases that are not there yet: somebody who has a request is passed over."""
    people = dict(zip(WISHES, _askers(now), strict=True))
    agent, colleague, approver = (Staff.objects.get(email=f"{name}@{STAFF_DOMAIN}") for name in ("agent", "agent2", "approver"))
    made = {
        name: case
        for name, wish in WISHES.items()
        if (case := _ask(people[name], wish, agent=agent if wish.source == Source.PHONE else None, now=now)) is not None
    }
    for name, request in made.items():
        later = request.received_at + timedelta(days=1, hours=2)
        if name == "soon":
            cases.assign_request(request=request, assignee=agent, acting_user=agent, now=later)
        elif name == "by_phone":
            doubt = "Begäran kom från ett okänt nummer och ingen återuppringning lyckades."
            cases.ask_identity(request=request, acting_user=colleague, doubt=doubt, now=later)
        elif name == "refused":
            reason = "Vi har inte hittat något rättsligt anspråk som uppgifterna behövs för. Beskriv gärna vilket det gäller."
            cases.refuse_request(request=request, acting_user=approver, reason=reason, now=later)
        elif name == "extended":
            reason = "Begäran rör flera system och en domän som delas med någon annan."
            cases.extend_deadline(request=request, acting_user=colleague, reason=reason, now=later)
    while workers.locate_due():
        pass
    if "erasure" in made:
        request = made["erasure"]
        request.refresh_from_db()
        reason = "Avtalet har upphört. Fakturorna sparas enligt lag."
        with suppress(cases.NotAllowed):  # a store that cannot be searched now leaves the case where it is
            cases.propose_erasure(request=request, acting_user=agent, reason=reason, now=timezone.now())


def _askers(now: datetime) -> list[Person]:
    """Ordinary people, so that everybody of the showcase is left to whoever tries the demo."""
    today = timezone.localdate(now)
    named = showcase.named(today)
    apart = {person.number for person in named.people}
    ordinary = [
        who for who in populate(today=today, named=named).people if who.number not in apart and who.phone and not who.company
    ][200:]
    former, running = (who for who in ordinary if who.ended_on), (who for who in ordinary if not who.ended_on)
    return [next(former) if wish.former else next(running) for wish in WISHES.values()]


def _ask(person: Person, wish: Wish, *, agent: Staff | None, now: datetime) -> RightsRequest | None:
    at = now - timedelta(days=wish.days_ago, hours=wish.days_ago % 5, minutes=wish.days_ago * 7 % 60)
    customer = _customer(person, wish, now=at)
    if RightsRequest.objects.filter(customer=customer).exists():
        return None
    return cases.submit_request(
        customer=customer,
        right=wish.right,
        source=wish.source,
        language="sv",
        identity_level=wish.level,
        ground=wish.ground,
        reason=wish.reason,
        details=_correction(person) if wish.right == Right.RECTIFICATION else None,
        entered_by=agent,
        now=at,
    )


def _customer(person: Person, wish: Wish, *, now: datetime) -> Customer:
    customer = find_or_create_customer(email=person.email, language="sv", now=now)
    if wish.level == 2 and person.phone:
        add_identity(customer=customer, kind=IdentityKind.PHONE, value=person.phone, method=VerificationMethod.SMS_CODE, now=now)
    return customer


def _correction(person: Person) -> dict[str, Any]:
    """A street that was misspelled, wherever it is held."""
    fields = ["crm.customer.street", "billing.account.street"]
    label = {"sv": "Gatuadress", "en": "Street address"}
    return {
        "corrections": [
            {
                "field": fields[0],
                "fields": fields,
                "label": label,
                "kind": "text",
                "old": person.street,
                "new": f"{person.street} B",
            }
        ]
    }
