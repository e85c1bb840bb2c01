"""A request about data that we hold for a customer who is their controller: passed on to that customer, not decided here."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from privacy.crypto import EncryptedJSONField, EncryptedTextField
from privacy.models import Store
from requests_app.models.case import RightsRequest, new_reference


class Forwarding(models.Model):
    """One controller of one store who is told of one request (Art. 28(3)(e))."""

    class State(models.TextChoices):
        WAITING = "waiting", _("to be forwarded by hand")
        SENT = "sent", _("forwarded")
        SEEN = "seen", _("read by the controller")
        DONE = "done", _("the controller says that it is dealt with")

    reference = models.CharField(_("reference"), max_length=14, unique=True, default=new_reference, editable=False)
    request = models.ForeignKey(RightsRequest, on_delete=models.CASCADE, related_name="forwardings")
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="+")
    mark = models.CharField(max_length=64)  # keyed hash of the value that leads to the controller; empty: nobody was found
    lookup = models.CharField(max_length=64, blank=True, db_index=True)  # the controller's mailbox, as CustomerIdentity.lookup
    controller = EncryptedJSONField(null=True)  # [[identity kind, value]] of the controller, as our own store spells them
    person = EncryptedJSONField(null=True)  # [[identity kind, value]] of who asks, as this store knows people
    collections = models.JSONField(default=list)  # names of the data map
    state = models.CharField(_("state"), max_length=8, choices=State)
    created_at = models.DateTimeField(_("forwarded"))
    seen_at = models.DateTimeField(_("read"), null=True)
    done_at = models.DateTimeField(_("dealt with"), null=True)
    note = EncryptedTextField(null=True)  # what the controller, or whoever forwarded by hand, says of it
    reported_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("forwarded request")
        verbose_name_plural = _("forwarded requests")
        ordering: ClassVar = ["-created_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["request", "store", "mark"], name="forwarded_once_per_controller"),
            models.CheckConstraint(condition=~Q(state="done") | Q(done_at__isnull=False), name="dealt_with_says_when"),
        ]

    def __str__(self) -> str:
        return self.reference
