"""What a person was told and has agreed to: the versions of the privacy policy, and consents given and withdrawn."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from privacy.crypto import EncryptedJSONField, EncryptedTextField


class PolicyVersion(models.Model):
    """A version of the privacy policy that is or was in force; its text is templates/portal/notices/<version>.html."""

    version = models.SlugField(max_length=32, unique=True)
    in_force_at = models.DateTimeField()
    put_by = models.CharField(max_length=64)  # an actor of the audit log
    told_up_to = models.BigIntegerField(default=0)  # the last customer who was told of the change
    told_at = models.DateTimeField(null=True)  # everybody was; or there was nobody and nothing to tell

    class Meta:
        verbose_name = _("version of the privacy policy")
        verbose_name_plural = _("versions of the privacy policy")
        ordering: ClassVar = ["-in_force_at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["id"], condition=Q(told_at=None), name="policy_to_be_told")]

    def __str__(self) -> str:
        return self.version


def chain_of(customer: Customer) -> str:
    """The audit chain of a person's consents: an opaque id and no case."""
    return f"consents:{customer.public_id}"


class Consent(models.Model):
    """One act: a consent given or withdrawn. Rows are added and never changed, so that the history is the record (Art. 7(1)).

    `about` is a purpose of the data maps, or `disclosure:` and a keyed hash of the recipient that the person named.
    """

    class Kind(models.TextChoices):
        PURPOSE = "purpose", _("use for a purpose")
        DISCLOSURE = "disclosure", _("disclosure to others")

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents")
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    about = models.CharField(_("about"), max_length=128)
    given = models.BooleanField(_("given"))  # false: withdrawn
    at = models.DateTimeField(_("when"))
    text = EncryptedTextField()  # word for word what the button agreed to
    text_version = models.CharField(max_length=16)  # first digits of that text's SHA-256
    policy_version = models.CharField(_("privacy policy"), max_length=32)
    details = EncryptedJSONField(null=True)  # {"recipient", "categories"} of a disclosure

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        ordering: ClassVar = ["-at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["customer", "about", "-id"])]

    def __str__(self) -> str:
        return f"consent {self.pk}"
