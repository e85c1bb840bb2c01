"""What every step of a case does first: lock the case, look at who acts, and move it or say why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import roles
from accounts.models import Staff
from requests_app.case.lifecycle import TRANSITIONS, transition
from requests_app.errors import NotAllowed, SomebodyElseGotThereFirst
from requests_app.models import OPEN_STATES, RightsRequest, State

CUSTOMER, SYSTEM = "customer", "system"


def staff_actor(user: Staff) -> str:
    return f"staff:{user.pk}"


@contextmanager
def locked(request: RightsRequest) -> Iterator[RightsRequest]:
    """One transaction around one step, with the case's row locked in it; the caller's copy is fresh afterwards.

    Whoever locks a case and its runs locks the case first: no two steps wait for each other in a circle.
    """
    with transaction.atomic():
        yield RightsRequest.objects.select_for_update().get(pk=request.pk)
    request.refresh_from_db()


def require_role(user: Staff, action: str) -> None:
    if not roles.may(user, action):
        raise NotAllowed(_("Your role does not allow this step. Ask a colleague whose role does, or an administrator."))


def require_words(text: str, missing: str) -> str:
    """The text without surrounding space; NotAllowed(`missing`) when nothing is left."""
    words = text.strip()
    if not words:
        raise NotAllowed(missing)
    return words


def require_open(request: RightsRequest) -> None:
    if request.state not in OPEN_STATES:
        raise NotAllowed(_("The request is closed: %(state)s.") % {"state": request.get_state_display()})


def require_not_entered_by(request: RightsRequest, user: Staff) -> None:
    """R31: who entered a request neither sets its identity level nor decides it."""
    if request.entered_by_id == user.pk:
        raise NotAllowed(_("You entered this request, so somebody else has to do this step."))


def move(
    request: RightsRequest,
    *,
    seen: State | str,
    action: str,
    actor: str,
    now: datetime,
    payload: Mapping[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Take the locked case along `action`. `seen` is the state its caller acted upon: it tells a lost race from a wrong step."""
    require_state(request, seen=seen, action=action)
    if not transition(requests=[request.pk], action=action, actor=actor, now=now, payload=payload, changes=changes):
        raise SomebodyElseGotThereFirst(_("Somebody else got there first. Look at the request again."))
    request.refresh_from_db()


def require_state(request: RightsRequest, *, seen: State | str, action: str) -> None:
    """Whether the locked case stands where `action` may start; else NotAllowed, or SomebodyElseGotThereFirst."""
    rule = TRANSITIONS[action]
    if request.state in rule.sources:
        return
    if seen in rule.sources:
        raise SomebodyElseGotThereFirst(
            _("Somebody else got there first: the request is now “%(state)s”. Look at it again.")
            % {"state": request.get_state_display()}
        )
    allowed = ", ".join(f"“{state.label}”" for state in State if state in rule.sources)
    raise NotAllowed(
        _("The request is “%(state)s”; this step is possible while it is %(allowed)s.")
        % {"state": request.get_state_display(), "allowed": allowed}
    )
