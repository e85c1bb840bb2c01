"""Requests about data that we hold for others: to which controller each went, and what became of it there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.desk import refuse_unless
from accounts.models import IdentityKind, Staff
from accounts.roles import may
from accounts.staff_site import staff_site
from requests_app.desk.due import badge
from requests_app.desk.queue import name_of
from requests_app.desk.record_steps import RecordStep, StepsAdmin
from requests_app.models.forwarding import Forwarding
from requests_app.registers import forwarding as forwarding_register

State = Forwarding.State
TONES = {State.WAITING: "bad", State.SENT: "info", State.SEEN: "info", State.DONE: "ok"}
# What a line shows; who asks and who the controller is stays encrypted until somebody asks.
COLUMNS = (
    *("reference", "state", "created_at", "seen_at", "done_at", "collections"),
    *("request__reference", "request__due_on", "store__key", "store__name"),
)


def waiting() -> Q:
    return Q(state=State.WAITING)


class NoteForm(forms.Form):
    note = forms.CharField(
        label=_("In words"), max_length=forwarding_register.LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 5})
    )


def _by_hand(row: Forwarding, user: Staff, data: dict[str, Any], now: datetime) -> None:
    forwarding_register.forward_by_hand(forwarding=row, note=data["note"], acting_user=user, now=now)


def _dealt_with(row: Forwarding, user: Staff, data: dict[str, Any], now: datetime) -> None:
    forwarding_register.report_dealt_with(forwarding=row, note=data["note"], acting_user=user, now=now)


STEPS = (
    RecordStep(
        "by-hand",
        _("I have reached the controller"),
        "forwarding.report",
        legal=lambda row, user: row.state == State.WAITING,
        will_happen=lambda row: [_("It is written down that you passed the request on, and how.")],
        perform=_by_hand,
        form=NoteForm,
        done=_("It is written down."),
    ),
    RecordStep(
        "dealt-with",
        _("The controller has dealt with it"),
        "forwarding.report",
        legal=lambda row, user: row.state in (State.SENT, State.SEEN),
        will_happen=lambda row: [_("The person sees that it is dealt with, not by whom.")],
        perform=_dealt_with,
        form=NoteForm,
        done=_("It is written down."),
    ),
)


@admin.register(Forwarding, site=staff_site)
class ForwardingAdmin(StepsAdmin):
    steps = STEPS
    see = "request.see"
    heading = _("Forwarded requests")
    intro = _(
        "What customers have stored in the services they have with us is theirs to decide on. A request that finds such data is "
        "forwarded to each of them, and decided by none of us."
    )
    page_template = "admin/forwarding.html"
    list_display = ("ref", "case", "store_name", "state_text", "created_at", "done_at")
    list_filter = ("state",)
    ordering = ("-created_at", "-pk")
    sortable = ("created_at",)
    labels = {
        "state": _("state"),
        "created_at": _("forwarded"),
        "seen_at": _("read"),
        "done_at": _("dealt with"),
        "note": _("in words"),
    }
    page_fields = ("case", "store_name", "data", "state_text", "created_at", "seen_at", "done_at", "note", "by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request).select_related("request", "store")
        if getattr(request.resolver_match, "url_name", "").endswith("_changelist"):
            return found.only(*COLUMNS)
        return found.select_related("reported_by").defer("store__url", "store__read_url")

    def more_urls(self) -> list[URLPattern]:
        who = path("<int:object_id>/who/", self.view(self.who_view), name=self.url_name("who"))
        return [who, *super().more_urls()]

    def page_context(self, request: HttpRequest, record: Forwarding) -> dict[str, Any]:
        return super().page_context(request, record) | {
            "title": gettext("Forwarded request %(reference)s") % {"reference": record.reference},
            "may_look": may(request.user, "forwarding.report") and bool(record.person),
        }

    def who_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """By POST alone: it names two people, so looking is written down first."""
        refuse_unless(request, "forwarding.report")
        return require_POST(self._who)(request, object_id)

    def _who(self, request: HttpRequest, object_id: int) -> HttpResponse:
        row: Forwarding = self.found(request, object_id)
        user: Any = request.user
        found = forwarding_register.show_who(forwarding=row, acting_user=user, now=timezone.now())
        parts = [(gettext("Who asks"), found["person"]), (gettext("The controller"), found["controller"])]
        words = "\n\n".join(f"{label}\n{_listed(pairs)}" for label, pairs in parts)
        context = {"title": gettext("Who asks, and who the controller is"), "words": words}
        context |= {"back": self.url("change", object_id), "back_label": row.reference}
        return self.page(request, "admin/words.html", context)

    @admin.display(description=_("reference"))
    def ref(self, row: Forwarding) -> SafeString:
        return format_html('<span class="ref">{}</span>', row.reference)

    @admin.display(description=_("request"))
    def case(self, row: Forwarding) -> SafeString:
        return format_html('<span class="ref">{}</span>', row.request.reference)

    @admin.display(description=_("data store"))
    def store_name(self, row: Forwarding) -> str:
        return row.store.name or row.store.key

    @admin.display(description=_("collections"))
    def data(self, row: Forwarding) -> str:
        return ", ".join(row.collections) or "–"

    @admin.display(description=_("state"), ordering="state")
    def state_text(self, row: Forwarding) -> SafeString:
        return badge(TONES[State(row.state)], str(row.get_state_display()))

    @admin.display(description=_("by"))
    def by(self, row: Forwarding) -> str:
        return name_of(row.reported_by) or "–"


def _listed(pairs: list[list[str]]) -> str:
    labels = dict(IdentityKind.choices)
    return "\n".join(f"{labels.get(kind, kind)}: {value}" for kind, value in pairs) or "–"


def of_case(request_id: int) -> list[tuple[Forwarding, SafeString]]:
    """For the page of the case."""
    found = (
        Forwarding.objects.filter(request=request_id)
        .select_related("store")
        .only("reference", "state", "store__key", "store__name")
    )
    return [(row, badge(TONES[State(row.state)], str(row.get_state_display()))) for row in found.order_by("pk")]
