"""Kept rows: what erasures left in the stores for a while, on which day it goes, and what is in the way."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.desk import DeskAdmin
from accounts.staff_site import staff_site
from privacy.models import Remnant
from requests_app.desk.standing import rows_in_words


@admin.register(Remnant, site=staff_site)
class RemnantAdmin(DeskAdmin):
    see = "request.see"
    heading = _("Kept rows")
    intro = _(
        "What erasures left: rows that a law keeps go on their day by themselves, shared rows with their last owner. "
        "Which rows they are is kept encrypted and is not shown."
    )
    list_display = ("case", "store", "state", "due_on", "rows", "shared", "note")
    list_filter = ("state", "store")
    ordering = ("due_on", "pk")
    sortable = ("due_on", "shared", "kept_at")
    labels = {
        "case": _("request"),
        "store": _("data store"),
        "state": _("state"),
        "due_on": _("next rows go on"),
        "shared": _("wait for their last owner"),
        "undated": _("have no start to reckon from"),
        "note": _("note"),
        "kept_at": _("kept since"),
        "looked_at": _("last looked at"),
        "closed_at": _("gone"),
    }
    page_fields = (
        "case",
        "store",
        "state",
        "due_on",
        "collections",
        "shared",
        "undated",
        "note",
        "kept_at",
        "looked_at",
        "closed_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("store").defer("plan", "origin", "store__url", "store__read_url")

    @admin.display(description=_("rows"))
    def rows(self, remnant: Remnant) -> int:
        return sum(_count(counts) for counts in remnant.counts.values())

    @admin.display(description=_("collections"))
    def collections(self, remnant: Remnant) -> str:
        return ", ".join(f"{name}: {rows_in_words(_count(counts))}" for name, counts in remnant.counts.items()) or "–"

    def page_context(self, request: HttpRequest, record: Remnant) -> dict[str, Any]:
        return {"title": gettext("Kept rows of %(case)s") % {"case": record.case}}


def _count(counts: dict[str, Any]) -> int:
    return sum(counts.get(key, 0) for key in ("kept", "pinned", "shared"))
