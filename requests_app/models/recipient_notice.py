"""Art. 19: that a recipient of data is told of what became of them, as a task of its own."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from privacy.crypto import EncryptedTextField
from requests_app.models.case import OutboxItem, RightsRequest


class RecipientNotice(models.Model):
    """One recipient, one thing that was carried out: owed until somebody told them, or wrote down why that cannot be done."""

    class About(models.TextChoices):
        RECTIFICATION = "rectification", _("corrected")
        ERASURE = "erasure", _("erased")
        RESTRICTION = "restriction", _("restricted")
        LIFT = "lift", _("restriction lifted")

    class State(models.TextChoices):
        OWED = "owed", _("to be told")
        TOLD = "told", _("told")
        IMPOSSIBLE = "impossible", _("not told: impossible")
        DISPROPORTIONATE = "disproportionate", _("not told: disproportionate effort")

    class How(models.TextChoices):
        EMAIL = "email", _("by e-mail")
        LETTER = "letter", _("by letter")
        PHONE = "phone", _("by telephone")
        SYSTEM = "system", _("in the recipient's own system")

    request = models.ForeignKey(RightsRequest, on_delete=models.CASCADE, related_name="recipient_notices")
    about = models.CharField(_("what was done"), max_length=16, choices=About)
    recipient = models.CharField(max_length=64)  # Recipient.key, which a map may name without the register knowing it
    name = models.CharField(_("recipient"), max_length=200)  # the organisation, as it was called then
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.OWED)
    words = EncryptedTextField(null=True)  # what the recipient is told: it names the person, and goes when nothing is owed
    message = models.OneToOneField(OutboxItem, null=True, on_delete=models.SET_NULL, related_name="+")  # null: told by hand
    created_at = models.DateTimeField(_("since"))
    due_on = models.DateField(_("to be told by"))
    told_at = models.DateTimeField(_("told"), null=True)
    how = models.CharField(_("how"), max_length=8, choices=How, blank=True)
    reported_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reason = EncryptedTextField(null=True)  # why the recipient is not told
    reminded_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)  # nobody acted on the reminder: the officer sees it

    class Meta:
        verbose_name = _("notice to a recipient")
        verbose_name_plural = _("notices to recipients")
        ordering: ClassVar = ["due_on", "pk"]
        indexes: ClassVar = [models.Index(fields=["due_on"], condition=Q(state="owed"), name="recipient_notices_owed")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["request", "about", "recipient"], name="recipient_told_once"),
            models.CheckConstraint(
                condition=~Q(state="told") | (Q(told_at__isnull=False) & ~Q(how="")), name="told_recipient_says_when_and_how"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["impossible", "disproportionate"])
                | Q(reason__isnull=False, reported_by__isnull=False, told_at=None),
                name="untold_recipient_has_a_reason",
            ),
            models.CheckConstraint(condition=Q(state="owed") | Q(words=None), name="what_is_not_owed_names_nobody"),
        ]

    def __str__(self) -> str:
        return f"recipient notice {self.pk}"
