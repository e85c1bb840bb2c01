"""Whether messages, hooks and tasks left the house: to whom and with what content is not shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.desk import DeskAdmin
from accounts.staff_site import staff_site
from requests_app.desk.due import badge
from requests_app.models import OutboxItem


class DeliveryFilter(admin.SimpleListFilter):
    title = _("delivery")
    parameter_name = "delivery"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("Not delivered yet")), ("failing", _("Failed at least once, not delivered yet"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "waiting":
            return queryset.filter(delivered_at=None)
        if self.value() == "failing":
            return queryset.filter(delivered_at=None, attempts__gte=1).exclude(error="")
        return queryset


@admin.register(OutboxItem, site=staff_site)
class DeliveryAdmin(DeskAdmin):
    see = "delivery.see"
    heading = _("Deliveries")
    intro = _("Effects owed to the world. Each is tried until it is delivered; content and addressee are never shown here.")
    list_display = ("number", "kind", "case", "state", "attempts", "created_at", "due_at", "delivered_at", "error")
    list_filter = (DeliveryFilter, "kind")
    ordering = ("-pk",)
    labels = {
        "kind": _("kind"),
        "attempts": _("attempts"),
        "created_at": _("created"),
        "due_at": _("next attempt"),
        "delivered_at": _("delivered"),
        "error": _("error"),
    }
    sortable = ("created_at", "due_at", "delivered_at", "attempts")
    page_fields = ("number", "kind", "case", "state", "attempts", "created_at", "due_at", "delivered_at", "error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        shown = ("kind", "attempts", "created_at", "due_at", "delivered_at", "error", "request__reference")
        return super().get_queryset(request).select_related("request").only(*shown)

    def page_context(self, request: HttpRequest, record: OutboxItem) -> dict[str, Any]:
        return {"title": _("Delivery %(number)d") % {"number": record.pk}}

    @admin.display(description=_("number"))
    def number(self, item: OutboxItem) -> int:
        return item.pk

    @admin.display(description=_("request"))
    def case(self, item: OutboxItem) -> str:
        return item.request.reference if item.request else "–"

    @admin.display(description=_("state"))
    def state(self, item: OutboxItem) -> SafeString:
        if item.delivered_at is not None:
            return badge("ok", str(_("delivered")))
        return badge("warn", str(_("tried, not delivered"))) if item.error else badge("info", str(_("waiting")))
