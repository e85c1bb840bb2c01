"""Consents that people gave and took back: read-only, but for what somebody has to do by hand because of one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.desk import DeskAdmin, refuse_unless
from accounts.models import Customer
from accounts.roles import may
from accounts.staff_site import staff_site
from requests_app import consents
from requests_app.desk.due import badge
from requests_app.models import OutboxItem
from requests_app.models.consent import Consent


def waiting() -> QuerySet[Consent]:
    """Acts because of which somebody has something to do."""
    task = OutboxItem.objects.filter(
        kind=OutboxItem.Kind.TASK,
        delivered_at=None,
        key=Concat(Value("consent:"), Cast(OuterRef("pk"), CharField()), Value(":task"), output_field=CharField()),
    )
    return Consent.objects.filter(Exists(task))


def as_they_stand(customer: Customer) -> list[tuple[Consent, str]]:
    """The last act of each consent of a person, with what it is about."""
    last = Consent.objects.filter(customer=customer).order_by("about", "-pk").distinct("about").defer("text", "details")
    return [(act, _title(act)) for act in last]


def _title(act: Consent) -> str:
    return act.about if act.kind == Consent.Kind.PURPOSE else gettext("a recipient that the person named")


class WaitingFilter(admin.SimpleListFilter):
    title = _("task")
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("something is to be done"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(pk__in=waiting().values("pk")) if self.value() == "waiting" else queryset


@admin.register(Consent, site=staff_site)
class ConsentAdmin(DeskAdmin):
    see = "request.see"
    heading = _("Consents")
    intro = _("What people agreed to on the website and what they took back, each with its words. Nothing here can be changed.")
    page_template = "admin/consent.html"
    list_display = ("at", "person", "kind", "title", "act", "task")
    list_filter = ("kind", "given", WaitingFilter)
    ordering = ("-at", "-pk")
    sortable = ("at",)
    labels = {"at": _("when"), "kind": _("kind"), "given": _("given"), "policy_version": _("privacy policy")}
    page_fields = ("at", "person", "kind", "title", "act", "text", "policy_version", "task")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("customer")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        self._tasks(changelist.result_list)
        return changelist

    def more_urls(self) -> list[URLPattern]:
        return [
            path("<int:object_id>/handled/", self.view(self.handled_view), name=self.url_name("handled")),
            path("<int:object_id>/who/", self.view(self.who_view), name=self.url_name("who")),
        ]

    def page_context(self, request: HttpRequest, record: Consent) -> dict[str, Any]:
        return {
            "title": gettext("Consent %(number)d") % {"number": record.pk},
            "may_report": may(request.user, "request.report_task"),
            "may_look": may(request.user, "request.reveal_identity"),
        }

    def found(self, request: HttpRequest, object_id: int, queryset: QuerySet[Any] | None = None) -> Any:
        record = super().found(request, object_id, queryset)
        self._tasks([record])
        return record

    def handled_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return require_POST(self._handled)(request, object_id)

    def _handled(self, request: HttpRequest, object_id: int) -> HttpResponse:
        refuse_unless(request, "request.report_task")
        user: Any = request.user
        if consents.report_handled(act=self.found(request, object_id), acting_user=user, now=timezone.now()):
            messages.success(request, gettext("Noted that it is done."))
        else:
            messages.info(request, gettext("It was reported as done before."))
        return redirect(self.url("change", object_id))

    def who_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Whose consent it is, by POST alone; written down before it is shown."""
        refuse_unless(request, "request.reveal_identity")
        return require_POST(self._who)(request, object_id)

    def _who(self, request: HttpRequest, object_id: int) -> HttpResponse:
        act: Consent = self.found(request, object_id)
        identity = act.customer.identities.filter(verified_at__isnull=False).order_by("kind", "-verified_at").first()
        if identity is None:
            raise Http404
        user: Any = request.user
        consents.note_look(act=act, identity=identity, acting_user=user, now=timezone.now())
        context = {"title": gettext("Whose consent it is"), "identity": identity}
        context |= {"back": self.url("change", object_id), "back_label": gettext("Consent %(number)d") % {"number": act.pk}}
        return self.page(request, "admin/identity.html", context)

    def _tasks(self, acts: Any) -> None:
        acts = list(acts)
        tasks = consents.open_tasks(acts)
        for act in acts:
            act.open_task = tasks.get(act.pk)

    @admin.display(description=_("person"))
    def person(self, act: Consent) -> str:
        return act.customer.public_id

    @admin.display(description=_("about"))
    def title(self, act: Consent) -> str:
        return _title(act)

    @admin.display(description=_("act"))
    def act(self, act: Consent) -> SafeString:
        return badge("ok", gettext("given")) if act.given else badge("warn", gettext("taken back"))

    @admin.display(description=_("words"))
    def text(self, act: Consent) -> str:
        return act.text

    @admin.display(description=_("to be done"))
    def task(self, act: Any) -> str:
        return (act.open_task.payload or {}).get("text", "") if act.open_task else "–"
