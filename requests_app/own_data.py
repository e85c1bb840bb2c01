"""What the application itself holds about a customer: read for the package, forgotten after an erasure (R24).

Which columns, why and how long stands in privacy/datasets/insyn.yml.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import Customer, CustomerIdentity, VerificationCode
from privacy import own as own_store
from privacy.models import AuditEvent
from privacy.own import Own
from requests_app.models import ApiToken, Message, OutboxItem, Package, RightsRequest, Upload
from requests_app.models_consent import Consent, chain_of


def rows_of(customer: Customer) -> dict[str, QuerySet[Any]]:
    """{table: this customer's rows}; tasks are notes between members of staff, and who acted is theirs."""
    requests = RightsRequest.objects.filter(customer=customer)
    return {
        "accounts_customer": Customer.objects.filter(pk=customer.pk),
        "accounts_customeridentity": CustomerIdentity.objects.filter(customer=customer),
        "accounts_verificationcode": VerificationCode.objects.filter(customer=customer),
        "requests_app_rightsrequest": requests.order_by("pk"),
        "requests_app_message": Message.objects.filter(request__in=requests).order_by("pk"),
        "requests_app_package": Package.objects.filter(request__in=requests),
        "requests_app_upload": Upload.objects.filter(request__in=requests, uploaded_by=None),
        "requests_app_outboxitem": OutboxItem.objects.filter(request__in=requests).exclude(kind=OutboxItem.Kind.TASK),
        "requests_app_consent": Consent.objects.filter(customer=customer).order_by("pk"),
        "requests_app_apitoken": ApiToken.objects.filter(customer=customer),
        "privacy_auditevent": AuditEvent.objects.filter(
            Q(chain__in=requests.order_by().values("reference")) | Q(chain=chain_of(customer))
        ).order_by("chain", "seq"),
    }


def own(customer: Customer) -> Own:
    """The same as plain rows, for the package; collections without rows are left out."""
    collections = own_store.dataset().collections
    read = {name: rows.values(*collections[name].fields) for name, rows in rows_of(customer).items()}
    return {name: found for name, rows in read.items() if (found := list(rows))}
