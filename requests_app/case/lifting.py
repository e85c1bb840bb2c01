"""The end of a restriction: the person is told first (Art. 18(3)), then every store puts back what it replaced (R17)."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import Staff
from privacy import audit
from privacy.models import Restriction
from requests_app.case import notices
from requests_app.case.steps import locked, require_not_entered_by, require_role, require_state, staff_actor
from requests_app.errors import NotAllowed
from requests_app.models import LIFT, RightsRequest, RunState, State, StoreRun
from requests_app.running import doorbell, outbox


def tell_before_lifting(*, request: RightsRequest, acting_user: Staff, now: datetime) -> None:
    """Owe the person the notice that the restriction is going to be lifted; telling twice is telling once."""
    with locked(request) as row:
        require_role(acting_user, "request.tell_before_lifting")
        require_state(row, seen=request.state, action="end_restriction")
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="restriction.telling", payload={}, now=now)
        notices.tell(request=row, event=outbox.LIFTING, now=now)


def lift_restriction(*, request: RightsRequest, acting_user: Staff, now: datetime) -> None:
    """Lift it in every store; refused until the notice of it was delivered."""
    with locked(request) as row:
        require_role(acting_user, "request.lift")
        require_not_entered_by(row, acting_user)
        require_state(row, seen=request.state, action="end_restriction")
        if Restriction.objects.filter(case=row.reference, told_at=None, lifted_at=None).exists():
            raise NotAllowed(
                _(
                    "The person has to be told before (Art. 18(3)): send the notice, and lift the restriction "
                    "once it is delivered."
                )
            )
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="restriction.lifting", payload={}, now=now)
        queue_lift(row, now=now)


def queue_lift(request: RightsRequest, *, now: datetime) -> None:
    """Turn the restriction's runs into lifting runs; the caller holds the case's lock."""
    runs = StoreRun.objects.filter(request=request).exclude(state=RunState.CANCELLED).exclude(right=LIFT)
    if runs.filter(state=RunState.RUNNING).exists():
        raise NotAllowed(_("A store is just restricting newer data. Try again in a minute."))
    restricted = Restriction.objects.filter(case=request.reference, lifted_at=None).values("store")
    runs.filter(store__in=restricted).update(
        right=LIFT, state=RunState.QUEUED, due_at=now, retries=0, lost=0, error="", started_at=None, finished_at=None
    )
    runs.exclude(right=LIFT).update(right=LIFT, state=RunState.DONE, finished_at=now, due_at=None)
    doorbell.ring(doorbell.RUN_BATCH)


def is_lifting(request: RightsRequest) -> bool:
    return request.state == State.RESTRICTED and StoreRun.objects.filter(request=request, right=LIFT).exists()
