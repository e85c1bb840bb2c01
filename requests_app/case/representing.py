"""Acting for somebody else: a request is brought, staff accept the role and then the person's identity, and a role may end.

Before both are accepted nothing is looked for, nothing is told and nobody learns whether the person is known. Afterwards the
request is the person's own: their other requests, restrictions and holds count as ever (R30). Answers go to the
representative's mailbox, and the person is told at the contacts that the stores hold, unless staff wrote down why not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from accounts.claims import MailboxTaken, customer_claiming
from accounts.models import Customer, CustomerIdentity, Staff, VerificationMethod
from accounts.people import identity_hashes, person_of
from privacy import actions, audit
from privacy.engine.identity import InvalidIdentity, canonical
from requests_app.case import notices
from requests_app.case.steps import locked, require_not_entered_by, require_open, require_role, require_words, staff_actor
from requests_app.errors import NotAllowed
from requests_app.files import uploads
from requests_app.models import OPEN_STATES, OutboxItem, RightsRequest, State, StoreRun, Upload
from requests_app.models.representation import Representation
from requests_app.registers import breaches
from requests_app.running import outbox
from requests_app.running.runs import open_runs

MOST_OPEN = 20  # requests for others that one mailbox may have under way
ANNOUNCED = "represented"
# Requests that their person may know of: not those of which staff wrote down why the person is not told.
TOLD = Q(representation=None) | Q(representation__not_told_reason=None)


@dataclass(frozen=True)
class Claim:
    """What somebody says who acts for another. `identities`, {kind: value}, is the one thing that we may know the person by."""

    representative: Customer
    role: str
    name: str
    identities: Mapping[str, str]


def placeholder_for(claim: Claim, *, language: str) -> Customer:
    """The customer that a claimed request belongs to until staff know better: nobody, so that nothing is found.

    Raises NotAllowed for a role that there is not, for too many requests and for acting for oneself.
    """
    if claim.role not in Representation.Role.values:
        raise NotAllowed(_("Choose one of the roles."))
    if len(claim.identities) != 1:  # staff accept the person as a whole, so nothing rides along with what they looked at
        raise NotAllowed(_("Write the person's e-mail address or customer number."))
    for kind, value in claim.identities.items():
        try:
            canonical(kind, value)
        except InvalidIdentity:
            raise NotAllowed(_("Write the person's e-mail address or customer number.")) from None
        if claim.representative.identities.filter(kind=kind, lookup__in=identity_hashes(kind, value)).exists():
            raise NotAllowed(_("That is your own. To ask for yourself, choose the right on the start page."))
    Customer.objects.select_for_update().get(pk=claim.representative.pk)  # two tabs count one after the other
    under_way = Representation.objects.filter(representative=claim.representative, request__state__in=OPEN_STATES)
    if under_way.count() >= MOST_OPEN:
        raise NotAllowed(_("You have many requests for others under way. Wait for an answer, or write to us."))
    return Customer.objects.create(language=language)


def note_claim(*, request: RightsRequest, claim: Claim, actor: str, now: datetime) -> Representation:
    """Write down whom the new request is for. Joins the caller's transaction."""
    audit.record(chain=request.reference, actor=actor, action="role.claimed", payload={"role": claim.role}, now=now)
    return Representation.objects.create(
        request=request,
        representative=claim.representative,
        role=claim.role,
        name=claim.name.strip() or None,
        claimed=dict(claim.identities),
        created_at=now,
    )


def of(request: RightsRequest) -> Representation | None:
    """Who brought this request for its person, if somebody did."""
    found: Representation | None = getattr(request, "representation", None)
    return found


def visible_to(customer: Customer) -> QuerySet[RightsRequest]:
    """The requests that this customer follows: their own, and those they brought for others while they may.

    A request that somebody else brought is shown to its person when they are told of it, and not when staff wrote why not.
    """
    own = TOLD & Q(customer=customer)
    brought = Q(representation__representative=customer) & ~Q(representation__state=Representation.State.ENDED)
    return RightsRequest.objects.filter(own | brought)


def with_proof_sent(requests: QuerySet[RightsRequest]) -> QuerySet[RightsRequest]:
    """The requests, each with `proof_sent`: whether proof of a role lies with us and nobody has decided on it."""
    waiting = Upload.objects.filter(request=OuterRef("pk"), purpose=Upload.Purpose.ROLE, deleted_at=None, key__isnull=False)
    return requests.annotate(proof_sent=Exists(waiting))


def told(requests: Iterable[int]) -> set[int]:
    """Those of the requests whose person may hear of it from us: unless staff wrote down why not."""
    return set(RightsRequest.objects.filter(TOLD, pk__in=list(requests)).values_list("pk", flat=True))


def brought(requests: Iterable[int]) -> set[int]:
    """Those of these cases that somebody brought for their person, whatever has become of the role."""
    return set(Representation.objects.filter(request__in=list(requests)).values_list("request_id", flat=True))


def is_representative(request: RightsRequest, customer: Customer) -> bool:
    """Whether this customer brought the request for another and still may follow it."""
    found = of(request)
    return bool(found and found.representative_id == customer.pk and found.state != Representation.State.ENDED)


def child_of(request: RightsRequest, customer: Customer) -> Customer | None:
    """The child whose guardian this customer is: staff have accepted both, and the role goes on.

    None where the child must not be told: what a guardian agrees to stands on the child's own pages.
    """
    found = of(request)
    if found is None or found.role != Representation.Role.GUARDIAN or found.person_known_at is None or found.not_told_reason:
        return None
    return request.customer if found.state == Representation.State.ACCEPTED and is_representative(request, customer) else None


# --- what staff decide ------------------------------------------------------------------------------------------------


def name_beside(found: Representation) -> str:
    """ "yes", "no" or "unknown": whether the name and the contact that the representative gave stand together in a store.

    A role for one person opens nothing of another's: whoever may act for X could otherwise name the mailbox of Y.
    """
    identities = [actions.Identity(kind, value) for kind, value in (found.claimed or {}).items()]
    return actions.name_beside(identities, name=found.name or "")


def accept_role(
    *,
    request: RightsRequest,
    acting_user: Staff,
    note: str,
    not_told_reason: str,
    now: datetime,
    contact_is_theirs: str = "",
) -> None:
    """The proof shows that this somebody may act for this person. The copies go; who the person is, is decided next.

    `contact_is_theirs`: how the member of staff knows that the contact given is that person's, where the stores do not say so.
    """
    claimed = of(request)
    beside = name_beside(claimed) if claimed is not None else ""
    with locked(request) as row:
        found = _claimed(row, acting_user)
        found.note = require_words(note, _("Say what proof of the role you accepted."))
        if beside != "yes":
            words = require_words(
                contact_is_theirs, _("Say how you know that the contact given belongs to the person whom the proof is about.")
            )
            found.note = f"{found.note}\n\n{words}"
        found.not_told_reason = not_told_reason.strip() or None
        found.state = Representation.State.ACCEPTED
        payload = {"role": found.role, "person_is_told": found.not_told_reason is None, "name_beside_contact": beside}
        _decide(row, found, "role.accepted", payload, acting_user, now)


def refuse_role(*, request: RightsRequest, acting_user: Staff, reason: str, now: datetime) -> None:
    """The proof is not enough. The copies go, the representative reads why and may send another; the request goes on waiting."""
    with locked(request) as row:
        found = _claimed(row, acting_user)
        found.note = require_words(reason, _("Say what is missing in the proof of the role."))
        _decide(row, found, "role.refused", {"role": found.role}, acting_user, now)
        notices.tell(request=row, event="role", occasion=f"{now:%Y%m%d%H%M%S}", now=now)


def end_role(*, request: RightsRequest, acting_user: Staff, reason: str, now: datetime) -> None:
    """The role has ended or was never there: from now on this somebody sees and gets nothing of the request."""
    with locked(request) as row:
        require_role(acting_user, "request.decide_role")
        found = _found(row)
        if found.state == Representation.State.ENDED:
            raise NotAllowed(_("This role has ended."))
        found.note, found.state = require_words(reason, _("Say why the role has ended.")), Representation.State.ENDED
        _decide(row, found, "role.ended", {"role": found.role}, acting_user, now)
        breaches.open_by_ended_role(request=row, now=now)


def _claimed(row: RightsRequest, acting_user: Staff) -> Representation:
    require_role(acting_user, "request.decide_role")
    require_not_entered_by(row, acting_user)
    require_open(row)
    found = _found(row)
    if found.state != Representation.State.CLAIMED:
        raise NotAllowed(_("The role is decided on: %(state)s.") % {"state": found.get_state_display()})
    return found


def _found(row: RightsRequest) -> Representation:
    found = of(row)
    if found is None:
        raise NotAllowed(_("Nobody acts for the person in this request."))
    return found


def _decide(
    row: RightsRequest, found: Representation, action: str, payload: dict[str, Any], acting_user: Staff, now: datetime
) -> None:
    found.decided_by, found.decided_at = acting_user, now
    found.save(update_fields=["note", "not_told_reason", "state", "decided_by", "decided_at"])
    uploads.delete(uploads=uploads.kept(row, Upload.Purpose.ROLE), reason=action.removeprefix("role."), now=now)
    audit.record(chain=row.reference, actor=staff_actor(acting_user), action=action, payload=payload, now=now)


# --- the person behind the request ------------------------------------------------------------------------------------


def require_may_be_identified(row: RightsRequest, acting_user: Staff | None) -> None:
    """The identity of somebody who is acted for is for staff to accept, once they have accepted the role."""
    found = of(row)
    if found is None:
        return
    if acting_user is None:
        raise NotAllowed(_("Somebody acts for the person in this request; staff accept the person's identity."))
    if found.state == Representation.State.CLAIMED:
        raise NotAllowed(_("Accept the proof of the role first: until then nothing is looked for."))


def give_to_person(row: RightsRequest, *, acting_user: Staff, now: datetime) -> None:
    """The identity is accepted: the request becomes the person's own, and the person is told. Joins the caller's transaction."""
    found = of(row)
    if found is None or found.person_known_at is not None:
        return
    nobody, person = row.customer, _person(found, acting_user, now)
    try:
        with transaction.atomic():
            RightsRequest.objects.filter(pk=row.pk).update(customer=person)
    except IntegrityError:
        raise NotAllowed(_("This person already has an open request for the same right. Answer that one first.")) from None
    StoreRun.objects.filter(request=row).delete()  # they were opened for nobody, and nothing was looked for
    row.customer = person
    open_runs(row, now=now)
    found.person_known_at = now
    found.save(update_fields=["person_known_at"])
    audit.record(chain=row.reference, actor=staff_actor(acting_user), action="person.named", payload={}, now=now)
    if not RightsRequest.objects.filter(customer=nobody).exists():
        nobody.delete()
    if found.not_told_reason is None:
        _tell(row, found, now)


def _person(found: Representation, acting_user: Staff, now: datetime) -> Customer:
    try:
        person = customer_claiming(identities=found.claimed or {}, language=found.request.language, now=now)
    except MailboxTaken:
        raise NotAllowed(_("Somebody else got there first. Look at the request again.")) from None
    for kind, value in (found.claimed or {}).items():
        claims = CustomerIdentity.objects.filter(customer=person, kind=kind, lookup__in=identity_hashes(kind, value))
        claims.filter(Q(claimed_by=None) | ~Q(claimed_by=acting_user), verified_at=None).update(
            verified_at=now, verified_by=acting_user, method=VerificationMethod.STAFF
        )
    return person


def _tell(row: RightsRequest, found: Representation, now: datetime) -> None:
    """To what the stores have on the person, but not to the representative's own addresses, which may stand there as well."""
    try:
        contacts = actions.contacts(person_of(row.customer), dated=True)
    except actions.StoreUnavailable:
        raise NotAllowed(
            _("The person has to be told, and a data store that holds their address cannot be reached. Try again in a while.")
        ) from None
    theirs = _canonical((row.kind, row.value) for row in found.representative.identities.all()) if found.representative else set()
    others = [
        (contact.kind, contact.value)
        for contact in contacts
        if contact.unchanged_since is not None and not _canonical([(contact.kind, contact.value)]) & theirs
    ]
    if others:
        notices.announce(request=row, event=ANNOUNCED, contacts=others, now=now)
        return
    task = {"text": _("Tell the person by letter that somebody acts for them in this request; no store has a contact to use.")}
    key = outbox.key_for(row, ANNOUNCED, "letter")
    outbox.enqueue(kind=OutboxItem.Kind.TASK, key=key, to=None, payload=task, request=row, now=now)


def _canonical(contacts: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    found = set()
    for kind, value in contacts:
        try:
            found.add((str(kind), canonical(kind, value)))
        except InvalidIdentity:
            continue
    return found


def takes_proof(request: RightsRequest) -> bool:
    """Whether proof of the role may be sent now."""
    found = of(request)
    return bool(found and found.state == Representation.State.CLAIMED and request.state == State.IDENTIFYING)
