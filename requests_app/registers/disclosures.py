"""The register of disclosures: no data of a person leave the house at somebody else's demand without an entry here.

One enters, another decides: only with the person's consent in force, or on a legal ground with its paragraph. That a customer
broke our terms is an occasion to look for a ground, and none itself. The person sees nothing of an entry until the officer clears
it, and then the words that the officer wrote for them: an inquiry may be secret (lag 2018:218, 5 kap. 1 §), and an authority
in a particular inquiry is no recipient (Art. 4(9)).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Customer, CustomerIdentity, IdentityKind, Staff
from accounts.people import identity_hash, identity_hashes
from privacy import audit
from privacy.engine.identity import InvalidIdentity
from privacy.vocabulary import POLICY_CATEGORIES
from requests_app.case.steps import SYSTEM, require_role, require_words, staff_actor
from requests_app.errors import NotAllowed, SomebodyElseGotThereFirst
from requests_app.models.consent import Consent
from requests_app.models.disclosure import Disclosure

State, Ground = Disclosure.State, Disclosure.Ground
KEPT_YEARS = 3
PARAGRAPH = re.compile(r"\d+\s*[a-z]?\s*§|\bart(?:ikel|icle|\.)\s*\d", re.IGNORECASE)
TERMS = re.compile(r"villkor|\bterms?\b|\bavtal|\bagreement|\bcontract", re.IGNORECASE)
TERMS_ARE_NO_GROUND = gettext_lazy(
    "That a customer broke our terms is an occasion, not a legal ground. Name the law with its paragraph, or a consent."
)


def chain_of(disclosure: Disclosure) -> str:
    """The audit chain of one entry: an opaque reference, and no case, so that nothing of it stands among the person's events."""
    return f"disclosure:{disclosure.reference}"


def enter_disclosure(
    *,
    kind: str,
    value: str,
    asker_kind: str,
    asker: str,
    asker_reference: str,
    in_inquiry: bool,
    occasion: str,
    asked: str,
    asked_on: date,
    acting_user: Staff,
    now: datetime,
) -> Disclosure:
    """Write down that somebody asks for data about the person with this identity. Raises NotAllowed."""
    require_role(acting_user, "disclosure.enter")
    try:
        version, lookup = identity_hash(kind, value)
    except InvalidIdentity as error:
        raise NotAllowed(str(error)) from None
    if in_inquiry and asker_kind not in (Disclosure.Asker.AUTHORITY, Disclosure.Asker.COURT):
        raise NotAllowed(_("Only an authority or a court makes a particular inquiry."))
    with transaction.atomic():
        entry = Disclosure.objects.create(
            customer=_whose(kind, identity_hashes(kind, value)),
            person_kind=kind,
            person_lookup=lookup,
            person_lookup_key=version,
            asker_kind=asker_kind,
            asker=require_words(asker, _("Write who asks.")),
            asker_reference=asker_reference.strip() or None,
            in_inquiry=in_inquiry,
            occasion=occasion,
            asked=require_words(asked, _("Write what they ask for.")),
            asked_on=asked_on,
            entered_by=acting_user,
            entered_at=now,
        )
        _record(entry, "disclosure.entered", acting_user, now, {"who": asker_kind, "occasion": occasion})
    return entry


def consents_in_force(disclosure: Disclosure) -> list[Consent]:
    """The disclosures to which the person has agreed and has not taken it back, newest first."""
    if disclosure.customer_id is None:
        return []
    acts = Consent.objects.filter(customer=disclosure.customer_id, kind=Consent.Kind.DISCLOSURE)
    last = acts.order_by("about", "-pk").distinct("about")
    return sorted((act for act in last if act.given), key=lambda act: -act.pk)


def grant_disclosure(
    *,
    disclosure: Disclosure,
    ground: str,
    paragraph: str,
    consent: int | None,
    reason: str,
    acting_user: Staff,
    now: datetime,
) -> None:
    """Decide that the data may be given: on a law with its paragraph, or on a consent in force. Raises NotAllowed."""
    words = require_words(reason, _("Write the reasons for the decision."))
    act = None
    if ground not in Ground.values:
        raise NotAllowed(str(TERMS_ARE_NO_GROUND))
    if ground == Ground.CONSENT:
        act = _in_force(disclosure, consent)
    law = _law(paragraph) if ground == Ground.LAW else ""
    with _deciding(disclosure, acting_user) as entry:
        _write(
            entry,
            state=State.GRANTED,
            ground=ground,
            paragraph=law,
            consent=act,
            consented=act.text if act else None,
            reason=words,
            decided_by=acting_user,
            decided_at=now,
        )
        _record(entry, "disclosure.granted", acting_user, now, {"ground": ground} | ({"consent": act.pk} if act else {}))
    disclosure.refresh_from_db()


def refuse_disclosure(*, disclosure: Disclosure, reason: str, acting_user: Staff, now: datetime) -> None:
    words = require_words(reason, _("Write the reasons for the decision."))
    with _deciding(disclosure, acting_user) as entry:
        _write(entry, state=State.REFUSED, reason=words, decided_by=acting_user, decided_at=now)
        _record(entry, "disclosure.refused", acting_user, now, {})
    disclosure.refresh_from_db()


def record_given(*, disclosure: Disclosure, given: str, categories: Iterable[str], acting_user: Staff, now: datetime) -> None:
    """What left the house, after a colleague granted it. A consent must still be in force, and covers its own kinds of data."""
    require_role(acting_user, "disclosure.enter")
    words = require_words(given, _("Write what was given, and how."))
    kinds = [key for key in POLICY_CATEGORIES if key in set(categories)]
    if not kinds:
        raise NotAllowed(_("Choose at least one kind of data."))
    with _locked(disclosure, State.GRANTED) as entry:
        if entry.ground == Ground.CONSENT:
            agreed = (_in_force(entry, entry.consent_id).details or {}).get("categories", [])
            if not set(kinds) <= set(agreed):
                raise NotAllowed(_("The person has not agreed to these kinds of data."))
        _write(entry, state=State.GIVEN, given=words, categories=kinds, given_by=acting_user, given_at=now)
        _record(entry, "disclosure.given", acting_user, now, {"categories": kinds})
    disclosure.refresh_from_db()


def clear_for_person(*, disclosure: Disclosure, words: str, acting_user: Staff, now: datetime) -> None:
    """The officer lets the person see it, in these words. Nothing else of the entry is ever shown to the person."""
    require_role(acting_user, "disclosure.clear")
    told = require_words(words, _("Write what the person may read."))
    with _locked(disclosure, State.GIVEN) as entry:
        if entry.entered_by_id == acting_user.pk:
            raise NotAllowed(_("You entered it, so somebody else clears it."))
        if entry.cleared_at is not None:
            raise SomebodyElseGotThereFirst(_("Somebody else got there first. Look at it again."))
        _write(entry, told=told, cleared_by=acting_user, cleared_at=now, customer=entry.customer or _customer_of(entry))
        _record(entry, "disclosure.cleared", acting_user, now, {})
    disclosure.refresh_from_db()


# --- what the person sees ---------------------------------------------------------------------------------------------


def shown_to(customer: Customer) -> QuerySet[Disclosure]:
    """What was given of this person's data, as far as the officer has cleared it: for every page and every package."""
    return cleared().filter(customer=customer)


def cleared() -> QuerySet[Disclosure]:
    return Disclosure.objects.filter(state=State.GIVEN, cleared_at__isnull=False)


# --- whose it is, and for how long ------------------------------------------------------------------------------------


def find_customers(*, now: datetime) -> int:
    """Tie entries about somebody who was no customer to whoever has proved that identity since; answers how many."""
    found = 0
    for entry in Disclosure.objects.filter(customer=None, person_kind=IdentityKind.EMAIL).order_by("pk"):
        customer = _customer_of(entry)
        if customer is not None:
            found += Disclosure.objects.filter(pk=entry.pk, customer=None).update(customer=customer)
    return found


def forget_old(*, now: datetime) -> int:
    """Entries whose matter is over for three years; the audit log keeps that there was one."""
    before = now - relativedelta(years=KEPT_YEARS)
    over = Q(given_at__lt=before) | Q(state=State.REFUSED, decided_at__lt=before)
    return Disclosure.objects.filter(over).delete()[0]


def _customer_of(entry: Disclosure) -> Customer | None:
    return _whose(entry.person_kind, [entry.person_lookup])


def _whose(kind: str, lookups: list[str]) -> Customer | None:
    """The one customer who has proved this identity; where several share it (a telephone) it says nothing of whose it is."""
    proved = CustomerIdentity.objects.filter(kind=kind, lookup__in=lookups, verified_at__isnull=False)
    rows = list(proved.select_related("customer")[:2])
    return rows[0].customer if len(rows) == 1 else None


# --- the rules ----------------------------------------------------------------------------------------------------------


def _law(paragraph: str) -> str:
    words = " ".join(paragraph.split())
    if TERMS.search(words):
        raise NotAllowed(str(TERMS_ARE_NO_GROUND))
    if not PARAGRAPH.search(words):
        raise NotAllowed(_("Name the law with its paragraph, such as “lagen (2000:1) 3 kap. 4 §”."))
    return words


def _in_force(disclosure: Disclosure, consent: int | None) -> Consent:
    found = next((act for act in consents_in_force(disclosure) if act.pk == consent), None)
    if found is None:
        raise NotAllowed(_("There is no consent of this person in force. Ask for one, or name a legal ground."))
    return found


@contextmanager
def _deciding(disclosure: Disclosure, acting_user: Staff) -> Iterator[Disclosure]:
    require_role(acting_user, "disclosure.decide")
    with _locked(disclosure, State.ENTERED) as entry:
        if entry.entered_by_id == acting_user.pk:
            raise NotAllowed(_("You entered it, so somebody else decides."))
        yield entry


@contextmanager
def _locked(disclosure: Disclosure, state: str) -> Iterator[Disclosure]:
    with transaction.atomic():
        entry = Disclosure.objects.select_for_update().get(pk=disclosure.pk)
        if entry.state != state:
            raise SomebodyElseGotThereFirst(_("It is “%(state)s”. Look at it again.") % {"state": entry.get_state_display()})
        yield entry


def _write(entry: Disclosure, **columns: object) -> None:
    for name, value in columns.items():
        setattr(entry, name, value)
    entry.save(update_fields=list(columns))


def _record(entry: Disclosure, action: str, acting_user: Staff | None, now: datetime, payload: dict[str, object]) -> None:
    actor = staff_actor(acting_user) if acting_user else SYSTEM
    audit.record(chain=chain_of(entry), actor=actor, action=action, payload=payload, now=now)
