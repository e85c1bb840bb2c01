"""The register of disclosures: who outside asked for data of a person, on which ground they got them, and who decided."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from privacy.crypto import EncryptedTextField
from requests_app.models.case import new_reference
from requests_app.models.consent import Consent


class Disclosure(models.Model):
    """One demand for a person's data. Nothing of it is shown to the person but `told`, and that only once it is cleared."""

    class Asker(models.TextChoices):
        AUTHORITY = "authority", _("authority")
        COURT = "court", _("court")
        COMPANY = "company", _("company or association")
        PERSON = "person", _("private person")

    class Occasion(models.TextChoices):
        """Why somebody asks. None of these is a legal ground, a breach of our terms least of all."""

        DEMAND = "demand", _("a demand with reference to law")
        DISPUTE = "dispute", _("a legal dispute")
        TERMS = "terms", _("the customer broke our terms")
        WISH = "wish", _("the person wants it")

    class Ground(models.TextChoices):
        CONSENT = "consent", _("the person's consent, GDPR Art. 6(1)(a)")
        EVIDENCE = "rb-38-2", _("duty to produce a document, rättegångsbalken 38 kap. 2 §")
        SEIZURE = "rb-27-1", _("seizure, rättegångsbalken 27 kap. 1 §")
        SUBSCRIPTION = (
            "lek-9-33",
            _("subscription data to an authority, lagen (2022:482) om elektronisk kommunikation 9 kap. 33 §"),
        )
        ENFORCEMENT = "ub-4-15", _("third party's duty in enforcement, utsökningsbalken 4 kap. 15 §")
        TAX = "sfl-37-9", _("order by the tax agency, skatteförfarandelagen (2011:1244) 37 kap. 9 §")
        INFRINGEMENT = "url-53c", _("information order by a court, upphovsrättslagen (1960:729) 53 c §")
        SUPERVISION = "gdpr-58-1", _("the supervisory authority's powers, GDPR Art. 58(1)")
        CLAIMS = "gdpr-6-1-f", _("legal claims, GDPR Art. 6(1)(f), after weighing")
        LAW = "law", _("another duty in law")

    class State(models.TextChoices):
        ENTERED = "entered", _("waits for a decision")
        GRANTED = "granted", _("may be given")
        REFUSED = "refused", _("refused")
        GIVEN = "given", _("given")

    reference = models.CharField(_("reference"), max_length=14, unique=True, default=new_reference, editable=False)
    # Whose data: the hash finds the customer who proves this identity, also later; it names nobody.
    customer = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="disclosures")
    person_kind = models.CharField(max_length=32)
    person_lookup = models.CharField(max_length=64, db_index=True)
    person_lookup_key = models.CharField(max_length=16)

    asker_kind = models.CharField(_("who asks"), max_length=16, choices=Asker)
    asker = EncryptedTextField()
    asker_reference = EncryptedTextField(null=True)
    in_inquiry = models.BooleanField(_("particular inquiry"), default=False)  # Art. 4(9): such an authority is no recipient
    occasion = models.CharField(_("occasion"), max_length=8, choices=Occasion)
    asked = EncryptedTextField()  # what they want
    asked_on = models.DateField(_("asked on"))
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField()

    state = models.CharField(_("state"), max_length=8, choices=State, default=State.ENTERED)
    ground = models.CharField(_("legal ground"), max_length=12, choices=Ground, blank=True)
    paragraph = models.CharField(_("law and paragraph"), max_length=200, blank=True)  # of another duty in law
    consent = models.ForeignKey(Consent, null=True, on_delete=models.SET_NULL, related_name="+")
    consented = EncryptedTextField(null=True)  # the words of that consent, which may be forgotten before this
    reason = EncryptedTextField(null=True)  # of the decision
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(_("decided"), null=True)

    given = EncryptedTextField(null=True)  # what left the house, and how
    categories = models.JSONField(default=list)  # of the policy: vocabulary.POLICY_CATEGORIES
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    given_at = models.DateTimeField(_("given"), null=True)

    told = EncryptedTextField(null=True)  # what the person reads of it
    cleared_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    cleared_at = models.DateTimeField(_("shown to the person since"), null=True)

    class Meta:
        verbose_name = _("disclosure")
        verbose_name_plural = _("disclosures")
        ordering: ClassVar = ["-asked_on", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("entered_by")), name="disclosure_takes_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(state="entered") | Q(decided_by__isnull=False, decided_at__isnull=False, reason__isnull=False),
                name="disclosure_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["granted", "given"])
                | Q(
                    ground__in=[
                        "rb-38-2", "rb-27-1", "lek-9-33", "ub-4-15", "sfl-37-9", "url-53c", "gdpr-58-1", "gdpr-6-1-f",
                    ]
                )
                | (Q(ground="law") & ~Q(paragraph=""))
                | Q(ground="consent", consented__isnull=False),
                name="disclosure_on_legal_ground_or_consent",
            ),
            models.CheckConstraint(
                condition=(Q(state="given") & Q(given__isnull=False, given_by__isnull=False, given_at__isnull=False))
                | (~Q(state="given") & Q(given=None, given_by=None, given_at=None)),
                name="given_disclosure_says_what_and_when",
            ),
            models.CheckConstraint(
                condition=Q(cleared_at=None)
                | (Q(state="given", told__isnull=False, cleared_by__isnull=False) & ~Q(cleared_by=F("entered_by"))),
                name="disclosure_cleared_by_another",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.reference
