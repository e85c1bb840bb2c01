"""The queue: every case as one line without personal data, what needs me first, then by due date."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Case, Prefetch, Q, QuerySet, Value, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.desk import DeskAdmin
from accounts.models import Staff
from accounts.roles import may
from requests_app.case.answer_times import answered_in, months_shown
from requests_app.desk import reads
from requests_app.desk.due import badge, due_badge
from requests_app.desk.duplicates import may_be_asked_twice
from requests_app.desk.words import RIGHT_NAMES
from requests_app.models import RightsRequest, RunState, State, StoreRun

# What a line shows; the encrypted columns stay where they are.
OWN_COLUMNS = ("reference", "right", "state", "identity_level", "due_on", "paused_at", "closed_at", "source")
COLUMNS = (*OWN_COLUMNS, "assignee__first_name", "assignee__last_name", "assignee__email")

TONES = {
    State.BLOCKED: "bad",
    State.PROPOSED: "warn",
    State.COMPLETED: "ok",
    State.REFUSED: "neutral",
    State.WITHDRAWN: "neutral",
}


def state_badge(request: RightsRequest) -> SafeString:
    return badge(TONES.get(State(request.state), "info"), str(request.get_state_display()))


def name_of(staff: Staff | None) -> str:
    return (staff.get_full_name() or staff.email) if staff else ""


class ShowFilter(admin.SimpleListFilter):
    title = _("show")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("closed", _("Closed")), ("all", _("Open and closed"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": _("Open")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.exclude(reads.OPEN) if self.value() == "closed" else queryset.filter(reads.OPEN)


class ConditionFilter(admin.SimpleListFilter):
    """A filter whose every choice is a named condition of `reads`."""

    def conditions(self, user: Any) -> dict[str, tuple[Any, Q]]:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(key, label) for key, (label, _condition) in self.conditions(request.user).items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.conditions(request.user).get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class WhoseFilter(ConditionFilter):
    title = _("whose")
    parameter_name = "whose"

    def conditions(self, user: Any) -> dict[str, tuple[Any, Q]]:
        return {
            "needs-me": (_("Needs me"), reads.needs(user)),
            "mine": (_("Assigned to me"), Q(assignee=user)),
            "nobody": (_("Assigned to nobody"), Q(assignee=None)),
            "approval": (_("Waiting for my approval"), reads.awaiting_approval_by(user)),
            "mentions": (_("Mentions me"), reads.mentions(user)),
        }


class DueFilter(ConditionFilter):
    title = _("due")
    parameter_name = "due"

    def conditions(self, user: Any) -> dict[str, tuple[Any, Q]]:
        today = timezone.localdate()
        return {
            "overdue": (_("Overdue"), reads.overdue(today)),
            "soon": (_("Within 7 days"), reads.due_soon(today)),
            "paused": (_("Clock paused"), Q(paused_at__isnull=False)),
        }


class RunsFilter(ConditionFilter):
    title = _("runs")
    parameter_name = "runs"

    def conditions(self, user: Any) -> dict[str, tuple[Any, Q]]:
        return {"stopped": (_("A store has stopped"), reads.stopped())}


class MessagesFilter(ConditionFilter):
    title = _("messages")
    parameter_name = "messages"

    def conditions(self, user: Any) -> dict[str, tuple[Any, Q]]:
        return {"unanswered": (_("Wait for our answer"), reads.unanswered())}


class AnsweredFilter(admin.SimpleListFilter):
    """The month in which an answer was given; on offer where closed cases are shown."""

    title = _("answered")
    parameter_name = "answered"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        if not request.GET.get(ShowFilter.parameter_name):
            return []
        months = reversed(months_shown(now=timezone.now()))
        return [(f"{month:%Y-%m}", capfirst(date_format(month, "F Y"))) for month in months]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = [month for month in months_shown(now=timezone.now()) if f"{month:%Y-%m}" == self.value()]
        return queryset.filter(**answered_in(chosen[0])) if chosen else queryset


class RightFilter(admin.SimpleListFilter):
    title = _("right")
    parameter_name = "right"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(RIGHT_NAMES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(right=self.value()) if self.value() else queryset


class PersonFilter(admin.SimpleListFilter):
    """Set by the search for an identity: opaque customer references, never the identity itself."""

    title = _("person")
    parameter_name = "person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        value = request.GET.get(self.parameter_name)
        return [(value, _("found by identity"))] if value else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        references = (self.value() or "").split(",")[:20]
        return queryset.filter(customer__public_id__in=references) if self.value() else queryset


class QueueList(ChangeList):
    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Closed cases come newest first, whatever the address asks: there may be a million of them."""
        if ShowFilter.parameter_name in self.params:
            return list(self.model_admin.get_ordering(request))
        return super().get_ordering(request, queryset)


class Queue(DeskAdmin):
    """The list; `requests_app.desk.case_desk` adds the pages behind it."""

    see = "request.see"
    change_list_template = "admin/queue.html"
    list_display_links = ("ref",)
    list_display = ("ref", "right_name", "state_text", "due", "level", "stores_done", "assigned_to")
    list_filter = (
        ShowFilter,
        WhoseFilter,
        DueFilter,
        "state",
        RightFilter,
        RunsFilter,
        MessagesFilter,
        AnsweredFilter,
        "source",
        PersonFilter,
    )
    sortable = ("right_name", "state_text", "due", "level")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RightsRequest]:
        runs = StoreRun.objects.only("request_id", "state").order_by()
        turn = Case(When(reads.needs(request.user), then=Value(0)), default=Value(1))  # type: ignore[arg-type]
        found = RightsRequest.objects.select_related("assignee").only(*COLUMNS)
        return found.prefetch_related(Prefetch("runs", queryset=runs)).annotate(
            turn=turn,
            proof_came=reads.proof_came(),
            represented=reads.represented(),
            asked_twice=may_be_asked_twice(),
        )

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_display(request), *(["pick"] if may(request.user, "request.assign") else [])]

    @admin.display(description=_("choose"))
    def pick(self, request: RightsRequest) -> str | SafeString:
        """Ticked, the line goes to the form below the list."""
        if request.closed_at is not None:
            return ""
        label = str(_("Choose %(reference)s") % {"reference": request.reference})
        return format_html('<input type="checkbox" name="case" value="{}" form="many" aria-label="{}">', request.pk, label)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QueueList

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        return [] if request.GET.get(ShowFilter.parameter_name) else super().get_sortable_by(request)

    def get_paginator(self, request: HttpRequest, queryset: Any, per_page: int, *args: Any, **kwargs: Any) -> Any:
        # What was answered in a month is counted on the first page, and the list shows that many: an index tells both.
        exact = request.GET.get(AnsweredFilter.parameter_name)
        paginator = Paginator if exact else self.paginator
        return paginator(queryset, per_page, *args, **kwargs)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        if request.GET.get(AnsweredFilter.parameter_name):
            return ("-answered_at", "-pk")
        if request.GET.get(ShowFilter.parameter_name):
            return ("-closed_at", "due_on", "pk")
        return ("turn", "due_on", "pk")

    @admin.display(description=_("reference"))
    def ref(self, request: Any) -> SafeString:
        acting = badge("info", str(_("by a representative"))) if request.represented else ""
        twice = badge("neutral", str(_("asked twice?"))) if request.asked_twice else ""
        return format_html('<span class="ref">{}</span> {} {}', request.reference, acting, twice)

    @admin.display(description=_("right"), ordering="right")
    def right_name(self, request: RightsRequest) -> str:
        return str(RIGHT_NAMES[request.right])

    @admin.display(description=_("state"), ordering="state")
    def state_text(self, request: RightsRequest) -> SafeString:
        return state_badge(request)

    @admin.display(description=_("due"), ordering="due_on")
    def due(self, request: RightsRequest) -> SafeString:
        day = request.due_on if request.closed_at is None else timezone.localdate(request.closed_at)
        shown = due_badge(request, timezone.localdate())
        return format_html('{} <span class="quiet small">{}</span>', shown, date_format(day, "SHORT_DATE_FORMAT"))

    @admin.display(description=_("identity"), ordering="identity_level")
    def level(self, request: Any) -> str | SafeString:
        text = str(_("level %(level)d") % {"level": request.identity_level})
        return format_html("{} {}", text, badge("warn", str(_("proof came")))) if request.proof_came else text

    @admin.display(description=_("stores done"))
    def stores_done(self, request: RightsRequest) -> str | SafeString:
        # What is forwarded or was broken off is nothing that somebody waits for.
        states = [run.state for run in request.runs.all() if run.state != RunState.CANCELLED]
        if not states:
            return "–"
        text = f"{states.count(RunState.DONE)}/{len(states)}"
        stops = states.count(RunState.BLOCKED)
        return format_html("{} {}", text, badge("bad", str(_("stopped")))) if stops else text

    @admin.display(description=_("assigned to"))
    def assigned_to(self, request: RightsRequest) -> str:
        return name_of(request.assignee) or "–"
