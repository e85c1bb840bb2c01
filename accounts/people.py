"""Customers and the identities they have proved. A customer exists only after a code proved the mailbox."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Customer, CustomerIdentity, IdentityKind, Staff, VerificationMethod
from privacy.actions import Identity, Person
from privacy.crypto import keyed_hash
from privacy.engine.identity import canonical

IDENTITY_HASH = "identity"


def identity_hash(kind: str, value: str) -> tuple[str, str]:
    """(key version, keyed hash) of the canonical form under the current key. Raises InvalidIdentity."""
    return keyed_hash(f"{kind}:{canonical(kind, value)}", purpose=IDENTITY_HASH)


def identity_hashes(kind: str, value: str) -> list[str]:
    """The same under every configured key, so that rows written before a rotation are still found."""
    text = f"{kind}:{canonical(kind, value)}"
    return [keyed_hash(text, purpose=IDENTITY_HASH, version=version)[1] for version in settings.INSYN_HASH_KEYS]


def find_or_create_customer(*, email: str, language: str, now: datetime) -> Customer:
    """The customer whose mailbox this is. Call it only after a code proved the mailbox: it writes the identity as verified."""
    for _attempt in range(2):
        known = _by_email(email)
        if known is not None:
            return _proved_again(known, email, now=now)
        try:
            with transaction.atomic():
                customer = Customer.objects.create(language=language, last_seen_at=now)
                add_identity(
                    customer=customer, kind=IdentityKind.EMAIL, value=email, method=VerificationMethod.EMAIL_CODE, now=now
                )
                return customer
        except IntegrityError:
            continue  # the same person in two tabs: the other tab made the customer
    known = _by_email(email)
    assert known is not None, "the constraint email_belongs_to_one_customer stopped us, so the row is there"
    return _proved_again(known, email, now=now)


def add_identity(
    *, customer: Customer, kind: str, value: str, method: str, now: datetime, verified_by: Staff | None = None
) -> CustomerIdentity:
    """Record that `customer` proved this identity; proving it again renews the date and the method.

    Raises InvalidIdentity, and IntegrityError for a mailbox that is another customer's.
    """
    known = CustomerIdentity.objects.filter(customer=customer, kind=kind, lookup__in=identity_hashes(kind, value)).first()
    version, lookup = identity_hash(kind, value)
    if known is not None:
        known.method, known.verified_at, known.verified_by = method, now, verified_by
        known.lookup, known.lookup_key = lookup, version
        known.save(update_fields=["method", "verified_at", "verified_by", "lookup", "lookup_key"])
        return known
    return CustomerIdentity.objects.create(
        customer=customer,
        kind=kind,
        value=canonical(kind, value),
        lookup=lookup,
        lookup_key=version,
        method=method,
        verified_at=now,
        verified_by=verified_by,
    )


def replace_identity(*, customer: Customer, kind: str, old: str, new: str, proved: bool, now: datetime) -> bool:
    """The stores were corrected, so the account goes along (R16): who gets the old mailbox or number next is not this person.

    A number that nobody has proved takes nothing's place. Of a mailbox the new one must be proved, and be nobody else's account;
    else the old one stays, for without a mailbox nobody could sign in. Answers whether anything changed.
    """
    known = CustomerIdentity.objects.filter(customer=customer, kind=kind, lookup__in=identity_hashes(kind, old))
    if kind != IdentityKind.EMAIL:
        return bool(known.delete()[0])
    if not proved or not known.exists():
        return False
    try:
        with transaction.atomic():
            add_identity(customer=customer, kind=kind, value=new, method=VerificationMethod.EMAIL_CODE, now=now)
            known.exclude(lookup__in=identity_hashes(kind, new)).delete()
    except IntegrityError:
        return False
    return True


def person_of(customer: Customer) -> Person:
    """The customer as the engine knows people: an opaque reference and the verified identities, in a stable order."""
    return people_of([customer])[customer.pk]


def people_of(customers: Iterable[Customer]) -> dict[int, Person]:
    """The same for many customers in one query, by their ids."""
    known = {customer.pk: customer.public_id for customer in customers}
    identities: dict[int, list[Identity]] = {pk: [] for pk in known}
    verified = CustomerIdentity.objects.filter(customer__in=known, verified_at__isnull=False).order_by("kind", "pk")
    for row in verified:
        identities[row.customer_id].append(Identity(row.kind, row.value))
    return {pk: Person(ref=public_id, identities=tuple(identities[pk])) for pk, public_id in known.items()}


def email_of(customer: Customer) -> str:
    """The mailbox the customer proved last, for showing and for answers; empty when there is none any more."""
    row = customer.identities.filter(kind=IdentityKind.EMAIL, verified_at__isnull=False).order_by("-verified_at", "-pk").first()
    return row.value if row else ""


def owner_of_mailbox(email: str) -> Customer | None:
    """Who has proved this mailbox; that somebody only said it is theirs does not count."""
    proved = CustomerIdentity.objects.filter(kind=IdentityKind.EMAIL, lookup__in=identity_hashes("email", email))
    row = proved.filter(verified_at__isnull=False).select_related("customer").first()
    return row.customer if row else None


def _by_email(email: str) -> Customer | None:
    return Customer.objects.filter(
        identities__kind=IdentityKind.EMAIL, identities__lookup__in=identity_hashes("email", email)
    ).first()


def _proved_again(customer: Customer, email: str, *, now: datetime) -> Customer:
    """The mailbox may have been proved before, or only claimed for this customer by whoever entered a request."""
    with transaction.atomic():
        add_identity(customer=customer, kind=IdentityKind.EMAIL, value=email, method=VerificationMethod.EMAIL_CODE, now=now)
        customer.last_seen_at = now
        customer.save(update_fields=["last_seen_at"])
    return customer
