"""Puts the demo in place: stores, data maps, staff, a queue with something in it, and the list of logins."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django.utils.translation import override

from demo import cases, showcase, staff, stores
from demo.models import DemoSeed
from requests_app.models.consent import PolicyVersion

VERSION = 3  # raised when the data change so that what an older checkout made will not do


def is_in_place() -> bool:
    return DemoSeed.objects.filter(version=VERSION).exists() and logins_file().exists()


def put_in_place(*, now: datetime, say: Callable[[str], None], refill: bool = False) -> None:
    """Every step may be repeated, so a seeding that was killed is simply run again. `refill` puts the stores' rows back."""
    today = timezone.localdate(now)
    urls = stores.addresses()
    if refill or not DemoSeed.objects.filter(version=VERSION).exists():
        say("Making up customers, invoices and logs …")
        stores.fill(today=today, urls=urls)
    say("Registering the stores and their data maps …")
    stores.register(urls=urls, now=now)
    say("Hiring staff …")
    write_logins(staff.hire(known=_known(), now=now) + _customers())
    older = {"in_force_at": now - timedelta(days=60), "put_by": "system", "told_at": now}
    PolicyVersion.objects.get_or_create(version="2026-11", defaults=older)  # so that there is a change to read
    say("Letting some requests come in …")
    cases.fill_queue(now=now)
    DemoSeed.objects.exclude(version=VERSION).delete()
    DemoSeed.objects.update_or_create(version=VERSION, defaults={"as_of": today, "finished_at": timezone.now()})


def logins_file() -> Path:
    """In the demo's private directory; the launcher prints it (config/demo.py)."""
    return Path(str(settings.DEMO_DIR)) / "demo_logins.json"


def write_logins(logins: list[dict[str, str]]) -> None:
    partial = logins_file().with_suffix(".new")
    handle = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(logins, file, ensure_ascii=False, indent=1)
    os.replace(partial, logins_file())


def _known() -> dict[str, dict[str, str]]:
    try:
        logins = json.loads(logins_file().read_text())
    except (OSError, ValueError):
        return {}
    return {login["email"]: login for login in logins if login.get("password") and staff.is_enrolled_for_demo(login["email"])}


def _customers() -> list[dict[str, str]]:
    with override("en"):  # the terminal speaks English
        return [
            {"role": "customer", "email": login.email, "password": "", "story": str(login.story)} for login in showcase.LOGINS
        ]
