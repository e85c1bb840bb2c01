"""The same person asking twice is seen from both requests, across accounts, by keyed hashes alone."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.claims import customer_claiming
from requests_app.models import RightsRequest
from tests.factories import make_customer, make_request
from tests.staff.conftest import CANARY, CANARY_TRACES, fresh, make_case
from tests.staff.test_queue import QUEUE, references

pytestmark = pytest.mark.django_db


def others(desk, case, who="alice"):
    page = desk.browser(who).get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk]))
    return {other.case.reference: other for other, _right in page.context["others"]}


def asked(customer, right="access", *, days_ago=0):
    case = make_request(customer, right)
    RightsRequest.objects.filter(pk=case.pk).update(received_at=timezone.now() - timedelta(days=days_ago))
    return fresh(case)


def by_phone(number=CANARY.phone):
    """Somebody on the telephone: a customer of their own, whatever number they give."""
    return customer_claiming(identities={"phone_number": number}, language="sv", now=timezone.now())


def test_two_accounts_with_one_telephone_are_linked_both_ways(desk, canary):
    one, two = asked(canary), asked(by_phone("070-174 06 35"))
    asked(make_customer())
    found = others(desk, one)
    assert list(found) == [two.reference]
    assert found[two.reference].shared == ("Phone number",)
    assert found[two.reference].is_duplicate
    assert list(others(desk, two)) == [one.reference]


def test_it_is_found_under_an_earlier_key_too(desk, canary, settings):
    one = asked(canary)
    ((version, key),) = list(settings.INSYN_HASH_KEYS.items())[:1]
    settings.INSYN_HASH_KEYS = {"newer": b"n" * 32, version: key}
    two = asked(by_phone())
    assert list(others(desk, two)) == [one.reference]
    assert list(others(desk, one)) == [two.reference]


def test_another_right_or_long_ago_is_listed_and_is_no_duplicate(desk, canary):
    now = asked(canary)
    erasure = asked(canary, "erasure")
    RightsRequest.objects.filter(pk=now.pk).update(state="completed", closed_at=timezone.now())
    old = asked(canary, days_ago=300)
    found = others(desk, now)
    assert set(found) == {erasure.reference, old.reference}
    assert not any(other.is_duplicate for other in found.values())


def test_who_asks_again_shortly_after_an_answer_is_seen(desk, canary):
    first = asked(canary, days_ago=40)
    RightsRequest.objects.filter(pk=first.pk).update(state="completed", closed_at=timezone.now() - timedelta(days=30))
    again = asked(canary)
    assert others(desk, again)[first.reference].is_duplicate
    assert others(desk, again)[first.reference].days == -40


def test_the_queue_marks_them_without_naming_anybody(desk, canary):
    one, two, other = make_case(customer=canary), make_case(customer=by_phone()), make_case()
    page = desk.browser("alice").get(QUEUE)
    twice = {case.reference: case.asked_twice for case in page.context["cl"].result_list}
    assert twice == {one.reference: True, two.reference: True, other.reference: False}
    assert not [trace for trace in CANARY_TRACES if trace in page.content.decode().lower()]


def test_the_same_right_long_ago_and_another_one_now_are_no_mark(desk, canary):
    case, other = make_case(customer=canary), by_phone()
    asked(other, days_ago=300)
    asked(other, "erasure")
    asked(canary, "portability", days_ago=3)
    page = desk.browser("alice").get(QUEUE)
    assert [line.asked_twice for line in page.context["cl"].result_list if line.pk == case.pk] == [False]


def test_a_customer_number_that_reads_like_a_telephone_is_another_identity(desk, canary):
    one = asked(canary)
    asked(customer_claiming(identities={"customer_number": CANARY.phone}, language="sv", now=timezone.now()))
    assert others(desk, one) == {}


def test_an_account_without_an_identity_has_no_twins(desk, canary):
    one, two = asked(canary), asked(make_customer())
    two.customer.identities.all().delete()
    one.customer.identities.all().delete()
    assert others(desk, one) == others(desk, two) == {}
    assert set(references(desk.browser("alice").get(QUEUE))) == {one.reference, two.reference}


def test_it_costs_two_queries_however_many_there_are(desk, canary, django_assert_max_num_queries):
    from requests_app.desk.duplicates import others_of

    case = asked(canary)
    for _number in range(5):
        asked(by_phone())
    identities = list(canary.identities.all())
    with django_assert_max_num_queries(2):
        assert len(others_of(case, identities)) == 5
