"""The second factor of staff: a TOTP app works, an invitation code (a static token) only lets a person enrol such an app."""

from __future__ import annotations

import base64
import re
from binascii import unhexlify
from datetime import datetime, timedelta

import qrcode
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Staff

INVITATION_LASTS = timedelta(days=7)
INVITATION = "invitation"


def is_enrolled(staff: Staff) -> bool:
    return TOTPDevice.objects.filter(user=staff, confirmed=True).exists()


def without_second_factor(staff: QuerySet[Staff]) -> QuerySet[Staff]:
    return staff.exclude(Exists(TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)))


def check_totp(*, staff: Staff, code: str) -> TOTPDevice | None:
    """The device that accepts `code` now. A code works once, and each failure makes the next attempt wait longer.

    Durable, so that a failure stays counted whatever the caller does afterwards.
    """
    code = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6,8}", code):
        return None
    with transaction.atomic(durable=True):
        for device in TOTPDevice.objects.select_for_update().filter(user=staff, confirmed=True):
            if device.verify_token(code):
                return device
    return None


def issue_invitation_code(staff: Staff) -> str:
    """A fresh one-time code for `staff`; earlier ones stop working. Shown in groups of four, 80 bits."""
    StaticDevice.objects.filter(user=staff).delete()
    device = StaticDevice.objects.create(user=staff, name=INVITATION)
    token = (StaticToken.random_token() + StaticToken.random_token())[:16]
    device.token_set.create(token=token)
    return "-".join(token[i : i + 4] for i in range(0, 16, 4))


def use_invitation_code(*, staff: Staff, code: str, now: datetime) -> bool:
    """Whether `code` is this person's unused, unexpired invitation; it is used up, and an unconfirmed app is prepared."""
    token = re.sub(r"[\s-]", "", code).lower()
    with transaction.atomic(durable=True):
        device = StaticDevice.objects.select_for_update().filter(user=staff, name=INVITATION, confirmed=True).first()
        if device is None or is_enrolled(staff) or device.created_at is None or now - device.created_at > INVITATION_LASTS:
            return False
        if not device.verify_token(token):
            return False
        TOTPDevice.objects.filter(user=staff).delete()
        TOTPDevice.objects.create(user=staff, name="app", confirmed=False)
        return True


def device_to_confirm(staff: Staff) -> TOTPDevice | None:
    return TOTPDevice.objects.filter(user=staff, confirmed=False).first()


@transaction.atomic
def confirm_device(*, staff: Staff, code: str) -> TOTPDevice | None:
    """Make the prepared app the person's second factor if it shows `code`; the invitation is gone for good."""
    device = TOTPDevice.objects.select_for_update().filter(user=staff, confirmed=False).first()
    if device is None or not device.verify_token(re.sub(r"\s", "", code)):
        return None
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    StaticDevice.objects.filter(user=staff).delete()
    return device


def forget_devices(staff: Staff) -> None:
    TOTPDevice.objects.filter(user=staff).delete()
    StaticDevice.objects.filter(user=staff).delete()


def typed_secret(device: TOTPDevice) -> str:
    """The secret in base32 in groups of four, for those who cannot scan."""
    secret = base64.b32encode(unhexlify(device.key)).decode()
    return " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))


def qr_svg(text: str, *, label: str) -> SafeString:
    """A QR code as SVG that needs neither style attributes nor scripts, so a strict CSP lets it through."""
    code = qrcode.QRCode(border=4)
    code.add_data(text)
    matrix = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark)
    return format_html(
        '<svg class="qr" viewBox="0 0 {0} {0}" role="img" aria-label="{1}" shape-rendering="crispEdges">'
        '<rect width="{0}" height="{0}" fill="#fff"/><path d="{2}" fill="#000"/></svg>',
        len(matrix),
        label,
        path,
    )
