"""The end of an erasure in the application itself: the account and the words go when the answer could be read (R24).

The notice of the answer goes to the person's address and the answer is read by signing in, so both stay for a while after the
notice has arrived. What is left then is the record that a request was made and how it was answered (Art. 5(2)): no identity and
no word of the person's own, under an opaque id. That goes, as everybody's case files do, when the time has come which the data
map of `insyn` states (settings: privacy/own.py). What proves what was done names nobody: the audit trail, the ledger's hashes.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, time, timedelta

from dateutil.relativedelta import relativedelta
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, ProtectedError, Q, QuerySet
from django.utils.timezone import localdate, make_aware

from accounts.models import Customer, CustomerIdentity, VerificationCode
from privacy import audit, own
from privacy.datamap.periods import Period
from privacy.models import Remnant
from requests_app.case.letters import RECORD
from requests_app.case.steps import SYSTEM
from requests_app.files import uploads
from requests_app.models import (
    OPEN_STATES,
    ApiToken,
    Excess,
    Forwarding,
    Message,
    OutboxItem,
    Package,
    RecipientNotice,
    Right,
    RightsRequest,
    RunState,
    State,
    StoreRun,
    Upload,
)
from requests_app.models.consent import Consent
from requests_app.models.desk import Note
from requests_app.models.representation import Representation

GONE = "–"  # in place of words that a rule of the database wants to be there


def forget_erased(*, now: datetime) -> int:
    """Forget the people whose erasure was answered long enough ago; answers how many."""
    forgotten = 0
    for pk in erased(now=now).order_by("pk").values_list("pk", flat=True):
        forgotten += _forget(pk, now)
    return forgotten


def erased(*, now: datetime) -> QuerySet[Customer]:
    """Customers whose erasure is answered and told, and who have asked for nothing since but for another that was carried out."""
    before = now - timedelta(days=settings.INSYN_ACCOUNT_DAYS)
    theirs = RightsRequest.objects.filter(customer=OuterRef("pk"))
    answered = theirs.filter(right=Right.ERASURE, state=State.COMPLETED, closed_at__lte=before)
    going_on = theirs.filter(Q(state__in=(*OPEN_STATES, State.RESTRICTED)) | Q(closed_at__gt=before))
    # A message on its way needs its address; a notice that cannot be delivered goes on being tried, and somebody sees it.
    owed = OutboxItem.objects.filter(request__customer=OuterRef("pk"), delivered_at=None)
    # So does who is still to be told of the erasure: the officer sees who is not.
    untold = RecipientNotice.objects.filter(request__customer=OuterRef("pk"), state=RecipientNotice.State.OWED)
    unforwarded = Forwarding.objects.filter(request__customer=OuterRef("pk"), state=Forwarding.State.WAITING)
    later = theirs.exclude(right=Right.ERASURE, state=State.COMPLETED).filter(received_at__gt=OuterRef("erased_at"))
    return (
        Customer.objects.filter(
            Exists(answered), ~Exists(going_on), ~Exists(owed), ~Exists(untold), ~Exists(unforwarded), identities__isnull=False
        )
        .annotate(erased_at=answered.order_by("-closed_at").values("closed_at")[:1])
        .filter(~Exists(later))
        .distinct()
    )


def _forget(pk: int, now: datetime) -> int:
    """One person, in one transaction; the address goes in the same, after all else."""
    with transaction.atomic():
        customer = Customer.objects.select_for_update().filter(pk=pk).first()
        requests = RightsRequest.objects.select_for_update().filter(customer=pk).order_by("pk")
        cases = list(requests)
        if customer is None or not erased(now=now).filter(pk=pk).exists():
            return 0  # somebody came back meanwhile
        mine = CustomerIdentity.objects.filter(customer=customer)
        ApiToken.objects.filter(customer=customer).delete()
        Consent.objects.filter(customer=customer).delete()
        OutboxItem.objects.filter(request__in=cases).delete()
        Package.objects.filter(request__in=cases, key=None).delete()
        uploads.delete(uploads=Upload.objects.filter(request__in=cases), reason="forgotten", now=now)
        Upload.objects.filter(request__in=cases).delete()
        Representation.objects.filter(request__in=cases).update(name=None, claimed=None, note=None, not_told_reason=None)
        Message.objects.filter(request__in=cases).delete()
        Note.objects.filter(request__in=cases).delete()
        Excess.objects.filter(request__in=cases).update(reason=None, evidence=None)
        Forwarding.objects.filter(request__in=cases).update(person=None, controller=None, note=None, lookup="")
        # That a recipient was told, or why not, is part of the record; the reason may say more than that.
        RecipientNotice.objects.filter(request__in=cases, reason__isnull=False).update(reason=GONE)
        # Plans hold the values by which rows were found; the counts of what was done stay.
        StoreRun.objects.filter(request__in=cases).update(plan=None, located_for="")
        RightsRequest.objects.filter(pk__in=[case.pk for case in cases]).update(reason=None, details=None, identity_note=None)
        VerificationCode.objects.filter(Q(customer=customer) | Q(target_lookup__in=mine.values("lookup"))).delete()
        Customer.objects.filter(pk=pk).update(last_seen_at=None)
        for case in cases:
            audit.record(chain=case.reference, actor=SYSTEM, action="person.forgotten", payload={}, now=now)
        mine.delete()
    return 1


def forget_messages(*, now: datetime) -> int:
    """Delete messages whose time is over, but for those of open requests, where they still speak; answers how many."""
    rule = own.dataset().collections[Message._meta.db_table].retention
    assert rule is not None
    old = Message.objects.filter(sent_at__lt=_before(rule.period, now)).exclude(
        request__state__in=(*OPEN_STATES, State.RESTRICTED)
    )
    uploads.delete(uploads=Upload.objects.filter(message__in=old), reason="expired", now=now)
    return old.delete()[1].get(Message._meta.label, 0)


def forget_notes(*, now: datetime) -> int:
    """The same for notes between members of staff."""
    rule = own.dataset().collections[Note._meta.db_table].retention
    assert rule is not None
    old = Note.objects.filter(written_at__lt=_before(rule.period, now))
    return old.exclude(request__state__in=(*OPEN_STATES, State.RESTRICTED)).delete()[1].get(Note._meta.label, 0)


def _before(period: Period, now: datetime) -> datetime:
    """What lies before this moment is older than the period."""
    last = localdate(now) - relativedelta(years=period.years, months=period.months, days=period.days)
    return make_aware(datetime.combine(last, time.min))


def forget_plans(*, now: datetime) -> int:
    """Drop the values by which people's rows were found, once a case is closed for long enough; answers of how many runs."""
    before = now - timedelta(days=settings.INSYN_PLAN_DAYS)
    spent = StoreRun.objects.filter(request__closed_at__lt=before, plan__isnull=False).exclude(request__state=State.RESTRICTED)
    unread = Q(right=Right.ERASURE, state=RunState.DONE) & (Q(scan=None) | Q(scan__finished_at=None))
    return spent.exclude(pk__in=StoreRun.objects.filter(unread).values("pk")).update(plan=None, located_for="")


def forget_records(*, now: datetime) -> int:
    """Delete cases whose time is over, each with all that belongs to it; answers how many. Their trail stays and names nobody.

    A case stays while it is needed: a restriction is in force, rows that it kept wait for their day, something is still owed.
    """
    forgotten = 0
    for pk in _old_records(now).order_by("pk").values_list("pk", flat=True):
        with suppress(ProtectedError), transaction.atomic():  # a register still speaks of it
            case = _old_records(now).select_for_update(of=("self",)).filter(pk=pk).first()
            if case is None:
                continue
            customer = case.customer_id
            uploads.delete(uploads=Upload.objects.filter(request=case), reason="expired", now=now)
            audit.record(chain=case.reference, actor=SYSTEM, action="case.forgotten", payload={}, now=now)
            case.delete()
            Customer.objects.filter(pk=customer, identities=None, requests=None).delete()
            forgotten += 1
    return forgotten


def _old_records(now: datetime) -> QuerySet[RightsRequest]:
    rule = own.dataset().collections[RECORD].retention
    assert rule is not None
    old = RightsRequest.objects.filter(closed_at__lt=_before(rule.period, now)).exclude(state=State.RESTRICTED)
    waiting = Remnant.objects.filter(case=OuterRef("reference"), closed_at=None)
    owed = OutboxItem.objects.filter(request=OuterRef("pk"), delivered_at=None)
    untold = RecipientNotice.objects.filter(request=OuterRef("pk"), state=RecipientNotice.State.OWED)
    ready = Package.objects.filter(request=OuterRef("pk"), key__isnull=False)
    return old.filter(~Exists(waiting), ~Exists(owed), ~Exists(untold), ~Exists(ready))


def forget_unused_accounts(*, now: datetime) -> int:
    """Delete the accounts of people who have no request and no consent here and have long not been seen; answers how many."""
    rule = own.dataset().collections[Customer._meta.db_table].retention
    assert rule is not None
    before = _before(rule.period, now)
    old = Customer.objects.filter(Q(last_seen_at__lt=before) | Q(last_seen_at=None), created_at__lt=before)
    unused = old.filter(
        ~Exists(RightsRequest.objects.filter(customer=OuterRef("pk"))),
        ~Exists(Consent.objects.filter(customer=OuterRef("pk"))),
        ~Exists(Representation.objects.filter(representative=OuterRef("pk"))),
    )
    with transaction.atomic():
        found = list(unused.select_for_update().values_list("pk", flat=True))
        mine = CustomerIdentity.objects.filter(customer__in=found)
        VerificationCode.objects.filter(Q(customer__in=found) | Q(target_lookup__in=mine.values("lookup"))).delete()
        ApiToken.objects.filter(customer__in=found).delete()
        mine.delete()
        Customer.objects.filter(pk__in=found).delete()
    return len(found)
