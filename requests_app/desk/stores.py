"""Data stores and their maps: reachable or not, what the map covers, what it leaves undecided, what was loaded when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.desk import DeskAdmin, refuse_unless
from accounts.roles import may
from accounts.staff_site import staff_site
from privacy import audit
from privacy.datamap.categories import policy_category
from privacy.datamap.loader import parse
from privacy.datamap.model import Collection, DataMapError, Dataset
from privacy.models import DatasetVersion, PurgeRun, Store
from requests_app.desk.due import badge
from requests_app.desk.words import CATEGORY_NAMES, ON_ERASURE, period_in_words
from requests_app.models import RunState, StoreRun

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


@dataclass(frozen=True)
class Line:
    """One collection of a data map, as the store's page shows it."""

    name: str
    fields: int
    personal: int
    categories: list[str]
    on_erasure: Any
    undecided: bool
    assumed: bool
    keeps: list[str]
    retention: str


@dataclass(frozen=True)
class Coverage:
    lines: list[Line]
    figures: list[tuple[Any, str]]
    undecided: list[str]
    error: str = ""


def coverage_of(version: DatasetVersion) -> Coverage:
    """What a loaded version says about every collection with personal data, and how much it leaves open."""
    try:
        dataset = next(item for item in parse(version.source, file=version.fides_key) if item.key == version.fides_key)
    except (DataMapError, StopIteration):
        return Coverage([], [], [], error=str(_("The stored data map cannot be read with this version of Insyn; load it again.")))
    lines = [
        _line(collection, version) for collection in dataset.collections.values() if collection.personal and not collection.skip
    ]
    undecided = [line.name for line in lines if line.undecided]
    return Coverage(lines, _figures(dataset, lines), undecided)


def _line(collection: Collection, version: DatasetVersion) -> Line:
    personal = [field for field in collection.fields.values() if field.personal]
    categories = {policy_category(field.categories) for field in personal if field.categories}
    assumed = collection.on_erasure is None and bool(version.assumed)
    answer = collection.on_erasure or version.assumed
    retention = collection.retention
    return Line(
        name=collection.name,
        fields=len(collection.fields),
        personal=len(personal),
        categories=[str(CATEGORY_NAMES.get(name, name)) for name in sorted(categories)],
        on_erasure=ON_ERASURE.get(answer, answer),
        undecided=not answer,
        assumed=assumed,
        keeps=[keep.basis for keep in collection.keeps],
        retention=f"{period_in_words(retention.period)}, {ON_ERASURE.get(retention.then, retention.then)}" if retention else "",
    )


def _figures(dataset: Dataset, lines: list[Line]) -> list[tuple[Any, str]]:
    personal = [(collection, field) for collection, field in dataset.fields() if field.personal and not collection.skip]
    with_purpose = sum(1 for collection, field in personal if field.purpose or collection.purpose)
    return [
        (_("Collections with personal data"), _share(len(lines), len(dataset.collections))),
        (_("Personal fields"), _share(len(personal), sum(1 for _pair in dataset.fields()))),
        (_("Personal fields with a purpose"), _share(with_purpose, len(personal))),
        (_("Collections decided on for erasure"), _share(sum(not line.undecided for line in lines), len(lines))),
        (_("Collections with a retention rule"), _share(sum(bool(line.retention) for line in lines), len(lines))),
    ]


def _share(part: int, whole: int) -> str:
    return _("%(part)d of %(whole)d") % {"part": part, "whole": whole}


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
            if confirm_assumption(version=version, acting_user=request.user, now=timezone.now()):
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


def confirm_assumption(*, version: DatasetVersion, acting_user: Any, now: Any) -> bool:
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


class LastPurgeFilter(admin.SimpleListFilter):
    title = _("last time")
    parameter_name = "last"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("stopped", _("Stopped or failed last time"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(last_purges()) if self.value() == "stopped" else queryset


def last_purges() -> Q:
    """The newest purge of each collection, where that one did not end well."""
    newest = (
        PurgeRun.objects.order_by("store_id", "collection", "-started_at", "-pk").distinct("store_id", "collection").values("pk")
    )
    return Q(pk__in=newest, state__in=["failed", "stopped"])


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
