"""What we hold and what was done with it: stores, loaded dataset versions, audit log, ledger, purges."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy.crypto import EncryptedJSONField, EncryptedTextField


class Store(models.Model):
    """A registered data store. Its URL is encrypted, or names an environment variable as `env:NAME`."""

    class Health(models.TextChoices):
        UNKNOWN = "unknown", _("not tried yet")
        OK = "ok", _("reachable")
        DOWN = "down", _("unreachable")

    key = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200, blank=True)
    url = EncryptedTextField()
    read_url = EncryptedTextField(null=True)
    role = models.CharField(
        max_length=16, default="controller", choices=[("controller", _("controller")), ("processor", _("processor"))]
    )
    country = models.CharField(max_length=2, blank=True)
    safeguard = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    health = models.CharField(max_length=8, choices=Health, default=Health.UNKNOWN)
    health_error = models.CharField(max_length=200, blank=True)
    checked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("data store")
        verbose_name_plural = _("data stores")
        ordering: ClassVar = ["key"]

    def __str__(self) -> str:
        return self.key


class DatasetVersion(models.Model):
    """One loaded dataset file, immutable, with its digest (R1). `assumed` fills missing `on_erasure` (R3)."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    fides_key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    source = models.TextField()
    assumed = models.CharField(max_length=16, blank=True, choices=[("delete", _("delete")), ("anonymize", _("anonymize"))])
    assumed_confirmed_at = models.DateTimeField(null=True)
    assumed_confirmed_by = models.CharField(max_length=64, blank=True)
    warnings = models.JSONField(default=list)
    shape = models.JSONField(default=dict)  # the live schema when it was loaded: what is known of a store that is down
    is_current = models.BooleanField(default=True)
    loaded_at = models.DateTimeField()
    loaded_by = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("data map version")
        verbose_name_plural = _("data map versions")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store", "version"], name="dataset_version_once"),
            models.UniqueConstraint(fields=["store"], condition=models.Q(is_current=True), name="one_current_dataset_per_store"),
        ]

    def __str__(self) -> str:
        return f"{self.store_id} v{self.version}"


class Recipient(models.Model):
    """Somebody the data is disclosed to (Art. 15(1)(c)), named by the map's purposes."""

    key = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    role = models.CharField(
        max_length=16,
        default="processor",
        choices=[("processor", _("processor")), ("controller", _("controller")), ("joint", _("joint controller"))],
    )
    country = models.CharField(max_length=2, default="SE")
    agreement = models.CharField(max_length=200, blank=True)
    safeguard = models.CharField(max_length=200, blank=True)
    contact = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.key


class AuditEvent(models.Model):
    """One link of an append-only hash chain; `chain` is a case reference or `system`. Payloads name no person."""

    chain = models.CharField(max_length=32)
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=64)  # "customer", "staff:12", "system", "operator:…"
    action = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering: ClassVar = ["chain", "seq"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["chain", "seq"], name="audit_seq_once")]
        indexes: ClassVar = [
            models.Index(fields=["at"]),
            models.Index(
                fields=["-id"],
                condition=models.Q(chain="system", action__in=("audit.verified", "audit.checkpoint")),
                name="audit_verifications",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.chain}/{self.seq}"


class Restriction(models.Model):
    """A person's restricted processing in one store (Art. 18); previous values are kept encrypted to be put back."""

    subject = models.CharField(max_length=64, db_index=True)  # opaque person reference
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="+")
    case = models.CharField(max_length=32)
    ground = models.CharField(max_length=1)  # a, b, c or d of Art. 18(1)
    state = EncryptedJSONField(null=True)
    set_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("restriction")
        verbose_name_plural = _("restrictions")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "store"], name="restriction_once_per_case_and_store"),
        ]

    def __str__(self) -> str:
        return f"restriction {self.pk}"


class Suppression(models.Model):
    """Keyed hash of an identity that must get no marketing (Art. 21(3))."""

    kind = models.CharField(max_length=32)
    lookup = models.CharField(max_length=64)
    lookup_key = models.CharField(max_length=16)
    since = models.DateTimeField()

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppression list")
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "lookup"], name="suppression_once")]

    def __str__(self) -> str:
        return f"suppression {self.pk}"


class LedgerEntry(models.Model):
    """Proof of what was erased, as keyed hashes, so that it can be erased again after a restored backup (R22)."""

    case = models.CharField(max_length=32, db_index=True)
    store_key = models.CharField(max_length=64)
    kind = models.CharField(max_length=16)  # identity | spelling | link
    field = models.CharField(max_length=255)  # collection.column, or the identity's kind
    lookup = models.CharField(max_length=64)
    lookup_key = models.CharField(max_length=16)
    erased_at = models.DateTimeField()
    expires_on = models.DateField()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["case", "store_key", "kind", "field", "lookup"], name="ledger_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["store_key", "erased_at"])]

    def __str__(self) -> str:
        return f"ledger {self.pk}"


class PurgeRun(models.Model):
    """One scheduled purge of one collection: what the rule asked for and what went."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="purges")
    collection = models.CharField(max_length=255)
    rule = models.CharField(max_length=255)
    before_on = models.DateField(null=True)
    planned = models.PositiveBigIntegerField(default=0)
    removed = models.PositiveBigIntegerField(default=0)
    guarded = models.PositiveBigIntegerField(default=0)
    state = models.CharField(
        max_length=16,
        choices=[("running", _("running")), ("done", _("done")), ("stopped", _("stopped")), ("failed", _("failed"))],
    )
    note = models.CharField(max_length=255, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("purge")
        verbose_name_plural = _("purges")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["store"], condition=models.Q(state="running"), name="one_purge_per_store"),
        ]
        indexes: ClassVar = [models.Index(fields=["store", "collection", "-started_at", "-id"], name="purges_newest_of_each")]

    def __str__(self) -> str:
        return f"purge {self.pk}"


class OperatorRun(models.Model):
    """One store's part of an operator's command, remembered until it is done: killed anywhere, the next call resumes it (R19)."""

    who = models.CharField(max_length=64, db_index=True)  # keyed hash of action and identities
    case = models.CharField(max_length=32)
    action = models.CharField(max_length=16)
    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="+")
    identities = EncryptedJSONField()
    plan = EncryptedJSONField()
    options = EncryptedJSONField(null=True)
    report = models.JSONField(null=True)
    state = EncryptedJSONField(null=True)  # a restriction's previous values
    actor = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("operator's run")
        verbose_name_plural = _("operators' runs")
        constraints: ClassVar = [models.UniqueConstraint(fields=["case", "who", "store"], name="operator_run_once")]
        indexes: ClassVar = [models.Index(fields=["who"], condition=models.Q(done_at=None), name="operator_runs_pending")]

    def __str__(self) -> str:
        return f"operator run {self.pk}"


class Remnant(models.Model):
    """What one erasure left in one store for a while: kept by law until a day, or shared until its last owner goes (R11, R20)."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting for its time")
        STOPPED = "stopped", _("stopped, waiting for staff")
        GONE = "gone", _("gone")

    case = models.CharField(max_length=32)
    subject = models.CharField(max_length=64)  # opaque person reference
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="+")
    plan = EncryptedJSONField(null=True)  # the rows that stayed, without what was erased of them; dropped when they are gone
    origin = EncryptedJSONField(null=True)  # the plan before rows went, until the backup horizon: a backup may bring them back
    map_version = models.PositiveIntegerField()  # under whose rules `due_on` was reckoned
    counts = models.JSONField(default=dict)  # {collection: {"kept", "pinned", "shared", "undated", "until"}}, no values
    due_on = models.DateField(null=True)  # the first day on which something may go; null: no date says so
    shared = models.PositiveIntegerField(default=0)  # rows that wait for their last owner
    undated = models.PositiveIntegerField(default=0)  # rows whose rule has no start to reckon from
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    note = models.CharField(max_length=255, blank=True)
    kept_at = models.DateTimeField()
    looked_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)  # when rows of it last went
    closed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("kept rows")
        verbose_name_plural = _("kept rows")
        constraints: ClassVar = [models.UniqueConstraint(fields=["case", "store"], name="remnant_once_per_case_and_store")]
        indexes: ClassVar = [models.Index(fields=["due_on"], condition=models.Q(closed_at=None), name="remnants_open")]

    def __str__(self) -> str:
        return f"kept rows {self.pk}"
