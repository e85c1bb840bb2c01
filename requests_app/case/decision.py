"""The decision on a case: approval, proposal and approval of an erasure by two people, refusal."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import IdentityKind, Staff
from privacy.models import Restriction
from requests_app.case import letters, notices, representing
from requests_app.case.closing import ENDED_BY_ERASURE, settle
from requests_app.case.intake import NEEDED_LEVEL
from requests_app.case.steps import locked, move, require_not_entered_by, require_role, require_state, require_words, staff_actor
from requests_app.errors import NotAllowed
from requests_app.models import OPEN_STATES, Right, RightsRequest, RunState, StoreRun
from requests_app.running import doorbell
from requests_app.running.runs import (
    GO_BEFORE_ERASURE,
    PACKAGED,
    corrections_by_store,
    plan_digest,
    queue_ready,
    undecided_contested,
    undecided_erasure,
)


def approve_request(*, request: RightsRequest, acting_user: Staff, reason: str, now: datetime) -> None:
    """Let the workers carry it out; `reason` are words for the person and may be empty. Erasures take two people: see below."""
    with locked(request) as row:
        require_role(acting_user, "request.approve")
        require_not_entered_by(row, acting_user)
        if row.right == Right.ERASURE:
            raise NotAllowed(_("An erasure is proposed by one person and approved by another; propose it."))
        require_state(row, seen=request.state, action="approve")
        _require_identity(row)
        _require_all_found(row)
        if row.right == Right.RECTIFICATION and not corrections_by_store(row):
            raise NotAllowed(_("Write down first which fields are corrected, and to what."))
        replaced = _replaced_contacts(row) if row.right == Right.RECTIFICATION else []
        # Time for whoever reads at the old address to say that it was not them (R16).
        takes_effect_at = now + timedelta(hours=settings.INSYN_CONTACT_CHANGE_HOURS) if replaced else now
        # Of a person who must not be told of the request, the old address is perhaps what they have to be kept from.
        told = bool(representing.told([row.pk]))
        move(
            row,
            seen=request.state,
            action="approve",
            actor=staff_actor(acting_user),
            now=now,
            approved_by=acting_user,
            decided_at=now,
            decision_reason=reason.strip() or None,
            plan_digest=plan_digest(row),
            payload={"takes_effect_at": takes_effect_at.isoformat(), "told": told} if takes_effect_at != now else {},
        )
        if told:
            notices.announce(request=row, event="replaced", contacts=replaced, now=now, at=takes_effect_at)
        _carry_out(row, now, due_at=takes_effect_at)


def propose_erasure(*, request: RightsRequest, acting_user: Staff, reason: str, now: datetime) -> None:
    """The first of the two people: everything is decided and only the second look is missing."""
    with locked(request) as row:
        require_role(acting_user, "request.propose_erasure")
        require_not_entered_by(row, acting_user)
        if row.right != Right.ERASURE:
            raise NotAllowed(_("Only erasures are proposed; approve or refuse this request."))
        require_state(row, seen=request.state, action="propose")
        _require_identity(row)
        _require_all_found(row)
        _require_all_decided(row)
        digest = plan_digest(row)
        move(
            row,
            seen=request.state,
            action="propose",
            actor=staff_actor(acting_user),
            now=now,
            payload={"plan_digest": digest},
            proposed_by=acting_user,
            proposed_at=now,
            decision_reason=reason.strip() or None,
            plan_digest=digest,
        )


def approve_erasure(
    *, request: RightsRequest, acting_user: Staff, plan_digest: str, otp_device_verified: bool, now: datetime
) -> None:
    """The second of the two, with a fresh second factor and for exactly the plan whose digest was on the page (R29, R31)."""
    with locked(request) as row:
        require_role(acting_user, "request.approve_erasure")
        require_not_entered_by(row, acting_user)
        if row.right != Right.ERASURE:
            raise NotAllowed(_("This is no erasure; approve or refuse it."))
        require_state(row, seen=request.state, action="approve_erasure")
        if row.proposed_by_id == acting_user.pk:
            raise NotAllowed(_("You proposed this erasure, so somebody else has to approve it."))
        if not otp_device_verified:
            raise NotAllowed(_("Approving an erasure takes a fresh code of your authenticator."))
        _require_identity(row)
        _require_all_found(row)
        _require_all_decided(row)
        _require_nothing_before_erasure(row)
        _require_same_plan(row, plan_digest)
        move(
            row,
            seen=request.state,
            action="approve_erasure",
            actor=staff_actor(acting_user),
            now=now,
            payload={"plan_digest": plan_digest},
            approved_by=acting_user,
            decided_at=now,
        )
        _carry_out(row, now)


def refuse_request(*, request: RightsRequest, acting_user: Staff, reason: str, now: datetime) -> None:
    """Refuse with a letter that names the reasons, the authority and the court (Art. 12(4)); nobody is refused by a machine."""
    with locked(request) as row:
        require_role(acting_user, "request.refuse")
        require_not_entered_by(row, acting_user)
        if row.right == Right.OBJECTION:
            raise NotAllowed(_("An objection to direct marketing is absolute (Art. 21(3)) and cannot be refused."))
        require_state(row, seen=request.state, action="refuse")
        words = require_words(reason, _("Give the reasons; the person has a right to them (Art. 12(4))."))
        letter = letters.refusal(request=row, reason=words)
        refuse_with(row, letter, reason=words, seen=request.state, acting_user=acting_user, now=now)


def refuse_with(row: RightsRequest, letter: str, *, reason: str, seen: str, acting_user: Staff, now: datetime) -> None:
    """End the locked case with this letter; whoever calls has seen to it that it may be."""
    unfinished = StoreRun.objects.filter(request=row).exclude(state__in=(RunState.DONE, RunState.RUNNING))
    unfinished.update(state=RunState.CANCELLED, lease_until=None, due_at=None, finished_at=now)
    move(
        row,
        seen=seen,
        action="refuse",
        actor=staff_actor(acting_user),
        now=now,
        decided_at=now,
        decision_reason=reason,
        answer=letter,
    )
    notices.tell(request=row, event="answered", now=now)


def _replaced_contacts(request: RightsRequest) -> list[tuple[str, str]]:
    """Addresses and numbers that the corrections do away with: whoever reads there is told while it can be undone (R16)."""
    kinds = {"email": IdentityKind.EMAIL, "phone": IdentityKind.PHONE}
    asked = (request.details or {}).get("corrections", [])
    return [(kinds[item["kind"]], item["old"]) for item in asked if item.get("kind") in kinds and item.get("old")]


def _carry_out(request: RightsRequest, now: datetime, *, due_at: datetime | None = None) -> None:
    queue_ready(request, now=now, due_at=due_at or now)
    settle(requests=[request.pk], now=now)  # no store holds anything: the answer is ready (R13)
    doorbell.ring(doorbell.BUILD_PACKAGE if request.right in PACKAGED else doorbell.RUN_BATCH)


def _require_identity(request: RightsRequest) -> None:
    needed = NEEDED_LEVEL[Right(request.right)]
    if request.identity_level < needed:
        raise NotAllowed(
            _("This right takes identity level %(needed)d; the person has proved level %(level)d.")
            % {
                "needed": needed,
                "level": request.identity_level,
            }
        )


def _require_all_found(request: RightsRequest) -> None:
    waiting = StoreRun.objects.filter(request=request).exclude(state__in=(RunState.READY, RunState.DONE, RunState.CANCELLED))
    stores = ", ".join(waiting.order_by("store__key").values_list("store__key", flat=True))
    if stores:
        raise NotAllowed(
            _("Not every store has been searched yet: %(stores)s. Wait, or start its search again.") % {"stores": stores}
        )


def _require_all_decided(request: RightsRequest) -> None:
    for run in StoreRun.objects.filter(request=request, state=RunState.READY).select_related("store").defer("plan"):
        if undecided := undecided_erasure(run):
            raise NotAllowed(
                _(
                    "The data map of %(store)s does not say what erasing does to %(collections)s; "
                    "set on_erasure there and load it."
                )
                % {"store": run.store.key, "collections": ", ".join(undecided)}
            )
        if contested := undecided_contested(run):
            raise NotAllowed(
                _("Decide first what happens to contested rows in %(store)s: %(collections)s.")
                % {"store": run.store.key, "collections": ", ".join(contested)}
            )


def _require_nothing_before_erasure(request: RightsRequest) -> None:
    blocking = Restriction.objects.filter(subject=request.customer.public_id, lifted_at=None).exclude(ground__in=ENDED_BY_ERASURE)
    if blocking.exists():
        raise NotAllowed(
            _(
                "A restriction that the person asked for to keep the data (Art. 18(1)(b) or (c)) is in force; "
                "they must withdraw it first."
            )
        )
    if request.waived_at is not None:
        return
    before = RightsRequest.objects.filter(customer=request.customer, right__in=GO_BEFORE_ERASURE, state__in=OPEN_STATES)
    if reference := before.values_list("reference", flat=True).first():
        raise NotAllowed(
            _("The person still waits for request %(reference)s; answer it before erasing.") % {"reference": reference}
        )


def _require_same_plan(request: RightsRequest, seen_digest: str) -> None:
    current = plan_digest(request)
    if seen_digest != current:
        raise NotAllowed(_("The plan changed; review it again."))
    if request.plan_digest != current:
        raise NotAllowed(_("The plan changed since it was proposed; send it back to assessment and review it again."))
