"""What the demo itself remembers: the messages it caught, and that its data are in place."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy.crypto import EncryptedTextField


class DemoMessage(models.Model):
    """An e-mail or text message that would have left the house."""

    channel = models.CharField(max_length=8)
    to = EncryptedTextField()
    subject = EncryptedTextField()
    text = EncryptedTextField()
    key = models.CharField(max_length=128, unique=True)
    sent_at = models.DateTimeField()

    class Meta:
        verbose_name = _("demo message")
        verbose_name_plural = _("demo messages")
        ordering: ClassVar = ["-sent_at", "-pk"]

    def __str__(self) -> str:
        return f"demo message {self.pk}"


class DemoSeed(models.Model):
    """The stamp: which data are in place, as of which day. One row at most."""

    version = models.PositiveIntegerField()
    as_of = models.DateField()
    finished_at = models.DateTimeField()

    class Meta:
        verbose_name = _("demo seed")
        verbose_name_plural = _("demo seeds")

    def __str__(self) -> str:
        return f"demo seed {self.version}"
