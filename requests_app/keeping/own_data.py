"""What the application itself holds about a customer: read for the package, forgotten after an erasure (R24).

Which columns, why and how long stands in privacy/datasets/insyn.yml.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import F, Manager, QuerySet

from accounts.models import Customer, CustomerIdentity, VerificationCode
from privacy import own as own_store
from privacy.models import AuditEvent
from privacy.own import Own
from requests_app.case import representing
from requests_app.models import (
    ApiToken,
    Excess,
    Forwarding,
    Message,
    OutboxItem,
    Package,
    RecipientNotice,
    RightsRequest,
    Upload,
)
from requests_app.models.consent import Consent, chain_of
from requests_app.models.representation import Representation
from requests_app.registers import disclosures

AUDIT = "privacy_auditevent"
# What a person did and wrote here is not for who acts for them: it may be about that very person.
FOR_REPRESENTATIVES = ("accounts_customer", "accounts_customeridentity")


def rows_of(customers: Collection[int], chains: Collection[str]) -> dict[str, QuerySet[Any]]:
    """{table: these customers' rows, with whose they are as `of_customer`}; what the audit log says knows its chain alone.

    Tasks are notes between members of staff, and who acted is theirs. Letters to recipients stand with those who got them.
    So are notes on a case: lag (2018:218) 5 kap. 2 § takes notes from the right of access as long as nobody outside gets them.
    """
    requests = RightsRequest.objects.filter(representing.TOLD, customer__in=customers)
    told = RecipientNotice.objects.filter(request__in=requests).order_by("pk")
    letters = OutboxItem.objects.filter(request__in=requests).exclude(kind=OutboxItem.Kind.TASK)
    letters = letters.exclude(pk__in=told.filter(message__isnull=False).values("message"))
    messages = Message.objects.filter(request__in=requests).order_by("pk")
    by_request = {"of_customer": F("request__customer")}
    return {
        "accounts_customer": Customer.objects.filter(pk__in=customers).annotate(of_customer=F("pk")),
        "accounts_customeridentity": _of(CustomerIdentity.objects, customers),
        "accounts_verificationcode": _of(VerificationCode.objects, customers),
        "requests_app_rightsrequest": requests.annotate(of_customer=F("customer")).order_by("pk"),
        "requests_app_message": messages.annotate(**by_request),
        "requests_app_package": Package.objects.filter(request__in=requests).annotate(**by_request),
        "requests_app_upload": Upload.objects.filter(request__in=requests, uploaded_by=None).annotate(**by_request),
        "requests_app_representation": Representation.objects.filter(request__in=requests).annotate(**by_request),
        "requests_app_excess": Excess.objects.filter(request__in=requests).annotate(**by_request),
        "requests_app_outboxitem": letters.annotate(**by_request),
        "requests_app_forwarding": Forwarding.objects.filter(request__in=requests).annotate(**by_request).order_by("pk"),
        "requests_app_recipientnotice": told.annotate(**by_request),
        "requests_app_disclosure": _of_cleared(customers),
        "requests_app_consent": _of(Consent.objects, customers).order_by("pk"),
        "requests_app_apitoken": _of(ApiToken.objects, customers),
        AUDIT: AuditEvent.objects.filter(chain__in=chains).order_by("chain", "seq"),
    }


def _of(rows: Manager[Any], customers: Collection[int]) -> QuerySet[Any]:
    return rows.filter(customer__in=customers).annotate(of_customer=F("customer"))


def _of_cleared(customers: Collection[int]) -> QuerySet[Any]:
    """Disclosures stay hidden from their person until the officer has cleared them (Art. 4(9)), in packages as well."""
    return disclosures.cleared().filter(customer__in=customers).annotate(of_customer=F("customer")).order_by("pk")


def own_of(customers: Collection[Customer]) -> dict[int, Own]:
    """The same as plain rows, per customer (by id), for their packages; collections without rows are left out."""
    found: dict[int, dict[str, list[dict[str, Any]]]] = {customer.pk: {} for customer in customers}
    if not found:
        return {}
    chains = _chains(customers)
    collections = own_store.dataset().collections
    for name, rows in rows_of(found, chains).items():
        whose = () if name == AUDIT else ("of_customer",)
        for row in rows.values(*whose, *collections[name].fields):
            customer = row.pop("of_customer") if whose else chains[row["chain"]]
            found[customer].setdefault(name, []).append(row)
    return dict(found)


def for_representative(own: Own) -> Own:
    """The part of it that goes into a package which somebody else asked for on the person's behalf."""
    return {name: rows for name, rows in own.items() if name in FOR_REPRESENTATIVES}


def _chains(customers: Collection[Customer]) -> Mapping[str, int]:
    """The audit chains of their cases and of their consents, and whose each is."""
    cases = RightsRequest.objects.filter(representing.TOLD, customer__in=customers).values_list("reference", "customer")
    return dict(cases) | {chain_of(customer): customer.pk for customer in customers}
