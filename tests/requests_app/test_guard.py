"""Whose rows no purge may touch: people with an open request or a restriction in force."""

import pytest

from accounts import people
from accounts.models import CustomerIdentity, VerificationMethod
from privacy.actions import Identity, Person
from requests_app import cases
from requests_app.keeping.guard import RequestGuard
from requests_app.models import RightsRequest, State
from tests.factories import NOW, make_customer, make_request

pytestmark = pytest.mark.django_db


def protected():
    return list(RequestGuard().protected("crm"))


def test_who_has_an_open_request_is_protected_with_every_verified_identity():
    customer = make_customer("sven@example.se", phone="070-123 45 67")
    claimed = people.add_identity(
        customer=customer, kind="customer_number", value="1001", method=VerificationMethod.STORE, now=NOW
    )
    CustomerIdentity.objects.filter(pk=claimed.pk).update(verified_at=None)
    make_request(customer)
    identities = (Identity("email", "sven@example.se"), Identity("phone_number", "+46701234567"))
    assert protected() == [Person(customer.public_id, identities)]


@pytest.mark.parametrize(
    ("state", "is_protected"),
    [
        (State.IDENTIFYING, True),
        (State.TRIAGE, True),
        (State.PROPOSED, True),
        (State.RUNNING, True),
        (State.BLOCKED, True),
        (State.RESTRICTED, True),
        (State.COMPLETED, False),
        (State.REFUSED, False),
        (State.WITHDRAWN, False),
    ],
)
def test_as_long_as_it_is_open_or_restricted(state, is_protected):
    request = make_request()
    RightsRequest.objects.filter(pk=request.pk).update(state=state)
    assert bool(protected()) is is_protected


def test_who_has_no_request_is_not_named():
    make_customer()
    assert protected() == []


def test_several_requests_are_one_person_and_many_people_three_queries(django_assert_num_queries):
    customer = make_customer()
    make_request(customer), make_request(customer, right="restriction")
    for _ in range(5):
        make_request()
    with django_assert_num_queries(2):
        assert len(protected()) == 6


def test_a_withdrawn_request_protects_no_longer():
    request = make_request()
    cases.withdraw_request(request=request, customer=request.customer, now=NOW)
    assert protected() == []
