"""A customer is whoever proved a mailbox; one mailbox is one customer, however it is spelled and whoever was first."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from accounts import people
from accounts.models import Customer, CustomerIdentity, IdentityKind, VerificationMethod
from tests.factories import make_customer, make_staff

pytestmark = pytest.mark.django_db


def find(email, language="sv"):
    return people.find_or_create_customer(email=email, language=language, now=timezone.now())


def test_the_same_mailbox_is_the_same_customer_in_any_spelling():
    anna = find("Anna@Example.se", language="en")
    assert find(" anna@example.SE") == anna
    assert anna.language == "en"
    identity = anna.identities.get()
    assert (identity.kind, identity.value, identity.method) == ("email", "anna@example.se", "email_code")
    assert identity.verified_at


def test_accents_make_another_mailbox():
    assert find("jose@example.se") != find("josé@example.se")


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_make_one_customer():
    def enter(_tab):
        try:
            return find("anna@example.se").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(enter, range(12)))) == 1
    assert Customer.objects.count() == 1


def test_a_mailbox_that_was_only_claimed_becomes_proved():
    customer = Customer.objects.create(language="sv")
    version, lookup = people.identity_hash("email", "anna@example.se")
    CustomerIdentity.objects.create(
        customer=customer,
        kind="email",
        value="anna@example.se",
        lookup=lookup,
        lookup_key=version,
        method=VerificationMethod.STAFF,
    )
    assert people.person_of(customer).identities == ()
    assert find("anna@example.se") == customer
    assert [identity.value for identity in people.person_of(customer).identities] == ["anna@example.se"]


def test_proving_again_renews_the_date_and_adds_no_row():
    anna, later = make_customer(), timezone.now() + timedelta(days=1)
    for moment in (timezone.now(), later):
        people.add_identity(
            customer=anna, kind=IdentityKind.PHONE, value="0701234567", method=VerificationMethod.SMS_CODE, now=moment
        )
    assert anna.identities.get(kind="phone_number").verified_at == later
    assert anna.identities.get(kind="phone_number").value == "+46701234567"


def test_a_phone_may_be_shared_and_a_mailbox_may_not():
    anna, bo = make_customer("anna@example.se"), make_customer("bo@example.se")
    for person in (anna, bo):
        people.add_identity(
            customer=person, kind=IdentityKind.PHONE, value="0701234567", method=VerificationMethod.SMS_CODE, now=timezone.now()
        )
    with pytest.raises(IntegrityError):
        people.add_identity(
            customer=bo, kind=IdentityKind.EMAIL, value="anna@example.se", method=VerificationMethod.STAFF, now=timezone.now()
        )


def test_a_rotated_hash_key_still_finds_the_customer(settings):
    anna = find("anna@example.se")
    settings.INSYN_HASH_KEYS = {"2": b"n" * 32, **settings.INSYN_HASH_KEYS}
    assert find("anna@example.se") == anna
    assert anna.identities.get().lookup_key == "2"


def test_the_engine_gets_verified_identities_in_a_stable_order_under_an_opaque_reference():
    anna = make_customer("anna@example.se", phone="0701234567")
    person = people.person_of(anna)
    assert person.ref == anna.public_id
    assert [(one.kind, one.value) for one in person.identities] == [
        ("email", "anna@example.se"),
        ("phone_number", "+46701234567"),
    ]


def test_who_verified_it_is_kept():
    anna, agent = make_customer(), make_staff("agent")
    identity = people.add_identity(
        customer=anna,
        kind=IdentityKind.CUSTOMER_NUMBER,
        value="10023",
        method=VerificationMethod.STAFF,
        now=timezone.now(),
        verified_by=agent,
    )
    assert identity.verified_by == agent


def test_the_mailbox_to_write_to_is_the_one_proved_last():
    anna = make_customer("anna@example.se", now=timezone.now() - timedelta(days=2))
    assert people.email_of(anna) == "anna@example.se"
    people.add_identity(
        customer=anna, kind="email", value="new@example.se", method=VerificationMethod.EMAIL_CODE, now=timezone.now()
    )
    assert people.email_of(anna) == "new@example.se"
    anna.identities.all().delete()
    assert people.email_of(anna) == ""
