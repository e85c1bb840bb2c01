"""What is done every night: newer rows of restricted people, stores that came since, and forgetting what is spent."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts import codes
from privacy.models import Remnant
from requests_app import consents
from requests_app.case.answer_times import keep_answer_times
from requests_app.files import uploads
from requests_app.keeping import forgetting
from requests_app.models import ApiToken, OutboxItem, Right, RightsRequest, RunState, State, StoreRun
from requests_app.registers import breaches, disclosures, telling_recipients
from requests_app.running import doorbell, outbox
from requests_app.running.runs import locate_again, open_runs


def nightly(*, now: datetime) -> None:
    """Each step stands alone; the work itself is done by the workers that the bell calls."""
    restrict_newer_rows(now=now)
    ask_new_stores(now=now)
    keep_answer_times(now=now)
    say_which_kept_rows_stay(now=now)
    uploads.delete_old(now=now)
    telling_recipients.remind(now=now)
    disclosures.find_customers(now=now)
    disclosures.forget_old(now=now)
    breaches.forget_old(now=now)
    outbox.forget_delivered(now=now)
    codes.forget_old_codes(now=now)
    forgetting.forget_erased(now=now)
    forgetting.forget_messages(now=now)
    forgetting.forget_plans(now=now)
    forgetting.forget_notes(now=now)
    forgetting.forget_records(now=now)
    forgetting.forget_unused_accounts(now=now)
    consents.forget_old(now=now)
    Session.objects.filter(expire_date__lt=now).delete()  # they hold drafts, encrypted
    ApiToken.objects.filter(expires_at__lt=now).delete()
    doorbell.ring_now(doorbell.LOCATE)


def restrict_newer_rows(*, now: datetime) -> int:
    """Look again for the data of people under restriction; what came since is restricted too (R17)."""
    runs = StoreRun.objects.filter(right=Right.RESTRICTION, state=RunState.DONE, request__state=State.RESTRICTED)
    return locate_again(runs, now=now)


def say_which_kept_rows_stay(*, now: datetime) -> None:
    """Kept rows that could not go on their day are a task for a person, on the case that kept them; once per reason."""
    for row in Remnant.objects.filter(state=Remnant.State.STOPPED).select_related("store").defer("plan", "origin").order_by("pk"):
        request = RightsRequest.objects.filter(reference=row.case).first()
        if request is not None:
            with override(settings.LANGUAGE_CODE):
                words = _("Rows of %(store)s that were kept could not go on their day: %(reason)s")
                task = {"text": words % {"store": row.store.key, "reason": row.note}}
            reason = sha256(row.note.encode()).hexdigest()[:12]
            key = outbox.key_for(request, "kept", f"{row.pk}-{reason}")
            outbox.enqueue(kind=OutboxItem.Kind.TASK, key=key, to=None, payload=task, request=request, now=now)


def ask_new_stores(*, now: datetime) -> None:
    """A store whose map was loaded after the request came in is searched as well, as long as nothing is decided."""
    waiting = RightsRequest.objects.filter(state__in=(State.IDENTIFYING, State.TRIAGE, State.RESTRICTED))
    for pk in waiting.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            request = RightsRequest.objects.select_for_update().select_related("customer").get(pk=pk)
            if request.state in (State.IDENTIFYING, State.TRIAGE) or (request.state == State.RESTRICTED):
                open_runs(request, now=now)
