"""The questions on the way in: which mailbox, which phone, which code."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.codes import DIGITS
from privacy.engine.identity import InvalidIdentity, canonical
from requests_app.portal.form_base import PortalForm
from requests_app.portal.grounds import Option

NONE_OF_THESE = "none"


class EmailForm(PortalForm):
    email = forms.CharField(
        label=_("What is your e-mail address?"),
        help_text=_("Use the address that we know you by: the one you log in with, or where you get our invoices."),
        max_length=254,
        widget=forms.EmailInput(
            {"class": "input input--wide", "autocomplete": "email", "spellcheck": "false", "autocapitalize": "none"}
        ),
        error_messages={
            "required": _("Enter your e-mail address."),
            "max_length": _("An e-mail address has at most 254 characters. Look for something pasted by mistake."),
        },
    )
    button = _("Send me a code")

    def clean_email(self) -> str:
        try:
            email = canonical("email", self.cleaned_data["email"])
            EmailValidator()(email)
        except (InvalidIdentity, ValidationError):
            raise ValidationError(_("Enter an e-mail address in the form name@example.se."), code="invalid") from None
        return email


class CodeForm(PortalForm):
    code = forms.CharField(
        label=_("Enter the code"),
        max_length=40,
        widget=forms.TextInput(
            {"class": "input input--code", "inputmode": "numeric", "autocomplete": "one-time-code", "spellcheck": "false"}
        ),
        error_messages={
            "required": _("Enter the code that we sent you: six digits."),
            "max_length": _("The code is six digits. Look again at what we sent you."),
        },
    )
    button = _("Continue")

    def __init__(self, *args: Any, sent_to: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        minutes = settings.INSYN_CODE_MINUTES
        self.fields["code"].help_text = ngettext(
            "We have sent six digits to %(target)s. They work once, for %(minutes)d minute.",
            "We have sent six digits to %(target)s. They work once, for %(minutes)d minutes.",
            minutes,
        ) % {"target": sent_to, "minutes": minutes}

    def clean_code(self) -> str:
        # Codes are copied with spaces and line breaks; a slip of the pen is told apart from a wrong code and costs no attempt.
        digits = re.sub(r"[\s\-–]", "", self.cleaned_data["code"])
        if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", digits):
            raise ValidationError(_("The code is six digits. Look again at what we sent you."), code="invalid")
        return digits


class NumberForm(PortalForm):
    """`numbers` maps an opaque key to a masked number: the page never learns the number itself."""

    number = forms.ChoiceField(
        label=_("Which phone can we send a code to?"),
        help_text=_("These are numbers that we already have for you. We show only the last two digits."),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose a phone number, or say that you can use none of them."),
            "invalid_choice": _("Choose one of the numbers in the list."),
        },
    )
    button = _("Continue")

    def __init__(self, *args: Any, numbers: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        options = [(key, Option(masked)) for key, masked in numbers.items()]
        self.fields["number"].choices = [*options, (NONE_OF_THESE, Option(_("I cannot use any of these")))]  # type: ignore[attr-defined]
