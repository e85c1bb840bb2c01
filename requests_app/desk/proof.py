"""Proof: the audit log and its verification, restrictions, the suppression list, the ledger of erasures. All read-only."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.desk import DeskAdmin, refuse_unless
from accounts.roles import may
from accounts.staff_site import staff_site
from privacy import audit, audit_export
from privacy.audit_export import Wanted
from privacy.models import AuditEvent, LedgerEntry, OperatorRun, Restriction, Suppression
from privacy.verifying import verify_log
from requests_app.desk.trail import WORDS, actor_in_words, compact, nested, staff_names

MOST_PROBLEMS = 200
# The beginning of an action, and what that kind is called.
KINDS: dict[str, Any] = {
    "request.": _("steps of a case"),
    "identity.": _("identity"),
    "contested.": _("contested rows"),
    "run.": _("work in the data stores"),
    "package.": _("packages"),
    "message.": _("messages"),
    "upload.": _("files"),
    "consent.": _("consents"),
    "operator.": _("operators' commands"),
    "retention.": _("purges"),
    "datamap.": _("data maps"),
    "staff.": _("staff"),
    "audit.": _("the log itself"),
}
ACTORS: dict[str, Any] = {
    "customer": _("customers"),
    "staff:": _("staff"),
    "operator:": _("operators"),
    "system": _("Insyn"),
}
CONTENT_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}


def chain_named(text: str | None) -> str:
    """The chain that somebody typed: references are in capitals."""
    name = (text or "").strip()
    return name if name == audit.SYSTEM else name.upper()


def wanted_events(asked: Any) -> Wanted:
    """What the filters of the page ask for; a day that is none asks for nothing."""
    return Wanted(
        chain=chain_named(asked.get("chain")),
        what=asked.get("what", "") if asked.get("what") in KINDS else "",
        who=asked.get("who", "") if asked.get("who") in ACTORS else "",
        since=_day(asked.get("since")),
        until=_day(asked.get("until")),
    )


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "").strip())
    except ValueError:
        return None


class ChosenFilter(admin.SimpleListFilter):
    """One of the filters of `wanted_events`; what it holds is typed or chosen above the list."""

    choices_on_offer: dict[str, Any] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        typed = request.GET.get(self.parameter_name or "", "").strip()
        return list(self.choices_on_offer.items()) or ([(typed, typed)] if typed else [])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(wanted_events({self.parameter_name: self.value() or ""}).condition())


class WhatFilter(ChosenFilter):
    title, parameter_name, choices_on_offer = _("what"), "what", KINDS


class WhoFilter(ChosenFilter):
    title, parameter_name, choices_on_offer = _("who"), "who", ACTORS


class SinceFilter(ChosenFilter):
    title, parameter_name = _("from"), "since"


class UntilFilter(ChosenFilter):
    title, parameter_name = _("to"), "until"


class ChainFilter(admin.SimpleListFilter):
    title = _("chain")
    parameter_name = "chain"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        chosen = request.GET.get(self.parameter_name, "").strip()
        return [(audit.SYSTEM, _("system"))] + ([(chosen, chosen)] if chosen and chosen != audit.SYSTEM else [])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chain = chain_named(self.value())
        return queryset.filter(chain=chain) if chain else queryset


@admin.register(AuditEvent, site=staff_site)
class AuditAdmin(DeskAdmin):
    see = "audit.see"
    heading = _("Audit log")
    intro = _("Everything that happened, in one hash chain per case and one for the system. Nothing here names a data subject.")
    change_list_template = "admin/audit_list.html"
    page_template = "admin/audit_event.html"
    list_display = ("at", "chain_name", "seq", "what", "who", "payload_text")
    list_filter = (ChainFilter, WhatFilter, WhoFilter, SinceFilter, UntilFilter)
    ordering = ("-at", "-pk")
    labels = {"at": _("when"), "seq": _("number")}
    sortable = ("at",)
    list_per_page = 100

    def more_urls(self) -> list[URLPattern]:
        return [
            path("verify/", self.view(self.verify_view), name=self.url_name("verify")),
            path("export/", self.view(self.export_view), name=self.url_name("export")),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        more = {"wanted": wanted_events(request.GET), "may_export": may(request.user, "audit.export")}
        return super().changelist_view(request, more | (extra_context or {}))

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The events that the page shows, as a file; by POST, since taking the log away is written down in it."""
        refuse_unless(request, "audit.export")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form = request.POST.get("form", "")
        if form not in CONTENT_TYPES:
            return redirect(self.url("changelist"))
        pieces = audit_export.export(
            wanted=wanted_events(request.POST), form=form, actor=f"staff:{request.user.pk}", now=timezone.now()
        )
        answer = StreamingHttpResponse(pieces, content_type=CONTENT_TYPES[form])
        answer["Content-Disposition"] = f'attachment; filename="audit.{form}"'
        return answer

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        # One query for all names on the page; kept for this request's rows only.
        names = staff_names(event.actor for event in changelist.result_list)
        for event in changelist.result_list:
            event.who_in_words = actor_in_words(event.actor, names)
        return changelist

    @admin.display(description=_("chain"))
    def chain_name(self, event: AuditEvent) -> str:
        return event.chain

    @admin.display(description=_("what"))
    def what(self, event: AuditEvent) -> str:
        return str(WORDS.get(event.action, event.action))

    @admin.display(description=_("who"))
    def who(self, event: Any) -> str:
        return str(event.who_in_words)

    @admin.display(description=_("details"))
    def payload_text(self, event: AuditEvent) -> str:
        return compact(event.payload)

    def page_context(self, request: HttpRequest, record: AuditEvent) -> dict[str, Any]:
        return {
            "title": gettext("Event %(seq)d of %(chain)s") % {"seq": record.seq, "chain": record.chain},
            "what": self.what(record),
            "who": actor_in_words(record.actor, staff_names([record.actor])),
            "payload": compact(record.payload),
            "nested": nested(record.payload),
        }

    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """Walk every chain and checkpoint now. It changes nothing, but it takes time: by POST, so that no crawler starts it."""
        refuse_unless(request, self.see)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        chain = chain_named(request.POST.get("chain"))
        problems = audit.verify([chain]) if chain else verify_log(actor=f"staff:{request.user.pk}", now=timezone.now())
        if problems:
            messages.error(request, gettext("The audit log does not verify."))
        context = {
            "title": gettext("Verification of the audit log"),
            "chain": chain,
            "problems": problems[:MOST_PROBLEMS],
            "count": len(problems),
            "events": AuditEvent.objects.filter(**({"chain": chain} if chain else {})).count(),
            "at": timezone.now(),
            "back": self.url("changelist"),
            "back_label": gettext("Audit log"),
        }
        return self.page(request, "admin/audit_verified.html", context)


class RecordAdmin(DeskAdmin):
    see = "record.see"


@admin.register(Restriction, site=staff_site)
class RestrictionAdmin(RecordAdmin):
    intro = _("Restricted processing per case and store (Art. 18). What was replaced is kept encrypted and is not shown.")
    list_display = ("case", "store", "ground", "set_at", "told_at", "lifted_at")
    list_filter = ("store", ("lifted_at", admin.EmptyFieldListFilter))
    ordering = ("-set_at", "-pk")
    sortable = ("set_at", "lifted_at")
    labels = {
        "case": _("request"),
        "store": _("data store"),
        "ground": _("ground"),
        "set_at": _("restricted"),
        "told_at": _("told"),
        "lifted_at": _("lifted"),
    }
    page_fields = ("case", "store", "ground", "set_at", "told_at", "lifted_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("store").defer("state", "store__url", "store__read_url")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "lifted_at__isempty" or super().lookup_allowed(lookup, value, request)

    def page_context(self, request: HttpRequest, record: Restriction) -> dict[str, Any]:
        return {"title": gettext("Restriction in %(case)s") % {"case": record.case}}


@admin.register(Suppression, site=staff_site)
class SuppressionAdmin(RecordAdmin):
    intro = _("Identities that get no marketing (Art. 21(3)), as keyed hashes: an identity can be looked up here, never read.")
    list_display = ("number", "kind", "since", "lookup_key")
    list_filter = ("kind",)
    ordering = ("-since", "-pk")
    sortable = ("since",)
    labels = {"kind": _("kind"), "since": _("since"), "lookup": _("keyed hash"), "lookup_key": _("key version")}
    page_fields = ("number", "kind", "since", "lookup", "lookup_key")

    @admin.display(description=_("number"))
    def number(self, row: Suppression) -> int:
        return row.pk


@admin.register(LedgerEntry, site=staff_site)
class LedgerAdmin(RecordAdmin):
    heading = _("Erasure ledger")
    intro = _("What was erased, as keyed hashes, so that a restored backup is erased again. Entries end with the backup horizon.")
    list_display = ("number", "case", "store_key", "kind", "field", "erased_at", "expires_on")
    list_filter = ("kind", "store_key")
    ordering = ("-erased_at", "-pk")
    sortable = ("erased_at", "expires_on")
    labels = {
        "case": _("request"),
        "store_key": _("data store"),
        "kind": _("kind"),
        "field": _("field"),
        "lookup": _("keyed hash"),
        "lookup_key": _("key version"),
        "erased_at": _("erased"),
        "expires_on": _("expires"),
    }
    page_fields = ("number", "case", "store_key", "kind", "field", "lookup", "lookup_key", "erased_at", "expires_on")

    @admin.display(description=_("number"))
    def number(self, row: LedgerEntry) -> int:
        return row.pk


@admin.register(OperatorRun, site=staff_site)
class OperatorRunAdmin(RecordAdmin):
    heading = _("Operators' commands")
    intro = _(
        "What operators did by command, per store. Whom it was about and what was planned is kept encrypted and is not shown."
    )
    list_display = ("created_at", "action", "case", "store", "who_acted", "done_at")
    list_filter = ("action", "store", ("done_at", admin.EmptyFieldListFilter))
    ordering = ("-created_at", "-pk")
    sortable = ("created_at", "done_at")
    labels = {
        "created_at": _("when"),
        "action": _("action"),
        "case": _("request"),
        "store": _("data store"),
        "done_at": _("finished"),
    }
    page_fields = ("created_at", "action", "case", "store", "who_acted", "done_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        hidden = ("identities", "plan", "options", "state", "store__url", "store__read_url")
        return super().get_queryset(request).select_related("store").defer(*hidden)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "done_at__isempty" or super().lookup_allowed(lookup, value, request)

    @admin.display(description=_("who"))
    def who_acted(self, run: OperatorRun) -> str:
        return actor_in_words(run.actor, {})

    def page_context(self, request: HttpRequest, record: OperatorRun) -> dict[str, Any]:
        return {"title": gettext("Command %(number)d") % {"number": record.pk}}
