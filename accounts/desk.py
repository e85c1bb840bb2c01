"""The base of every list and record page that staff see: read-only as Django knows it, open to the roles of the table.

Nothing is added, changed or deleted through a model form: things change by business functions behind confirmation pages.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import display_for_field
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.paging import BoundedPaginator
from accounts.roles import may

NOTHING = "–"


def refuse_unless(request: HttpRequest, action: str) -> None:
    """403 for staff whose roles do not name `action`."""
    if not may(request.user, action):
        raise PermissionDenied


if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin  # generic in the stubs only


class DeskAdmin(_ModelAdmin):
    see = ""  # the action of accounts.roles.TABLE that opens list and page
    page_fields: tuple[str, ...] = ()  # what the record's page shows, in order; names as in list_display
    labels: dict[str, Any] = {}  # what plain fields are called in list and page
    sortable: tuple[str, ...] = ()
    page_template = "admin/record.html"
    heading: Any = ""  # of the list, where it is not the model's plural
    intro: Any = ""  # a sentence below the heading of the list
    actions = None
    empty_value_display = NOTHING
    search_fields = ()
    list_per_page = 50
    list_max_show_all = 0  # no "show all": a page is a page
    show_full_result_count = False
    paginator = BoundedPaginator

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, self.see)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request.user, self.see)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [_column(name, self.labels[name]) if name in self.labels else name for name in self.list_display]

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        return [item for item in self.get_list_display(request) if getattr(item, "__name__", item) in self.sortable]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only the filters on offer: Django would let an address bar ask `?password__startswith=…` of any own field."""
        declared = {item if isinstance(item, str) else getattr(item, "parameter_name", "") for item in self.list_filter}
        return lookup.removesuffix("__exact").removesuffix("__isnull") in declared

    def get_urls(self) -> list[URLPattern]:
        return [
            path("", self.admin_site.admin_view(self.changelist_view), name=self.url_name("changelist")),
            path("<int:object_id>/change/", self.view(self.record_view), name=self.url_name("change")),
            *self.more_urls(),
        ]

    def more_urls(self) -> list[URLPattern]:
        return []

    def view(self, view: Any) -> Any:
        return self.admin_site.admin_view(view)

    def url_name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def url(self, page: str, *args: Any) -> str:
        return reverse(f"admin:{self.url_name(page)}", args=args)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = {"title": self.heading or capfirst(self.opts.verbose_name_plural), "intro": self.intro}
        return super().changelist_view(request, title | (extra_context or {}))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        for spec in changelist.filter_specs:  # a filter of a plain field is called as its column is
            spec.title = self.labels.get(getattr(spec, "field_path", ""), spec.title)
        return changelist

    def page(self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        request.current_app = self.admin_site.name
        if "form" in context:
            context["form"].label_suffix = ""  # Django's colon; a question may end a label as well
        return render(request, template, self.admin_site.each_context(request) | {"opts": self.opts} | context, status=status)

    def found(self, request: HttpRequest, object_id: int, queryset: QuerySet[Any] | None = None) -> Any:
        """The record, for those who may see it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        record = (self.get_queryset(request) if queryset is None else queryset).filter(pk=object_id).first()
        if record is None:
            raise Http404
        return record

    def record_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return require_GET(self._record_view)(request, object_id)

    def _record_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        record = self.found(request, object_id)
        heading = self.heading or capfirst(self.opts.verbose_name_plural)
        context = {
            "title": f"{capfirst(self.opts.verbose_name)} {record}",
            "list_heading": heading,
            "record": record,
            "rows": self.rows_of(record),
        }
        return self.page(request, self.page_template, context | self.page_context(request, record))

    def page_context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        return {}

    def rows_of(self, record: Any) -> list[tuple[str, Any]]:
        """(label, shown value) of each of `page_fields`."""
        rows = []
        for name in self.page_fields:
            if name in self.labels:
                rows.append((capfirst(str(self.labels[name])), shown(record, name)))
            else:
                display: Any = getattr(self, name)
                rows.append((capfirst(str(display.short_description)), display(record)))
        return rows


def shown(record: Any, name: str) -> Any:
    """A plain field's value in words."""
    field = record._meta.get_field(name)
    value = getattr(record, name)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None or value == "":
        return NOTHING
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    return str(value) if field.is_relation else display_for_field(value, field, NOTHING)


@lru_cache
def _column(name: str, label: Any) -> Any:
    """A column of a list that shows a plain field under our own label."""

    @admin.display(description=label, ordering=name)
    def column(record: Any) -> Any:
        return shown(record, name)

    column.__name__ = name
    return column
