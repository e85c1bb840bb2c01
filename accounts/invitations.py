"""How an invitation reaches the person invited."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.utils.translation import gettext as _

from accounts import messaging
from accounts.second_factor import INVITATION_LASTS
from accounts.staff import Invitation


def send_invitation(invitation: Invitation, *, sign_in_url: str) -> None:
    """By e-mail to the person themselves. Raises messaging.DeliveryFailed; then make a new invitation."""
    text = _(
        "You have been invited to the staff desk of %(company)s.\n\n"
        "Sign in at %(url)s with\n\n"
        "  e-mail address: %(email)s\n"
        "  password: %(password)s\n"
        "  code: %(code)s\n\n"
        "Both work once, for %(days)d days. You will then choose a password of your own and set up an authenticator app.\n"
        "If you did not expect this, tell %(support)s."
    ) % {
        "company": settings.INSYN_COMPANY_NAME,
        "url": sign_in_url,
        "email": invitation.staff.email,
        "password": invitation.password,
        "code": invitation.code,
        "days": INVITATION_LASTS.days,
        "support": settings.INSYN_SUPPORT_EMAIL,
    }
    messaging.deliver(
        channel=messaging.EMAIL,
        to=invitation.staff.email,
        subject=_("Your invitation to the staff desk"),
        text=text,
        key=f"staff-invitation-{invitation.staff.pk}-{secrets.token_hex(8)}",
    )
