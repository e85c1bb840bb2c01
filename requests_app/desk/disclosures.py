"""The register of disclosures: who asked for a person's data, on which ground, and what they got."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from accounts.desk import refuse_unless
from accounts.models import IdentityKind, Staff
from accounts.roles import may
from accounts.staff_site import staff_site
from privacy.vocabulary import POLICY_CATEGORIES
from requests_app.desk.due import badge
from requests_app.desk.queue import name_of
from requests_app.desk.record_steps import RecordForm, RecordStep, StepsAdmin
from requests_app.errors import NotAllowed
from requests_app.models.disclosure import Disclosure
from requests_app.registers import disclosures

State, Ground = Disclosure.State, Disclosure.Ground
TONES = {State.ENTERED: "warn", State.GRANTED: "info", State.REFUSED: "neutral", State.GIVEN: "ok"}
WORDS = forms.Textarea(attrs={"rows": 5})
# What a line shows; who asks and for what stays encrypted until somebody opens the entry.
COLUMNS = (
    *("reference", "customer__public_id", "asker_kind", "in_inquiry", "occasion", "asked_on", "state", "ground"),
    *("given_at", "cleared_at", "entered_by", "decided_by"),
)


def waiting_for(user: Staff) -> Q:
    """Entries that this person may decide: somebody else entered them."""
    return Q(state=State.ENTERED) & ~Q(entered_by=user)


def hidden() -> Q:
    """Given, and the person sees nothing of it."""
    return Q(state=State.GIVEN, cleared_at=None)


class WaitingFilter(admin.SimpleListFilter):
    title = _("waits for")
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("me", _("my decision")), ("clearing", _("the officer to clear it"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "me":
            return queryset.filter(waiting_for(request.user))  # type: ignore[arg-type]
        return queryset.filter(hidden()) if self.value() == "clearing" else queryset


class EnterDisclosureForm(forms.Form):
    kind = forms.ChoiceField(label=_("What you know the person by"), choices=IdentityKind.choices)
    value = forms.CharField(
        label=_("In full"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Only a keyed hash of it is kept."),
    )
    asker_kind = forms.ChoiceField(label=_("Who asks"), choices=Disclosure.Asker.choices, widget=forms.RadioSelect)
    asker = forms.CharField(label=_("Name"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    asker_reference = forms.CharField(
        label=_("Their reference"), required=False, max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    in_inquiry = forms.BooleanField(
        label=_("It is an authority's particular inquiry"),
        required=False,
        help_text=_("Such an authority is no recipient (Art. 4(9))."),
    )
    occasion = forms.ChoiceField(
        label=_("Occasion"),
        choices=Disclosure.Occasion.choices,
        widget=forms.RadioSelect,
        help_text=_(
            "Why it comes up. None of these is a legal ground: that a customer broke our terms lets us look for one, and no more."
        ),
    )
    asked = forms.CharField(label=_("What they ask for, on which law"), widget=WORDS, help_text=_("Stored encrypted."))
    asked_on = forms.DateField(
        label=_("Asked on"), initial=timezone.localdate, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )

    def clean_asked_on(self) -> date:
        day: date = self.cleaned_data["asked_on"]
        if day > timezone.localdate():
            raise forms.ValidationError(_("The request cannot have come in the future."))
        return day


class GrantForm(RecordForm):
    ground = forms.ChoiceField(
        label=_("Legal ground"),
        choices=Ground.choices,
        widget=forms.RadioSelect,
        help_text=_("That a customer broke our terms is an occasion, not a legal ground, so it is not in this list."),
    )
    paragraph = forms.CharField(
        label=_("Law and paragraph"),
        required=False,
        max_length=200,
        help_text=_("For another duty in law, such as “lagen (2000:1) 3 kap. 4 §”."),
    )
    consent = forms.TypedChoiceField(
        label=_("Consent"),
        coerce=int,
        required=False,
        empty_value=None,
        help_text=_("What the person agreed to and has not taken back."),
    )
    reason = forms.CharField(
        label=_("Reasons"),
        widget=WORDS,
        help_text=_("How you made sure of who asks, and that no more is given than the ground needs."),
    )

    def prepare(self) -> None:
        found = [
            (act.pk, f"{(act.details or {}).get('recipient', '')}: {act.text}")
            for act in disclosures.consents_in_force(self.record)
        ]
        self.fields["consent"].choices = [("", _("none")), *found]  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reasons"), widget=WORDS)


class GivenForm(forms.Form):
    categories = forms.MultipleChoiceField(
        label=_("Which data"), choices=list(POLICY_CATEGORIES.items()), widget=forms.CheckboxSelectMultiple
    )
    given = forms.CharField(label=_("What was given, and how"), widget=WORDS, help_text=_("Stored encrypted."))


class ClearForm(RecordForm):
    words = forms.CharField(
        label=_("What the person reads"),
        widget=WORDS,
        help_text=_("Nothing else of the entry is shown, not even who asked, unless you write it here."),
    )

    def prepare(self) -> None:
        entry: Disclosure = self.record
        language = entry.customer.language if entry.customer else settings.LANGUAGE_CODE[:2]
        with override(language):
            values = {
                "day": date_format(timezone.localtime(entry.given_at), "j F Y"),
                "data": ", ".join(str(POLICY_CATEGORIES[key]).lower() for key in entry.categories),
                "ground": entry.paragraph or entry.get_ground_display(),
                "asker": entry.asker,
            }
            # An authority in a particular inquiry is no recipient: whether it is named is for the officer to say.
            known = _("On %(day)s we gave these data about you to %(asker)s: %(data)s. Ground: %(ground)s.")
            unnamed = _("On %(day)s we gave these data about you to an authority: %(data)s. Ground: %(ground)s.")
            self.fields["words"].initial = str(unnamed if entry.in_inquiry else known) % values


def _by_another(entry: Disclosure, user: Staff) -> bool:
    return entry.entered_by_id != user.pk


STEPS = (
    RecordStep(
        "grant",
        _("It may be given"),
        "disclosure.decide",
        legal=lambda entry, user: entry.state == State.ENTERED and _by_another(entry, user),
        will_happen=lambda entry: [
            _("A colleague may give the data, on the ground that you name and no other."),
            _("The person sees nothing of it until the officer clears it."),
        ],
        perform=lambda entry, user, data, now: disclosures.grant_disclosure(disclosure=entry, acting_user=user, now=now, **data),
        form=GrantForm,
        done=_("The decision is written down."),
    ),
    RecordStep(
        "refuse",
        _("Refuse"),
        "disclosure.decide",
        legal=lambda entry, user: entry.state == State.ENTERED and _by_another(entry, user),
        will_happen=lambda entry: [_("Nothing is given. Whoever asks is answered by you, outside this system.")],
        perform=lambda entry, user, data, now: disclosures.refuse_disclosure(disclosure=entry, acting_user=user, now=now, **data),
        form=ReasonForm,
        tone="danger",
        done=_("The decision is written down."),
    ),
    RecordStep(
        "given",
        _("Write down what was given"),
        "disclosure.enter",
        legal=lambda entry, user: entry.state == State.GRANTED,
        will_happen=lambda entry: [
            _("It is written down what left the house, today and by you. It cannot be changed."),
            _("The person sees nothing of it until the officer clears it."),
        ],
        perform=lambda entry, user, data, now: disclosures.record_given(disclosure=entry, acting_user=user, now=now, **data),
        form=GivenForm,
        done=_("It is written down."),
    ),
    RecordStep(
        "clear",
        _("Let the person see it"),
        "disclosure.clear",
        legal=lambda entry, user: entry.state == State.GIVEN and entry.cleared_at is None and _by_another(entry, user),
        will_happen=lambda entry: [
            _("The person reads these words on the website and gets them in every package from now on."),
            _("It cannot be hidden again."),
        ],
        perform=lambda entry, user, data, now: disclosures.clear_for_person(disclosure=entry, acting_user=user, now=now, **data),
        form=ClearForm,
        done=_("The person can see it."),
    ),
)


@admin.register(Disclosure, site=staff_site)
class DisclosureAdmin(StepsAdmin):
    steps = STEPS
    see = "disclosure.see"
    heading = _("Disclosures")
    intro = _(
        "Every demand by an authority or anybody else for data about a person. Nothing leaves without an entry: one enters it, "
        "another decides, on a consent in force or a law with its paragraph. The person sees it when the officer has cleared it."
    )
    change_list_template = "admin/disclosures.html"
    list_display = ("ref", "person", "asker_kind", "occasion", "state_text", "asked_on", "given_at", "cleared_at")
    list_filter = ("state", "asker_kind", "occasion", "in_inquiry", WaitingFilter)
    ordering = ("-asked_on", "-pk")
    sortable = ("asked_on", "given_at")
    labels = {
        "asker_kind": _("who asks"),
        "in_inquiry": _("particular inquiry"),
        "occasion": _("occasion"),
        "asked_on": _("asked on"),
        "decided_at": _("decided"),
        "given_at": _("given"),
        "cleared_at": _("shown to the person since"),
        "asker": _("name"),
        "asker_reference": _("their reference"),
        "asked": _("what they ask for"),
        "consented": _("what the person agreed to"),
        "reason": _("reasons"),
        "given": _("what was given, and how"),
        "told": _("what the person reads"),
    }
    page_fields = (
        *("person", "asker_kind", "asker", "asker_reference", "in_inquiry", "occasion", "asked", "asked_on", "entered"),
        *("state_text", "ground_text", "consented", "reason", "decided", "decided_at"),
        *("data", "given", "giver", "given_at", "told", "cleared", "cleared_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request).select_related("customer")
        if getattr(request.resolver_match, "url_name", "").endswith("_changelist"):
            return found.only(*COLUMNS)
        return found.select_related("entered_by", "decided_by", "given_by", "cleared_by")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"may_enter": may(request.user, "disclosure.enter")} | (extra_context or {}))

    def more_urls(self) -> list[URLPattern]:
        return [path("enter/", self.view(self.enter_view), name=self.url_name("enter")), *super().more_urls()]

    def page_context(self, request: HttpRequest, record: Disclosure) -> dict[str, Any]:
        return super().page_context(request, record) | {
            "title": gettext("Disclosure %(reference)s") % {"reference": record.reference}
        }

    def enter_view(self, request: HttpRequest) -> HttpResponse:
        refuse_unless(request, "disclosure.enter")
        form = EnterDisclosureForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            user: Any = request.user
            try:
                entry = disclosures.enter_disclosure(acting_user=user, now=timezone.now(), **form.cleaned_data)
            except NotAllowed as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, gettext("It is entered. A colleague has to decide."))
                return redirect(self.url("change", entry.pk))
        context = {"title": gettext("Enter a demand for data"), "form": form, "button": gettext("Enter")}
        return self.page(request, "admin/edit.html", context | {"back": self.url("changelist"), "back_label": self.heading})

    # --- columns ---

    @admin.display(description=_("reference"))
    def ref(self, entry: Disclosure) -> str:
        return entry.reference

    @admin.display(description=_("person"))
    def person(self, entry: Disclosure) -> str:
        return entry.customer.public_id if entry.customer else gettext("no customer of the portal")

    @admin.display(description=_("state"), ordering="state")
    def state_text(self, entry: Disclosure) -> SafeString:
        return badge(TONES[State(entry.state)], str(entry.get_state_display()))

    @admin.display(description=_("legal ground"))
    def ground_text(self, entry: Disclosure) -> str:
        return " ".join(part for part in (entry.get_ground_display(), entry.paragraph) if part) or "–"

    @admin.display(description=_("which data"))
    def data(self, entry: Disclosure) -> str:
        return ", ".join(str(POLICY_CATEGORIES.get(key, key)) for key in entry.categories) or "–"

    @admin.display(description=_("entered by"))
    def entered(self, entry: Disclosure) -> str:
        return name_of(entry.entered_by)

    @admin.display(description=_("decided by"))
    def decided(self, entry: Disclosure) -> str:
        return name_of(entry.decided_by) or "–"

    @admin.display(description=_("given by"))
    def giver(self, entry: Disclosure) -> str:
        return name_of(entry.given_by) or "–"

    @admin.display(description=_("cleared by"))
    def cleared(self, entry: Disclosure) -> str:
        return name_of(entry.cleared_by) or "–"
