"""The first page: figures that say what needs somebody now, each a link to its list; how long answers take; how things stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Staff
from accounts.roles import may
from accounts.second_factor import without_second_factor
from privacy.models import PurgeRun, Store
from requests_app.case.answer_times import answer_times, months_shown
from requests_app.desk import consents, house, reads, register_figures
from requests_app.desk.answer_chart import Chart, chart_of
from requests_app.desk.due import due_badge
from requests_app.desk.purges import stopped_last_time
from requests_app.desk.queue import COLUMNS, state_badge
from requests_app.desk.words import RIGHT_NAMES
from requests_app.models import OutboxItem, RightsRequest

NEXT_UP = 8


@dataclass(frozen=True)
class Figure:
    label: str
    count: int
    url: str
    tone: str  # what a count above nought means: bad | warn | ok

    @property
    def css(self) -> str:
        return self.tone if self.count else "none"


def first_page(request: HttpRequest) -> dict[str, Any]:
    user: Any = request.user
    figures: list[Figure] = []
    more: dict[str, Any] = {}
    if may(user, "request.see"):
        figures += _case_figures(user)
        more |= {"next_up": _next_up(user), "answer_times": _answer_times()}
    figures += [Figure(*figure) for figure in register_figures.of(user)]
    if may(user, "store.see"):
        figures += _store_figures()
        more |= {"stores": house.stores(), "purges": house.purges()}
    if may(user, "audit.see"):
        more["verification"] = house.verification()
    if may(user, "delivery.see"):
        figures += _delivery_figures()
    if may(user, "staff.manage"):
        figures += _staff_figures()
    return {"figures": figures, **more}


def _answer_times() -> Chart | None:
    now = timezone.now()
    return chart_of(answer_times(now=now), months_shown(now=now), reverse("admin:requests_app_rightsrequest_changelist"))


def _case_figures(user: Staff) -> list[Figure]:
    today = timezone.localdate()
    wanted: list[tuple[str, str, str, Q, str]] = []
    if may(user, "request.assign"):
        wanted.append(("mine", _("Need me"), "whose=needs-me", reads.needs(user), "ok"))
    if may(user, "request.approve_erasure"):
        wanted.append(("approval", _("Wait for my approval"), "whose=approval", reads.awaiting_approval_by(user), "warn"))
    wanted += [
        ("overdue", _("Overdue"), "due=overdue", reads.overdue(today), "bad"),
        ("soon", _("Due within 7 days"), "due=soon", reads.due_soon(today), "warn"),
        ("identity", _("Wait for proof of identity"), "state__exact=identifying", reads.waiting_for_identity(), "ok"),
        ("stopped", _("Stopped in a store"), "runs=stopped", reads.stopped(), "bad"),
    ]
    counts = RightsRequest.objects.filter(reads.OPEN).aggregate(
        **{key: Count("pk", filter=condition) for key, _l, _q, condition, _t in wanted}
    )
    queue = reverse("admin:requests_app_rightsrequest_changelist")
    figures = [Figure(label, counts[key], f"{queue}?{query}", tone) for key, label, query, _condition, tone in wanted]
    # A person may write about a closed request, too.
    written = RightsRequest.objects.filter(reads.unanswered()).count()
    mentioned = RightsRequest.objects.filter(reads.mentions(user)).count()
    mentions = Figure(_("Mention me"), mentioned, f"{queue}?show=all&whose=mentions", "warn")
    messages = Figure(_("Messages to answer"), written, f"{queue}?show=all&messages=unanswered", "warn")
    url = reverse("admin:requests_app_consent_changelist") + "?task=waiting"
    return [*figures, mentions, messages, Figure(_("Consents to be acted on"), consents.waiting().count(), url, "warn")]


def _next_up(user: Staff) -> list[dict[str, Any]]:
    today = timezone.localdate()
    found = (
        RightsRequest.objects.filter(reads.OPEN, reads.needs(user))
        .select_related("assignee")
        .only(*COLUMNS)
        .order_by("due_on", "pk")[:NEXT_UP]
    )
    return [
        {
            "url": reverse("admin:requests_app_rightsrequest_change", args=[case.pk]),
            "case": case,
            "right": RIGHT_NAMES[case.right],
            "due": due_badge(case, today),
            "state": state_badge(case),
        }
        for case in found
    ]


def _store_figures() -> list[Figure]:
    stores = Store.objects.filter(is_active=True).aggregate(
        down=Count("pk", filter=Q(health=Store.Health.DOWN), distinct=True),
        empty=Count("pk", filter=~Q(versions__is_current=True), distinct=True),
    )
    failed = PurgeRun.objects.filter(stopped_last_time()).count()
    url = reverse("admin:privacy_store_changelist")
    return [
        Figure(_("Stores out of reach"), stores["down"], f"{url}?health__exact=down", "bad"),
        Figure(_("Stores without a data map"), stores["empty"], f"{url}?map=none", "warn"),
        Figure(_("Purges that stopped last time"), failed, reverse("admin:privacy_purgerun_changelist") + "?last=stopped", "bad"),
    ]


def _delivery_figures() -> list[Figure]:
    failing = OutboxItem.objects.filter(delivered_at=None, attempts__gte=1).exclude(error="").count()
    return [
        Figure(
            _("Messages not delivered yet"),
            failing,
            reverse("admin:requests_app_outboxitem_changelist") + "?delivery=failing",
            "warn",
        )
    ]


def _staff_figures() -> list[Figure]:
    waiting = without_second_factor(Staff.objects.filter(is_active=True, is_staff=True)).count()
    return [Figure(_("Colleagues not enrolled yet"), waiting, reverse("admin:accounts_staff_changelist") + "?enrolled=no", "ok")]
