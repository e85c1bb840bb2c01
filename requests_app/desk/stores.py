"""Data stores: reachable or not, which data map is in use, what it covers and leaves undecided, what was loaded and purged."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts.desk import DeskAdmin, refuse_unless
from accounts.roles import may
from accounts.staff_site import staff_site
from privacy.models import DatasetVersion, PurgeRun, Store
from privacy.record import Record, as_csv, record_of_processing
from privacy.record_dpv import as_json_ld
from requests_app.desk.coverage import coverage_of
from requests_app.desk.due import badge
from requests_app.desk.processing import shown_record
from requests_app.models import RunState, StoreRun

RECORD_FILES = {"csv": ("text/csv; charset=utf-8", as_csv), "jsonld": ("application/ld+json", as_json_ld)}
HEALTH_TONES = {Store.Health.OK: "ok", Store.Health.DOWN: "bad", Store.Health.UNKNOWN: "plain"}


class MapFilter(admin.SimpleListFilter):
    title = _("data map")
    parameter_name = "map"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("none", _("Without a data map"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.exclude(versions__is_current=True) if self.value() == "none" else queryset


@admin.register(Store, site=staff_site)
class StoreAdmin(DeskAdmin):
    see = "store.see"
    intro = _("Where personal data are held. Stores and their data maps are loaded by an engineer with “manage.py datamap load”.")
    page_template = "admin/store.html"
    list_display = ("name_or_key", "key", "health_text", "version", "role", "country", "waiting", "is_active")
    list_filter = ("health", "is_active", "role", MapFilter)
    sortable = ("key", "name_or_key")
    labels = {
        "key": _("key"),
        "role": _("our role"),
        "country": _("country"),
        "safeguard": _("safeguard"),
        "is_active": _("active"),
        "health": _("health"),
        "health_error": _("last error"),
        "checked_at": _("last tried"),
        "created_at": _("registered"),
    }
    page_fields = (
        "name_or_key",
        "key",
        "health_text",
        "health_error",
        "checked_at",
        "role",
        "country",
        "safeguard",
        "is_active",
        "created_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # The connection addresses stay encrypted: nobody reads a password here.
        current = DatasetVersion.objects.filter(is_current=True).only("store_id", "version", "loaded_at")
        stopped = StoreRun.objects.filter(store=OuterRef("pk"), state=RunState.BLOCKED).order_by().values("store")
        found = super().get_queryset(request).defer("url", "read_url")
        found = found.prefetch_related(Prefetch("versions", queryset=current, to_attr="current"))
        return found.annotate(stopped=Subquery(stopped.annotate(n=Count("pk")).values("n")))

    @admin.display(description=_("name"), ordering="name")
    def name_or_key(self, store: Store) -> str:
        return store.name or store.key

    @admin.display(description=_("health"), ordering="health")
    def health_text(self, store: Store) -> SafeString:
        return badge(HEALTH_TONES[Store.Health(store.health)], str(store.get_health_display()))

    @admin.display(description=_("data map"))
    def version(self, store: Any) -> Any:
        if not store.current:
            return _("none")
        version = store.current[0]
        return _("version %(number)d, %(day)s") % {
            "number": version.version,
            "day": date_format(version.loaded_at, "SHORT_DATE_FORMAT"),
        }

    @admin.display(description=_("stopped runs"))
    def waiting(self, store: Any) -> int:
        return store.stopped or 0

    def more_urls(self) -> list[URLPattern]:
        return [
            path("record/", self.view(require_GET(self.processing_view)), name=self.url_name("record")),
            path("record.<slug:form>", self.view(require_GET(self.processing_file_view)), name=self.url_name("recordfile")),
        ]

    def processing_view(self, request: HttpRequest) -> HttpResponse:
        """The record of processing (Art. 30), as the maps in use give it."""
        refuse_unless(request, "processing.see")
        return self.page(request, "admin/processing.html", {"title": _("Record of processing"), **shown_record(_record())})

    def processing_file_view(self, request: HttpRequest, form: str) -> HttpResponse:
        refuse_unless(request, "processing.see")
        if form not in RECORD_FILES:
            raise Http404
        content_type, write = RECORD_FILES[form]
        answer = HttpResponse(write(_record()), content_type=content_type)
        answer["Content-Disposition"] = f'attachment; filename="record-of-processing.{form}"'
        return answer

    def page_context(self, request: HttpRequest, record: Store) -> dict[str, Any]:
        versions = record.versions.defer("source").order_by("-version")
        current = record.versions.filter(is_current=True).first()
        purges = PurgeRun.objects.filter(store=record).order_by("-started_at")[:5]
        return {
            "title": record.name or record.key,
            "coverage": coverage_of(current) if current else None,
            "current": current,
            "versions": versions,
            "purges": purges,
            "may_confirm": may(request.user, "map.confirm"),
        }


def _record() -> Record:
    return record_of_processing(language=get_language()[:2], now=timezone.now())
