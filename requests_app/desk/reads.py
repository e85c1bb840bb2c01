"""The questions that the desk asks of the cases, each a condition with a name, used by list, filters and first page alike."""

from __future__ import annotations

from datetime import date, timedelta

from django.db.models import Exists, OuterRef, Q

from accounts.models import Staff
from accounts.roles import may
from requests_app.models import Message, RunState, State, StoreRun, Upload
from requests_app.models.desk import Mention
from requests_app.models.representation import Representation

OPEN = Q(closed_at=None)
RUNNING_CLOCK = Q(paused_at=None)
SOON_DAYS = 7
PROOFS = (Upload.Purpose.EVIDENCE, Upload.Purpose.ROLE)
NOTHING = Q(pk__in=[])


def overdue(today: date) -> Q:
    return OPEN & RUNNING_CLOCK & Q(due_on__lt=today)


def due_soon(today: date) -> Q:
    return OPEN & RUNNING_CLOCK & Q(due_on__gte=today, due_on__lte=today + timedelta(days=SOON_DAYS))


def unanswered() -> Q:
    """Cases, open or closed, in which the person wrote and nobody has answered."""
    return Q(Exists(Message.objects.filter(request=OuterRef("pk"), staff=None, answered_at=None)))


def waiting_for_identity() -> Q:
    return Q(state=State.IDENTIFYING)


def proof_came() -> Q:
    """Cases that wait for proof of identity which somebody has sent: it waits for us."""
    sent = Upload.objects.filter(request=OuterRef("pk"), purpose__in=PROOFS, deleted_at=None, key__isnull=False)
    return waiting_for_identity() & Q(Exists(sent))


def represented() -> Q:
    """Cases that somebody brought for the person."""
    return Q(Exists(Representation.objects.filter(request=OuterRef("pk"))))


def stopped() -> Q:
    """Cases with a run that waits for a person."""
    runs = StoreRun.objects.filter(request=OuterRef("pk"), state=RunState.BLOCKED)
    return OPEN & Q(Exists(runs))


def awaiting_approval_by(user: Staff) -> Q:
    """Proposed erasures that this person may approve: not entered and not proposed by themselves (R31)."""
    if not may(user, "request.approve_erasure"):
        return NOTHING
    return Q(state=State.PROPOSED) & _not_by(user, "entered_by") & _not_by(user, "proposed_by")


def mentions(user: Staff) -> Q:
    """Cases, open or closed, with a note that mentions this person and that they have not read."""
    return Q(pk__in=Mention.objects.filter(staff=user, read_at=None).values("note__request"))


def needs(user: Staff) -> Q:
    """What waits for this person: their own open work, work that nobody took, what they are to approve, where they are asked."""
    if not may(user, "request.assign"):
        return NOTHING
    waits = Q(state__in=[State.RECEIVED, State.TRIAGE, State.BLOCKED]) | proof_came()
    work = waits & (Q(assignee=user) | Q(assignee=None))
    return (work & _not_by(user, "entered_by")) | awaiting_approval_by(user) | mentions(user)


def _not_by(user: Staff, field: str) -> Q:
    # NULL is not equal to anybody, but SQL's NOT (NULL = 5) is no truth either.
    return Q(**{f"{field}__isnull": True}) | ~Q(**{field: user})
