"""The questions of a request, one per page. What a form answers with is plain JSON: it is kept in the draft."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from requests_app.portal import grounds
from requests_app.portal.form_base import DatePartsField, PortalForm
from requests_app.portal.grounds import Option

LONGEST_REASON = 2000
EARLIEST = date(1990, 1, 1)


class StepForm(PortalForm):
    """A form of the flow; `draft_answers` is what the draft keeps of it."""

    def draft_answers(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class ScopeForm(StepForm):
    scope = forms.ChoiceField(
        label=_("What do you want to see?"),
        help_text=_("If you are not sure, choose everything."),
        widget=forms.RadioSelect,
        choices=[
            ("all", Option(_("Everything you have about me"))),
            ("categories", Option(_("Certain kinds of data"), _("Such as my contact details, or my history."))),
            ("period", Option(_("A certain period"), _("Such as last year."))),
            ("both", Option(_("Certain kinds of data from a certain period"), _("You choose both on the next pages."))),
        ],
        error_messages={"required": _("Choose what you want to see.")},
    )


class PortabilityScopeForm(ScopeForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scope"].label = _("What do you want to take with you?")
        self.fields["scope"].choices = [  # type: ignore[attr-defined]
            ("all", Option(_("Everything that I gave you or that came from my use of your services"))),
            ("categories", Option(_("Certain kinds of data"), _("Such as my contact details, or my history."))),
            ("period", Option(_("A certain period"), _("Such as last year."))),
            ("both", Option(_("Certain kinds of data from a certain period"), _("You choose both on the next pages."))),
        ]
        self.fields["scope"].error_messages["required"] = _("Choose what you want to take with you.")


CATEGORIES: dict[str, Option] = {
    "identification": Option(_("Identification"), _("Who you are to us: name, e-mail address, customer number.")),
    "contact": Option(_("Contact"), _("How we reach you: address, telephone numbers.")),
    "history": Option(_("History"), _("What happened: log-ins, changes you made, requests to your services, invoices.")),
}


class CategoriesForm(StepForm):
    categories = forms.MultipleChoiceField(
        label=_("Which kinds of data?"),
        help_text=_("Choose one or more."),
        widget=forms.CheckboxSelectMultiple,
        choices=list(CATEGORIES.items()),
        error_messages={"required": _("Choose at least one kind of data.")},
    )


class PeriodForm(StepForm):
    title = _("Which period?")
    since = DatePartsField(
        label=_("From"),
        help_text=_("For example 2024 3 27."),
        required=True,
        error_messages={"required": _("Enter the first day of the period.")},
    )
    until = DatePartsField(label=_("Until and including"), help_text=_("Leave it empty for “until today”."), required=False)

    def clean_since(self) -> date:
        since: date = self.cleaned_data["since"]
        if since > timezone.localdate():
            raise ValidationError(_("The first day must be today or earlier."))
        if since < EARLIEST:
            raise ValidationError(_("The first day must be after 1990. Check the year."))
        return since

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", _("The last day must be the same as the first or later."))
        return cleaned

    def draft_answers(self) -> dict[str, Any]:
        return {key: value.isoformat() if value else "" for key, value in self.cleaned_data.items()}


class RestrictionGroundForm(StepForm):
    ground = forms.ChoiceField(
        label=_("Why should we stop using your data?"),
        help_text=_("Choose what comes closest."),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what comes closest.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ground"].choices = grounds.restriction_options()  # type: ignore[attr-defined]


class ConsequenceForm(StepForm):
    """Asked only where the ground pauses the services."""

    title = _("Your services are paused meanwhile")
    understood = forms.BooleanField(
        label=_("I understand that my services do not work until this is settled"),
        error_messages={"required": _("Tick the box if you want to go on. Otherwise go back and choose another ground.")},
    )


class ErasureGroundForm(StepForm):
    ground = forms.ChoiceField(
        label=_("Why should we erase your data?"),
        help_text=_("You do not need to know the law. Choose what comes closest."),
        widget=forms.RadioSelect,
        choices=list(grounds.ERASURE.items()),
        error_messages={"required": _("Choose what comes closest.")},
    )


class ReasonForm(StepForm):
    reason = forms.CharField(
        label=_("Do you want to tell us more?"),
        help_text=_("You do not have to. Leave out what is sensitive, such as your health or your personal identity number."),
        required=False,
        strip=True,
        max_length=LONGEST_REASON,
        widget=forms.Textarea({"class": "input input--area", "rows": "6"}),
        error_messages={
            "required": _("Write in your own words what is wrong or missing."),
            "max_length": _(
                "The text may be at most 2,000 characters long; yours has %(show_value)s. Shorten it, or send us a letter."
            ),
        },
    )

    def __init__(self, *args: Any, must_write: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if must_write:
            self.fields["reason"].required = True
            self.fields["reason"].label = _("What is wrong or missing?")
            self.fields["reason"].help_text = _(
                "In your own words. Leave out what is sensitive, such as your health or your personal identity number."
            )
