"""The phone numbers that may prove a person, looked up once in a while of a sitting: the stores are slow to ask on every page."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from django.http import HttpRequest

from accounts import signin
from accounts.models import Customer
from privacy.crypto import DecryptionError, decrypt, encrypt

NOTE = "numbers"
FRESH_FOR = timedelta(minutes=5)  # short: a number that staff just accepted should be there soon


def kept_numbers(
    request: HttpRequest, customer: Customer, look_up: Callable[..., dict[str, str]], *, now: datetime
) -> dict[str, str]:
    """What `look_up` answered within the last minutes in this sitting, or answers now; none found is not kept.

    A form is held against what the stores answer now: a number that was taken out of them gets no code.
    """
    notes = signin.notes(request)
    if NOTE in notes and request.method != "POST":
        try:
            note = json.loads(decrypt(notes[NOTE].encode()))
        except DecryptionError:  # written under a key that is gone
            note = None
        if note and now - FRESH_FOR < datetime.fromisoformat(note["at"]) <= now:
            return dict(note["numbers"])
    numbers = look_up(customer, now=now)
    if numbers:
        notes[NOTE] = encrypt(json.dumps({"at": now.isoformat(), "numbers": numbers}).encode()).decode()
        request.session.modified = True
    return numbers
