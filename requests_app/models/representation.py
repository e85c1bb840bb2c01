"""Somebody who acts for another: whom they say they act for, in which role, and what staff decided about it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from privacy.crypto import EncryptedJSONField, EncryptedTextField
from requests_app.models.case import RightsRequest


class Representation(models.Model):
    """What ties a request to whoever brought it for its person.

    Until staff have accepted both the role and the person's identity, the request belongs to a customer without any identity:
    nothing can be found by it, and nobody learns whether the person is known here.
    """

    class Role(models.TextChoices):
        GUARDIAN = "guardian", _("guardian of a child")
        TRUSTEE = "trustee", _("trustee or administrator (god man, förvaltare)")
        LAWYER = "lawyer", _("lawyer")
        AGENT = "agent", _("other agent with a power of attorney")

    class State(models.TextChoices):
        CLAIMED = "claimed", _("not accepted yet")
        ACCEPTED = "accepted", _("accepted")
        ENDED = "ended", _("ended")

    request = models.OneToOneField(RightsRequest, on_delete=models.CASCADE, related_name="representation")
    representative = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="represents")
    role = models.CharField(_("role"), max_length=8, choices=Role)
    name = EncryptedTextField(null=True)  # of the person, as the representative wrote it
    claimed = EncryptedJSONField(null=True)  # {identity kind: value} of the person, as the representative wrote it
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.CLAIMED)
    note = EncryptedTextField(null=True)  # what staff accepted, or why they did not (the representative reads that)
    not_told_reason = EncryptedTextField(null=True)  # why the person is not told: protected identity, a small child
    person_known_at = models.DateTimeField(null=True)  # staff accepted the person's identity: the request is theirs since
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("representation")
        verbose_name_plural = _("representations")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(person_known_at=None) | ~Q(state="claimed"), name="role_before_person"),
        ]

    def __str__(self) -> str:
        return f"representation {self.pk}"
