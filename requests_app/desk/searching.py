"""Finding cases by reference or by an exact identity: a keyed hash is compared, never a part of anything personal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import CustomerIdentity, IdentityKind, Staff
from accounts.people import identity_hashes
from privacy import audit
from privacy.engine.identity import InvalidIdentity
from requests_app.models import REFERENCE_ALPHABET, RightsRequest

REFERENCE = re.compile(rf"[{REFERENCE_ALPHABET}]{{12}}")
MOST = 20  # customers that may share a telephone


class FindForm(forms.Form):
    wanted = forms.CharField(
        label=_("Find a case"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
        help_text=_("A reference, or a whole e-mail address, telephone number or customer number"),
    )


@dataclass(frozen=True)
class Found:
    case: int | None = None
    customers: tuple[str, ...] = ()  # their opaque references


def find(wanted: str, *, acting_user: Staff, now: datetime) -> Found:
    """A case by its reference, else the people with exactly this identity; that somebody looked for a person is logged."""
    letters = re.sub(r"[\s-]", "", wanted).upper()
    if REFERENCE.fullmatch(letters):
        reference = "-".join((letters[:4], letters[4:8], letters[8:]))
        case = RightsRequest.objects.filter(reference=reference).values_list("pk", flat=True).first()
        if case is not None:
            return Found(case=case)
    customers = _customers(wanted)
    with transaction.atomic():
        audit.record(
            chain=audit.SYSTEM,
            actor=f"staff:{acting_user.pk}",
            action="person.searched",
            payload={"found": len(customers)},
            now=now,
        )
    return Found(customers=customers)


def _customers(wanted: str) -> tuple[str, ...]:
    hashes: dict[str, list[str]] = {}
    for kind in IdentityKind.values:
        try:
            hashes[kind] = identity_hashes(kind, wanted)
        except InvalidIdentity:
            continue
    found: dict[str, None] = {}
    for kind, lookups in hashes.items():
        rows = CustomerIdentity.objects.filter(kind=kind, lookup__in=lookups, customer__requests__isnull=False)
        found |= dict.fromkeys(rows.order_by("customer").values_list("customer__public_id", flat=True).distinct()[:MOST])
    return tuple(found)[:MOST]
