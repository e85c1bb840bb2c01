"""After an erasure the application forgets its person, the address last, and keeps the record that a request was made (R24)."""

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from accounts.models import Customer, CustomerIdentity, VerificationCode
from accounts.people import identity_hash
from privacy import audit, own
from privacy.crypto import EncryptedTextField
from requests_app import cases
from requests_app.keeping import maintenance
from requests_app.keeping.forgetting import forget_erased, forget_records
from requests_app.models import ApiToken, OutboxItem, RightsRequest, StoreRun
from requests_app.running import outbox
from requests_app.running.scans import scan_due
from requests_app.running.workers import locate_due, run_due
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db
MAIL = "sven@example.se"
AFTER = NOW + timedelta(days=31)


@pytest.fixture
def erased(engine, clock, mailbox):
    """A customer whose erasure is answered; the notice is delivered."""
    make_store("crm")
    customer = make_customer(MAIL, phone="070-1234567", now=NOW)
    request = make_request(customer, right="erasure", ground="a", reason="Sven wants to go.", now=NOW)
    locate_due(clock=clock)
    cases.propose_erasure(request=request, acting_user=make_staff("agent"), reason="", now=NOW)
    digest = cases.plan_digest(request)
    cases.approve_erasure(
        request=request, acting_user=make_staff("approver"), plan_digest=digest, otp_device_verified=True, now=NOW
    )
    run_due(clock=clock), scan_due(clock=clock)
    times = {"created_at": NOW, "expires_at": NOW}
    _version, lookup = identity_hash("email", MAIL)
    VerificationCode.objects.create(channel="email", target_lookup=lookup, target=MAIL, code_hash="x", **times)
    ApiToken.objects.create(customer=customer, token_hash="x", scope="read", identity_level=1, **times)
    outbox.deliver_due(now=NOW)
    request.refresh_from_db()
    return request


def texts() -> str:
    """Every value of every table that the models of this application hold, decrypted."""
    found = []
    for model in apps.get_models():
        if model._meta.managed and model._meta.app_label in ("accounts", "requests_app", "privacy"):
            found += [str(row) for row in model._default_manager.values_list()]
    return "\n".join(found)


def test_nothing_of_the_person_is_left_but_the_record(erased):
    for text in (MAIL, "+46701234567", "Sven wants to go."):
        assert text in texts()
    assert forget_erased(now=AFTER) == 1
    left = texts()
    for text in (MAIL, "+46701234567", "Sven wants to go.", "links"):
        assert text not in left
    erased.refresh_from_db()
    assert (erased.reason, erased.details, erased.identity_note) == (None, None, None)
    assert "3 records erased" in erased.answer
    assert not CustomerIdentity.objects.exists()
    assert StoreRun.objects.get().report == {"collections": {"customer": {"rows": 3, "deleted": 3}}}
    assert audit.events(erased.reference).filter(action="person.forgotten").count() == 1
    assert audit.verify() == []
    assert forget_erased(now=AFTER) == 0


def test_the_letter_says_what_becomes_of_the_account(erased):
    assert "are erased 30 days after this answer, so that you can read it." in erased.answer
    assert "That you asked and what we answered is kept for 3 years: GDPR art. 5.2" in erased.answer


def test_the_notice_arrives_and_the_answer_can_be_read_first(erased, mailbox):
    assert any(MAIL in str(message) for message in mailbox)
    assert forget_erased(now=NOW + timedelta(days=29)) == 0
    assert CustomerIdentity.objects.filter(customer=erased.customer).count() == 2


def test_an_address_that_something_is_still_owed_to_stays(erased):
    owed = {"key": "a:b:c", "to": MAIL, "payload": {"text": "x"}, "request": erased, "created_at": NOW, "due_at": NOW}
    item = OutboxItem.objects.create(kind="email", **owed)
    assert forget_erased(now=AFTER) == 0
    OutboxItem.objects.filter(pk=item.pk).update(delivered_at=NOW)
    assert forget_erased(now=AFTER) == 1


def test_who_asked_for_something_since_is_not_forgotten(erased):
    make_request(erased.customer, right="access", now=NOW + timedelta(days=3))
    assert forget_erased(now=AFTER) == 0
    assert erased.customer.identities.count() == 2


def test_who_came_back_and_whose_second_erasure_was_refused_is_not_forgotten(erased):
    later = NOW + timedelta(days=3)
    second = make_request(erased.customer, right="erasure", ground="a", now=later)
    locate_due(clock=lambda: later)
    second.refresh_from_db()
    cases.refuse_request(request=second, acting_user=make_staff("approver"), reason="A contract is running.", now=later)
    outbox.deliver_due(now=later)
    assert forget_erased(now=later + timedelta(days=31)) == 0
    assert erased.customer.identities.count() == 2


def test_another_customer_is_not_touched(erased):
    other = make_customer("lisa@example.se", phone="070-1234567", now=NOW)
    request = make_request(other, right="access", reason="Lisa asks.", now=NOW)
    before = [(model, rows(model, other)) for model in (Customer, CustomerIdentity, RightsRequest, StoreRun, OutboxItem)]
    assert forget_erased(now=AFTER) == 1
    assert [(model, rows(model, other)) for model, _ in before] == before
    request.refresh_from_db()
    assert request.reason == "Lisa asks."


def rows(model: type[models.Model], customer: Customer) -> list[Any]:
    path = {Customer: "pk", StoreRun: "request__customer", OutboxItem: "request__customer"}.get(model, "customer")
    return list(model._default_manager.filter(**{path: customer.pk}).order_by("pk").values_list())


def test_the_record_goes_when_its_time_has_come(erased):
    maintenance.nightly(now=AFTER)
    assert not CustomerIdentity.objects.exists()  # every night looks
    assert forget_records(now=NOW + timedelta(days=3 * 365)) == 0  # a leap year lies between
    assert forget_records(now=NOW + timedelta(days=3 * 365 + 2)) == 1
    assert not RightsRequest.objects.exists()
    assert not Customer.objects.exists()
    assert audit.events(erased.reference).exists()


# --- the shipped data map -----------------------------------------------------------------------------------------------


def models_of_the_map() -> dict[str, type[models.Model]]:
    tables = {model._meta.db_table: model for model in apps.get_models()}
    return {name: tables[name] for name in own.dataset().collections}


def test_the_map_names_columns_that_there_are():
    for name, model in models_of_the_map().items():
        assert set(own.dataset().collections[name].fields) <= {field.attname for field in model._meta.concrete_fields}, name


def test_no_secret_text_about_a_person_is_missing_from_the_map():
    """What is encrypted is personal, or it is a key."""
    keys = {("requests_app_package", "key"), ("requests_app_upload", "key"), ("requests_app_representation", "not_told_reason")}
    # Of a disclosure the person gets what the officer cleared for them, and nothing else that is written there.
    keys |= {("requests_app_disclosure", name) for name in ("asker", "asker_reference", "asked", "consented", "reason", "given")}
    # Who the controller is may be a natural person's secret, and so may what is said of them.
    keys |= {("requests_app_forwarding", name) for name in ("controller", "note")}
    for name, model in models_of_the_map().items():
        secret = {field.attname for field in model._meta.concrete_fields if isinstance(field, EncryptedTextField)}
        assert {(name, field) for field in secret} - keys <= {(name, f) for f in own.dataset().collections[name].fields}


def test_every_collection_has_a_purpose_a_decision_and_a_name_in_both_languages():
    assert own.dataset().warnings == ()
    for name, collection in own.dataset().collections.items():
        assert collection.purpose in own.dataset().purposes, name
        assert collection.on_erasure, name
        assert set(collection.label) == {"sv", "en"}, name
