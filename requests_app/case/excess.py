"""A manifestly unfounded or excessive request may be refused or charged for (Art. 12(5)): by two people, with evidence."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import Staff
from privacy import audit
from requests_app.case import conversation, letters
from requests_app.case.decision import refuse_with
from requests_app.case.steps import locked, require_not_entered_by, require_role, require_words, staff_actor
from requests_app.errors import NotAllowed
from requests_app.models import Excess, Right, RightsRequest, State

OPEN_TO_CLAIMS = (State.IDENTIFYING, State.TRIAGE)
HIGHEST_FEE = 10_000  # kronor: more is no administrative cost


def claim_excess(
    *,
    request: RightsRequest,
    answer: str,
    fee: int | None,
    reason: str,
    evidence: str,
    acting_user: Staff,
    now: datetime,
) -> None:
    """Propose to refuse the request, or to charge `fee` kronor. `reason` is for the person, `evidence` for the file."""
    with locked(request) as row:
        require_role(acting_user, "request.claim_excess")
        require_not_entered_by(row, acting_user)
        _require_open_to_claims(row)
        words = require_words(reason, _("Give the reasons; the person has a right to them (Art. 12(4))."))
        proof = require_words(evidence, _("Write down the evidence: that it is excessive is ours to prove (Art. 12(5))."))
        if answer not in Excess.Answer.values:
            raise NotAllowed(_("Choose whether it is refused or charged for."))
        if answer == Excess.Answer.CHARGE and not (fee and 1 <= fee <= HIGHEST_FEE):
            raise NotAllowed(_("Name a fee of 1 to %(most)d kronor, what the answer costs us.") % {"most": HIGHEST_FEE})
        before = Excess.objects.filter(request=row).first()
        if before is not None and before.state != Excess.State.REJECTED:
            raise NotAllowed(_("This was proposed before."))
        claim = Excess(pk=before.pk if before else None, request=row, answer=answer, proposed_by=acting_user, proposed_at=now)
        claim.fee = fee if answer == Excess.Answer.CHARGE else None
        claim.reason, claim.evidence = words, proof
        claim.save()
        payload = {"answer": answer, "fee": claim.fee}
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="excess.claimed", payload=payload, now=now)


def decide_excess(*, request: RightsRequest, accept: bool, acting_user: Staff, now: datetime) -> None:
    """The second of the two people: refuse or charge as proposed, with the letter, or let the request go on."""
    with locked(request) as row:
        require_role(acting_user, "request.decide_excess")
        require_not_entered_by(row, acting_user)
        _require_open_to_claims(row)
        claim = Excess.objects.select_for_update().filter(request=row, state=Excess.State.PROPOSED).first()
        if claim is None:
            raise NotAllowed(_("Nobody proposes this, or somebody else has decided on it."))
        if claim.proposed_by_id == acting_user.pk:
            raise NotAllowed(_("You proposed this, so somebody else has to decide on it."))
        claim.state = Excess.State.ACCEPTED if accept else Excess.State.REJECTED
        claim.decided_by, claim.decided_at = acting_user, now
        claim.save(update_fields=["state", "decided_by", "decided_at"])
        payload = {"answer": claim.answer, "accepted": accept}
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="excess.decided", payload=payload, now=now)
        if not accept:
            return
        if claim.answer == Excess.Answer.REFUSE:
            letter = letters.refusal(request=row, reason=claim.reason or "", excessive=True)
            refuse_with(row, letter, reason=claim.reason or "", seen=request.state, acting_user=acting_user, now=now)
        else:
            conversation.write_to_person(
                request=row,
                text=letters.fee(request=row, reason=claim.reason or "", fee=claim.fee or 0),
                is_question=True,
                form=f"fee-{claim.pk}-{now:%Y%m%d%H%M%S}",
                file=None,
                acting_user=acting_user,
                now=now,
            )


def _require_open_to_claims(request: RightsRequest) -> None:
    if request.right == Right.OBJECTION:
        raise NotAllowed(_("An objection to direct marketing is absolute (Art. 21(3)) and cannot be refused."))
    if request.state not in OPEN_TO_CLAIMS:
        raise NotAllowed(_("This is decided while the request is being assessed; send it back to assessment first."))
