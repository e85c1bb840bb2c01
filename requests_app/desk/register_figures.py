"""What the registers put on the first page, each to those whose roles have something to do with it."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Role, Staff
from accounts.roles import may
from requests_app.desk import recipient_notices
from requests_app.models import RecipientNotice

Figure = tuple[str, int, str, str]  # label, count, address, tone


def of(user: Staff) -> Iterator[Figure]:
    if may(user, "request.see"):
        yield from _recipients(user)


def _recipients(user: Staff) -> Iterator[Figure]:
    counts = RecipientNotice.objects.filter(state=RecipientNotice.State.OWED).aggregate(
        late=Count("pk", filter=recipient_notices.late()), escalated=Count("pk", filter=recipient_notices.escalated())
    )
    url = reverse("admin:requests_app_recipientnotice_changelist")
    if may(user, "recipient.tell"):
        yield _("Recipients told too late"), counts["late"], f"{url}?late=late", "bad"
    if user.has_role(Role.OFFICER):
        yield _("Recipients still not told after a reminder"), counts["escalated"], f"{url}?late=escalated", "bad"
