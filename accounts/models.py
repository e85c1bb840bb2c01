"""People: customers with the identities they have proved, and staff with roles and a second factor."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy.crypto import EncryptedTextField


class Role(models.TextChoices):
    """Roles are Django groups of these names (made by migration); a person may hold several."""

    AGENT = "agent", _("Agent")
    APPROVER = "approver", _("Approver")
    ENGINEER = "engineer", _("Engineer")
    OFFICER = "officer", _("Data protection officer")
    ADMINISTRATOR = "administrator", _("Administrator")


class StaffManager(BaseUserManager["Staff"]):
    def create_user(self, email: str, password: str | None = None, **extra: Any) -> Staff:
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> Staff:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)


class Staff(AbstractUser):
    """A member of staff, signed in with e-mail, password and a second factor. Customers are no Django users."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"), unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = StaffManager()  # type: ignore[assignment,misc]

    class Meta:
        verbose_name = _("member of staff")
        verbose_name_plural = _("staff")

    def __str__(self) -> str:
        return f"staff {self.pk}"

    def has_role(self, *roles: str) -> bool:
        """Whether this member of staff holds any of `roles`; reads the groups once per instance."""
        if not hasattr(self, "_role_names"):
            self._role_names = set(self.groups.values_list("name", flat=True))
        return self.is_active and bool(self._role_names & set(roles))


def new_public_id() -> str:
    return secrets.token_urlsafe(12)


class Customer(models.Model):
    """A person who makes requests: no password and no name here, only identities that were proved."""

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    language = models.CharField(max_length=2, default="sv", choices=[("sv", _("Swedish")), ("en", _("English"))])
    created_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(null=True)
    policy_seen = models.CharField(max_length=32, blank=True)  # the version of the privacy policy that was shown last

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")

    def __str__(self) -> str:
        return f"customer {self.public_id}"


class IdentityKind(models.TextChoices):
    EMAIL = "email", _("E-mail address")
    PHONE = "phone_number", _("Phone number")
    CUSTOMER_NUMBER = "customer_number", _("Customer number")


class VerificationMethod(models.TextChoices):
    EMAIL_CODE = "email_code", _("code by e-mail")
    SMS_CODE = "sms_code", _("code by text message")
    STORE = "store", _("found beside a verified identity in our records")
    STAFF = "staff", _("evidence accepted by staff")
    EID = "eid", _("electronic identification")
    OPERATOR = "operator", _("entered by an operator")


class CustomerIdentity(models.Model):
    """One identity of a customer, how and when it was verified. Only verified ones are ever used to locate data.

    `lookup` is the keyed hash of the canonical form (e-mail: NFC, case-folded; phone: E.164); the value itself is encrypted.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="identities")
    kind = models.CharField(max_length=32, choices=IdentityKind)
    value = EncryptedTextField()
    lookup = models.CharField(max_length=64, db_index=True)
    lookup_key = models.CharField(max_length=16)
    method = models.CharField(max_length=16, choices=VerificationMethod)
    verified_at = models.DateTimeField(null=True)
    verified_by = models.ForeignKey(Staff, null=True, on_delete=models.PROTECT, related_name="+")
    claimed_by = models.ForeignKey(Staff, null=True, on_delete=models.PROTECT, related_name="+")  # who typed what was only said
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer", "kind", "lookup"], name="identity_once_per_customer"),
            # An e-mail address proves one mailbox: it belongs to one customer. Phones may be shared in a household.
            models.UniqueConstraint(
                fields=["kind", "lookup"], condition=models.Q(kind="email"), name="email_belongs_to_one_customer"
            ),
            # R31: who wrote down what somebody said does not also believe it.
            models.CheckConstraint(
                condition=models.Q(claimed_by=None) | models.Q(verified_by=None) | ~models.Q(claimed_by=models.F("verified_by")),
                name="who_claimed_does_not_verify",
            ),
        ]

    def __str__(self) -> str:
        return f"identity {self.pk}"


class VerificationCode(models.Model):
    """A single-use code sent to a mailbox or a phone; only its hash is kept. Attempts are counted before comparing."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("e-mail")
        SMS = "sms", _("text message")

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    channel = models.CharField(max_length=8, choices=Channel)
    target_lookup = models.CharField(max_length=64, db_index=True)
    target = EncryptedTextField()
    address_lookup = models.CharField(max_length=64, blank=True, db_index=True)  # keyed hash of the client's IP address
    code_hash = models.CharField(max_length=128)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.CASCADE, related_name="+")
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("verification code")
        verbose_name_plural = _("verification codes")
        indexes: ClassVar = [models.Index(fields=["created_at"], name="codes_by_time")]

    def __str__(self) -> str:
        return f"code {self.pk}"


class StaffSignInAttempt(models.Model):
    """One attempt to sign in as staff, as keyed hashes of account and address; kept for a day, to slow down guessing."""

    account_lookup = models.CharField(max_length=64)
    address_lookup = models.CharField(max_length=64)
    at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("sign-in attempt")
        verbose_name_plural = _("sign-in attempts")
        indexes: ClassVar = [models.Index(fields=["account_lookup", "at"]), models.Index(fields=["address_lookup", "at"])]

    def __str__(self) -> str:
        return f"attempt {self.pk}"
