"""The privacy policy in versions: which is in force, which were, putting a new one in force, and telling the customers.

A version's text is `templates/portal/notices/<version>.html`, what it changed `<version>.changes.html` beside it. That it is in
force, and since when, stands in the database: a request notes which version its sender was shown (Art. 13), so no version that
was in force is ever rewritten.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from accounts.models import Customer, CustomerIdentity, IdentityKind
from privacy import audit
from requests_app.case.notices import closing_lines
from requests_app.errors import NotAllowed
from requests_app.models import OutboxItem, RightsRequest
from requests_app.models.consent import PolicyVersion
from requests_app.running import doorbell, outbox

BATCH = 500
SUBJECT = gettext_lazy("We have changed our privacy policy")
TEXT = gettext_lazy("We have changed our privacy policy. What changed, and the whole text, you read on the website.")


def current_version() -> str:
    """The version in force; before any was put in force, the one that the settings name."""
    return PolicyVersion.objects.values_list("version", flat=True).first() or str(settings.INSYN_NOTICE_VERSION)


def versions() -> list[PolicyVersion]:
    """Those that are or were in force, newest first."""
    return list(PolicyVersion.objects.all()) or [PolicyVersion(version=settings.INSYN_NOTICE_VERSION)]


def text_template(version: str) -> str:
    return f"portal/notices/{version}.html"


def changes_template(version: str) -> str:
    return f"portal/notices/{version}.changes.html"


def put_in_force(*, version: str, actor: str, now: datetime) -> PolicyVersion:
    """Make `version` the one that is shown from now on, and owe every customer the notice of it. Once: later ones are newer.

    Raises NotAllowed where its text or the account of its changes is missing, or where it was in force before.
    """
    for name in (text_template(version), changes_template(version)):
        try:
            get_template(name)
        except TemplateDoesNotExist:
            raise NotAllowed(_("There is no file templates/%(name)s. Write it first.") % {"name": name}) from None
    before = current_version()
    try:
        with transaction.atomic():
            PolicyVersion.objects.filter(told_at=None).update(told_at=now)  # this notice goes to everybody and says as much
            row = PolicyVersion.objects.create(version=version, in_force_at=now, put_by=actor)
            payload = {"version": version, "before": before}
            audit.record(chain=audit.SYSTEM, actor=actor, action="policy.in_force", payload=payload, now=now)
            doorbell.ring(doorbell.TELL_POLICY)
    except IntegrityError:
        raise NotAllowed(
            _("Version %(version)s is or was in force. A changed text is a new version.") % {"version": version}
        ) from None
    return row


def tell_some(*, now: datetime) -> int:
    """Owe the notice to the next customers who have not been told; answers how many, 0 when everybody is.

    Killed anywhere it goes on where it was: the place is written down with the messages, and each has a key of its own.
    """
    with transaction.atomic():
        row = PolicyVersion.objects.select_for_update(skip_locked=True).filter(told_at=None).order_by("pk").first()
        if row is None:
            return 0
        customers = list(Customer.objects.filter(pk__gt=row.told_up_to, created_at__lt=row.in_force_at).order_by("pk")[:BATCH])
        outbox.enqueue_all(_messages(row, customers, now))
        if customers:
            row.told_up_to = customers[-1].pk
        if len(customers) < BATCH:
            row.told_at = now
        row.save(update_fields=["told_up_to", "told_at"])
        return len(customers)


def somebody_to_tell() -> bool:
    return PolicyVersion.objects.filter(told_at=None).exists()


def remember_seen(*, customer: Customer, version: str) -> None:
    """The person was shown this version: no page reminds them of it any more."""
    if customer.policy_seen != version:
        customer.policy_seen = version
        customer.save(update_fields=["policy_seen"])


def seen_by_newcomer(customer: Customer) -> None:
    """Who comes for the first time has missed no change: what is in force is what they are shown when they ask."""
    if not customer.policy_seen:
        last = RightsRequest.objects.filter(customer=customer).exclude(notice_version="").order_by("-pk")
        remember_seen(customer=customer, version=last.values_list("notice_version", flat=True).first() or current_version())


def _messages(row: PolicyVersion, customers: list[Customer], now: datetime) -> list[OutboxItem]:
    """To every mailbox that they proved. Nothing in it says who they are or that they ever asked for anything."""
    language = {customer.pk: customer.language for customer in customers}
    words = {code: _words(code) for code in set(language.values())}
    mailboxes = CustomerIdentity.objects.filter(
        customer__in=customers, kind=IdentityKind.EMAIL, verified_at__isnull=False
    ).order_by("pk")
    return [
        outbox.item(
            kind=OutboxItem.Kind.EMAIL,
            key=f"policy:{row.version}:{mailbox.pk}",
            to=mailbox.value,
            payload=words[language[mailbox.customer_id]],
            now=now,
        )
        for mailbox in mailboxes
    ]


def _words(language: str) -> dict[str, str]:
    with override(language):
        return {"subject": str(SUBJECT), "text": closing_lines(str(TEXT))}
