"""The demo's members of staff: one per role, with a password and a second factor whose code the inbox page shows."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Role, Staff
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


def hire(*, now: datetime) -> list[dict[str, str]]:
    """Make who is not there yet; answers the logins of those made now, with their new passwords."""
    made = []
    for local, name, roles in PEOPLE:
        email = f"{local}@{STAFF_DOMAIN}"
        if TOTPDevice.objects.filter(user__email=email, name=DEVICE_NAME, confirmed=True).exists():
            continue
        password = "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(3))
        with transaction.atomic():
            staff, _invitation = invite_staff(email=email, roles=roles, name=name, actor="operator:demo", now=now)
            _enrol(staff, password)
        made.append({"role": " + ".join(roles), "email": email, "password": password})
    return made


def _enrol(staff: Staff, password: str) -> None:
    """What the enrolment page does for real people, without the app: the demo's inbox page plays the app."""
    staff.set_password(password)
    staff.save(update_fields=["password"])
    staff.staticdevice_set.all().delete()
    TOTPDevice.objects.filter(user=staff).delete()
    TOTPDevice.objects.create(user=staff, name=DEVICE_NAME, confirmed=True)
