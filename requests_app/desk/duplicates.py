"""Other requests that may be the same person's: of the same account, or of another one with an identity in common.

Nobody links them by hand: each is found from the other, by keyed hashes of the identities, under every key that is in use.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q

from accounts.models import CustomerIdentity, IdentityKind
from accounts.people import identity_hashes
from privacy.engine.identity import InvalidIdentity
from requests_app.case.deadlines import local_date
from requests_app.models import RightsRequest

SHORTLY = timedelta(days=60)  # the same right asked for again within these days is looked at twice
MOST = 20


@dataclass(frozen=True)
class Other:
    case: RightsRequest
    shared: tuple[str, ...]  # kinds of identity in common, in words; none: the same account
    is_duplicate: bool  # the same right, shortly before or after
    days: int  # that it came after this one; negative: before


def others_of(case: RightsRequest, identities: Collection[CustomerIdentity]) -> list[Other]:
    """The newest of them; two queries, whatever they find."""
    shared = _customers_sharing(case, identities)
    found = RightsRequest.objects.filter(Q(customer=case.customer_id) | Q(customer__in=list(shared))).exclude(pk=case.pk)
    columns = ("reference", "right", "state", "customer", "received_at")
    return [_other(case, row, shared) for row in found.only(*columns).order_by("-received_at")[:MOST]]


def _customers_sharing(case: RightsRequest, identities: Collection[CustomerIdentity]) -> dict[int, set[str]]:
    """{another customer: kinds of the identities that are this person's as well}."""
    hashes: dict[str, str] = {}
    for row in identities:
        try:
            hashes |= dict.fromkeys(identity_hashes(row.kind, row.value), row.kind)
        except InvalidIdentity:
            continue
    rows = CustomerIdentity.objects.filter(lookup__in=list(hashes)).exclude(customer=case.customer_id)
    shared: dict[int, set[str]] = {}
    for customer, kind, lookup in rows.order_by("pk").values_list("customer_id", "kind", "lookup")[:MOST]:
        if hashes[lookup] == kind:
            shared.setdefault(customer, set()).add(kind)
    return shared


def _other(case: RightsRequest, row: RightsRequest, shared: dict[int, set[str]]) -> Other:
    kinds = shared.get(row.customer_id, set()) if row.customer_id != case.customer_id else set()
    days = (local_date(row.received_at) - local_date(case.received_at)).days
    return Other(
        case=row,
        shared=tuple(str(IdentityKind(kind).label) for kind in sorted(kinds)),
        is_duplicate=row.right == case.right and abs(days) <= SHORTLY.days,
        days=days,
    )


def may_be_asked_twice() -> Any:
    """For a line of the queue: somebody with an identity in common asked for the same right shortly before or after."""
    same = RightsRequest.objects.filter(
        right=OuterRef("right"),
        received_at__gte=OuterRef("received_at") - SHORTLY,
        received_at__lte=OuterRef("received_at") + SHORTLY,
    ).exclude(pk=OuterRef("pk"))
    mine = CustomerIdentity.objects.filter(customer=OuterRef("customer"))
    theirs = CustomerIdentity.objects.filter(  # in one call: right and day are those of one request
        lookup=OuterRef("lookup"),
        kind=OuterRef("kind"),
        customer__requests__right=OuterRef(OuterRef("right")),
        customer__requests__received_at__gte=OuterRef(OuterRef("received_at")) - SHORTLY,
        customer__requests__received_at__lte=OuterRef(OuterRef("received_at")) + SHORTLY,
    ).exclude(customer=OuterRef("customer"))
    return Exists(same.filter(customer=OuterRef("customer"))) | Exists(mine.filter(Exists(theirs)))
