"""Art. 12(5): that a request is manifestly unfounded or excessive is ours to prove, and no one person's to say."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from privacy.crypto import EncryptedTextField
from requests_app.models.case import RightsRequest


class Excess(models.Model):
    """One person proposes to refuse a request as excessive or to charge for it, with evidence; another decides on it."""

    class Answer(models.TextChoices):
        REFUSE = "refuse", _("refuse it")
        CHARGE = "charge", _("charge a fee")

    class State(models.TextChoices):
        PROPOSED = "proposed", _("proposed")
        ACCEPTED = "accepted", _("accepted")
        REJECTED = "rejected", _("rejected")

    request = models.OneToOneField(RightsRequest, on_delete=models.CASCADE, related_name="excess")
    answer = models.CharField(_("answer"), max_length=8, choices=Answer)
    fee = models.PositiveIntegerField(_("fee"), null=True)  # whole kronor
    reason = EncryptedTextField(null=True)  # for the person
    evidence = EncryptedTextField(null=True)  # for the file
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.PROPOSED)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(_("proposed"))
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(_("decided"), null=True)

    class Meta:
        verbose_name = _("claim that a request is excessive")
        verbose_name_plural = _("claims that requests are excessive")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("proposed_by")), name="excess_takes_two_people"
            ),
            models.CheckConstraint(
                condition=Q(state="proposed", decided_by=None, decided_at=None)
                | (Q(state__in=["accepted", "rejected"], decided_by__isnull=False, decided_at__isnull=False)),
                name="excess_is_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(answer="refuse", fee=None) | Q(answer="charge", fee__isnull=False, fee__gte=1), name="a_fee_is_a_fee"
            ),
        ]

    def __str__(self) -> str:
        return f"excess {self.pk}"
