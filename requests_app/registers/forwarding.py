"""What we hold as a processor is not ours to decide: the request goes to each controller concerned (Art. 28(3)(e)).

The search finds the person in such a store like in any other; nothing there is exported, changed or erased by us. Once the
person's identity is proved as far as the right needs it, each controller to whom the map's link leads gets a message without
content and reads the request signed in here, by two proofs: it names somebody else. The person is told how many controllers
there are and what became of it, never who: a controller may be a natural person, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts.models import Customer, CustomerIdentity, IdentityKind, Staff
from accounts.people import identity_hash, identity_hashes, person_of
from privacy import audit
from privacy.actions import Identity, StoreUnavailable
from privacy.controllers import Controller, controllers_of
from privacy.datamap.model import Dataset
from privacy.engine.identity import InvalidIdentity, canonical
from privacy.maps import dataset_of
from privacy.models import DatasetVersion
from requests_app.case.intake import NEEDED_LEVEL
from requests_app.case.notices import closing_lines
from requests_app.case.steps import CUSTOMER, SYSTEM, require_role, require_words, staff_actor
from requests_app.errors import NotAllowed, SomebodyElseGotThereFirst
from requests_app.models import OutboxItem, RightsRequest, RunState, State, StoreRun
from requests_app.models.forwarding import Forwarding
from requests_app.running import outbox

log = structlog.get_logger(__name__)

LEVEL_TO_READ = 2  # it tells who asks: what leaves the house about a person takes a second proof (DESIGN §8)
LONGEST_NOTE = 2000
# Cases that are assessed or beyond; one that was refused or withdrawn is passed on to nobody.
LIVE = (State.TRIAGE, State.PROPOSED, State.APPROVED, State.RUNNING, State.BLOCKED, State.RESTRICTED, State.COMPLETED)


def forward_due(*, now: datetime) -> int:
    """Forward what was found in stores that we hold for others and nobody was told of yet; answers how many runs."""
    forwarded = 0
    for run in due().select_related("store", "request__customer").order_by("pk"):
        try:
            found = controllers_of(store_key=run.store.key, plan=run.plan or {}) if run.finding else []
        except StoreUnavailable:
            log.warning("forwarding_waits", run=run.pk)
            continue
        forwarded += _forward(run, found, now)
    return forwarded


def due() -> QuerySet[StoreRun]:
    """Searched runs of such stores, of people who have proved as much as their right needs."""
    proved = Q(pk__in=())
    for right, level in NEEDED_LEVEL.items():
        proved |= Q(request__right=right, request__identity_level__gte=level)
    found = StoreRun.objects.filter(store__role="processor", state=RunState.CANCELLED, located_at__isnull=False)
    return found.filter(proved, report__isnull=True, request__state__in=LIVE)


def _forward(run: StoreRun, controllers: Sequence[Controller], now: datetime) -> int:
    with transaction.atomic():
        request = RightsRequest.objects.select_for_update().select_related("customer").get(pk=run.request_id)
        still = StoreRun.objects.select_for_update().filter(pk=run.pk, state=RunState.CANCELLED, report__isnull=True)
        if not still.exists():
            return 0
        person = person_of(request.customer).identities
        others = [item for item in controllers if not _is(item, person)]  # who hosts the data need not ask themselves
        wanted = others or ([] if controllers or not run.finding else [Controller("", ())])
        known = set(Forwarding.objects.filter(request=request, store=run.store).values_list("mark", flat=True))
        rows = [_row(run, request, item, person, now) for item in wanted if item.mark not in known]
        Forwarding.objects.bulk_create(rows)
        _tell(rows, now)
        count = len(known | {item.mark for item in wanted})
        still.update(report={"forwarded": count, "collections": {}})
        if rows:
            payload = {"store": run.store.key, "controllers": len(rows)}
            audit.record(chain=request.reference, actor=SYSTEM, action="request.forwarded", payload=payload, now=now)
    return 1


def _is(controller: Controller, person: Sequence[Identity]) -> bool:
    own = {(item.kind, item.value) for item in person}
    for item in controller.identities:
        try:
            if (item.kind, canonical(item.kind, item.value)) in own:
                return True
        except InvalidIdentity:
            continue
    return False


def _row(run: StoreRun, request: RightsRequest, controller: Controller, person: Sequence[Identity], now: datetime) -> Forwarding:
    mailbox = _mailbox(controller)
    dataset = _dataset(run)
    kinds = {field.identity for _collection, field in dataset.fields() if field.identity} if dataset else set()
    identifying = [item for item in person if item.kind in kinds] or list(person[:1])
    return Forwarding(
        request=request,
        store=run.store,
        mark=controller.mark,
        lookup=identity_hash(IdentityKind.EMAIL, mailbox)[1] if mailbox else "",
        controller=[[item.kind, item.value] for item in controller.identities],
        person=[[item.kind, item.value] for item in identifying],
        collections=sorted(name for name, counts in (run.finding or {}).items() if counts.get("rows")),
        state=Forwarding.State.SENT if mailbox else Forwarding.State.WAITING,
        created_at=now,
    )


def _dataset(run: StoreRun) -> Dataset | None:
    version = DatasetVersion.objects.filter(store=run.store_id, is_current=True).first()
    return dataset_of(version) if version else None


def _mailbox(controller: Controller) -> str:
    for item in controller.identities:
        if item.kind == IdentityKind.EMAIL:
            try:
                return canonical(item.kind, item.value)
            except InvalidIdentity:
                continue
    return ""


def _tell(rows: Sequence[Forwarding], now: datetime) -> None:
    """A message that there is something to read, and no word of what; it belongs to no case, for it names the controller."""
    items = []
    with override(settings.LANGUAGE_CODE):
        words = {
            "subject": _("A request about data in the services that you have with us"),
            "text": closing_lines(
                _(
                    "Somebody has asked us for something that concerns data in the services that you have with us. You are the "
                    "controller of those data, so the answer is yours to give. Sign in with this address to read the request."
                )
            ),
        }
    for row in rows:
        mailbox = next((value for kind, value in row.controller or () if kind == IdentityKind.EMAIL), "")
        if row.lookup:
            key = f"{row.reference}:forwarded:controller"
            items.append(outbox.item(kind=OutboxItem.Kind.EMAIL, key=key, to=mailbox, payload=words, request=None, now=now))
    outbox.enqueue_all(items)


# --- the controller -------------------------------------------------------------------------------------------------------


def forwarded_to(customer: Customer) -> QuerySet[Forwarding]:
    """What was forwarded to this customer: whoever has proved the mailbox that our own store has of the controller."""
    mailboxes = CustomerIdentity.objects.filter(customer=customer, kind=IdentityKind.EMAIL, verified_at__isnull=False)
    lookups = [lookup for row in mailboxes for lookup in identity_hashes(row.kind, row.value)]
    return Forwarding.objects.filter(lookup__in=lookups).exclude(lookup="").select_related("request", "store")


def read_by_controller(*, forwarding: Forwarding, now: datetime) -> None:
    """The controller opened it; the first time is written down. The caller has checked who it is, and the level."""
    with transaction.atomic():
        new = Forwarding.objects.filter(pk=forwarding.pk, seen_at=None)
        if new.update(seen_at=now):
            Forwarding.objects.filter(pk=forwarding.pk, state=Forwarding.State.SENT).update(state=Forwarding.State.SEEN)
            _record(forwarding, "request.forwarded_read", CUSTOMER, now)
    forwarding.refresh_from_db()


def tell_back(*, forwarding: Forwarding, customer: Customer, level: int, note: str, now: datetime) -> None:
    """The controller says that the request is dealt with; what they say of it goes to us, the person learns that it is."""
    if level < LEVEL_TO_READ or not forwarded_to(customer).filter(pk=forwarding.pk).exists():
        raise NotAllowed(_("This is not your request."))
    _done(forwarding, note.strip()[:LONGEST_NOTE] or None, CUSTOMER, None, now)


# --- staff ----------------------------------------------------------------------------------------------------------------


def forward_by_hand(*, forwarding: Forwarding, note: str, acting_user: Staff, now: datetime) -> None:
    """No mailbox leads to the controller: a member of staff reached them otherwise."""
    require_role(acting_user, "forwarding.report")
    words = require_words(note, _("Write how the controller was reached."))
    with transaction.atomic():
        waiting = Forwarding.objects.filter(pk=forwarding.pk, state=Forwarding.State.WAITING)
        if not waiting.update(state=Forwarding.State.SENT, note=words, reported_by=acting_user):
            raise SomebodyElseGotThereFirst(_("Somebody else got there first. Look at it again."))
        _record(forwarding, "request.forwarded_by_hand", staff_actor(acting_user), now)
    forwarding.refresh_from_db()


def report_dealt_with(*, forwarding: Forwarding, note: str, acting_user: Staff, now: datetime) -> None:
    """The controller told a member of staff that it is dealt with."""
    require_role(acting_user, "forwarding.report")
    _done(forwarding, require_words(note, _("Write what the controller said.")), staff_actor(acting_user), acting_user, now)


def show_who(*, forwarding: Forwarding, acting_user: Staff, now: datetime) -> Mapping[str, list[list[str]]]:
    """Who asks and who the controller is, for whoever forwards by hand; looking is written down."""
    require_role(acting_user, "forwarding.report")
    with transaction.atomic():
        _record(forwarding, "request.forwarding_seen", staff_actor(acting_user), now)
    return {"person": forwarding.person or [], "controller": forwarding.controller or []}


def _done(forwarding: Forwarding, note: str | None, actor: str, staff: Staff | None, now: datetime) -> None:
    with transaction.atomic():
        open_one = Forwarding.objects.filter(pk=forwarding.pk).exclude(state=Forwarding.State.DONE)
        if not open_one.update(state=Forwarding.State.DONE, done_at=now, note=note, reported_by=staff):
            raise SomebodyElseGotThereFirst(_("Somebody else got there first. Look at it again."))
        _record(forwarding, "request.forwarded_done", actor, now)
    forwarding.refresh_from_db()


def _record(forwarding: Forwarding, action: str, actor: str, now: datetime) -> None:
    payload = {"store": forwarding.store.key, "forwarding": forwarding.reference}
    audit.record(chain=forwarding.request.reference, actor=actor, action=action, payload=payload, now=now)
