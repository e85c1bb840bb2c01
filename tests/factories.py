"""People, stores and requests for tests: plain functions with sensible defaults."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import people, signin
from accounts.models import Customer, IdentityKind, Staff, VerificationMethod
from privacy.models import DatasetVersion, Store
from requests_app import cases
from requests_app.models import RightsRequest, Source

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)  # a Thursday
_numbers = count(1)


def make_customer(
    email: str | None = None, *, phone: str | None = None, language: str = "sv", now: datetime | None = None
) -> Customer:
    """A customer who proved a mailbox and, when given, a telephone."""
    now = now or timezone.now()
    email = email or f"customer{next(_numbers)}@example.se"
    customer = people.find_or_create_customer(email=email, language=language, now=now)
    if phone:
        people.add_identity(customer=customer, kind=IdentityKind.PHONE, value=phone, method=VerificationMethod.SMS_CODE, now=now)
    return customer


def make_staff(*roles: str, email: str | None = None) -> Staff:
    """A member of staff with these roles (accounts.models.Role)."""
    user = Staff.objects.create_user(email or f"staff{next(_numbers)}@example.se", "correct horse battery", is_staff=True)
    user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
    return user


def make_store(key: str | None = None, *, version: int = 1, **columns: Any) -> Store:
    """A registered store with a loaded map, as far as cases look at it; there is no database behind it."""
    key = key or f"store{next(_numbers)}"
    store = Store.objects.create(**{"key": key, "name": key.capitalize(), "url": "env:NO_DATABASE", **columns})
    DatasetVersion.objects.create(
        store=store,
        version=version,
        fides_key=key,
        digest="0" * 64,
        source=f"dataset: [{{fides_key: {key}, name: {key}, collections: []}}]",
        loaded_at=NOW,
        loaded_by="test",
    )
    return store


def make_request(
    customer: Customer | None = None, right: str = "access", *, level: int = 2, now: datetime | None = None, **columns: Any
) -> RightsRequest:
    """A request as the portal submits it; a restriction has ground (a), a rectification one correction in store `crm`."""
    if right == "restriction":
        columns.setdefault("ground", "a")
    if right == "rectification":
        columns.setdefault("details", {"corrections": [{"field": "crm.customer.city", "old": "Lund", "new": "Malmö"}]})
    return cases.submit_request(
        customer=customer or make_customer(),
        right=right,
        source=columns.pop("source", Source.PORTAL),
        language=columns.pop("language", "en"),
        identity_level=level,
        now=now or timezone.now(),
        **columns,
    )


def sign_in_customer(client: Any, customer: Customer, *, level: int = 1) -> None:
    """Give the test client a customer's sitting, as accounts.signin writes it."""
    now = int(timezone.now().timestamp())
    session = client.session
    session[signin.SESSION_KEY] = {"id": customer.pk, "level": level, "since": now, "seen": now}
    session.save()
