"""Our own case files go by rules of their own (Art. 5(1)(e)): at the limit and never before, whoever they are about."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as used
from django.utils import translation

from accounts.models import Customer, CustomerIdentity
from privacy import audit
from privacy.models import Remnant
from privacy.record import record_of_processing
from requests_app.keeping.forgetting import forget_messages, forget_plans, forget_records, forget_unused_accounts
from requests_app.keeping.maintenance import nightly
from requests_app.models import Message, OutboxItem, Package, ResidueScan, RightsRequest, RunState, State, StoreRun
from requests_app.running import doorbell, outbox
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db
CLOSED = datetime(2026, 3, 5, 22, 0, tzinfo=UTC)  # 23:00 in Stockholm
LIMIT = datetime(2029, 3, 6, 0, 30, tzinfo=UTC)  # the day after three years
BEFORE = LIMIT - timedelta(hours=2)  # 23:30 on the last day


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(doorbell, "ring_now", lambda name: None)


def closed(state=State.COMPLETED, right="access", **columns):
    """A case that was closed at CLOSED, with a run, a message and a package that is gone."""
    case = make_request(make_customer(now=NOW), right, now=NOW)
    store = make_store()
    run = StoreRun.objects.create(request=case, store=store, right=right, subject="x", state=RunState.DONE, plan={"links": ["7"]})
    OutboxItem.objects.filter(request=case).update(delivered_at=NOW, to=None, payload=None)
    Message.objects.create(request=case, staff=make_staff(), text="Hello", needed_level=1, form=f"f{case.pk}", sent_at=CLOSED)
    Package.objects.create(request=case, state="expired", file_name=f"p{case.pk}", created_at=NOW)
    RightsRequest.objects.filter(pk=case.pk).update(state=state, closed_at=CLOSED, **columns)
    case.refresh_from_db()
    return case, run


def test_a_case_goes_with_all_that_belongs_to_it_on_its_day_and_not_before():
    case, _run = closed()
    assert forget_records(now=BEFORE) == 0
    assert RightsRequest.objects.filter(pk=case.pk).exists()
    assert forget_records(now=LIMIT) == 1
    for model in (RightsRequest, StoreRun, Message, Package, OutboxItem):
        assert not model.objects.exists(), model


def test_what_remains_proves_what_was_done_and_names_nobody():
    case, _run = closed()
    forget_records(now=LIMIT)
    actions = [event.action for event in audit.events(case.reference)]
    assert actions[0] == "request.submitted"
    assert actions[-1] == "case.forgotten"
    assert audit.verify([case.reference]) == []


def test_the_person_stays_a_customer():
    case, _run = closed()
    forget_records(now=LIMIT)
    assert CustomerIdentity.objects.filter(customer=case.customer_id).exists()


def test_the_period_is_the_operators_and_the_record_of_processing_tells_it(settings):
    closed()
    settings.INSYN_CASE_MONTHS = 12
    with translation.override("en"):
        record = record_of_processing(language="en", now=NOW)
    periods = {data["collection"]: data["storage_period"] for entry in record.as_controller for data in entry.told["data"]}
    assert periods["requests_app_rightsrequest"].startswith("1 year, counted from")
    assert forget_records(now=LIMIT - timedelta(days=2 * 365 + 3)) == 0
    assert forget_records(now=LIMIT - timedelta(days=2 * 365)) == 1


def test_an_open_case_and_one_in_force_stay_however_old():
    case, _run = closed()
    RightsRequest.objects.filter(pk=case.pk).update(state=State.TRIAGE, closed_at=None)
    closed(State.RESTRICTED, "restriction")
    assert forget_records(now=LIMIT + timedelta(days=9999)) == 0


def test_a_case_stays_while_rows_that_it_kept_wait_for_their_day():
    case, run = closed(right="erasure")
    kept = Remnant.objects.create(case=case.reference, subject="x", store=run.store, map_version=1, kept_at=NOW)
    assert forget_records(now=LIMIT) == 0
    kept.closed_at = LIMIT
    kept.save()
    assert forget_records(now=LIMIT) == 1


def test_a_case_stays_while_something_is_owed():
    case, _run = closed()
    outbox.enqueue(kind="email", key="owed", to="a@b.example", payload={"text": "t"}, request=case, now=NOW)
    assert forget_records(now=LIMIT) == 0


def test_the_values_that_rows_were_found_by_go_sooner():
    _case, run = closed()
    days = timedelta(days=used.INSYN_PLAN_DAYS)
    assert forget_plans(now=CLOSED + days) == 0
    assert forget_plans(now=CLOSED + days + timedelta(seconds=1)) == 1
    run.refresh_from_db()
    assert run.plan is None


def test_they_stay_while_an_erasure_is_to_be_looked_over_and_a_restriction_lasts():
    _case, run = closed(right="erasure")
    closed(State.RESTRICTED, "restriction")
    late = CLOSED + timedelta(days=9999)
    assert forget_plans(now=late) == 0
    run.scan = ResidueScan.objects.create(store=run.store, due_at=NOW, finished_at=NOW)
    run.save()
    assert forget_plans(now=late) == 1


def test_a_message_goes_on_its_day_though_its_case_stays():
    case, _run = closed()
    RightsRequest.objects.filter(pk=case.pk).update(closed_at=CLOSED + timedelta(days=400))
    assert forget_messages(now=BEFORE) == 0
    assert forget_messages(now=LIMIT) == 1
    assert RightsRequest.objects.filter(pk=case.pk).exists()


def test_an_account_that_nobody_uses_goes_when_it_has_nothing_left():
    case, _run = closed()
    Customer.objects.update(created_at=CLOSED, last_seen_at=CLOSED)
    assert forget_unused_accounts(now=LIMIT) == 0  # the case is still there
    forget_records(now=LIMIT)
    assert forget_unused_accounts(now=BEFORE) == 0
    assert forget_unused_accounts(now=LIMIT) == 1
    assert not Customer.objects.filter(pk=case.customer_id).exists()
    assert not CustomerIdentity.objects.exists()


def test_an_account_that_was_seen_since_stays():
    make_customer(now=NOW)
    Customer.objects.update(created_at=CLOSED, last_seen_at=CLOSED + timedelta(days=10))
    assert forget_unused_accounts(now=LIMIT) == 0


def test_the_night_does_all_of_it():
    closed()
    nightly(now=LIMIT)
    assert not RightsRequest.objects.exists()
