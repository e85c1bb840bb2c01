"""The case: a person's request, one run per store, the package, the outbox, the messages."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from privacy.crypto import EncryptedJSONField, EncryptedTextField
from privacy.models import Store
from requests_app.models import consent  # noqa: F401 - Django looks for models here

# No vowels and no look-alikes: a reference spells no word and can be read over the phone.
REFERENCE_ALPHABET = "23456789BCDFGHJKMNPQRTVWXZ"


def new_reference() -> str:
    """A random public reference such as `K7MW-3QXD-9TBF`: about 56 bits, says nothing about who or when."""
    letters = "".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(12))
    return "-".join((letters[:4], letters[4:8], letters[8:]))


class Right(models.TextChoices):
    ACCESS = "access", _("Access to my data")  # Art. 15
    PORTABILITY = "portability", _("My data to take along")  # Art. 20
    RECTIFICATION = "rectification", _("Correct my data")  # Art. 16
    RESTRICTION = "restriction", _("Restrict the use of my data")  # Art. 18
    ERASURE = "erasure", _("Erase my data")  # Art. 17
    OBJECTION = "objection", _("Stop direct marketing")  # Art. 21(2)


class State(models.TextChoices):
    """Where a case stands; `lifecycle.TRANSITIONS` is the one table of what may follow what."""

    RECEIVED = "received", _("Received")
    IDENTIFYING = "identifying", _("Waiting for proof of identity")
    TRIAGE = "triage", _("Being assessed")
    PROPOSED = "proposed", _("Waiting for a second approval")
    APPROVED = "approved", _("Approved")
    RUNNING = "running", _("Being carried out")
    BLOCKED = "blocked", _("Stopped, waiting for staff")
    RESTRICTED = "restricted", _("Restriction in force")
    COMPLETED = "completed", _("Completed")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")


ANSWERED_STATES = (State.COMPLETED, State.REFUSED, State.RESTRICTED)
OPEN_STATES = (
    State.RECEIVED,
    State.IDENTIFYING,
    State.TRIAGE,
    State.PROPOSED,
    State.APPROVED,
    State.RUNNING,
    State.BLOCKED,
)


class Outcome(models.TextChoices):
    """How a completed case ended; that nothing is held is an answer of its own (R13)."""

    FULFILLED = "fulfilled", _("Carried out")
    NOTHING = "nothing", _("Nothing found under these identities")
    LIFTED = "lifted", _("Restriction lifted")
    ERASED = "erased", _("Ended by an erasure")


class Source(models.TextChoices):
    PORTAL = "portal", _("portal")
    API = "api", _("API")
    EMAIL = "email", _("e-mail")
    PHONE = "phone", _("phone")
    POST = "post", _("letter")
    OPERATOR = "operator", _("operator's command")


def _days(*moments: str) -> models.Func:
    """Whole days between two columns, by the calendar in Sweden (`deadlines.LOCAL`), as the database reckons them."""
    local = [models.Func(name, template="(%(expressions)s AT TIME ZONE 'Europe/Stockholm')::date") for name in moments]
    return models.Func(*local, template="(%(expressions)s)", arg_joiner=" - ", output_field=models.IntegerField())


class RightsRequest(models.Model):
    reference = models.CharField(_("reference"), max_length=14, unique=True, default=new_reference, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="requests")
    right = models.CharField(_("right"), max_length=16, choices=Right)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.RECEIVED)
    source = models.CharField(_("came by"), max_length=16, choices=Source, default=Source.PORTAL)
    language = models.CharField(_("language"), max_length=2, default="sv")
    ground = models.CharField(_("ground"), max_length=16, blank=True)  # Art. 17(1) or 18(1): a letter
    reason = EncryptedTextField(null=True)  # free text of the person, optional (Art. 15(3): whatever the reason)
    details = EncryptedJSONField(null=True)  # {"corrections": [...]} | {"categories": [...], "since": "…"} and the like
    identity_level = models.PositiveSmallIntegerField(_("identity level"), default=0)
    evidence_at = models.DateTimeField(null=True)  # staff accepted evidence of level 2 for this request, and for no other
    identity_note = EncryptedTextField(null=True)  # the written doubt when more proof was asked (Art. 12(6))
    notice_version = models.CharField(max_length=32, blank=True)  # the notice shown at intake (Art. 13)

    received_at = models.DateTimeField(_("received"))
    due_on = models.DateField(_("due"))
    notice_due_on = models.DateField()  # an extension must be told by then: the unextended deadline
    extended_at = models.DateTimeField(null=True)
    extension_reason = EncryptedTextField(null=True)
    paused_at = models.DateTimeField(null=True)  # clock paused since, while the person is asked to identify
    paused_days = models.PositiveSmallIntegerField(default=0)  # whole days of pauses that ended

    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(null=True)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = EncryptedTextField(null=True)  # the words of the letter to the person
    plan_digest = models.CharField(max_length=64, blank=True)  # what was approved is what runs (R29)
    answer = EncryptedTextField(null=True)  # the closing letter or refusal, word for word as it was sent
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, blank=True)
    waived_at = models.DateTimeField(null=True)  # the person lets the erasure go ahead of their other open requests (R30)
    answered_at = models.DateTimeField(null=True)  # carried out, refused, or a restriction in force; never changed again
    answered_days = models.GeneratedField(  # days that the clock ran, from the day it reached us to the answer
        expression=models.Func(
            _days("answered_at", "received_at"),
            F("paused_days"),
            Coalesce(_days("answered_at", "paused_at"), 0),
            template="(%(expressions)s)",
            arg_joiner=" - ",
        ),
        output_field=models.IntegerField(null=True),
        db_persist=True,
    )
    closed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        ordering: ClassVar = ["due_on", "pk"]
        indexes: ClassVar = [
            models.Index(fields=["due_on", "id"], condition=Q(closed_at=None), name="open_requests_by_due"),
            models.Index(fields=["state", "due_on"]),
            models.Index(fields=["-closed_at", "due_on", "id"], name="requests_newest_closed_first"),
            models.Index(fields=["right", "-closed_at", "due_on", "id"], name="requests_of_right_newest"),
            models.Index(fields=["state", "-closed_at", "due_on", "id"], name="requests_in_state_newest"),
            models.Index(fields=["source", "-closed_at", "due_on", "id"], name="requests_by_source_newest"),
            models.Index(fields=["assignee", "-closed_at", "due_on", "id"], name="requests_of_assignee_newest"),
            models.Index(fields=["answered_at", "id"], condition=Q(answered_at__isnull=False), name="requests_by_answer"),
            models.Index(
                fields=["right", "answered_at", "id"],
                include=["answered_days", "closed_at"],
                condition=Q(answered_at__isnull=False),
                name="requests_of_right_by_answer",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(proposed_by=None) | Q(approved_by=None) | ~Q(proposed_by=F("approved_by")),
                name="proposer_is_not_approver",
            ),
            models.CheckConstraint(
                condition=~Q(right="erasure", state__in=["approved", "running"])
                | Q(source="operator")
                | Q(proposed_by__isnull=False, approved_by__isnull=False),
                name="erasure_takes_four_eyes",
            ),
            models.CheckConstraint(
                condition=Q(entered_by=None)
                | (
                    (Q(proposed_by=None) | ~Q(proposed_by=F("entered_by")))
                    & (Q(approved_by=None) | ~Q(approved_by=F("entered_by")))
                ),
                name="who_entered_does_not_decide",
            ),
            models.UniqueConstraint(
                fields=["customer", "right"],
                condition=Q(state__in=["received", "identifying", "triage", "proposed", "approved", "running", "blocked"]),
                name="one_open_request_per_right",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class AnswerTimes(models.Model):
    """How long the answers of a month that is over took, reckoned once: it outlives the cases and names nobody."""

    month = models.DateField()  # its first day
    right = models.CharField(max_length=16, choices=Right)
    answered = models.PositiveIntegerField()
    median = models.FloatField()  # days that the clock ran
    p90 = models.FloatField()

    class Meta:
        verbose_name = _("time to answer")
        verbose_name_plural = _("times to answer")
        ordering: ClassVar = ["month", "right"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["month", "right"], name="answer_times_once_a_month")]

    def __str__(self) -> str:
        return f"answer times {self.pk}"


class RunState(models.TextChoices):
    LOCATING = "locating", _("Looking for data")
    READY = "ready", _("Ready for a decision")
    QUEUED = "queued", _("Waiting to run")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed, will be tried again")
    BLOCKED = "blocked", _("Stopped, waiting for staff")
    CANCELLED = "cancelled", _("Cancelled")


class ResidueScan(models.Model):
    """One pass over one store for all whose erasure is done: where they still stand (R21). Claimed with a lease, like a run."""

    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="+")
    tables = models.JSONField(default=list)  # read so far: a pass that was cut short goes on after them
    columns = models.PositiveIntegerField(default=0)
    partial = EncryptedJSONField(null=True)  # actions.Scanned of the table that is being read; its mark holds values of a key
    unread = models.JSONField(default=list)  # tables that the store did not let us read, and why
    error = models.CharField(max_length=255, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("residue scan")
        verbose_name_plural = _("residue scans")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store"], condition=Q(finished_at=None), name="one_residue_scan_per_store"),
        ]

    def __str__(self) -> str:
        return f"residue scan {self.pk}"


LIFT = "lift"  # a restriction's run turns into this when the restriction is lifted


class StoreRun(models.Model):
    """One store's part of one request. Claimed with a lease; every write is conditional on `attempt` (R26)."""

    request = models.ForeignKey(RightsRequest, on_delete=models.CASCADE, related_name="runs")
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="+")
    right = models.CharField(max_length=16, choices=[*Right.choices, (LIFT, _("Lift the restriction"))])
    subject = models.CharField(max_length=32)  # Customer.public_id: one executing run per person and store (R30)
    dataset_version = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=16, choices=RunState, default=RunState.LOCATING)
    finding = models.JSONField(null=True)  # counts per collection, no values: privacy.actions.Finding.counts
    plan = EncryptedJSONField(null=True)  # link values, planned counts, digest: privacy.actions.Finding.plan
    digest = models.CharField(max_length=64, blank=True)  # privacy.actions.Finding.digest: what an approval is bound to
    located_at = models.DateTimeField(null=True)  # null: the data are still to be found, or found again
    located_for = models.CharField(max_length=64, blank=True)  # fingerprint of the identities that were looked for
    choices = models.JSONField(default=dict)  # staff's answers for contested rows, per collection
    report = models.JSONField(null=True)  # what was done: counts per collection, kept with basis and until
    scan = models.ForeignKey(ResidueScan, null=True, on_delete=models.PROTECT, related_name="runs")  # an erasure's
    residue = models.JSONField(default=list)  # what that scan found: [{"column", "rows", "mapped"}]
    error = models.CharField(max_length=255, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    retries = models.PositiveIntegerField(default=0)
    lost = models.PositiveSmallIntegerField(default=0)  # how often the worker that held it disappeared
    due_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("store run")
        verbose_name_plural = _("store runs")
        ordering: ClassVar = ["request", "store__key"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["request", "store"], name="one_run_per_store"),
            models.UniqueConstraint(
                fields=["subject", "store"], condition=Q(state="running"), name="one_executing_run_per_person_and_store"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], condition=Q(state__in=["locating", "queued", "failed"]), name="runs_due"),
            models.Index(fields=["lease_until"], condition=Q(state="running"), name="runs_leased"),
            models.Index(fields=["request"], condition=Q(state="blocked"), name="runs_blocked"),
            models.Index(fields=["store"], condition=Q(right="erasure", state="done", scan=None), name="runs_to_be_scanned"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"


class Package(models.Model):
    """The answer to an access or portability request: an age-encrypted ZIP, its key in the database until it expires."""

    class State(models.TextChoices):
        BUILDING = "building", _("being made")
        READY = "ready", _("ready")
        EXPIRED = "expired", _("expired and deleted")
        REVOKED = "revoked", _("revoked and deleted")

    request = models.OneToOneField(RightsRequest, on_delete=models.CASCADE, related_name="package")
    state = models.CharField(max_length=16, choices=State, default=State.BUILDING)
    file_name = models.CharField(max_length=64, unique=True)  # random, below INSYN_PACKAGE_DIR
    key = EncryptedTextField(null=True)  # age secret key, dropped at expiry
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    contents = models.JSONField(default=dict)  # rows per store and collection
    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    downloads = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("package")
        verbose_name_plural = _("packages")

    def __str__(self) -> str:
        return f"package {self.pk}"


class Message(models.Model):
    """One message about a request, from its person or from staff. It is read by signing in; no mailbox ever holds it."""

    request = models.ForeignKey(RightsRequest, on_delete=models.CASCADE, related_name="messages")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")  # null: the person
    by_representative = models.BooleanField(default=False)  # instead of the person
    text = EncryptedTextField()
    is_question = models.BooleanField(default=False)  # staff wait for an answer; the clock does not
    needed_level = models.PositiveSmallIntegerField()  # the identity level at which its person may read it
    form = models.CharField(max_length=32, unique=True)  # the form it was sent by: sent twice, it is one message
    sent_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering: ClassVar = ["sent_at", "pk"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(is_question=False) | Q(staff__isnull=False), name="only_staff_ask_questions"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["request"], condition=Q(staff=None, answered_at=None), name="messages_to_be_answered"),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"


class Upload(models.Model):
    """A file that somebody sent with a request, drawn anew and age-encrypted; its key lies here, the file elsewhere.

    The row is made before the file is looked at, so that attempts are counted; it stays when the file is deleted.
    """

    class Purpose(models.TextChoices):
        EVIDENCE = "evidence", _("proof of identity")
        MESSAGE = "message", _("with a message")
        ROLE = "role", _("proof of the right to act for somebody else")

    class Kind(models.TextChoices):
        JPEG = "jpeg", "JPEG"
        PNG = "png", "PNG"
        PDF = "pdf", "PDF"

    request = models.ForeignKey(RightsRequest, on_delete=models.CASCADE, related_name="uploads")
    message = models.ForeignKey(Message, null=True, on_delete=models.CASCADE, related_name="uploads")  # that it was sent with
    purpose = models.CharField(_("what for"), max_length=8, choices=Purpose)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind)
    file_name = models.CharField(max_length=64, unique=True)  # random, below INSYN_UPLOAD_DIR; never the sender's
    key = EncryptedTextField(null=True)  # age secret key, there only while the file may be opened
    size = models.PositiveIntegerField(_("size"), default=0)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(_("sent"))
    deleted_at = models.DateTimeField(_("deleted"), null=True)

    class Meta:
        verbose_name = _("uploaded file")
        verbose_name_plural = _("uploaded files")
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [models.Index(fields=["created_at"], condition=Q(deleted_at=None), name="uploads_kept")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(key=None) | Q(deleted_at=None), name="deleted_upload_has_no_key"),
        ]

    def __str__(self) -> str:
        return f"upload {self.pk}"


class OutboxItem(models.Model):
    """An effect owed to the world, written in the transaction that decided it, delivered at least once (R25)."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("e-mail")
        SMS = "sms", _("text message")
        HOOK = "hook", _("web hook")
        TASK = "task", _("task for a person")

    kind = models.CharField(max_length=8, choices=Kind)
    key = models.CharField(max_length=128, unique=True)  # idempotency key
    request = models.ForeignKey(RightsRequest, null=True, on_delete=models.CASCADE, related_name="+")
    to = EncryptedTextField(null=True)
    payload = EncryptedJSONField(null=True)  # {"subject", "text"} or a hook's body; dropped a while after delivery
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=255, blank=True)

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        indexes: ClassVar = [models.Index(fields=["due_at"], condition=Q(delivered_at=None), name="outbox_due")]

    def __str__(self) -> str:
        return f"outbox {self.pk}"


class ApiToken(models.Model):
    """A short-lived token with a scope (`read` or `write`); only its SHA-256 is kept."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    token_hash = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=8, choices=[("read", _("read")), ("write", _("read and write"))])
    identity_level = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return f"token {self.pk}"
