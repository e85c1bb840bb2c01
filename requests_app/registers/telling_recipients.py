"""Art. 19: whoever was given data that we corrected, erased or restricted is told of it, each by a task of their own.

The tasks are made in the transaction that closes the case, once per case, change and recipient. Where the register of recipients
has an address the message goes out by itself; else a member of staff tells them. A reminder goes to the case's colleague when the
day has passed; when that helps nothing the officer sees it on the first page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import IdentityKind, Staff
from accounts.people import people_of
from privacy import audit, vocabulary
from privacy.actions import Identity
from privacy.models import Recipient
from requests_app.case.answers import Standing, standing_of
from requests_app.case.steps import SYSTEM, require_role, require_words, staff_actor
from requests_app.errors import NotAllowed, SomebodyElseGotThereFirst
from requests_app.models import LIFT, OutboxItem, Right, RightsRequest
from requests_app.models.recipient_notice import RecipientNotice
from requests_app.registers.changed_data import Changed, changed_of
from requests_app.running import outbox

State, How, About = RecipientNotice.State, RecipientNotice.How, RecipientNotice.About
TOLD_OF = (Right.RECTIFICATION, Right.ERASURE, Right.RESTRICTION)
REASONS = (State.IMPOSSIBLE, State.DISPROPORTIONATE)


@dataclass
class _Concern:
    """What one recipient is to know of one case."""

    request: RightsRequest
    about: str
    key: str
    collections: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)


# --- when a change was carried out ------------------------------------------------------------------------------------


def owe_recipients(
    *, requests: Sequence[RightsRequest], standing: Standing | None, now: datetime, about: str | None = None
) -> dict[int, list[str]]:
    """Owe every recipient of the data that changed its notice, once; answers {case: names of those to be told}.

    Joins the caller's transaction, which holds the cases. `about` is said where it is not the case's own right: a lifting.
    Call it before the account follows a correction: a recipient knows the person by the old address.
    """
    cases = [request for request in requests if about or request.right in TOLD_OF]
    if not cases:
        return {}
    standing = standing or standing_of(case.pk for case in cases)
    with override(settings.LANGUAGE_CODE):
        concerns = [concern for case in cases for concern in _concerns(case, standing, about or case.right)]
        if not concerns:
            return {}
        names = _make(concerns, now)
    told: dict[int, list[str]] = {}
    for concern in concerns:
        told.setdefault(concern.request.pk, []).append(names[concern.key])
    return told


def _concerns(request: RightsRequest, standing: Standing, about: str) -> Iterable[_Concern]:
    found: dict[str, _Concern] = {}
    right = LIFT if about == About.LIFT else about
    for changed in changed_of(request, standing, right=right, language=settings.LANGUAGE_CODE[:2]):
        for key in changed.recipients:
            _add(found.setdefault(key, _Concern(request, about, key)), changed)
    return found.values()


def _add(concern: _Concern, changed: Changed) -> None:
    if changed.collection not in concern.collections:
        concern.collections.append(changed.collection)
    concern.values |= dict(changed.values)
    concern.kinds |= changed.identities


def _make(concerns: Sequence[_Concern], now: datetime) -> dict[str, str]:
    """Write the notices that are not there yet; answers {recipient: name}."""
    register = {row.key: row for row in Recipient.objects.filter(key__in={concern.key for concern in concerns})}
    names = {item.key: register[item.key].name if item.key in register else vocabulary.readable(item.key) for item in concerns}
    there = RecipientNotice.objects.filter(request__in={concern.request.pk for concern in concerns})
    known = set(there.values_list("request_id", "about", "recipient"))
    new = [concern for concern in concerns if (concern.request.pk, concern.about, concern.key) not in known]
    people = people_of(concern.request.customer for concern in new)
    words = [_words(concern, people[concern.request.customer_id].identities) for concern in new]
    keys = [outbox.key_for(concern.request, outbox.RECIPIENT, f"{concern.about}:{concern.key}") for concern in new]
    mail = []
    for concern, text, key in zip(new, words, keys, strict=True):
        if address := _address(register.get(concern.key)):
            payload = {"subject": _subject(concern.request), "text": text}
            kind = OutboxItem.Kind.EMAIL
            mail.append(outbox.item(kind=kind, key=key, to=address, payload=payload, request=concern.request, now=now))
    outbox.enqueue_all(mail)
    sent = dict(OutboxItem.objects.filter(key__in=[item.key for item in mail]).values_list("key", "pk")) if mail else {}
    due_on = localdate(now) + timedelta(days=settings.INSYN_RECIPIENT_DAYS)
    RecipientNotice.objects.bulk_create(
        RecipientNotice(
            request=concern.request,
            about=concern.about,
            recipient=concern.key,
            name=names[concern.key],
            words=text,
            message_id=sent.get(key),
            created_at=now,
            due_on=due_on,
        )
        for concern, text, key in zip(new, words, keys, strict=True)
    )
    told = [audit.Entry(item.request.reference, "recipient.owed", {"recipient": item.key, "about": item.about}) for item in new]
    audit.record_many(told, actor=SYSTEM, now=now)
    return names


def _address(recipient: Recipient | None) -> str:
    """The recipient's mailbox; empty where the register has none, or something else than a mailbox."""
    contact = recipient.contact.strip() if recipient else ""
    try:
        validate_email(contact)
    except ValidationError:
        return ""
    return contact


# --- what a recipient is told -----------------------------------------------------------------------------------------


def _subject(request: RightsRequest) -> str:
    return _("Personal data that we gave you have changed: %(reference)s") % {"reference": request.reference}


def _words(concern: _Concern, identities: Sequence[Identity]) -> str:
    """As much as it takes to find the person there, and what changed; nothing about why."""
    done = {
        About.RECTIFICATION: _("We have corrected data about the person named below."),
        About.ERASURE: _("We have erased data about the person named below."),
        About.RESTRICTION: _("We have restricted the use of data about the person named below: they may be stored, no more."),
        About.LIFT: _("We have lifted the restriction on the use of data about the person named below."),
    }[About(concern.about)]
    lines = [
        done,
        _("You have received such data from us. Art. 19 GDPR obliges us to tell you; please see to what it means for you."),
        "\n".join(f"{IdentityKind(item.kind).label}: {item.value}" for item in _identifying(identities, concern.kinds)),
        _("Which data: %(data)s") % {"data": ", ".join(concern.collections)},
        "\n".join(f"{name}: {value if value not in (None, '') else _('(empty)')}" for name, value in concern.values.items()),
        _("Our reference: %(reference)s. Questions: %(email)s")
        % {"reference": concern.request.reference, "email": settings.INSYN_SUPPORT_EMAIL},
        settings.INSYN_COMPANY_NAME,
    ]
    return "\n\n".join(line for line in lines if line)


def _identifying(identities: Sequence[Identity], kinds: set[str]) -> list[Identity]:
    """Those by which the recipient knows people; where the map does not tell, the mailbox; else whatever there is."""
    return (
        [item for item in identities if item.kind in kinds]
        or [item for item in identities if item.kind == IdentityKind.EMAIL]
        or list(identities[:1])
    )


# --- what staff do ----------------------------------------------------------------------------------------------------


def report_told(*, notice: RecipientNotice, how: str, acting_user: Staff, now: datetime) -> None:
    """A member of staff told the recipient; a message that has not left the house yet stays here."""
    if how not in How.values:
        raise NotAllowed(_("Say how the recipient was told."))
    _settle(notice, acting_user, now, "recipient.told", {"how": how}, state=State.TOLD, told_at=now, how=how)


def give_up_telling(*, notice: RecipientNotice, state: str, reason: str, acting_user: Staff, now: datetime) -> None:
    """Art. 19 excuses what is impossible or takes disproportionate effort; that is for us to show, so it needs words."""
    if state not in REASONS:
        raise NotAllowed(_("Say whether it is impossible or takes disproportionate effort."))
    words = require_words(reason, _("Write why the recipient cannot be told."))
    _settle(notice, acting_user, now, "recipient.not_told", {"why": str(state)}, state=state, reason=words)


def _settle(
    notice: RecipientNotice, acting_user: Staff, now: datetime, action: str, payload: Mapping[str, str], **columns: Any
) -> None:
    require_role(acting_user, "recipient.tell")
    with transaction.atomic():
        owed = RecipientNotice.objects.filter(pk=notice.pk, state=State.OWED).select_related("request")
        row = owed.select_for_update(of=("self",)).first()
        if row is None:
            raise SomebodyElseGotThereFirst(_("Somebody else got there first, or the message has arrived. Look at it again."))
        if row.message_id is not None:
            OutboxItem.objects.filter(pk=row.message_id, delivered_at=None).delete()
        RecipientNotice.objects.filter(pk=row.pk).update(words=None, message=None, reported_by=acting_user, **columns)
        payload = {"recipient": row.recipient, "about": row.about, **payload}
        audit.record(chain=row.request.reference, actor=staff_actor(acting_user), action=action, payload=payload, now=now)
    notice.refresh_from_db()


def show_words(*, notice: RecipientNotice, acting_user: Staff, now: datetime) -> str:
    """What the recipient is to be told, for whoever tells them by hand; looking is written down."""
    require_role(acting_user, "recipient.tell")
    with transaction.atomic():
        payload = {"recipient": notice.recipient, "about": notice.about}
        chain = notice.request.reference
        audit.record(chain=chain, actor=staff_actor(acting_user), action="recipient.words_seen", payload=payload, now=now)
    return notice.words or ""


# --- what is late -----------------------------------------------------------------------------------------------------


def remind(*, now: datetime) -> int:
    """Remind the case's colleague once of each recipient that should have been told; answers how many reminders went.

    After as many days again it is the officer's to see.
    """
    today = localdate(now)
    late = RecipientNotice.objects.filter(state=State.OWED, due_on__lt=today).order_by("pk")
    with transaction.atomic():
        new = list(late.filter(reminded_at=None).select_related("request__assignee").select_for_update(of=("self",)))
        RecipientNotice.objects.filter(pk__in=[row.pk for row in new]).update(reminded_at=now)
        outbox.enqueue_all([item for row in new if (item := _reminder(row, now)) is not None])
        _record(new, "recipient.reminded", now)
        patience = now - timedelta(days=settings.INSYN_RECIPIENT_DAYS)
        spent = late.filter(reminded_at__lte=patience, escalated_at=None).select_related("request")
        rows = list(spent.select_for_update(of=("self",)))
        RecipientNotice.objects.filter(pk__in=[row.pk for row in rows]).update(escalated_at=now)
        _record(rows, "recipient.escalated", now)
    return len(new)


def _reminder(notice: RecipientNotice, now: datetime) -> OutboxItem | None:
    """To whoever has the case; nobody's case waits in the list and on the first page. It names no person."""
    colleague = notice.request.assignee
    if colleague is None or not colleague.is_active:
        return None
    values = {"reference": notice.request.reference, "recipient": notice.name}
    with override(settings.LANGUAGE_CODE):
        payload = {
            "subject": _("A recipient has not been told: %(reference)s") % values,
            "text": _("%(recipient)s should have been told of request %(reference)s (Art. 19). Tell them, or write down why not.")
            % values,
        }
    key = outbox.key_for(notice.request, "reminder", f"{notice.pk}")
    kind = OutboxItem.Kind.EMAIL
    return outbox.item(kind=kind, key=key, to=colleague.email, payload=payload, request=None, now=now)


def _record(rows: Iterable[RecipientNotice], action: str, now: datetime) -> None:
    entries = [audit.Entry(row.request.reference, action, {"recipient": row.recipient, "about": row.about}) for row in rows]
    audit.record_many(entries, actor=SYSTEM, now=now)
