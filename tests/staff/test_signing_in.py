"""Signing in takes an e-mail address, a password and a code of the app; guessing takes too long to be worth it."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import attempts
from accounts.models import Role, StaffSignInAttempt
from tests.factories import make_customer, make_staff, sign_in_customer
from tests.staff.conftest import code_of, enrol, sign_in

PASSWORD = "correct horse battery"
LOGIN = reverse("admin:login")

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    person = make_staff(Role.AGENT, email="alice@firma.example")
    enrol(person)
    return person


def post(client=None, email="alice@firma.example", password=PASSWORD, code="", **more):
    return (client or Client()).post(LOGIN, {"username": email, "password": password, "otp_token": code, **more})


def app_of(person):
    return person.totpdevice_set.get()


def test_all_three_open_the_desk(alice):
    client = Client()
    answer = post(client, code=code_of(app_of(alice)))
    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:index")
    assert client.get(reverse("admin:index")).status_code == 200


def test_it_leads_to_the_page_that_was_asked_for(alice):
    queue = reverse("admin:requests_app_rightsrequest_changelist")
    assert post(code=code_of(app_of(alice)), next=queue)["Location"] == queue


def test_it_leads_to_no_other_site(alice):
    assert post(code=code_of(app_of(alice)), next="https://evil.example/")["Location"] == reverse("admin:index")


def test_the_address_is_read_in_any_case(alice):
    assert post(email="Alice@Firma.example", code=code_of(app_of(alice))).status_code == 302


def test_the_code_may_be_written_with_a_space(alice):
    code = code_of(app_of(alice))
    assert post(code=f"{code[:3]} {code[3:]}").status_code == 302


@pytest.mark.parametrize(
    "wrong", [{"password": "wrong"}, {"email": "nobody@firma.example"}, {"code": "000000"}, {"code": "abcdef"}]
)
def test_anything_wrong_gets_the_same_answer(alice, wrong):
    code = code_of(app_of(alice))
    answer = post(**{"code": code if code != "000000" else "111111", **wrong})
    assert answer.status_code == 200
    assert [str(error) for error in answer.context["form"].non_field_errors()] == [
        str(answer.context["form"].error_messages["invalid_login"])
    ]
    assert "_auth_user_id" not in answer.client.session


def test_the_session_key_changes(alice):
    client = Client()
    client.get(LOGIN)
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = session.session_key
    before = session.session_key
    post(client, code=code_of(app_of(alice)))
    assert client.session.session_key != before


def test_a_code_works_once(alice):
    code = code_of(app_of(alice))
    assert post(code=code).status_code == 302
    assert post(code=code).status_code == 200


def test_an_old_code_does_not_work(alice):
    assert post(code=code_of(app_of(alice), steps=-5)).status_code == 200


def test_wrong_codes_make_the_right_one_wait(alice):
    for _attempt in range(3):
        post(code="000000")
    assert post(code=code_of(app_of(alice))).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        assert post(code=code_of(app_of(alice))).status_code == 302


@pytest.mark.parametrize("why", ["inactive", "not staff", "without a role"])
def test_who_does_not_work_here_stays_outside(alice, why):
    if why == "inactive":
        alice.is_active = False
    if why == "not staff":
        alice.is_staff = False
    if why == "without a role":
        alice.groups.clear()
    alice.save()
    assert post(code=code_of(app_of(alice))).status_code == 200


@pytest.mark.parametrize("email", ["alice@firma.example", "nobody@firma.example"])
def test_after_ten_attempts_nobody_gets_further_from_here(alice, email):
    for _attempt in range(attempts.PER_ACCOUNT_AND_ADDRESS):
        post(email=email, password="wrong", code="000000")
    answer = post(email=email, code=code_of(app_of(alice)))
    assert answer.status_code == 200
    assert "Too many" in str(answer.context["form"].non_field_errors()) or "För många" in str(
        answer.context["form"].non_field_errors()
    )


def test_the_limit_ends(alice):
    for _attempt in range(attempts.PER_ACCOUNT_AND_ADDRESS + 1):
        post(password="wrong", code="000000")
    with time_machine.travel(timezone.now() + attempts.WINDOW + timedelta(seconds=1), tick=False):
        assert post(code=code_of(app_of(alice))).status_code == 302


def test_a_guesser_elsewhere_does_not_lock_the_colleague_out_at_once(alice):
    for _attempt in range(attempts.PER_ACCOUNT_AND_ADDRESS + 1):
        Client(REMOTE_ADDR="198.51.100.7").post(LOGIN, {"username": alice.email, "password": "x", "otp_token": "000000"})
    assert post(code=code_of(app_of(alice))).status_code == 302


def test_guessing_from_many_places_is_limited_too(alice):
    for place in range(attempts.PER_ACCOUNT):
        attempts.count_attempt(email=alice.email, address=f"198.51.100.{place}", now=timezone.now())
    assert post(code=code_of(app_of(alice))).status_code == 200


def test_attempts_hold_no_address_and_go_after_a_day(alice):
    post(password="wrong", code="000000")
    row = StaffSignInAttempt.objects.get()
    assert "alice" not in row.account_lookup
    assert "127.0.0.1" not in row.address_lookup
    attempts.count_attempt(email="x@y.example", address="::1", now=timezone.now() + timedelta(days=2))
    assert not StaffSignInAttempt.objects.filter(pk=row.pk).exists()


def test_an_idle_sitting_ends(alice, settings):
    client = sign_in(alice)
    index = reverse("admin:index")
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        assert client.get(index).status_code == 200
        clock.shift(timedelta(minutes=settings.INSYN_SESSION_IDLE_MINUTES - 1))
        assert client.get(index).status_code == 200
        clock.shift(timedelta(minutes=settings.INSYN_SESSION_IDLE_MINUTES + 1))
        assert client.get(index).status_code == 302
    assert "_auth_user_id" not in client.session


def test_a_sitting_ends_after_a_working_day_whatever_happens(alice, settings):
    client = sign_in(alice)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _turn in range(settings.INSYN_SESSION_HOURS * 2):
            assert client.get(reverse("admin:index")).status_code == 200
            clock.shift(timedelta(minutes=29))
        clock.shift(timedelta(minutes=29))
        assert client.get(reverse("admin:index")).status_code == 302


def test_signing_out_takes_a_post(alice):
    client = sign_in(alice)
    assert client.get(reverse("admin:logout")).status_code == 405
    assert client.post(reverse("admin:logout")).status_code == 200
    assert client.get(reverse("admin:index")).status_code == 302


def test_a_customer_in_the_same_browser_stays_who_they_are(alice):
    client = Client()
    sign_in_customer(client, make_customer("c@example.se"))
    assert post(client, code=code_of(app_of(alice))).status_code == 302
    assert client.session["customer"]


def test_the_page_is_never_cached(alice):
    assert "no-store" in Client().get(LOGIN)["Cache-Control"]
    assert "no-store" in sign_in(alice).get(reverse("admin:index"))["Cache-Control"]


def test_changing_the_password_keeps_this_session_and_ends_the_others(alice):
    here, there = sign_in(alice), sign_in(alice)
    new = "a longer phrase than before"
    answer = here.post(reverse("admin:password_change"), {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert answer.status_code == 302
    assert here.get(reverse("admin:index")).status_code == 200
    assert there.get(reverse("admin:index")).status_code == 302
