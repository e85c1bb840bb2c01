"""Breaches of personal data: 72 hours to the authority unless a risk is unlikely (Art. 33), the person told when it is high (34).

An answer that reached the wrong person opens one, from the page of its case; it opens by itself when the role of somebody ends
who has had the package of the person they acted for. Opening withdraws the package. Who opens does not decide; it closes when
both decisions are written down and what they ask for is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from django.conf import settings
from django.db import transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import Staff
from privacy import audit
from privacy.models import AuditEvent
from privacy.vocabulary import POLICY_CATEGORIES
from requests_app.case.steps import SYSTEM, require_role, require_words, staff_actor
from requests_app.delivering import delivery
from requests_app.errors import NotAllowed, SomebodyElseGotThereFirst
from requests_app.models import RightsRequest
from requests_app.models.breach import BreachCase

Authority, Person, Kind = BreachCase.Authority, BreachCase.Person, BreachCase.Kind
OLDEST = timedelta(days=365)  # a moment longer ago than this is a slip of the pen
KEPT_YEARS = 5


def chain_of(breach: BreachCase) -> str:
    return f"breach:{breach.reference}"


def can_be_misdelivered(request: RightsRequest) -> bool:
    """Whether anything has left the house in this case."""
    return bool(request.answer) or getattr(request, "package", None) is not None


def open_breach(
    *, request: RightsRequest, kind: str, nature: str, aware_at: datetime, acting_user: Staff, now: datetime
) -> BreachCase:
    """A member of staff knows that an answer went astray; the hours run from when anybody here knew. Raises NotAllowed."""
    require_role(acting_user, "breach.open")
    if not can_be_misdelivered(request):
        raise NotAllowed(_("Nothing has been delivered in this case yet."))
    if not now - OLDEST < aware_at <= now:
        raise NotAllowed(_("Say when we became aware of it: not in the future, and not more than a year ago."))
    words = require_words(nature, _("Write what happened."))
    with transaction.atomic():
        return _open(request, kind=kind, nature=words, aware_at=aware_at, opened_by=acting_user, now=now)


def open_by_ended_role(*, request: RightsRequest, now: datetime) -> BreachCase | None:
    """The role of who acted for the person has ended, or never was: had they the package, somebody looks at it as a breach.

    Joins the caller's transaction, which holds the case.
    """
    handed = AuditEvent.objects.filter(chain=request.reference, action__in=("package.downloaded", "package.read"))
    if not handed.filter(payload__by="representative").exists() or request.breaches.filter(closed_at=None).exists():
        return None
    with override(settings.LANGUAGE_CODE):
        words = _("The role of who acted for the person ended after they had the package. Had they ever the right to it?")
    return _open(request, kind=Kind.PACKAGE, nature=words, aware_at=now, opened_by=None, now=now)


def _open(request: RightsRequest, *, now: datetime, opened_by: Staff | None, **columns: Any) -> BreachCase:
    breach = BreachCase.objects.create(
        request=request, opened_by=opened_by, opened_at=now, contact=settings.INSYN_SUPPORT_EMAIL, **columns
    )
    delivery.withdraw_package(request=request, reason="breach", now=now)
    actor = staff_actor(opened_by) if opened_by else SYSTEM
    payload = {"case": request.reference, "kind": str(columns["kind"])}
    audit.record(chain=chain_of(breach), actor=actor, action="breach.opened", payload=payload, now=now)
    return breach


def record_facts(
    *,
    breach: BreachCase,
    nature: str,
    categories: Iterable[str],
    persons: int,
    records: int,
    consequences: str,
    measures: str,
    contact: str,
    acting_user: Staff,
    now: datetime,
) -> None:
    """What Art. 33(3) asks for, as far as it is known now; it may be written again when more is known."""
    kinds = [key for key in POLICY_CATEGORIES if key in set(categories)]
    if not kinds:
        raise NotAllowed(_("Choose at least one kind of data."))
    with _locked(breach, acting_user, "breach.record") as row:
        _write(
            row,
            nature=require_words(nature, _("Write what happened.")),
            categories=kinds,
            persons=persons,
            records=records,
            consequences=require_words(consequences, _("Write the likely consequences.")),
            measures=require_words(measures, _("Write what was and is done about it.")),
            contact=require_words(contact, _("Write whom to ask.")),
        )
        _record(row, "breach.recorded", acting_user, now, {"persons": persons, "records": records, "categories": kinds})
    breach.refresh_from_db()


def decide_authority(*, breach: BreachCase, decision: str, reasons: str, text: str, acting_user: Staff, now: datetime) -> None:
    """Whether the authority is notified, with reasons either way; the notification's words where it is."""
    _decide(breach, "authority", decision, Authority.NOTIFY, reasons, text, acting_user, now)


def decide_person(*, breach: BreachCase, decision: str, reasons: str, text: str, acting_user: Staff, now: datetime) -> None:
    """Whether the person is told: they are where the risk to them is high (Art. 34(1)), with reasons either way."""
    _decide(breach, "person", decision, Person.TELL, reasons, text, acting_user, now)


def _decide(
    breach: BreachCase, what: str, decision: str, yes: str, reasons: str, text: str, acting_user: Staff, now: datetime
) -> None:
    why = require_words(reasons, _("Write the reasons for the decision."))
    if decision not in (yes, "no"):
        raise NotAllowed(_("Say yes or no."))
    with _locked(breach, acting_user, "breach.decide") as row:
        if row.opened_by_id == acting_user.pk:
            raise NotAllowed(_("You opened this breach, so somebody else decides."))
        if not row.facts_are_known:
            raise NotAllowed(_("Write down first what is known: kinds of data, numbers, consequences and measures."))
        if getattr(row, what):
            raise SomebodyElseGotThereFirst(_("Somebody else got there first. Look at it again."))
        words = _words_to_send(row, text) if decision == yes else None
        columns = {what: decision, f"{what}_reasons": why, f"{what}_text": words}
        _write(row, **columns, **{f"{what}_by": acting_user, f"{what}_decided_at": now})
        _record(row, f"breach.{what}_decided", acting_user, now, {"decision": str(decision)})
        _close_when_done(row, acting_user, now)
    breach.refresh_from_db()


def _words_to_send(breach: BreachCase, text: str) -> str:
    """Art. 33(3)(b), 34(2): no such letter leaves without somebody to ask."""
    words = require_words(text, _("Write what is told."))
    if breach.contact not in words:
        raise NotAllowed(_("The text must name whom to ask: %(contact)s.") % {"contact": breach.contact})
    return words


def record_notified(*, breach: BreachCase, notified_at: datetime, late_reasons: str, acting_user: Staff, now: datetime) -> None:
    """The notification was sent to the authority; after more than 72 hours only with the reasons for that (Art. 33(1))."""
    with _locked(breach, acting_user, "breach.record") as row:
        if row.authority != Authority.NOTIFY or row.notified_at is not None:
            raise SomebodyElseGotThereFirst(_("Somebody else got there first. Look at it again."))
        if not row.aware_at <= notified_at <= now:
            raise NotAllowed(_("It was sent after we became aware of it, and not in the future."))
        reasons = late_reasons.strip() or None
        if notified_at > row.due_at and reasons is None:
            raise NotAllowed(_("That is more than 72 hours later: write the reasons for the delay (Art. 33(1))."))
        _write(row, notified_at=notified_at, late_reasons=reasons)
        _record(row, "breach.notified", acting_user, now, {"in_time": notified_at <= row.due_at})
        _close_when_done(row, acting_user, now)
    breach.refresh_from_db()


def record_told(*, breach: BreachCase, through_portal: bool, acting_user: Staff, now: datetime) -> None:
    """The person is told: as a message in the case, or by a member of staff outside, where the account may be the wrong hands."""
    from requests_app.case import conversation  # it needs what needs this

    with _locked(breach, acting_user, "breach.record") as row:
        if row.person != Person.TELL or row.told_at is not None:
            raise SomebodyElseGotThereFirst(_("Somebody else got there first. Look at it again."))
        if through_portal:
            if row.request is None:
                raise NotAllowed(_("There is no request to write in. Tell the person in another way."))
            conversation.write_to_person(
                request=row.request,
                acting_user=acting_user,
                text=row.person_text or "",
                is_question=False,
                form=f"breach:{row.reference}",
                now=now,
            )
        _write(row, told_at=now)
        _record(row, "breach.person_told", acting_user, now, {"portal": through_portal})
        _close_when_done(row, acting_user, now)
    breach.refresh_from_db()


def forget_old(*, now: datetime) -> int:
    return BreachCase.objects.filter(closed_at__lt=now - relativedelta(years=KEPT_YEARS)).delete()[0]


# --- drafts -------------------------------------------------------------------------------------------------------------


def draft_to_authority(breach: BreachCase) -> str:
    """What Art. 33(3) lists, from what is written down; whoever decides edits it."""
    with override(settings.LANGUAGE_CODE):
        facts = [
            (_("What happened"), breach.nature),
            (_("We became aware"), date_format(localtime(breach.aware_at), "j F Y H:i")),
            (_("Kinds of data"), ", ".join(str(POLICY_CATEGORIES[key]) for key in breach.categories)),
            (_("Persons, about"), str(breach.persons)),
            (_("Records, about"), str(breach.records)),
            (_("Likely consequences"), breach.consequences or ""),
            (_("What was and is done"), breach.measures or ""),
            (_("Contact"), breach.contact),
        ]
        return "\n".join(f"{label}: {text}" for label, text in facts)


def draft_to_person(breach: BreachCase) -> str:
    """What Art. 34(2) lists, in the language of the request."""
    with override(breach.request.language if breach.request else settings.LANGUAGE_CODE):
        parts = [
            _("Data about you have got into the wrong hands."),
            breach.nature,
            _("What it may mean for you: %(text)s") % {"text": breach.consequences or ""},
            _("What we have done: %(text)s") % {"text": breach.measures or ""},
            _("Whom you can ask: %(contact)s") % {"contact": breach.contact},
            settings.INSYN_COMPANY_NAME,
        ]
        return "\n\n".join(parts)


# --- one step -----------------------------------------------------------------------------------------------------------


@contextmanager
def _locked(breach: BreachCase, acting_user: Staff, action: str) -> Iterator[BreachCase]:
    require_role(acting_user, action)
    with transaction.atomic():
        row = BreachCase.objects.select_for_update(of=("self",)).select_related("request").get(pk=breach.pk)
        if row.closed_at is not None:
            raise SomebodyElseGotThereFirst(_("This breach is closed."))
        yield row


def _close_when_done(row: BreachCase, acting_user: Staff, now: datetime) -> None:
    authority = row.authority == Authority.NO or row.notified_at is not None
    person = row.person == Person.NO or row.told_at is not None
    if authority and person:
        _write(row, closed_at=now)
        _record(row, "breach.closed", acting_user, now, {})


def _write(row: BreachCase, **columns: Any) -> None:
    for name, value in columns.items():
        setattr(row, name, value)
    row.save(update_fields=list(columns))


def _record(row: BreachCase, action: str, acting_user: Staff, now: datetime, payload: dict[str, Any]) -> None:
    audit.record(chain=chain_of(row), actor=staff_actor(acting_user), action=action, payload=payload, now=now)
