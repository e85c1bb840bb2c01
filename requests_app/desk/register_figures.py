"""What the registers put on the first page, each to those whose roles have something to do with it."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Role, Staff
from accounts.roles import may
from requests_app.desk import breaches, disclosures, forwardings, recipient_notices
from requests_app.models import BreachCase, Disclosure, Forwarding, RecipientNotice

Figure = tuple[str, int, str, str]  # label, count, address, tone


def of(user: Staff) -> Iterator[Figure]:
    if may(user, "request.see"):
        yield from _recipients(user)
    if may(user, "forwarding.report"):
        waiting = Forwarding.objects.filter(forwardings.waiting()).count()
        url = reverse("admin:requests_app_forwarding_changelist")
        yield _("Requests to be forwarded by hand"), waiting, f"{url}?state__exact=waiting", "bad"
    if may(user, "breach.see"):
        yield from _breaches()
    if may(user, "disclosure.decide"):
        waiting = Disclosure.objects.filter(disclosures.waiting_for(user)).count()
        url = reverse("admin:requests_app_disclosure_changelist")
        yield _("Demands for data to decide on"), waiting, f"{url}?waits=me", "warn"
    if may(user, "disclosure.clear"):
        hidden = Disclosure.objects.filter(disclosures.hidden()).count()
        url = reverse("admin:requests_app_disclosure_changelist")
        yield _("Disclosures that the person does not see"), hidden, f"{url}?waits=clearing", "ok"


def _breaches() -> Iterator[Figure]:
    """Those whose 72 hours run, with the hours that the first of them has left; then those that only wait to be ended."""
    url = reverse("admin:requests_app_breachcase_changelist")
    waiting = list(BreachCase.objects.filter(breaches.waiting_for_authority()).only("aware_at").order_by("aware_at", "pk"))
    left = breaches.hours_left(waiting[0], timezone.now()) if waiting else 0
    if not waiting:
        label = _("Breaches whose 72 hours run")
    elif left < 0:
        label = ngettext(
            "Breaches; the first is %(hours)d hour too late", "Breaches; the first is %(hours)d hours too late", -left
        ) % {"hours": -left}
    else:
        label = ngettext("Breaches; the first has %(hours)d hour left", "Breaches; the first has %(hours)d hours left", left) % {
            "hours": left
        }
    yield label, len(waiting), f"{url}?show=authority", "bad"


def _recipients(user: Staff) -> Iterator[Figure]:
    counts = RecipientNotice.objects.filter(state=RecipientNotice.State.OWED).aggregate(
        late=Count("pk", filter=recipient_notices.late()), escalated=Count("pk", filter=recipient_notices.escalated())
    )
    url = reverse("admin:requests_app_recipientnotice_changelist")
    if may(user, "recipient.tell"):
        yield _("Recipients told too late"), counts["late"], f"{url}?late=late", "bad"
    if user.has_role(Role.OFFICER):
        yield _("Recipients still not told after a reminder"), counts["escalated"], f"{url}?late=escalated", "bad"
