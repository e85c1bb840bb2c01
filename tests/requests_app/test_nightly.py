"""What every night forgets, and what it goes on with."""

from datetime import timedelta

import pytest

from accounts.models import VerificationCode
from privacy.models import Remnant
from requests_app.keeping import maintenance
from requests_app.models import ApiToken, OutboxItem, RunState, StoreRun
from requests_app.running.workers import locate_due
from tests.factories import NOW, make_customer, make_request, make_store

pytestmark = pytest.mark.django_db


def test_spent_codes_and_tokens_go():
    customer = make_customer()
    for expires_at in (NOW - timedelta(days=2), NOW - timedelta(hours=1), NOW + timedelta(minutes=5)):
        times = {"created_at": NOW, "expires_at": expires_at}
        VerificationCode.objects.create(channel="email", target_lookup="x", target="x", code_hash="x", **times)
        ApiToken.objects.create(customer=customer, token_hash=str(expires_at), scope="read", identity_level=1, **times)
    maintenance.nightly(now=NOW)
    assert VerificationCode.objects.count() == 2  # the limits per day are counted from spent ones
    assert ApiToken.objects.count() == 1


def test_delivered_content_goes():
    OutboxItem.objects.create(
        kind="email", key="a:b:c", to="sven@example.se", payload={"text": "x"}, created_at=NOW, due_at=NOW, delivered_at=NOW
    )
    maintenance.nightly(now=NOW)
    item = OutboxItem.objects.get()
    assert (item.to, item.payload) == (None, None)


def test_a_store_that_came_since_is_searched_too(engine, clock, bells):
    make_store("crm")
    request = make_request(right="restriction", now=NOW)
    locate_due(clock=clock)
    make_store("billing")
    maintenance.nightly(now=clock())
    assert bells == ["locate"]
    assert locate_due(clock=clock) == 1
    states = {run.store.key: run.state for run in StoreRun.objects.filter(request=request)}
    assert states == {"billing": RunState.READY, "crm": RunState.READY}


def test_kept_rows_that_cannot_go_are_a_task_once_per_reason():
    request, store = make_request(), make_store("crm")
    row = Remnant.objects.create(
        case=request.reference, subject="x", store=store, map_version=1, kept_at=NOW, state="stopped", note="crm: locked"
    )
    Remnant.objects.create(case="OP-1-0", subject="y", store=store, map_version=1, kept_at=NOW, state="stopped", note="no case")
    maintenance.nightly(now=NOW)
    maintenance.nightly(now=NOW + timedelta(days=1))
    row.note = "crm: refused"
    row.save()
    maintenance.nightly(now=NOW + timedelta(days=2))
    tasks = OutboxItem.objects.filter(kind="task", request=request).order_by("pk")
    assert [task.payload["text"].rpartition(": crm: ")[2] for task in tasks] == ["locked", "refused"]
