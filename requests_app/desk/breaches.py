"""Breaches: the hours that are left, what must be written down, and the two decisions (Art. 33, 34)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Staff
from accounts.staff_site import staff_site
from privacy.vocabulary import POLICY_CATEGORIES
from requests_app.case.conversation import LONGEST_MESSAGE
from requests_app.desk.due import badge
from requests_app.desk.queue import name_of
from requests_app.desk.record_steps import RecordForm, RecordStep, StepsAdmin
from requests_app.models.breach import BreachCase
from requests_app.registers import breaches

Authority, Person = BreachCase.Authority, BreachCase.Person
WORDS = forms.Textarea(attrs={"rows": 5})
MOMENT = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})
MOMENT_FORMATS = ["%Y-%m-%dT%H:%M"]
# What a line shows.
COLUMNS = (
    *("reference", "request__reference", "kind", "aware_at", "authority", "notified_at", "person", "told_at"),
    *("opened_at", "closed_at"),
)


def open_breaches() -> Q:
    return Q(closed_at=None)


def waiting_for_authority() -> Q:
    """The clock of Art. 33(1) still runs: nobody has decided, or it is to be notified and has not been."""
    return open_breaches() & (Q(authority="") | Q(authority=Authority.NOTIFY, notified_at=None))


def hours_left(breach: BreachCase, now: datetime) -> int:
    """Whole hours until the 72 have passed; below nought when they have."""
    return int((breach.due_at - now).total_seconds() // 3600)


def clock_badge(breach: BreachCase, now: datetime) -> SafeString:
    if breach.closed_at is not None or not breach.waits_for_authority:
        return badge("plain", "–")
    hours = hours_left(breach, now)
    if hours < 0:
        return badge("bad", ngettext("%(hours)d hour too late", "%(hours)d hours too late", -hours) % {"hours": -hours})
    return badge(
        "bad" if hours < 24 else "warn", ngettext("%(hours)d hour left", "%(hours)d hours left", hours) % {"hours": hours}
    )


class OpenFilter(admin.SimpleListFilter):
    title = _("show")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Open")), ("authority", _("The 72 hours run")), ("closed", _("Closed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = {"open": open_breaches, "authority": waiting_for_authority}.get(self.value() or "")
        if chosen:
            return queryset.filter(chosen())
        return queryset.filter(closed_at__isnull=False) if self.value() == "closed" else queryset


class FactsForm(RecordForm):
    nature = forms.CharField(label=_("What happened"), widget=WORDS, help_text=_("Name nobody here."))
    categories = forms.MultipleChoiceField(
        label=_("Kinds of data"), choices=list(POLICY_CATEGORIES.items()), widget=forms.CheckboxSelectMultiple
    )
    persons = forms.IntegerField(label=_("Persons, about"), min_value=0, max_value=10**9)
    records = forms.IntegerField(label=_("Records, about"), min_value=0, max_value=10**9)
    consequences = forms.CharField(label=_("Likely consequences"), widget=WORDS)
    measures = forms.CharField(label=_("What was and is done"), widget=WORDS)
    contact = forms.CharField(
        label=_("Contact"), max_length=200, help_text=_("The data protection officer, or whom else to ask.")
    )

    def prepare(self) -> None:
        for name in self.fields:
            self.fields[name].initial = getattr(self.record, name)


class DecisionForm(RecordForm):
    decision = forms.ChoiceField(label=_("Decision"), widget=forms.RadioSelect)
    reasons = forms.CharField(label=_("Reasons"), widget=WORDS)
    text = forms.CharField(
        label=_("What is told"),
        required=False,
        max_length=LONGEST_MESSAGE,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text=_("Needed where the decision is to tell. It names whom to ask."),
    )


class AuthorityForm(DecisionForm):
    def prepare(self) -> None:
        self.fields["decision"].choices = Authority.choices  # type: ignore[attr-defined]
        self.fields["decision"].help_text = _(
            "Notify within 72 hours, unless the breach is unlikely to be a risk to people (Art. 33(1))."
        )
        self.fields["text"].initial = breaches.draft_to_authority(self.record)


class PersonForm(DecisionForm):
    def prepare(self) -> None:
        self.fields["decision"].choices = Person.choices  # type: ignore[attr-defined]
        self.fields["decision"].help_text = _("The person is told where the risk to them is likely to be high (Art. 34(1)).")
        self.fields["text"].initial = breaches.draft_to_person(self.record)


class NotifiedForm(forms.Form):
    notified_at = forms.DateTimeField(
        label=_("When it was sent"), initial=timezone.localtime, widget=MOMENT, input_formats=MOMENT_FORMATS
    )
    late_reasons = forms.CharField(
        label=_("Why it took more than 72 hours"), required=False, widget=WORDS, help_text=_("Only if it did.")
    )


class ToldForm(forms.Form):
    through_portal = forms.TypedChoiceField(
        label=_("How"),
        coerce=lambda value: value == "portal",
        choices=[
            ("portal", _("As a message in the request, now")),
            ("outside", _("I have told the person in another way")),
        ],
        widget=forms.RadioSelect,
        help_text=_("Not in the request where the wrong person may be signed in as this one."),
    )


def _may_decide(what: str) -> Any:
    def legal(breach: BreachCase, user: Staff) -> bool:
        mine = breach.opened_by_id == user.pk
        return breach.closed_at is None and not mine and breach.facts_are_known and not getattr(breach, what)

    return legal


def _with(function: Any) -> Any:
    def perform(breach: BreachCase, user: Staff, data: dict[str, Any], now: datetime) -> None:
        function(breach=breach, acting_user=user, now=now, **data)

    return perform


STEPS = (
    RecordStep(
        "facts",
        _("Write down what is known"),
        "breach.record",
        legal=lambda breach, user: breach.closed_at is None,
        will_happen=lambda breach: [_("It replaces what was written before. Decide when it is all there.")],
        perform=_with(breaches.record_facts),
        form=FactsForm,
        done=_("It is written down."),
    ),
    RecordStep(
        "authority",
        _("Decide whether the authority is notified"),
        "breach.decide",
        legal=_may_decide("authority"),
        will_happen=lambda breach: [
            _("The decision and its reasons are kept (Art. 33(5))."),
            _("The notification itself is sent by you on the authority's website; write down when."),
        ],
        perform=_with(breaches.decide_authority),
        form=AuthorityForm,
        done=_("The decision is written down."),
    ),
    RecordStep(
        "notified",
        _("The authority is notified"),
        "breach.record",
        legal=lambda breach, user: breach.closed_at is None and breach.authority == Authority.NOTIFY and not breach.notified_at,
        will_happen=lambda breach: [_("It is written down when the authority was notified.")],
        perform=_with(breaches.record_notified),
        form=NotifiedForm,
        done=_("It is written down."),
    ),
    RecordStep(
        "person",
        _("Decide whether the person is told"),
        "breach.decide",
        legal=_may_decide("person"),
        will_happen=lambda breach: [_("The decision and its reasons are kept. A colleague tells the person.")],
        perform=_with(breaches.decide_person),
        form=PersonForm,
        done=_("The decision is written down."),
    ),
    RecordStep(
        "told",
        _("Tell the person"),
        "breach.record",
        legal=lambda breach, user: breach.closed_at is None and breach.person == Person.TELL and not breach.told_at,
        will_happen=lambda breach: [_("The words of the decision are told, in the way that you choose.")],
        perform=_with(breaches.record_told),
        form=ToldForm,
        done=_("It is written down."),
    ),
)


@admin.register(BreachCase, site=staff_site)
class BreachAdmin(StepsAdmin):
    steps = STEPS
    see = "breach.see"
    heading = _("Breaches")
    intro = _(
        "Answers that got into the wrong hands. Within 72 hours of our knowing it, the authority is notified unless a risk is "
        "unlikely. One is opened from the page of a request; who opens it does not decide."
    )
    page_template = "admin/breach.html"
    list_display = ("ref", "case", "kind", "clock", "aware_at", "authority", "person", "closed_at")
    list_filter = (OpenFilter, "kind")
    ordering = ("aware_at", "pk")
    sortable = ("aware_at",)
    labels = {
        "kind": _("what happened"),
        "opened_at": _("opened"),
        "aware_at": _("we became aware"),
        "nature": _("in words"),
        "persons": _("persons, about"),
        "records": _("records, about"),
        "consequences": _("likely consequences"),
        "measures": _("what was and is done"),
        "contact": _("contact"),
        "authority": _("the authority"),
        "authority_reasons": _("reasons about the authority"),
        "authority_text": _("what the authority is told"),
        "notified_at": _("the authority was notified"),
        "late_reasons": _("why it took more than 72 hours"),
        "person": _("the person"),
        "person_reasons": _("reasons about the person"),
        "person_text": _("what the person is told"),
        "told_at": _("the person was told"),
        "closed_at": _("closed"),
    }
    page_fields = (
        *("case", "kind", "clock", "due", "aware_at", "opened_at", "opened", "nature", "data", "persons", "records"),
        *("consequences", "measures", "contact"),
        *("authority", "authority_reasons", "authority_text", "authority_decided", "notified_at", "late_reasons"),
        *("person", "person_reasons", "person_text", "person_decided", "told_at", "closed_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request).select_related("request")
        if getattr(request.resolver_match, "url_name", "").endswith("_changelist"):
            return found.only(*COLUMNS)
        return found.select_related("opened_by", "authority_by", "person_by")

    def page_context(self, request: HttpRequest, record: BreachCase) -> dict[str, Any]:
        return super().page_context(request, record) | {
            "title": gettext("Breach %(reference)s") % {"reference": record.reference},
            "lacks_facts": record.closed_at is None and not record.facts_are_known,
        }

    @admin.display(description=_("reference"))
    def ref(self, breach: BreachCase) -> SafeString:
        return format_html('<span class="ref">{}</span>', breach.reference)

    @admin.display(description=_("request"))
    def case(self, breach: BreachCase) -> str:
        return breach.request.reference if breach.request else "–"

    @admin.display(description=_("72 hours"))
    def clock(self, breach: BreachCase) -> SafeString:
        return clock_badge(breach, timezone.now())

    @admin.display(description=_("they end"))
    def due(self, breach: BreachCase) -> str:
        return date_format(timezone.localtime(breach.due_at), "SHORT_DATETIME_FORMAT")

    @admin.display(description=_("kinds of data"))
    def data(self, breach: BreachCase) -> str:
        return ", ".join(str(POLICY_CATEGORIES.get(key, key)) for key in breach.categories) or "–"

    @admin.display(description=_("opened by"))
    def opened(self, breach: BreachCase) -> str:
        return name_of(breach.opened_by) or gettext("the system")

    @admin.display(description=_("decided by"))
    def authority_decided(self, breach: BreachCase) -> str:
        return name_of(breach.authority_by) or "–"

    @admin.display(description=_("decided by"))
    def person_decided(self, breach: BreachCase) -> str:
        return name_of(breach.person_by) or "–"


def of_case(request_id: int) -> list[tuple[BreachCase, SafeString]]:
    """For the page of the case."""
    now = timezone.now()
    found = BreachCase.objects.filter(request=request_id).only("reference", "aware_at", "authority", "notified_at", "closed_at")
    return [(breach, clock_badge(breach, now)) for breach in found.order_by("pk")]
