"""People who did not come through the portal: what they say they are, kept apart from what is proved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import Customer, CustomerIdentity, IdentityKind, Staff, VerificationMethod
from accounts.people import identity_hash, identity_hashes
from privacy.engine.identity import canonical


def customer_claiming(
    *, identities: Mapping[str, str], language: str, now: datetime, claimed_by: Staff | None = None
) -> Customer:
    """The customer these identities (kind → value) belong to as far as we know, with what is new added as unverified.

    A known mailbox leads to its customer, whoever asked: the answer goes to that customer only. A telephone or a customer number
    leads nowhere by itself, since households share the one and invoices show the other. `claimed_by` typed them, so somebody
    else verifies them. Raises InvalidIdentity.
    """
    with transaction.atomic():
        customer = _by_mailbox(identities.get(IdentityKind.EMAIL, "")) or Customer.objects.create(language=language)
        for kind, value in identities.items():
            _claim(customer, kind, value, claimed_by)
    return customer


def _by_mailbox(email: str) -> Customer | None:
    if not email:
        return None
    return Customer.objects.filter(
        identities__kind=IdentityKind.EMAIL, identities__lookup__in=identity_hashes(IdentityKind.EMAIL, email)
    ).first()


def _claim(customer: Customer, kind: str, value: str, claimed_by: Staff | None) -> None:
    if CustomerIdentity.objects.filter(customer=customer, kind=kind, lookup__in=identity_hashes(kind, value)).exists():
        return
    version, lookup = identity_hash(kind, value)
    row = CustomerIdentity(
        customer=customer,
        kind=kind,
        value=canonical(kind, value),
        lookup=lookup,
        lookup_key=version,
        method=VerificationMethod.STAFF,
        claimed_by=claimed_by,
    )
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        # Somebody proved this mailbox a moment ago: the next attempt finds them.
        raise MailboxTaken from error


class MailboxTaken(Exception):
    """The mailbox was just proved by a customer; try once more."""
