"""Correcting: choose what is wrong, then write the new value beside the old one, checked as what it is."""

from __future__ import annotations

import re
from typing import Any

import phonenumbers
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from privacy.engine.identity import InvalidIdentity, canonical, same
from requests_app.portal.ask_forms import StepForm
from requests_app.portal.grounds import Option
from requests_app.portal.masks import mask

SOMETHING_ELSE = "other"
LONGEST_VALUE = 300


def label_of(holding: dict[str, Any]) -> str:
    """The field's plain name in the reader's language."""
    labels = holding["label"]
    return str(labels.get((get_language() or "sv")[:2]) or labels.get("sv") or next(iter(labels.values()), holding["field"]))


def shown(holding: dict[str, Any], *, level: int) -> str:
    """The value as a person at this identity level may see it: in full only with the second proof (DESIGN §8)."""
    return str(holding["value"]) if level >= 2 else mask(holding["kind"], str(holding["value"]))


class FieldsForm(StepForm):
    """Which of the things we hold are wrong."""

    fields_wrong = forms.MultipleChoiceField(
        label=_("What is wrong?"),
        help_text=_("This is what we have about you and can correct. Choose one or more."),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose what is wrong.")},
    )

    def __init__(self, *args: Any, holdings: list[dict[str, Any]], level: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        options: list[tuple[str, Option]] = [
            (holding["field"], Option(label_of(holding), shown(holding, level=level) or _("We have nothing here.")))
            for holding in holdings
        ]
        options.append(
            (SOMETHING_ELSE, Option(_("Something else, or something that is missing"), _("You write it in your own words.")))
        )
        if not holdings:
            self.fields["fields_wrong"].help_text = _(
                "Under what you have proved so far we have found nothing to choose from. Describe in your own words what is "
                "wrong or missing."
            )
        self.fields["fields_wrong"].choices = options  # type: ignore[attr-defined]


class ValuesForm(StepForm):
    """The new values: one question per chosen field, with the old value above it.

    Whether the new value equals the old one is told only to whoever may see the old one: the answer would give it away.
    """

    title = _("What should it be instead?")

    def __init__(self, *args: Any, holdings: list[dict[str, Any]], level: int, known: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.level = level
        self.holdings = {f"new_{number}": holding for number, holding in enumerate(holdings)}
        for name, holding in self.holdings.items():
            self.fields[name] = forms.CharField(
                label=label_of(holding),
                initial=known.get(holding["field"]),
                help_text=_("Now: %(value)s") % {"value": shown(holding, level=level) or "–"},
                max_length=LONGEST_VALUE,
                widget=_INPUTS.get(holding["kind"], _INPUTS["text"])(),
                error_messages={
                    "required": _("Enter the new value, or go back and take the field out of the list."),
                    "max_length": _("This is too long: at most 300 characters."),
                },
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, holding in self.holdings.items():
            if name not in cleaned:
                continue
            try:
                cleaned[name] = _checked(holding["kind"], cleaned[name], old=str(holding["value"]))
                if self.level >= 2 and _equal(holding["kind"], str(holding["value"]), cleaned[name]):
                    raise ValidationError(_("This is what we already have."))
            except ValidationError as error:
                self.add_error(name, error)
        return cleaned

    def draft_answers(self) -> dict[str, Any]:
        return {holding["field"]: self.cleaned_data[name] for name, holding in self.holdings.items()}


def _input(**attributes: str) -> Any:
    return lambda: forms.TextInput({"class": "input input--wide", "spellcheck": "false", "autocomplete": "off", **attributes})


_INPUTS: dict[str, Any] = {
    "text": _input(),
    "email": _input(type="email", inputmode="email", autocapitalize="none"),
    "phone": _input(type="tel", inputmode="tel"),
    "postcode": _input(inputmode="numeric"),
}


def _checked(kind: str, value: str, *, old: str) -> str:
    """The value as its kind is written, in the style of what stood there before; ValidationError says how to write it."""
    value = " ".join(value.split())
    if "\x00" in value:
        raise ValidationError(_("The text contains a character that cannot be stored. Write it again instead of pasting it."))
    if kind == "email":
        try:
            EmailValidator()(canonical("email", value))
        except (InvalidIdentity, ValidationError):
            raise ValidationError(_("Enter an e-mail address in the form name@example.se.")) from None
    if kind == "phone":
        return _phone(value, international=old.strip().startswith("+"))
    if kind == "postcode":
        digits = re.sub(r"\s", "", value)
        if not re.fullmatch(r"[0-9]{5}", digits):
            raise ValidationError(_("A Swedish postcode is five digits, for example 111 22."))
        return f"{digits[:3]} {digits[3:]}" if " " in old.strip() or not old.strip() else digits
    return value


def _phone(value: str, *, international: bool) -> str:
    try:
        number = phonenumbers.parse(value, "SE")
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise ValidationError(_("Enter a phone number such as 070-123 45 67, or with the country code such as +46 70 123 45 67."))
    swedish = number.country_code == 46
    style = (
        phonenumbers.PhoneNumberFormat.NATIONAL if swedish and not international else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    )
    return phonenumbers.format_number(number, style)


def _equal(kind: str, old: str, new: str) -> bool:
    if kind == "email":
        return same("email", old, canonical("email", new))
    if kind == "phone":
        return same("phone_number", old, canonical("phone_number", new))
    return old.strip() == new
