"""Loaded data maps, version by version, with their source; and the confirmation of what one of them only assumed (R3)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.desk import DeskAdmin, refuse_unless
from accounts.models import Staff
from accounts.roles import may
from accounts.staff_site import staff_site
from privacy import audit
from privacy.models import DatasetVersion
from requests_app.desk.coverage import coverage_of
from requests_app.desk.words import ON_ERASURE


@admin.register(DatasetVersion, site=staff_site)
class VersionAdmin(DeskAdmin):
    see = "store.see"
    page_template = "admin/map_version.html"
    list_display = ("store", "version", "is_current", "loaded_at", "loaded_by", "assumption", "warned")
    list_filter = ("is_current", "store")
    ordering = ("store__key", "-version")
    sortable = ("store", "loaded_at")
    labels = {
        "store": _("data store"),
        "version": _("version"),
        "is_current": _("in use"),
        "fides_key": _("name in the file"),
        "digest": _("digest"),
        "loaded_at": _("loaded"),
        "loaded_by": _("loaded by"),
        "assumed_confirmed_at": _("confirmed"),
    }
    page_fields = (
        "store",
        "version",
        "is_current",
        "fides_key",
        "digest",
        "loaded_at",
        "loaded_by",
        "assumption",
        "assumed_confirmed_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("store").defer("source", "store__url", "store__read_url")

    def more_urls(self) -> list[URLPattern]:
        return [path("<int:object_id>/confirm/", self.view(self.confirm_view), name=self.url_name("confirm"))]

    @admin.display(description=_("assumed on erasure"))
    def assumption(self, version: DatasetVersion) -> Any:
        if not version.assumed:
            return "–"
        state = _("confirmed") if version.assumed_confirmed_at else _("not confirmed")
        return f"{ON_ERASURE[version.assumed]} ({state})"

    @admin.display(description=_("warnings"))
    def warned(self, version: DatasetVersion) -> int:
        return len(version.warnings)

    def page_context(self, request: HttpRequest, record: DatasetVersion) -> dict[str, Any]:
        return {
            "title": _("%(store)s, data map version %(number)d") % {"store": record.store.key, "number": record.version},
            "may_confirm": self._open_assumption(record) and may(request.user, "map.confirm"),
        }

    def _open_assumption(self, version: DatasetVersion) -> bool:
        return bool(version.assumed and version.is_current and version.assumed_confirmed_at is None)

    def confirm_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """An engineer stands by what `--on-erasure` only assumed (R3)."""
        refuse_unless(request, "map.confirm")
        version = self.found(request, object_id)
        back = self.url("change", version.pk)
        if not self._open_assumption(version):
            messages.info(request, _("There is nothing to confirm in this version."))
            return redirect(back)
        if request.method == "POST":
            user: Any = request.user
            if confirm_assumption(version=version, acting_user=user, now=timezone.now()):
                messages.success(request, _("The assumption is confirmed."))
            return redirect(back)
        gaps = [line.name for line in coverage_of(version).lines if line.assumed]
        context = {
            "title": _("Confirm what the data map only assumed"),
            "button": _("Confirm"),
            "back": back,
            "back_label": str(version),
            "will_happen": [
                ngettext(
                    "%(count)d collection says nothing about erasure: %(names)s.",
                    "%(count)d collections say nothing about erasure: %(names)s.",
                    len(gaps),
                )
                % {"count": len(gaps), "names": ", ".join(gaps) or "–"},
                _("You confirm that on erasure their rows go this way: %(answer)s.") % {"answer": ON_ERASURE[version.assumed]},
                _("Your confirmation is written to the audit log and holds for this version only."),
            ],
        }
        return self.page(request, "admin/confirm.html", context)


def confirm_assumption(*, version: DatasetVersion, acting_user: Staff, now: datetime) -> bool:
    """Write the confirmation once; False when it was there."""
    with transaction.atomic():
        open_ones = DatasetVersion.objects.filter(Q(pk=version.pk, assumed_confirmed_at=None) & ~Q(assumed=""))
        if not open_ones.update(assumed_confirmed_at=now, assumed_confirmed_by=f"staff:{acting_user.pk}"):
            return False
        payload = {"store": version.store.key, "version": version.version, "assumed": version.assumed}
        audit.record(
            chain=audit.SYSTEM, actor=f"staff:{acting_user.pk}", action="datamap.assumption_confirmed", payload=payload, now=now
        )
    return True
