"""The demo's members of staff: one per role, with a password and a second factor whose code the inbox page shows."""

from __future__ import annotations

import base64
import secrets
from binascii import unhexlify
from datetime import datetime

from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Role, Staff
from accounts.second_factor import forget_devices
from accounts.staff import invite_staff
from demo.showcase import STAFF_DOMAIN

DEVICE_NAME = "demo"
# No look-alikes: these passwords are read from a terminal and typed.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
PEOPLE = (
    ("agent", "Agneta Alm", (Role.AGENT,)),
    ("agent2", "Arvid Ask", (Role.AGENT,)),
    ("approver", "Petra Palm", (Role.APPROVER,)),
    ("engineer", "Tore Tall", (Role.ENGINEER,)),
    ("officer", "Olof Oxel", (Role.OFFICER,)),
    ("admin", "Alva Apel", (Role.ADMINISTRATOR,)),
)


def hire(*, known: dict[str, dict[str, str]], now: datetime) -> list[dict[str, str]]:
    """Make who is not there yet, or whose password nobody wrote down; answers everybody's login. `known` is by e-mail."""
    return [known.get(f"{local}@{STAFF_DOMAIN}") or _new(local, name, roles, now) for local, name, roles in PEOPLE]


def _new(local: str, name: str, roles: tuple[Role, ...], now: datetime) -> dict[str, str]:
    password = "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(3))
    with transaction.atomic():
        staff, _invitation = invite_staff(email=f"{local}@{STAFF_DOMAIN}", roles=roles, name=name, actor="operator:demo", now=now)
        device = _enrol(staff, password)
    secret = base64.b32encode(unhexlify(device.key)).decode()
    return {"role": " + ".join(roles), "email": staff.email, "password": password, "authenticator_secret": secret}


def _enrol(staff: Staff, password: str) -> TOTPDevice:
    """What the enrolment page does for real people, without the app: the demo's inbox page plays the app."""
    staff.set_password(password)
    staff.save(update_fields=["password"])
    forget_devices(staff)
    return TOTPDevice.objects.create(user=staff, name=DEVICE_NAME, confirmed=True)


def is_enrolled_for_demo(email: str) -> bool:
    return TOTPDevice.objects.filter(user__email=email, user__is_active=True, name=DEVICE_NAME, confirmed=True).exists()
