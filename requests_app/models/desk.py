"""What staff keep for themselves at the desk: notes on a case, who is mentioned in them, and views of the queue."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from privacy.crypto import EncryptedTextField
from requests_app.models.case import RightsRequest


class Note(models.Model):
    """A note between members of staff on one case. It is never sent; it goes with the case's other words."""

    request = models.ForeignKey(RightsRequest, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = EncryptedTextField()
    form = models.CharField(max_length=32, unique=True)  # the form it was written in: sent twice, it is one note
    written_at = models.DateTimeField()

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering: ClassVar = ["written_at", "pk"]

    def __str__(self) -> str:
        return f"note {self.pk}"


class Mention(models.Model):
    """A colleague who is named in a note, and whether they have read it."""

    note = models.ForeignKey(Note, on_delete=models.CASCADE, related_name="mentions")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    read_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("mention")
        verbose_name_plural = _("mentions")
        constraints: ClassVar = [models.UniqueConstraint(fields=["note", "staff"], name="mentioned_once_per_note")]
        indexes: ClassVar = [models.Index(fields=["staff"], condition=Q(read_at=None), name="mentions_to_be_read")]

    def __str__(self) -> str:
        return f"mention {self.pk}"


class SavedView(models.Model):
    """Filters of the queue under a name, for one member of staff or for all. It names no person: see `desk.saved_views`."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=40)
    query = models.CharField(max_length=255, blank=True)
    is_shared = models.BooleanField(_("for everybody"), default=False)

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering: ClassVar = ["name", "pk"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "name"], name="view_once_per_owner_and_name")]

    def __str__(self) -> str:
        return f"view {self.pk}"
