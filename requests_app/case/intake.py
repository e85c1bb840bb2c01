"""How a request comes in, how its person becomes known well enough, and how it is taken back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Customer, CustomerIdentity, Staff, VerificationMethod
from privacy import audit
from privacy.models import Restriction
from requests_app import policy
from requests_app.case import lifting, notices, representing
from requests_app.case.closing import settle
from requests_app.case.deadlines import due_date, notice_due, paused_days_between
from requests_app.case.representing import Claim
from requests_app.case.steps import (
    CUSTOMER,
    SYSTEM,
    locked,
    move,
    require_not_entered_by,
    require_open,
    require_role,
    require_state,
    require_words,
    staff_actor,
)
from requests_app.errors import AlreadyOpen, NotAllowed
from requests_app.files import uploads
from requests_app.models import OPEN_STATES, Right, RightsRequest, RunState, Source, State, StoreRun, Upload
from requests_app.running import doorbell
from requests_app.running.runs import GO_BEFORE_ERASURE, look_again_for_new_identities, open_runs

HIGHEST_LEVEL = 2
MOST_A_DAY = 60  # requests of one mailbox: each is mail, work for every store, and in the log for good; other doors stay open
# DESIGN §8: the mailbox is enough to change or restrict; what leaves the house or cannot be undone takes a second proof.
NEEDED_LEVEL = {right: 2 if right in (Right.ACCESS, Right.PORTABILITY, Right.ERASURE) else 1 for right in Right}
LEVEL_TO_LOOK = 1
GROUNDS = {Right.ERASURE: frozenset("abcdef"), Right.RESTRICTION: frozenset("abcd")}
# These two ask as soon as they know that the level is too low; elsewhere the clock runs until a member of staff has asked.
ASKING_AT_ONCE = (Source.PORTAL, Source.API)


def level_for(request: RightsRequest, *, level: int) -> int:
    """The level at which somebody in a sitting of this level reads and downloads the answer to their own request.

    Who proved it to staff may have no phone that we could send a code to. What staff accepted was accepted for this request, so
    it raises neither the sitting nor what may be done in other requests. Where somebody acts for the person, it was accepted
    for that somebody: `level_of_representative` is theirs, and the person's own sitting stays what it is.
    """
    if request.evidence_at is None or representing.of(request) is not None:
        return level
    return HIGHEST_LEVEL if level >= LEVEL_TO_LOOK else level


def level_of_representative(request: RightsRequest, *, level: int) -> int:
    """The level at which whoever brought this request reads its answer: what staff accepted for it, never their own."""
    return HIGHEST_LEVEL if level >= LEVEL_TO_LOOK and request.evidence_at is not None else min(level, LEVEL_TO_LOOK)


def may_be_told(request: RightsRequest, *, level: int) -> bool:
    """Whether what the stores answered may be shown at this identity level: to nobody who could not be given it."""
    level = level_for(request, level=level)
    return level >= NEEDED_LEVEL[Right(request.right)] and request.state not in (State.REFUSED, State.WITHDRAWN)


def may_read_letter(request: RightsRequest, *, level: int) -> bool:
    """The same for our answer; a refusal holds nothing that the stores answered, and its reader must be able to complain."""
    level = level_for(request, level=level)
    return level >= NEEDED_LEVEL[Right(request.right)] or request.state == State.REFUSED


def submit_request(
    *,
    customer: Customer,
    right: str,
    source: str,
    language: str,
    identity_level: int,
    now: datetime,
    ground: str = "",
    reason: str = "",
    details: dict[str, Any] | None = None,
    received_at: datetime | None = None,
    entered_by: Staff | None = None,
    claim: Claim | None = None,
) -> RightsRequest:
    """Open a case. `received_at` is when it reached the organisation (Art. 12(2): any way of asking counts), else now.
    `claim`: who brings it for somebody else (see `submit_for_another`).

    Raises AlreadyOpen for a second open request for the same right, NotAllowed for what cannot be a request.
    """
    received_at = received_at or now
    _require_sensible(right, ground, reason, details, identity_level, received_at, entered_by, now)
    if entered_by is None:
        _require_not_too_many(customer if claim is None else claim.representative, now)
    with transaction.atomic():
        request = RightsRequest(
            customer=customer,
            right=right,
            source=source,
            language=language,
            ground=ground,
            reason=reason.strip() or None,
            details=details,
            identity_level=identity_level,
            notice_version=policy.current_version(),
            entered_by=entered_by,
            received_at=received_at,
        )
        set_deadlines(request)
        try:
            with transaction.atomic():
                request.save()
        except IntegrityError as error:
            # one_open_request_per_right; anything else is no second submit and is not ours to explain.
            existing = RightsRequest.objects.filter(customer=customer, right=right, state__in=OPEN_STATES).first()
            if existing is None:
                raise
            raise AlreadyOpen(existing) from error
        actor = staff_actor(entered_by) if entered_by else CUSTOMER
        payload = {"right": right, "source": source, "ground": ground, "level": identity_level}
        audit.record(chain=request.reference, actor=actor, action="request.submitted", payload=payload, now=now)
        if claim is not None:
            representing.note_claim(request=request, claim=claim, actor=actor, now=now)
        open_runs(request, now=now)
        _go_on_as_identified(request, needed=NEEDED_LEVEL[Right(right)], now=now)
        notices.tell(request=request, event="received", now=now)
    request.refresh_from_db()
    return request


def submit_for_another(
    *,
    claim: Claim,
    right: str,
    source: str,
    language: str,
    now: datetime,
    ground: str = "",
    reason: str = "",
    received_at: datetime | None = None,
    entered_by: Staff | None = None,
) -> RightsRequest:
    """Open a case that somebody brings for another. It belongs to nobody until staff accept the role and the person's identity.

    Raises NotAllowed. Whether the person is known makes no difference to what happens here.
    """
    with transaction.atomic():
        return submit_request(
            customer=representing.placeholder_for(claim, language=language),
            right=right,
            source=source,
            language=language,
            identity_level=0,
            ground=ground,
            reason=reason,
            received_at=received_at,
            entered_by=entered_by,
            claim=claim,
            now=now,
        )


def record_identity_level(
    *,
    request: RightsRequest,
    level: int,
    now: datetime,
    acting_user: Staff | None = None,
    note: str = "",
    proved: Collection[int] | None = None,
    by: str = "",
) -> None:
    """The person proved more: by a code (no acting user), or by evidence that staff accepted and describe in `note`.

    `proved` are the claimed identities that the evidence speaks for (see `claims_to_accept`), all of them when it is None; `by`
    is a word for the audit log, where it was no code.
    """
    if not 0 < level <= HIGHEST_LEVEL:
        raise NotAllowed(_("The identity level is 1 (the mailbox) or 2 (a second proof)."))
    with locked(request) as row:
        if row.state not in OPEN_STATES:
            raise NotAllowed(_("The request is closed; its identity level says what was proved when it was decided."))
        representing.require_may_be_identified(row, acting_user)
        actor, needed = CUSTOMER, NEEDED_LEVEL[Right(row.right)]
        if acting_user is None and row.state == State.IDENTIFYING and row.identity_note:
            needed = HIGHEST_LEVEL  # a written doubt about the mailbox is not answered by the same mailbox
        if acting_user is not None:
            require_role(acting_user, "request.record_identity")
            require_not_entered_by(row, acting_user)
            row.identity_note = require_words(note, _("Say what proof you accepted."))
            actor = staff_actor(acting_user)
            representing.give_to_person(row, acting_user=acting_user, now=now)
            _accept_entered_identities(row, acting_user, proved, now)
            row.evidence_at = row.evidence_at or (now if level >= HIGHEST_LEVEL else None)
        if not row.customer.identities.filter(verified_at__isnull=False).exists():
            raise NotAllowed(_("No identity of this person is verified yet, so there is nothing to look for data by."))
        row.identity_level = max(row.identity_level, level)
        row.save(update_fields=["identity_level", "identity_note", "evidence_at"])
        if acting_user is not None:
            _delete_evidence(row, "accepted", now)
        payload = {"level": row.identity_level} | ({"by": by} if by else {})
        audit.record(chain=row.reference, actor=actor, action="identity.recorded", payload=payload, now=now)
        _go_on_as_identified(row, needed=needed, now=now)
        look_again_for_new_identities(requests=[row.pk], now=now)


def ask_identity(*, request: RightsRequest, acting_user: Staff, doubt: str, now: datetime) -> None:
    """Ask the person for more proof; the clock stands still meanwhile. Art. 12(6): only on a doubt that is written down."""
    with locked(request) as row:
        require_role(acting_user, "request.ask_identity")
        require_state(row, seen=request.state, action="ask_identity")
        if row.identity_level >= HIGHEST_LEVEL:
            raise NotAllowed(_("This person has given a second proof of identity; Art. 12(6) leaves no room to ask for more."))
        words = require_words(doubt, _("Write down why you doubt who this is (Art. 12(6))."))
        _delete_evidence(row, "refused", now)
        move(
            row,
            seen=request.state,
            action="ask_identity",
            actor=staff_actor(acting_user),
            now=now,
            identity_note=words,
            paused_at=row.paused_at or now,
        )
        notices.tell(request=row, event="identity", occasion=f"{now:%Y%m%d%H%M%S}", now=now)


def withdraw_request(
    *, request: RightsRequest, customer: Customer, now: datetime, by_whom: Mapping[str, str] = MappingProxyType({})
) -> None:
    """The person takes the request back. A restriction in force is lifted at once then: its person needs no telling before.

    `by_whom` is what the log says of who it is, where it is not the person.
    """
    with locked(request) as row:
        if row.customer_id != customer.pk:
            raise NotAllowed(_("This is not your request."))
        if row.state == State.RESTRICTED:
            Restriction.objects.filter(case=row.reference, told_at=None, lifted_at=None).update(told_at=now)
            audit.record(chain=row.reference, actor=CUSTOMER, action="restriction.withdrawn", payload=dict(by_whom), now=now)
            lifting.queue_lift(row, now=now)
            return
        require_state(row, seen=request.state, action="withdraw")
        runs = StoreRun.objects.filter(request=row)
        cancelled = runs.exclude(state__in=(RunState.RUNNING, RunState.DONE))
        # A worker that is claiming a run holds its row: the update waits for it and then sees that it is too late.
        untouched = cancelled.filter(started_at=None) if row.state == State.APPROVED else cancelled
        untouched.update(state=RunState.CANCELLED, lease_until=None, due_at=None, finished_at=now)
        if row.state == State.APPROVED and runs.exclude(started_at=None).exists():
            raise NotAllowed(_("The request is already being carried out and can no longer be withdrawn."))
        move(row, seen=request.state, action="withdraw", actor=CUSTOMER, now=now, payload=by_whom)
        notices.tell(request=row, event="withdrawn", now=now)


def waive_waiting(
    *, request: RightsRequest, customer: Customer, now: datetime, by_whom: Mapping[str, str] = MappingProxyType({})
) -> None:
    """The person, or who acts for them, lets an erasure go ahead of the person's other open requests, and gives up those
    answers (R30). Nobody gives up what they may not know of. `by_whom` is what the log says of who it is.
    """
    with locked(request) as row:
        seen = representing.visible_to(customer)
        if row.right != Right.ERASURE or not seen.filter(pk=row.pk).exists():
            raise NotAllowed(_("Only the person who asked for an erasure can let it go ahead."))
        require_open(row)
        if goes_before(row).exclude(pk__in=seen.values("pk")).exists():
            raise NotAllowed(_("We cannot let the erasure go ahead here. Write to us instead."))
        if row.waived_at is None:
            row.waived_at = now
            row.save(update_fields=["waived_at"])
            audit.record(chain=row.reference, actor=CUSTOMER, action="erasure.waived", payload=dict(by_whom), now=now)


def goes_before(erasure: RightsRequest) -> QuerySet[RightsRequest]:
    """The person's other open requests that an erasure waits for."""
    return RightsRequest.objects.filter(customer=erasure.customer_id, right__in=GO_BEFORE_ERASURE, state__in=OPEN_STATES)


def set_deadlines(request: RightsRequest) -> None:
    """Count both days from receipt, pauses and extension; the caller saves."""
    eves_roll = settings.INSYN_EVES_ROLL
    extended = request.extended_at is not None
    request.notice_due_on = notice_due(request.received_at, paused_days=request.paused_days, eves_roll=eves_roll)
    request.due_on = due_date(request.received_at, paused_days=request.paused_days, extended=extended, eves_roll=eves_roll)


def _go_on_as_identified(request: RightsRequest, *, needed: int, now: datetime) -> None:
    """Into triage where the level suffices, else wait for the person; data are looked for from level 1 on."""
    if request.identity_level >= needed:
        _end_pause(request, now)
        _delete_evidence(request, "not_needed", now)
        if request.state in (State.RECEIVED, State.IDENTIFYING):
            move(request, seen=request.state, action="identified", actor=SYSTEM, now=now)
            if request.right == Right.OBJECTION:
                # Art. 21(3): never refused, so nobody has to decide; Art. 22: automation may fulfil.
                move(request, seen=request.state, action="fulfil", actor=SYSTEM, now=now, decided_at=now)
                settle(requests=[request.pk], now=now)  # where no store is registered, nothing else would
    elif request.state == State.RECEIVED:
        asked_at = now if request.source in ASKING_AT_ONCE else None
        move(request, seen=request.state, action="wait_for_identity", actor=SYSTEM, now=now, paused_at=asked_at)
    if request.identity_level >= LEVEL_TO_LOOK:
        doorbell.ring(doorbell.LOCATE)


def _delete_evidence(request: RightsRequest, reason: str, now: datetime) -> None:
    """With the decision on the identity, whichever it is, nobody needs the copies any more."""
    uploads.delete(uploads=uploads.kept(request, Upload.Purpose.EVIDENCE), reason=reason, now=now)


def _end_pause(request: RightsRequest, now: datetime) -> None:
    if request.paused_at is None:
        return
    request.paused_days += paused_days_between(request.paused_at, now)
    request.paused_at = None
    set_deadlines(request)
    request.save(update_fields=["paused_days", "paused_at", "due_on", "notice_due_on"])
    payload = {"paused_days": request.paused_days, "due_on": request.due_on.isoformat()}
    audit.record(chain=request.reference, actor=SYSTEM, action="clock.resumed", payload=payload, now=now)


def claims_to_accept(request: RightsRequest, acting_user: Staff) -> QuerySet[CustomerIdentity]:
    """What was only said when somebody entered a request of this person, and what this member of staff may believe.

    A claim may come from another request of the same mailbox, and from somebody else than this person: whoever rings us up can
    name any mailbox. So the evidence speaks for each by itself, and never for what one typed oneself (R31).
    """
    if request.entered_by_id is None:
        return CustomerIdentity.objects.none()
    entered = request.customer.identities.filter(
        verified_at=None, method__in=(VerificationMethod.STAFF, VerificationMethod.OPERATOR)
    )
    return entered.filter(Q(claimed_by=None) | ~Q(claimed_by=acting_user)).order_by("kind", "pk")


def _accept_entered_identities(request: RightsRequest, acting_user: Staff, proved: Collection[int] | None, now: datetime) -> None:
    accepted = claims_to_accept(request, acting_user)
    if proved is not None:
        accepted = accepted.filter(pk__in=proved)
    accepted.update(verified_at=now, verified_by=acting_user)


def _unconfirmed(correction: Mapping[str, Any]) -> bool:
    """Whether this is a new e-mail address that nobody has shown to read. Staff who enter a letter's answer for it themselves."""
    return correction.get("kind") == "email" and bool(correction.get("new")) and not correction.get("confirmed")


def _require_not_too_many(customer: Customer, now: datetime) -> None:
    whose = Q(customer=customer, representation=None) | Q(representation__representative=customer)
    sent = RightsRequest.objects.filter(whose, entered_by=None, received_at__gt=now - timedelta(days=1))
    if sent.count() >= MOST_A_DAY:
        raise NotAllowed(_("You have sent many requests today. Send the next one tomorrow, or write to us."))


def _require_sensible(
    right: str,
    ground: str,
    reason: str,
    details: dict[str, Any] | None,
    identity_level: int,
    received_at: datetime,
    entered_by: Staff | None,
    now: datetime,
) -> None:
    if right not in Right.values:
        raise NotAllowed(_("Choose one of the rights."))
    if not 0 <= identity_level <= HIGHEST_LEVEL:
        raise NotAllowed(_("The identity level is 1 (the mailbox) or 2 (a second proof)."))
    if ground and ground not in GROUNDS.get(Right(right), frozenset()):
        raise NotAllowed(_("That ground does not belong to this right."))
    if right == Right.RESTRICTION and not ground:
        raise NotAllowed(_("Choose on which of the four grounds of Art. 18(1) the use is to be restricted."))
    if right == Right.RECTIFICATION and not (details or {}).get("corrections") and not reason.strip() and entered_by is None:
        raise NotAllowed(_("Say what is to be corrected, and to what."))
    if entered_by is None and any(_unconfirmed(item) for item in (details or {}).get("corrections", ())):
        raise NotAllowed(_("The new e-mail address is not confirmed yet: a code to its mailbox does that."))
    if received_at > now:
        raise NotAllowed(_("A request cannot have been received in the future."))
    if entered_by is not None:
        require_role(entered_by, "request.enter")
        if identity_level:
            raise NotAllowed(_("Who enters a request does not set its identity level; a colleague does."))
