"""The forms by which staff come in: sign in with two factors, enrol the second one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.address import client_address
from accounts.attempts import count_attempt, forget_attempts
from accounts.models import Staff
from accounts.roles import has_any_role
from accounts.second_factor import check_totp, use_invitation_code

# One text for every cause: it tells neither whether the account exists nor which of the three was wrong.
WRONG = _(
    "That did not work. Check the e-mail address, the password and the code. A code works only once: wait for the next one. "
    "After several wrong codes, wait a minute."
)
TOO_MANY = _("Too many attempts. Wait a quarter of an hour and try again.")


class StaffSignInForm(AuthenticationForm):
    """E-mail, password and a code. A TOTP code signs in; an invitation code only opens the enrolment page (`enrolling`)."""

    username = forms.EmailField(
        label=_("E-mail address"),
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username", "maxlength": 254}),
    )
    otp_token = forms.CharField(
        label=_("Code"),
        max_length=24,
        help_text=_("Six digits from your authenticator app. On your first visit: the code of your invitation."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false", "autocapitalize": "none"}),
    )
    error_messages = {**AuthenticationForm.error_messages, "invalid_login": WRONG, "inactive": WRONG}
    enrolling = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        email, address = str(data.get("username") or "").lower(), client_address(self.request) if self.request else ""
        if not email or not data.get("password") or not data.get("otp_token"):
            return data
        if not count_attempt(email=email, address=address, now=timezone.now()):
            raise ValidationError(TOO_MANY, code="too_many")
        data["username"] = email
        data = super().clean()
        self._check_code(self.get_user(), data["otp_token"])
        forget_attempts(email=email, address=address)
        return data

    def confirm_login_allowed(self, user: Any) -> None:
        if not (user.is_active and user.is_staff and has_any_role(user)):
            raise self.get_invalid_login_error()

    def _check_code(self, user: Any, code: str) -> None:
        device = check_totp(staff=user, code=code)
        if device is not None:
            user.otp_device = device  # django_otp's sign-in handler keeps it in the session
            return
        if use_invitation_code(staff=user, code=code, now=timezone.now()):
            self.enrolling = True
            return
        self.user_cache = None
        raise self.get_invalid_login_error()


if TYPE_CHECKING:
    _SetPasswordForm = SetPasswordForm[Staff]
else:
    _SetPasswordForm = SetPasswordForm  # generic in the stubs only


class EnrolForm(_SetPasswordForm):
    """A password of one's own, and a code that proves that the app was set up."""

    code = forms.CharField(
        label=_("Code from the app"),
        max_length=12,
        help_text=_("Six digits. They change every 30 seconds."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
