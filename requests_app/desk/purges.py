"""Purges: what the retention rules removed, and where the last one did not end well."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.desk import DeskAdmin
from accounts.staff_site import staff_site
from privacy.models import PurgeRun


class LastPurgeFilter(admin.SimpleListFilter):
    title = _("last time")
    parameter_name = "last"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("each", _("The last of each rule")), ("stopped", _("Stopped or failed last time"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        conditions = {"each": last_of_each_rule, "stopped": stopped_last_time}
        return queryset.filter(conditions[chosen]()) if (chosen := self.value()) in conditions else queryset


def stopped_last_time() -> Q:
    """The newest purge of each collection, where that one did not end well."""
    return last_of_each_rule() & Q(state__in=["failed", "stopped"])


def last_of_each_rule() -> Q:
    """The newest purge of each collection; a collection has one rule."""
    newest = (
        PurgeRun.objects.order_by("store_id", "collection", "-started_at", "-pk").distinct("store_id", "collection").values("pk")
    )
    return Q(pk__in=newest)


@admin.register(PurgeRun, site=staff_site)
class PurgeAdmin(DeskAdmin):
    see = "store.see"
    intro = _("What the retention rules removed. Rows under a restriction or an open request are guarded and stay.")
    list_display = ("store", "collection", "state", "planned", "removed", "guarded", "before_on", "started_at", "note")
    list_filter = ("state", "store", LastPurgeFilter)
    ordering = ("-started_at", "-pk")
    sortable = ("started_at", "removed")
    labels = {
        "store": _("data store"),
        "collection": _("collection"),
        "rule": _("rule"),
        "state": _("state"),
        "before_on": _("rows before"),
        "planned": _("planned"),
        "removed": _("removed"),
        "guarded": _("guarded"),
        "note": _("note"),
        "started_at": _("started"),
        "finished_at": _("finished"),
    }
    list_select_related = ("store",)
    page_fields = (
        "store",
        "collection",
        "rule",
        "state",
        "before_on",
        "planned",
        "removed",
        "guarded",
        "note",
        "started_at",
        "finished_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("store").defer("store__url", "store__read_url")
