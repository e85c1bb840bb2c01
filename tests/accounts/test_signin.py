"""A sitting: it rotates the session's key, ends by itself, and has nothing to do with staff."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib import messages
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from accounts import signin
from accounts.signin import customer_required
from tests.factories import make_customer, make_staff

pytestmark = pytest.mark.django_db
START = timezone.now().replace(microsecond=0)


def a_request(session=None, path="/requests/", method="get"):
    request = getattr(RequestFactory(), method)(path)
    request.session = session if session is not None else SessionStore()
    return request


def again(request):
    """The next request of the same browser."""
    return a_request(request.session)


@pytest.fixture
def anna():
    return make_customer()


def test_signing_in_rotates_the_session_key_and_the_csrf_token(anna):
    request = a_request()
    request.session["something"] = 1
    request.session.save()
    before = request.session.session_key
    signin.sign_in(request, anna, 1)
    assert request.session.session_key != before
    assert not SessionStore().exists(before)
    assert request.META["CSRF_COOKIE_NEEDS_UPDATE"]
    assert signin.current(request).customer == anna


def test_raising_the_level_rotates_again_and_keeps_the_start_of_the_sitting(anna):
    with time_machine.travel(START, tick=False) as clock:
        request = a_request()
        signin.sign_in(request, anna, 1)
        key, since = request.session.session_key, request.session["customer"]["since"]
        clock.shift(timedelta(minutes=10))
        signin.sign_in(request, anna, 2)
        assert request.session.session_key != key
        assert request.session["customer"]["since"] == since
        assert signin.current(again(request)).level == 2


def test_signing_in_once_more_keeps_the_level_of_the_sitting(anna):
    request = a_request()
    signin.sign_in(request, anna, 2)
    signin.sign_in(request, anna, 1)
    assert signin.current(again(request)).level == 2


def test_it_ends_after_half_an_hour_without_a_request(anna):
    with time_machine.travel(START, tick=False) as clock:
        request = a_request()
        signin.sign_in(request, anna, 2)
        for _click in range(4):
            clock.shift(timedelta(minutes=29))
            assert signin.current(again(request))
        clock.shift(timedelta(minutes=30))
        ended = again(request)
        assert signin.current(ended) is None
        assert signin.timed_out(ended)


def test_it_ends_after_eight_hours_in_any_case(anna):
    with time_machine.travel(START, tick=False) as clock:
        request = a_request()
        signin.sign_in(request, anna, 1)
        for _click in range(23):
            clock.shift(timedelta(minutes=20))
            assert signin.current(again(request))
        clock.shift(timedelta(minutes=20))
        assert signin.current(again(request)) is None


def test_the_level_is_proved_again_in_the_next_sitting(anna):
    with time_machine.travel(START, tick=False) as clock:
        request = a_request()
        signin.sign_in(request, anna, 2)
        clock.shift(timedelta(minutes=31))
        back = again(request)
        signin.sign_in(back, anna, 1)
        assert signin.current(again(back)).level == 1


def test_notes_outlive_a_time_out_for_the_same_person_and_nobody_else(anna):
    request = a_request()
    signin.sign_in(request, anna, 1)
    signin.notes(request)["drafts"] = {"access": "…"}
    request.session["customer"]["seen"] -= 3600
    back = again(request)
    assert signin.current(back) is None
    signin.sign_in(back, anna, 1)
    assert signin.notes(back)["drafts"]
    signin.sign_in(back, make_customer(), 1)
    assert not signin.notes(back)


def test_signing_out_ends_the_customers_sitting_and_leaves_staff_alone(anna):
    request = a_request()
    request.session["_auth_user_id"] = str(make_staff().pk)
    signin.sign_in(request, anna, 1)
    signin.notes(request)["drafts"] = {}
    key = request.session.session_key
    signin.sign_out(request)
    assert signin.current(again(request)) is None
    assert "customer_notes" not in request.session
    assert request.session["_auth_user_id"]
    assert request.session.session_key != key


def test_an_erased_customer_is_signed_out(anna):
    request = a_request()
    signin.sign_in(request, anna, 1)
    anna.delete()
    assert signin.current(again(request)) is None


def test_the_session_row_is_not_written_on_every_click(anna, django_assert_num_queries):
    request = a_request()
    signin.sign_in(request, anna, 1)
    request.session.save()
    quiet = again(request)
    quiet.session.modified = False
    with django_assert_num_queries(1):  # the customer
        signin.current(quiet)
        signin.current(quiet)
    assert not quiet.session.modified


def test_who_is_not_signed_in_is_led_to_sign_in_and_back():
    view = customer_required()(lambda request: HttpResponse("in"))
    response = view(a_request(path="/requests/?page=2"))
    assert response.status_code == 302
    assert response["Location"] == "/sign-in/?next=%2Frequests%2F%3Fpage%3D2"
    assert "no-store" in response["Cache-Control"]


def test_who_lacks_the_second_proof_is_led_to_it_and_back(anna):
    view = customer_required(level=2)(lambda request: HttpResponse(f"level {request.signed_in.level}"))
    request = a_request()
    signin.sign_in(request, anna, 1)
    assert view(again(request))["Location"] == "/identity/?next=%2Frequests%2F"
    signin.sign_in(request, anna, 2)
    answer = view(again(request))
    assert answer.content == b"level 2"
    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]


@pytest.mark.parametrize("leave", [signin.sign_out, lambda request: signin.sign_in(request, make_customer("bo@example.se"), 1)])
def test_what_was_said_to_one_person_is_not_shown_to_the_next(anna, leave):
    request = a_request()
    signin.sign_in(request, anna, 1)
    request._messages = SessionStorage(request)
    request._messages.add(messages.SUCCESS, "We have sent a code to anna@example.se.")
    request._messages.update(HttpResponse())
    request = again(request)
    leave(request)
    assert list(SessionStorage(request)) == []
