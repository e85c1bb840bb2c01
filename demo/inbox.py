"""The demo's mailbox and telephone: what would have been sent is kept and shown on a page that only this machine can open."""

from __future__ import annotations

import re
import time
from binascii import unhexlify
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Role
from demo.models import DemoMessage
from demo.showcase import LOGINS
from demo.staff import DEVICE_NAME

SHOWN = 50
LOCAL_NAME = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]|testserver)(:\d+)?")


class InboxMessenger:
    """A Messenger (accounts/messaging.py) that delivers to the page below. One key is one message."""

    def send(self, *, channel: str, to: str, subject: str, text: str, key: str) -> None:
        DemoMessage.objects.get_or_create(
            key=key, defaults={"channel": channel, "to": to, "subject": subject, "text": text, "sent_at": timezone.now()}
        )


@dataclass(frozen=True)
class Shown:
    message: DemoMessage
    code: str  # the six digits in it, if that is what it is about

    @property
    def is_sms(self) -> bool:
        return self.message.channel == "sms"


@dataclass(frozen=True)
class StaffCode:
    """What an authenticator app would show now."""

    email: str
    roles: str
    code: str
    seconds_left: int
    used: bool  # a code works once: this one did


@never_cache
@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    if not _from_this_machine(request):
        raise Http404
    messages = DemoMessage.objects.all()[:SHOWN]
    context: dict[str, Any] = {
        "messages_shown": [Shown(message, _code_in(message)) for message in messages],
        "staff_codes": list(staff_codes(at=time.time())),
        "customers": LOGINS,
        "admin_path": reverse("admin:index"),
    }
    return render(request, "demo/inbox.html", context)


def staff_codes(*, at: float) -> Iterator[StaffCode]:
    """The current code of every demo member of staff, by e-mail address."""
    devices = TOTPDevice.objects.filter(name=DEVICE_NAME, confirmed=True).select_related("user").prefetch_related("user__groups")
    for device in devices.order_by("pk"):
        totp = TOTP(unhexlify(device.key), device.step, device.t0, device.digits, device.drift)
        totp.time = at
        yield StaffCode(
            email=device.user.email,
            roles=", ".join(str(Role(group.name).label) for group in device.user.groups.all()),
            code=f"{totp.token():0{device.digits}d}",
            seconds_left=device.step - int(at - device.t0) % device.step,
            used=device.last_t >= totp.t(),
        )


def _from_this_machine(request: HttpRequest) -> bool:
    """Only in the demo, only over loopback, and under a local name: not through a tunnel, nor by a rebound DNS name."""
    if not settings.DEMO or not LOCAL_NAME.fullmatch(request.get_host()):
        return False
    if any(header in request.headers for header in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _code_in(message: DemoMessage) -> str:
    found = re.search(r"\b\d{6}\b", str(message.text)) if message.key.startswith("code:") else None
    return found[0] if found else ""
