"""What a purge asks before it removes rows: whose must stay, because a request is open or a restriction is in force (R17)."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Prefetch

from accounts.models import Customer, CustomerIdentity
from privacy.actions import Identity, Person
from requests_app.models import OPEN_STATES, RightsRequest, State


class RequestGuard:
    """The guard that settings name as INSYN_PURGE_GUARD; privacy.retention asks it and knows no request."""

    def protected(self, store_key: str) -> Sequence[Person]:
        """People whose rows in this store must not be purged, with their verified identities; three queries for any number."""
        holding = RightsRequest.objects.filter(customer=OuterRef("pk"), state__in=(*OPEN_STATES, State.RESTRICTED))
        # Two queries rather than a join: a customer with several requests is one person.
        verified = CustomerIdentity.objects.filter(verified_at__isnull=False).order_by("kind", "pk")
        customers = (
            Customer.objects.filter(Exists(holding)).order_by("pk").prefetch_related(Prefetch("identities", queryset=verified))
        )
        return [
            Person(ref=customer.public_id, identities=tuple(Identity(row.kind, row.value) for row in customer.identities.all()))
            for customer in customers
            if customer.identities.all()
        ]
