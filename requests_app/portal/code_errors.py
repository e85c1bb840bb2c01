"""Why a code was not sent or not taken, and the way on: in words, the same for mailbox and phone."""

from __future__ import annotations

import structlog
from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import codes
from accounts.messaging import DeliveryFailed

log = structlog.get_logger("insyn.codes")


def why_refused(error: codes.CodeRefused) -> str:
    if isinstance(error, codes.WrongCode):
        return ngettext(
            "That is not the code we sent. You can try %(left)d more time.",
            "That is not the code we sent. You can try %(left)d more times.",
            error.attempts_left,
        ) % {"left": error.attempts_left}
    if isinstance(error, codes.TooManyAttempts):
        return _("That was wrong too many times, so this code no longer works. Ask for a new one below.")
    return _("This code no longer works: it is too old, it has been used, or a newer one was sent. Ask for a new one below.")


def sending_failed(form: forms.Form, error: codes.TooManyCodes | DeliveryFailed) -> None:
    """Put what to do on the form; what an operator needs to know goes to the log (the error's text names no person)."""
    if not hasattr(form, "cleaned_data"):  # nothing was filled in: only a code was asked for
        form.cleaned_data = {}
    if isinstance(error, DeliveryFailed):
        log.error("code not delivered", reason=str(error))
        form.add_error(None, _("We could not send the code just now. Wait a minute and try again, or contact us."))
    else:
        form.add_error(None, _("Many codes have been asked for in the last hour. Wait an hour and try again, or contact us."))
