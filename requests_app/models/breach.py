"""A personal data breach (Art. 33, 34): what is known of it, and the two decisions, with their times and reasons."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from privacy.crypto import EncryptedTextField
from requests_app.models.case import RightsRequest, new_reference

HOURS = timedelta(hours=72)  # Art. 33(1), from when we became aware of it


class BreachCase(models.Model):
    """The documentation of Art. 33(5). It names nobody; whose data it was is known by the request it came from."""

    class Kind(models.TextChoices):
        PACKAGE = "package", _("a package got to the wrong person")
        LETTER = "letter", _("an answer or letter got to the wrong person")
        OTHER = "other", _("another breach")

    class Authority(models.TextChoices):
        NOTIFY = "notify", _("the authority is notified")
        NO = "no", _("the authority is not notified")

    class Person(models.TextChoices):
        TELL = "tell", _("the person is told")
        NO = "no", _("the person is not told")

    reference = models.CharField(_("reference"), max_length=14, unique=True, default=new_reference, editable=False)
    request = models.ForeignKey(RightsRequest, null=True, on_delete=models.SET_NULL, related_name="breaches")
    kind = models.CharField(_("what happened"), max_length=8, choices=Kind)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")  # null: itself
    opened_at = models.DateTimeField(_("opened"))
    aware_at = models.DateTimeField(_("we became aware"))

    nature = EncryptedTextField()
    categories = models.JSONField(default=list)  # of the policy: vocabulary.POLICY_CATEGORIES
    persons = models.PositiveIntegerField(_("persons, about"), null=True)
    records = models.PositiveIntegerField(_("records, about"), null=True)
    consequences = EncryptedTextField(null=True)
    measures = EncryptedTextField(null=True)
    contact = models.CharField(_("contact"), max_length=200, blank=True)

    authority = models.CharField(_("the authority"), max_length=8, choices=Authority, blank=True)
    authority_reasons = EncryptedTextField(null=True)
    authority_text = EncryptedTextField(null=True)
    authority_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    authority_decided_at = models.DateTimeField(null=True)
    notified_at = models.DateTimeField(_("the authority was notified"), null=True)
    late_reasons = EncryptedTextField(null=True)

    person = models.CharField(_("the person"), max_length=8, choices=Person, blank=True)
    person_reasons = EncryptedTextField(null=True)
    person_text = EncryptedTextField(null=True)
    person_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    person_decided_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(_("the person was told"), null=True)

    closed_at = models.DateTimeField(_("closed"), null=True)

    class Meta:
        verbose_name = _("breach")
        verbose_name_plural = _("breaches")
        ordering: ClassVar = ["closed_at", "aware_at", "pk"]
        indexes: ClassVar = [models.Index(fields=["aware_at"], condition=Q(closed_at=None), name="breaches_open")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(opened_by=None)
                | ((Q(authority_by=None) | ~Q(authority_by=F("opened_by"))) & (Q(person_by=None) | ~Q(person_by=F("opened_by")))),
                name="who_opened_a_breach_does_not_decide",
            ),
            models.CheckConstraint(
                condition=Q(authority="")
                | Q(authority_by__isnull=False, authority_decided_at__isnull=False, authority_reasons__isnull=False),
                name="breach_authority_decided_with_reasons",
            ),
            models.CheckConstraint(
                condition=Q(person="")
                | Q(person_by__isnull=False, person_decided_at__isnull=False, person_reasons__isnull=False),
                name="breach_person_decided_with_reasons",
            ),
            models.CheckConstraint(
                condition=Q(notified_at=None) | Q(late_reasons__isnull=False) | Q(notified_at__lte=F("aware_at") + HOURS),
                name="late_notification_has_reasons",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None)
                | (
                    (Q(authority="no") | Q(authority="notify", notified_at__isnull=False))
                    & (Q(person="no") | Q(person="tell", told_at__isnull=False))
                ),
                name="breach_closed_after_both_decisions",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def due_at(self) -> datetime:
        return self.aware_at + HOURS

    @property
    def waits_for_authority(self) -> bool:
        """Whether the 72 hours still matter."""
        return not self.authority or (self.authority == self.Authority.NOTIFY and self.notified_at is None)

    @property
    def facts_are_known(self) -> bool:
        """Whether what Art. 33(3) asks for is written down."""
        return None not in (self.persons, self.records, self.consequences, self.measures) and bool(self.categories)
