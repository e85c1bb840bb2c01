"""Recipients to be told of what changed (Art. 19): a list of tasks, each with the two ways in which it ends."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.desk import refuse_unless
from accounts.models import Staff
from accounts.roles import may
from accounts.staff_site import staff_site
from privacy.models import Recipient
from requests_app.desk.due import badge, day
from requests_app.desk.queue import name_of
from requests_app.desk.record_steps import RecordStep, StepsAdmin
from requests_app.models.recipient_notice import RecipientNotice
from requests_app.registers import telling_recipients

State = RecipientNotice.State
# What a line shows; what the recipient is told, and why not, stays encrypted until somebody asks.
COLUMNS = (
    *("recipient", "name", "about", "state", "due_on", "told_at", "how", "created_at", "reminded_at", "message"),
    *("request__reference", "reported_by__first_name", "reported_by__last_name", "reported_by__email"),
)
TONES = {State.OWED: "info", State.TOLD: "ok", State.IMPOSSIBLE: "neutral", State.DISPROPORTIONATE: "neutral"}


def late() -> Q:
    return Q(state=State.OWED, due_on__lt=timezone.localdate())


def escalated() -> Q:
    return Q(state=State.OWED, escalated_at__isnull=False)


def state_of(notice: RecipientNotice) -> SafeString:
    if notice.state == State.OWED and notice.due_on < timezone.localdate():
        return badge("bad", gettext("late"))
    return badge(TONES[State(notice.state)], str(notice.get_state_display()))


class LateFilter(admin.SimpleListFilter):
    title = _("late")
    parameter_name = "late"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("late", _("The day has passed")), ("escalated", _("The reminder helped nothing"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = {"late": late, "escalated": escalated}.get(self.value() or "")
        return queryset.filter(chosen()) if chosen else queryset


class ToldForm(forms.Form):
    how = forms.ChoiceField(
        label=_("How the recipient was told"), choices=telling_recipients.How.choices, widget=forms.RadioSelect
    )


class NotToldForm(forms.Form):
    state = forms.ChoiceField(
        label=_("Why not"),
        choices=[(State.IMPOSSIBLE, _("It is impossible")), (State.DISPROPORTIONATE, _("It takes disproportionate effort"))],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label=_("In words"),
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("What was tried, and why it cannot be done. The person may read it."),
    )


def _is_owed(notice: RecipientNotice, user: Staff) -> bool:
    return notice.state == State.OWED


def _told(notice: RecipientNotice, user: Staff, data: dict[str, Any], now: datetime) -> None:
    telling_recipients.report_told(notice=notice, how=data["how"], acting_user=user, now=now)


def _not_told(notice: RecipientNotice, user: Staff, data: dict[str, Any], now: datetime) -> None:
    telling_recipients.give_up_telling(notice=notice, state=data["state"], reason=data["reason"], acting_user=user, now=now)


def _will_be_told(notice: RecipientNotice) -> list[Any]:
    lines = [_("It is written down that you told the recipient, how and when. The person sees it.")]
    return [*lines, _("The message that waits is not sent.")] if notice.message_id else lines


STEPS = (
    RecordStep(
        "told",
        _("I have told the recipient"),
        "recipient.tell",
        legal=_is_owed,
        will_happen=_will_be_told,
        perform=_told,
        form=ToldForm,
        done=_("It is written down. The person sees it."),
    ),
    RecordStep(
        "not-told",
        _("The recipient cannot be told"),
        "recipient.tell",
        legal=_is_owed,
        will_happen=lambda notice: [
            _("Nobody tells the recipient, and your reason is written down. The person sees it."),
            _("What the recipient would have been told is deleted."),
        ],
        perform=_not_told,
        form=NotToldForm,
        tone="plain",
        done=_("It is written down. The person sees it."),
    ),
)


@admin.register(RecipientNotice, site=staff_site)
class RecipientNoticeAdmin(StepsAdmin):
    steps = STEPS
    see = "request.see"
    heading = _("Recipients to be told")
    intro = _(
        "Who was given data that we have corrected, erased or restricted is told of it (Art. 19). Where the list of recipients "
        "has an e-mail address that goes by itself; the others wait for somebody here."
    )
    page_template = "admin/recipient_notice.html"
    list_display = ("case", "name", "about", "state_text", "due_on", "told_at")
    list_filter = ("state", "about", LateFilter)
    ordering = ("due_on", "pk")
    sortable = ("due_on", "name")
    labels = {
        "name": _("recipient"),
        "about": _("what was done"),
        "state": _("state"),
        "due_on": _("to be told by"),
        "told_at": _("told"),
        "how": _("how"),
        "created_at": _("since"),
        "reminded_at": _("reminded"),
    }
    page_fields = (
        "case",
        "name",
        "contact",
        "about",
        "state_text",
        "created_at",
        "due_on",
        "reminded_at",
        "told_at",
        "how",
        "by",
        "why",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("request", "reported_by").only(*COLUMNS)

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> list[Any]:
        return [item for item in list_display if getattr(item, "__name__", "") == "name"]  # one case has several

    def more_urls(self) -> list[URLPattern]:
        words = path("<int:object_id>/words/", self.view(self.words_view), name=self.url_name("words"))
        return [words, *super().more_urls()]

    def name_of(self, record: RecipientNotice) -> str:
        return record.name

    def page_context(self, request: HttpRequest, record: RecipientNotice) -> dict[str, Any]:
        return super().page_context(request, record) | {
            "title": gettext("%(recipient)s: %(what)s") % {"recipient": record.name, "what": record.get_about_display()},
            "may_tell": may(request.user, "recipient.tell") and record.state == State.OWED,
            "goes_by_itself": record.state == State.OWED and record.message_id is not None,
        }

    def words_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """By POST alone: it names the person, so looking is written down first."""
        refuse_unless(request, "recipient.tell")
        return require_POST(self._words)(request, object_id)

    def _words(self, request: HttpRequest, object_id: int) -> HttpResponse:
        notice = self.found(request, object_id)
        user: Any = request.user
        words = telling_recipients.show_words(notice=notice, acting_user=user, now=timezone.now())
        context = {"title": gettext("What %(recipient)s is told") % {"recipient": notice.name}, "words": words}
        context |= {"back": self.url("change", object_id), "back_label": notice.name}
        return self.page(request, "admin/words.html", context)

    # --- columns ---

    @admin.display(description=_("request"))
    def case(self, notice: RecipientNotice) -> SafeString:
        return format_html('<span class="ref">{}</span>', notice.request.reference)

    @admin.display(description=_("state"), ordering="state")
    def state_text(self, notice: RecipientNotice) -> SafeString:
        return state_of(notice)

    @admin.display(description=_("contact"))
    def contact(self, notice: RecipientNotice) -> str:
        return Recipient.objects.filter(key=notice.recipient).values_list("contact", flat=True).first() or "–"

    @admin.display(description=_("by"))
    def by(self, notice: RecipientNotice) -> str:
        return name_of(notice.reported_by) or "–"

    @admin.display(description=_("why not"))
    def why(self, notice: RecipientNotice) -> str:
        return notice.reason or "–"


def of_case(request_id: int) -> list[tuple[RecipientNotice, SafeString, str]]:
    """For the page of the case: the recipients of what changed, each with its state."""
    found = RecipientNotice.objects.filter(request=request_id).defer("words", "reason").order_by("pk")
    return [(notice, state_of(notice), day(notice.told_at or notice.due_on)) for notice in found]
