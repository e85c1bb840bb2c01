"""Notices that something happened in a case. They say where to read it and nothing else: a mailbox is no safe place (R31).

Everything goes to every mailbox the person has proved, so that whoever took over one of them cannot act unseen; to the telephone
where there is no mailbox; and where there is neither, a member of staff gets the task to write. What somebody could do with a
mailbox that is not theirs is announced to the contacts that stand in the stores, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from accounts.models import CustomerIdentity, IdentityKind
from privacy.crypto import keyed_hash
from privacy.engine.identity import InvalidIdentity, canonical
from requests_app.models import OutboxItem, RightsRequest
from requests_app.models.representation import Representation
from requests_app.running import outbox

MOST_ANNOUNCED = 10


class Notice(NamedTuple):
    subject: Promise
    text: Promise


NOTICES: dict[str, Notice] = {
    "received": Notice(
        gettext_lazy("We have received your request %(reference)s"),
        gettext_lazy("We have received your request %(reference)s. You can follow it when you sign in."),
    ),
    "identity": Notice(
        gettext_lazy("We need to know that it is you: %(reference)s"),
        gettext_lazy("Before we can go on with your request %(reference)s we need to know that it is you. Sign in to see how."),
    ),
    "extended": Notice(
        gettext_lazy("Your request %(reference)s takes longer"),
        gettext_lazy("Your request %(reference)s takes longer than a month. Sign in to read why, and when you get the answer."),
    ),
    "message": Notice(
        gettext_lazy("There is something new in your request %(reference)s"),
        gettext_lazy("There is something new in your request %(reference)s. Sign in to read it."),
    ),
    "answered": Notice(
        gettext_lazy("There is an answer to your request %(reference)s"),
        gettext_lazy("There is an answer to your request %(reference)s. Sign in to read it."),
    ),
    "package_revoked": Notice(
        gettext_lazy("The package of your request %(reference)s is withdrawn"),
        gettext_lazy(
            "The package of your request %(reference)s is withdrawn and deleted, since your data were erased or changed after it "
            "was made. Copies that you have downloaded are still yours."
        ),
    ),
    "package_deleted": Notice(
        gettext_lazy("The package of your request %(reference)s is deleted"),
        gettext_lazy(
            "Somebody who was signed in as you deleted the package of your request %(reference)s. Was it not you? "
            "Then contact us."
        ),
    ),
    "withdrawn": Notice(
        gettext_lazy("Your request %(reference)s is withdrawn"),
        gettext_lazy(
            "Your request %(reference)s is withdrawn and nothing more is done about it. Was it not you? Then contact us."
        ),
    ),
    "announced": Notice(
        gettext_lazy("Somebody asked for the data that we have about you: %(reference)s"),
        gettext_lazy(
            "Somebody asked for a copy of the data that we have about you (request %(reference)s). Only who proves to be you "
            "gets it. Was it not you? Then contact us at once."
        ),
    ),
    "role": Notice(
        gettext_lazy("We need to know that you may act: %(reference)s"),
        gettext_lazy(
            "Before we can go on with request %(reference)s we need more proof that you may act for the person. Sign in to see "
            "what."
        ),
    ),
    "represented": Notice(
        gettext_lazy("Somebody acts for you: %(reference)s"),
        gettext_lazy(
            "Somebody has asked us for something on your behalf and shown us that they may act for you (request %(reference)s). "
            "Is that not right? Then contact us at once."
        ),
    ),
    "replaced": Notice(
        gettext_lazy("We change how we reach you: %(reference)s"),
        gettext_lazy(
            "Somebody asked us to replace this address or number in our records (request %(reference)s). We do so on %(day)s. "
            "Was it not you? Then contact us before that."
        ),
    ),
    outbox.LIFTING: Notice(
        gettext_lazy("The restriction in your request %(reference)s is going to be lifted"),
        gettext_lazy("The restriction that you got by your request %(reference)s is going to be lifted. Sign in to read more."),
    ),
}


def tell(*, request: RightsRequest, event: str, now: datetime, occasion: object = "") -> None:
    """Owe the person the notice of `event`; `occasion` tells apart events that may happen more than once in a case."""
    tell_all(requests=[request], event=event, now=now, occasion=occasion)


def tell_all(*, requests: Sequence[RightsRequest], event: str, now: datetime, occasion: object = "") -> None:
    """The same to the people of many cases, in two statements."""
    whom = _whom(requests)
    contacts = _contacts(set(whom.values()))
    name = f"{event}:{occasion}" if occasion else event
    items = []
    for request in requests:
        if request.pk not in whom:
            continue
        payload = _words(request, event)
        for contact in contacts[whom[request.pk]]:
            kind = OutboxItem.Kind.EMAIL if contact.kind == IdentityKind.EMAIL else OutboxItem.Kind.SMS
            key = outbox.key_for(request, name, contact.pk)
            items.append(outbox.item(kind=kind, key=key, to=contact.value, payload=payload, request=request, now=now))
        if not contacts[whom[request.pk]]:
            task = {"text": f"Tell the person by letter: {event}"}
            key = outbox.key_for(request, name, "letter")
            items.append(outbox.item(kind=OutboxItem.Kind.TASK, key=key, to=None, payload=task, request=request, now=now))
    outbox.enqueue_all(items)


def announce(
    *, request: RightsRequest, event: str, contacts: Iterable[tuple[str, str]], now: datetime, at: datetime | None = None
) -> None:
    """Owe the notice of `event` to contacts as the stores spell them, (identity kind, value); what is none is passed over.

    `at`: when it takes effect, if that is not now.
    """
    payload = _words(request, event, at or now)
    for kind, value in sorted(_reachable(contacts))[:MOST_ANNOUNCED]:
        key = outbox.key_for(request, event, keyed_hash(value, purpose="announced")[1][:16])
        channel = OutboxItem.Kind.EMAIL if kind == IdentityKind.EMAIL else OutboxItem.Kind.SMS
        outbox.enqueue(kind=channel, key=key, to=value, payload=payload, request=request, now=now)


def _reachable(contacts: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    found = set()
    for kind, value in contacts:
        # What a store holds need be neither an address nor a number.
        with suppress(InvalidIdentity, ValidationError):
            plain = canonical(kind, value)
            if kind == IdentityKind.EMAIL:
                validate_email(plain)
            found.add((kind, plain))
    return found


def _words(request: RightsRequest, event: str, at: datetime | None = None) -> dict[str, str]:
    with override(request.language):
        values = {"reference": request.reference}
        if at is not None:
            values["day"] = date_format(timezone.localtime(at), "DATETIME_FORMAT")
        return {"subject": NOTICES[event].subject % values, "text": closing_lines(NOTICES[event].text % values)}


def closing_lines(sentence: str) -> str:
    """The sentence with where to read more, and who writes."""
    address = getattr(settings, "INSYN_PUBLIC_URL", "")
    closing = _("For your safety this message holds no details. We never ask for passwords.")
    return "\n\n".join(part for part in (sentence, address, closing, settings.INSYN_COMPANY_NAME) if part)


def _whom(requests: Sequence[RightsRequest]) -> dict[int, int]:
    """The customer who is told of each request: whoever brought it for its person, as long as they may, else the person.

    Nobody is, where the role has ended and staff wrote down why the person is not told.
    """
    whom = {request.pk: request.customer_id for request in requests}
    for row in Representation.objects.filter(request__in=whom).defer("name", "claimed", "note"):
        if row.state != Representation.State.ENDED and row.representative_id is not None:
            whom[row.request_id] = row.representative_id
        elif row.not_told_reason is not None:
            del whom[row.request_id]
    return whom


def _contacts(customers: Collection[int]) -> dict[int, list[CustomerIdentity]]:
    """Where each of the customers is told: all mailboxes that they proved, else a telephone."""
    verified: dict[int, list[CustomerIdentity]] = {pk: [] for pk in customers}
    for row in CustomerIdentity.objects.filter(customer__in=customers, verified_at__isnull=False).order_by("pk"):
        verified[row.customer_id].append(row)
    return {
        pk: [row for row in rows if row.kind == IdentityKind.EMAIL] or [row for row in rows if row.kind == IdentityKind.PHONE][:1]
        for pk, rows in verified.items()
    }
