"""Every address of the portal: who gets in, who is led elsewhere, and that nobody finds another person's request."""

import pytest
from django.test import Client
from django.urls import URLPattern

from requests_app.models import RightsRequest, State
from requests_app.portal.urls import urlpatterns
from tests.factories import make_request, make_staff

pytestmark = pytest.mark.django_db

OPEN = {"start", "notice", "notice_version", "cookies", "contact", "language", "sign_in", "sign_in_code", "sign_out"}
SIGNED_IN = {"identity", "identity_code", "identity_other", "ask", "ask_check", "ask_step", "requests"}
OWNER = {"request", "sent", "progress", "withdraw"}
OWNER_PROVED = {"waive", "download"}


def path_of(name, case=None):
    """The path of one of the patterns, about `case` where it is about one."""
    pattern: URLPattern = next(one for one in urlpatterns if one.name == name)
    reference = case.reference if case else "K7MW-3QXD-9TBF"
    fills = {"<slug:right>": "access", "<slug:step>": "scope", "<str:reference>": reference, "<slug:version>": "2026-11"}
    path = "/" + str(pattern.pattern)
    for part, value in fills.items():
        path = path.replace(part, value)
    return path


@pytest.fixture
def annas_case(anna):
    return make_request(anna, "access")


@pytest.fixture
def members_of_staff(db, stores):
    """Signed in by password alone, without a second factor, in the role that may do most."""
    browser = Client()
    browser.force_login(make_staff("administrator", "officer", "approver", "agent"))
    return browser


def test_every_address_is_in_one_of_the_lists():
    assert {one.name for one in urlpatterns} == OPEN | SIGNED_IN | OWNER | OWNER_PROVED


@pytest.mark.parametrize("name", sorted(SIGNED_IN | OWNER | OWNER_PROVED))
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_and_staff_are_led_to_the_customers_sign_in(english, members_of_staff, annas_case, name, method):
    for browser in (english, members_of_staff):
        response = getattr(browser, method)(path_of(name, annas_case))
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/?next=")
        assert annas_case.reference not in response.content.decode()


@pytest.mark.parametrize("name", sorted(OWNER | OWNER_PROVED))
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_customer_finds_nothing(bos, annas_case, name, method):
    session = bos.session
    session["customer"]["level"] = 2
    session.save()
    theirs = getattr(bos, method)(path_of(name, annas_case))
    nobodys = getattr(bos, method)(path_of(name))
    assert theirs.status_code == nobodys.status_code
    assert theirs.status_code in (404, 405)
    if theirs.status_code == 404:
        strip = "csrfmiddlewaretoken"
        lines = [
            [line.replace(annas_case.reference, "REF") for line in answer.content.decode().splitlines() if strip not in line]
            for answer in (theirs, nobodys)
        ]
        assert [line.replace("K7MW-3QXD-9TBF", "REF") for line in lines[1]] == lines[0]
    annas_case.refresh_from_db()
    assert annas_case.state == State.TRIAGE
    assert RightsRequest.objects.count() == 1


@pytest.mark.parametrize("name", sorted(OWNER - {"withdraw"}))
def test_the_owner_gets_in_with_one_proof(annas, annas_case, name):
    assert annas.get(path_of(name, annas_case)).status_code in (200, 286)


@pytest.mark.parametrize("name", sorted(OWNER_PROVED))
def test_the_owner_needs_the_second_proof_for_what_matters_most(annas, annas_case, name):
    assert annas.get(path_of(name, annas_case))["Location"].startswith("/identity/?next=")


@pytest.mark.parametrize("name", sorted(SIGNED_IN | OWNER))
def test_nothing_personal_is_kept_by_any_cache(annas, annas_case, name):
    response = annas.get(path_of(name, annas_case))
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("name", sorted(OPEN | SIGNED_IN | OWNER | OWNER_PROVED))
def test_a_form_without_its_token_is_refused(annas, annas_case, name):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = annas.cookies
    response = strict.post(path_of(name, annas_case), {"email": "a@example.se"})
    assert response.status_code == 403
    assert "The form was too old" in response.content.decode()


@pytest.mark.parametrize("name", sorted(OPEN | SIGNED_IN | OWNER))
def test_every_page_sends_the_strict_headers(annas, annas_case, name):
    response = annas.get(path_of(name, annas_case))
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert " style=" not in response.content.decode()
    assert "<script>" not in response.content.decode()
