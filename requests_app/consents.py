"""Consents: given and withdrawn with equal ease (Art. 7(3)), each act written down with the words that were agreed to.

Withdrawing stops what rests on it. Where the data maps have a switch for it that is an objection, carried out like any other
(R18); everywhere else a member of staff stops it, and the task says what and where. No machine switches anything on again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from dateutil.relativedelta import relativedelta
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _

from accounts.models import Customer, CustomerIdentity, Staff
from privacy import audit
from privacy.consented import ConsentPurpose, consent_purposes, recipient_names
from privacy.crypto import keyed_hash
from privacy.vocabulary import POLICY_CATEGORIES, chosen
from requests_app import policy
from requests_app.case import representing
from requests_app.case.intake import submit_request
from requests_app.case.steps import CUSTOMER, require_role, staff_actor
from requests_app.errors import AlreadyOpen, NotAllowed
from requests_app.models import OutboxItem, Right, RightsRequest, Source
from requests_app.models.consent import Consent, chain_of
from requests_app.running import outbox

DISCLOSURE_LEVEL = 2  # what leaves the house takes a second proof (DESIGN §8); taking it back takes the mailbox
KEPT_YEARS = 3
LONGEST_RECIPIENT = 120
MOST_DISCLOSURES = 50
MOST_GIVEN_A_DAY = 20  # by one person: each may be work for somebody; taking back knows no limit
# lag (2018:218) 2 kap. 4 §
TOO_YOUNG = gettext_lazy("Only somebody who is at least 13 years old can consent. A guardian can do it for a younger child.")
OLD_ENOUGH = gettext_lazy("A child who is 13 or older decides on this without a guardian.")
NO_LONGER_ASKED = gettext_lazy("We no longer ask for this consent. Look at the page again.")


@dataclass(frozen=True)
class Standing:
    """One consent as it stands: what it is about, the words, and the last act (None: nothing is written down here)."""

    about: str
    kind: str
    title: str
    text: str
    last: Consent | None
    history: Sequence[Consent] = ()
    stops_marketing: bool = False  # taking it back is an objection, too

    @property
    def given(self) -> bool:
        return self.last is not None and self.last.given


def standing_of(customer: Customer) -> list[Standing]:
    """Every purpose that rests on consent, then the disclosures that the person named, newest first."""
    acts: dict[str, list[Consent]] = {}
    for act in Consent.objects.filter(customer=customer).order_by("-pk"):
        acts.setdefault(act.about, []).append(act)
    found = [
        Standing(
            about=item.key,
            kind=Consent.Kind.PURPOSE,
            title=_label(item),
            text=purpose_text(item),
            last=next(iter(acts.get(item.key, ())), None),
            history=acts.get(item.key, ()),
            stops_marketing=item.stopped_by_map,
        )
        for item in consent_purposes()
    ]
    known = {item.about for item in found}
    found += [
        Standing(about, history[0].kind, _title_of(history), history[0].text, history[0], history)
        for about, history in acts.items()
        if about not in known
    ]
    return found


def give(*, customer: Customer, about: str, of_age: bool, now: datetime) -> Consent:
    """Consent to a purpose of the maps. A second click changes nothing. Raises NotAllowed."""
    purpose = _purpose(about)
    _require_age(of_age)
    text, task = purpose_text(purpose), _task_of(purpose, given=True)
    return _write(customer, kind=Consent.Kind.PURPOSE, about=about, given=True, text=text, now=now, task=task)[0]


def give_for_child(*, request: RightsRequest, guardian: Customer, about: str, child_is_under_13: bool, now: datetime) -> Consent:
    """A guardian, accepted in this request, consents for a child who is too young to (lag (2018:218) 2 kap. 4 §). NotAllowed."""
    child, purpose = _child_of(request, guardian), _purpose(about)
    if not child_is_under_13:
        raise NotAllowed(str(OLD_ENOUGH))
    text = as_guardian(purpose_text(purpose))
    task = _task_of(purpose, given=True)
    return _write(child, kind=Consent.Kind.PURPOSE, about=about, given=True, text=text, now=now, task=task, by_guardian=True)[0]


def withdraw_for_child(*, request: RightsRequest, guardian: Customer, about: str, language: str, now: datetime) -> Consent:
    """A guardian, accepted in this request, takes a consent back for the child, however old. Raises NotAllowed."""
    child = _child_of(request, guardian)
    return withdraw(
        customer=child, about=about, language=language, identity_level=request.identity_level, now=now, by_guardian=True
    )


def _child_of(request: RightsRequest, guardian: Customer) -> Customer:
    child = representing.child_of(request, guardian)
    if child is None:
        raise NotAllowed(_("Only a guardian whom we have accepted can do this."))
    return child


def give_disclosure(
    *, customer: Customer, recipient: str, categories: Iterable[str], of_age: bool, identity_level: int, now: datetime
) -> Consent:
    """Consent that these kinds of data are given to this one recipient, whom the person names. Raises NotAllowed."""
    if identity_level < DISCLOSURE_LEVEL:
        raise NotAllowed(_("Before your data may go to others we need to be sure that it is you."))
    _require_age(of_age)
    name, kinds = " ".join(recipient.split())[:LONGEST_RECIPIENT], [key for key in POLICY_CATEGORIES if key in set(categories)]
    if not name or not kinds:
        raise NotAllowed(_("Say who may have your data, and which."))
    if (
        Consent.objects.filter(customer=customer, kind=Consent.Kind.DISCLOSURE).values("about").distinct().count()
        >= MOST_DISCLOSURES
    ):
        raise NotAllowed(_("You have named as many others as this page takes. Write to us instead."))
    about = f"disclosure:{keyed_hash(name.casefold(), purpose='recipient')[1][:32]}"
    text = disclosure_text(name, kinds)
    details = {"recipient": name, "categories": kinds}
    return _write(customer, kind=Consent.Kind.DISCLOSURE, about=about, given=True, text=text, details=details, now=now, task="")[
        0
    ]


def withdraw(
    *, customer: Customer, about: str, language: str, identity_level: int, now: datetime, by_guardian: bool = False
) -> Consent:
    """Take a consent back, also one that was given elsewhere and of which nothing is written down here. Raises NotAllowed."""
    with transaction.atomic():
        last = Consent.objects.filter(customer=customer, about=about).order_by("-pk").first()
        purpose = _find(about)
        if purpose is None and last is None:
            raise NotAllowed(str(NO_LONGER_ASKED))
        act, new = _write(
            customer,
            kind=last.kind if last else Consent.Kind.PURPOSE,
            about=about,
            given=False,
            text=purpose_text(purpose) if purpose else last.text if last else "",
            details=last.details if last else None,
            now=now,
            task="" if purpose and purpose.stopped_by_map else _task_of(purpose, given=False),
            by_guardian=by_guardian,
        )
        if new and purpose and purpose.stopped_by_map:
            _object(customer, language, identity_level, now)
    return act


def _object(customer: Customer, language: str, identity_level: int, now: datetime) -> None:
    try:
        submit_request(
            customer=customer,
            right=Right.OBJECTION,
            source=Source.PORTAL,
            language=language,
            identity_level=identity_level,
            now=now,
        )
    except AlreadyOpen:
        return  # it is being stopped already


def _write(
    customer: Customer,
    *,
    kind: str,
    about: str,
    given: bool,
    text: str,
    now: datetime,
    task: str,
    details: Mapping[str, Any] | None = None,
    by_guardian: bool = False,
) -> tuple[Consent, bool]:
    """Add the act unless the last one said the same (then False); the person is locked: two tabs act one after the other."""
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=customer.pk)
        last = Consent.objects.filter(customer=customer, about=about).order_by("-pk").first()
        if last is not None and last.given == given and (not given or last.text == text):
            return last, False
        if (
            given
            and Consent.objects.filter(customer=customer, given=True, at__gt=now - timedelta(days=1)).count() >= MOST_GIVEN_A_DAY
        ):
            raise NotAllowed(_("You have agreed to much today. Do it tomorrow, or write to us."))
        act = Consent.objects.create(
            customer=customer,
            kind=kind,
            about=about,
            given=given,
            at=now,
            text=text,
            text_version=sha256(text.encode()).hexdigest()[:16],
            policy_version=policy.current_version(),
            details=details,
        )
        payload = {"consent": act.pk, "about": about, "text": act.text_version} | ({"by": "guardian"} if by_guardian else {})
        action = "consent.given" if given else "consent.withdrawn"
        audit.record(chain=chain_of(customer), actor=CUSTOMER, action=action, payload=payload, now=now)
        if task:
            key = task_key(act)
            outbox.enqueue(kind=OutboxItem.Kind.TASK, key=key, to=None, payload={"text": task}, now=now)
        return act, True


# --- what staff do by hand --------------------------------------------------------------------------------------------


def task_key(act: Consent) -> str:
    return f"consent:{act.pk}:task"


def open_tasks(acts: Iterable[Consent]) -> dict[int, OutboxItem]:
    """{consent: the task that waits for somebody}."""
    keys = {task_key(act): act.pk for act in acts}
    waiting = OutboxItem.objects.filter(kind=OutboxItem.Kind.TASK, key__in=keys, delivered_at=None)
    return {keys[item.key]: item for item in waiting}


def report_handled(*, act: Consent, acting_user: Staff, now: datetime) -> bool:
    """A member of staff did what a consent given or withdrawn asks for by hand; False when it was reported before."""
    require_role(acting_user, "request.report_task")
    task = OutboxItem.objects.filter(kind=OutboxItem.Kind.TASK, key=task_key(act)).first()
    with transaction.atomic():
        if task is None or not outbox.report_done(item=task, acting_user=acting_user, now=now):
            return False
        payload = {"consent": act.pk}
        audit.record(
            chain=chain_of(act.customer), actor=staff_actor(acting_user), action="consent.handled", payload=payload, now=now
        )
    return True


def note_look(*, act: Consent, identity: CustomerIdentity, acting_user: Staff, now: datetime) -> None:
    """Write down that a member of staff looked at whose consent this is."""
    require_role(acting_user, "request.reveal_identity")
    with transaction.atomic():
        payload = {"identity": identity.pk, "kind": identity.kind}
        chain = chain_of(act.customer)
        audit.record(chain=chain, actor=staff_actor(acting_user), action="identity.revealed", payload=payload, now=now)


def forget_old(*, now: datetime) -> int:
    """Delete acts that a later one replaced and withdrawals, three years on; a consent in force stays. Answers how many went."""
    later = Consent.objects.filter(customer=OuterRef("customer"), about=OuterRef("about"), pk__gt=OuterRef("pk"))
    old = Consent.objects.filter(at__lt=now - relativedelta(years=KEPT_YEARS))
    spent = old.filter(given=False) | old.filter(Exists(later))
    return Consent.objects.filter(pk__in=list(spent.values_list("pk", flat=True))).delete()[0]


# --- words ------------------------------------------------------------------------------------------------------------


def purpose_text(purpose: ConsentPurpose) -> str:
    """What the button agrees to, word for word, in the reader's language."""
    language = (get_language() or "sv")[:2]
    parts = [
        _("I agree that %(company)s uses my data for this: %(purpose)s.")
        % {"company": settings.INSYN_COMPANY_NAME, "purpose": _label(purpose)}
    ]
    if purpose.data:
        parts.append(
            _("Which data: %(data)s.") % {"data": ", ".join(dict.fromkeys(chosen(one, language, "") for one in purpose.data))}
        )
    if names := recipient_names(purpose.recipients):
        parts.append(_("It is also given to: %(names)s.") % {"names": ", ".join(names)})
    return " ".join(parts)


def as_guardian(text: str) -> str:
    """What the button agrees to where a guardian presses it."""
    return _("As the child’s guardian: %(text)s") % {"text": text}


def disclosure_text(recipient: str, categories: Sequence[str]) -> str:
    words = {
        "company": settings.INSYN_COMPANY_NAME,
        "recipient": recipient,
        "data": ", ".join(str(POLICY_CATEGORIES[key]).lower() for key in categories),
    }
    return _("I agree that %(company)s gives these data about me to %(recipient)s: %(data)s.") % words


def _label(purpose: ConsentPurpose) -> str:
    return chosen(purpose.label, (get_language() or "sv")[:2], purpose.key)


def _title_of(history: Sequence[Consent]) -> str:
    return str((history[0].details or {}).get("recipient") or history[0].about)


def _task_of(purpose: ConsentPurpose | None, *, given: bool) -> str:
    """What somebody has to do by hand; it names no person."""
    with override(settings.LANGUAGE_CODE):
        if purpose is None:
            return _("A person took back this consent. Stop what rests on it, and tell those who received the data.")
        words = {"purpose": _label(purpose), "stores": ", ".join(purpose.stores)}
        if given:
            return (
                _("A person consented to “%(purpose)s” (%(stores)s). Switch it on for them; the data maps only switch off.")
                % words
            )
        return (
            _("A person took back the consent to “%(purpose)s” (%(stores)s). The data maps have no switch: stop it by hand.")
            % words
        )


def _purpose(about: str) -> ConsentPurpose:
    found = _find(about)
    if found is None:
        raise NotAllowed(str(NO_LONGER_ASKED))
    return found


def _find(about: str) -> ConsentPurpose | None:
    return next((item for item in consent_purposes() if item.key == about), None)


def _require_age(of_age: bool) -> None:
    if not of_age:
        raise NotAllowed(str(TOO_YOUNG))
