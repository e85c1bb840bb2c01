"""A request that came by telephone, letter or e-mail (Art. 12(2)): the clock runs from the day it reached the organisation."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.claims import MailboxTaken, customer_claiming
from accounts.models import IdentityKind, Staff
from privacy.engine.identity import InvalidIdentity, canonical
from requests_app import cases
from requests_app.case.representing import Claim
from requests_app.desk.words import GROUNDS, RIGHT_NAMES
from requests_app.models import Right, RightsRequest, Source
from requests_app.models.representation import Representation

OLDEST = timedelta(days=365)
FIELDS = {"email": IdentityKind.EMAIL, "phone": IdentityKind.PHONE, "customer_number": IdentityKind.CUSTOMER_NUMBER}


class EnterForm(forms.Form):
    right = forms.ChoiceField(label=_("What the person asks for"), choices=list(RIGHT_NAMES.items()))
    ground = forms.ChoiceField(
        label=_("Ground"), required=False, help_text=_("Needed for a restriction; for an erasure if the person gave one.")
    )
    source = forms.ChoiceField(
        label=_("How it came"),
        choices=[(item.value, item.label) for item in (Source.EMAIL, Source.PHONE, Source.POST)],
        widget=forms.RadioSelect,
    )
    received_on = forms.DateField(
        label=_("The day it reached us"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        help_text=_("The clock runs from this day, whoever in the organisation got it."),
    )
    language = forms.ChoiceField(label=_("Language of the answer"), choices=settings.LANGUAGES)
    email = forms.CharField(
        label=_("E-mail address"), required=False, max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    phone = forms.CharField(
        label=_("Telephone"), required=False, max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    customer_number = forms.CharField(
        label=_("Customer number"), required=False, max_length=64, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(
        label=_("Who asks"),
        required=False,
        choices=[("", _("the person")), *Representation.Role.choices],
        help_text=_("Whoever acts for another has to show it. Nothing is looked for until a colleague has accepted the proof."),
    )
    name = forms.CharField(
        label=_("The person's name, as the representative wrote it"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    representative = forms.CharField(
        label=_("The representative's e-mail address"),
        required=False,
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text=_("There the answer can be followed. Without one, somebody here writes letters."),
    )
    reason = forms.CharField(
        label=_("What the person said or wrote"),
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("Stored encrypted."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [
            (str(RIGHT_NAMES[right]), [(f"{right}:{key}", words) for key, words in grounds.items()])
            for right, grounds in GROUNDS.items()
        ]
        self.fields["ground"].choices = [("", _("none given")), *named]  # type: ignore[attr-defined]
        self.fields["received_on"].initial = timezone.localdate()
        self.fields["language"].initial = "sv"

    def clean_received_on(self) -> Any:
        day, today = self.cleaned_data["received_on"], timezone.localdate()
        if day > today:
            raise ValidationError(_("The request cannot have come in the future."))
        if day < today - OLDEST:
            raise ValidationError(_("That is more than a year ago. Check the year."))
        return day

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        identities = {}
        for field, kind in FIELDS.items():
            if value := data.get(field):
                try:
                    canonical(kind, value)
                except InvalidIdentity:
                    self.add_error(field, _("This cannot be read. Check it with the person."))
                else:
                    identities[kind.value] = value
        if not identities and not any(field in self.errors for field in FIELDS):
            raise ValidationError(_("Give at least one identity: an e-mail address, a telephone number or a customer number."))
        data["identities"] = identities
        self._check_ground(data)
        self._check_representative(data)
        return data

    def _check_representative(self, data: dict[str, Any]) -> None:
        mailbox = data.get("representative")
        if not data.get("role"):
            if mailbox or data.get("name"):
                self.add_error("role", _("Choose in which role the representative acts."))
            return
        if data.get("phone") or len(data["identities"]) > 1:
            self.add_error(None, _("Give one thing that the person is known by: the e-mail address or the customer number."))
        if not data.get("name"):
            self.add_error("name", _("Write the person's name: it is compared with our records."))
        if mailbox:
            try:
                canonical(IdentityKind.EMAIL, mailbox)
            except InvalidIdentity:
                self.add_error("representative", _("This cannot be read. Check it with the representative."))

    def _check_ground(self, data: dict[str, Any]) -> None:
        right, _colon, letter = str(data.get("ground") or "").partition(":")
        if letter and right != data.get("right"):
            self.add_error("ground", _("This ground belongs to another right."))
        elif data.get("right") == Right.RESTRICTION and not letter:
            self.add_error("ground", _("A restriction needs one of the four grounds of Art. 18(1)."))
        data["ground"] = letter


def enter(data: dict[str, Any], *, acting_user: Staff, now: datetime) -> RightsRequest:
    """Open the case at identity level 0; a colleague accepts the identity (R31). Raises AlreadyOpen and NotAllowed."""
    try:
        return _enter(data, acting_user=acting_user, now=now)
    except MailboxTaken:
        return _enter(data, acting_user=acting_user, now=now)


@transaction.atomic
def _enter(data: dict[str, Any], *, acting_user: Staff, now: datetime) -> RightsRequest:
    # One transaction: a request that cannot be opened leaves no customer behind.
    noon = timezone.make_aware(datetime.combine(data["received_on"], time(12)))
    asked = {name: data[name] for name in ("right", "source", "language", "ground", "reason")}
    asked |= {"received_at": min(noon, now), "entered_by": acting_user, "now": now}
    if data["role"]:
        mailbox = {IdentityKind.EMAIL.value: data["representative"]} if data["representative"] else {}
        who = customer_claiming(identities=mailbox, language=data["language"], claimed_by=acting_user, now=now)
        claim = Claim(representative=who, role=data["role"], name=data["name"], identities=data["identities"])
        return cases.submit_for_another(claim=claim, **asked)
    who = customer_claiming(identities=data["identities"], language=data["language"], claimed_by=acting_user, now=now)
    return cases.submit_request(customer=who, identity_level=0, **asked)
