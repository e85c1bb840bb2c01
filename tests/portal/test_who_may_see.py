"""Every address of the portal by every visitor: who gets in, who is led elsewhere, and that nobody finds another's request."""

import re

import pytest
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from requests_app.models import RightsRequest, State
from requests_app.portal.urls import urlpatterns
from tests.factories import make_customer, make_request, make_staff, sign_in_customer
from tests.portal.pages import NOBODYS, PAGES, Who, names, path_of

pytestmark = pytest.mark.django_db

# What becomes of each visitor at each kind of page.
IN, SIGN_IN, PROVE, NOTHING = "in", "led to the sign-in", "led to the second proof", "not found"
STRANGERS = ("nobody", "staff without the second factor", "staff with it")
VISITORS = (*STRANGERS, "another customer", "another customer, proved twice", "the owner", "the owner, proved twice")
MATRIX: dict[Who, tuple[str, ...]] = {
    Who.EVERYBODY: (IN, IN, IN, IN, IN, IN, IN),
    Who.SIGNED_IN: (SIGN_IN, SIGN_IN, SIGN_IN, IN, IN, IN, IN),
    Who.PROVED: (SIGN_IN, SIGN_IN, SIGN_IN, PROVE, IN, PROVE, IN),
    Who.OWNER: (SIGN_IN, SIGN_IN, SIGN_IN, NOTHING, NOTHING, IN, IN),
    Who.CONTROLLER: (SIGN_IN, SIGN_IN, SIGN_IN, PROVE, NOTHING, PROVE, NOTHING),  # who it lets in: test_forwarding.py
    Who.GUARDIAN: (SIGN_IN, SIGN_IN, SIGN_IN, NOTHING, NOTHING, NOTHING, NOTHING),  # who it lets in: test_consents.py
    Who.OWNER_PROVED: (SIGN_IN, SIGN_IN, SIGN_IN, f"{NOTHING}|{PROVE}", NOTHING, PROVE, IN),
}
EVERY_CELL = [
    pytest.param(name, visitor, outcome, id=f"{name}-{visitor}")
    for name, page in PAGES.items()
    for visitor, outcome in zip(VISITORS, MATRIX[page.who], strict=True)
]


@pytest.fixture
def annas_case(anna):
    return make_request(anna, "access")


@pytest.fixture
def browser_of(english, anna, stores):
    """The browser of one of VISITORS."""

    def browser(visitor: str) -> Client:
        if visitor.startswith("staff"):
            person = make_staff("administrator", "officer", "approver", "agent")
            english.force_login(person)
            if visitor == "staff with it":
                session = english.session
                device = TOTPDevice.objects.create(user=person, name="app", confirmed=True)
                session["otp_device_id"] = device.persistent_id
                session.save()
        elif visitor != "nobody":
            person = anna if "owner" in visitor else make_customer("bo@example.se", language="en")
            sign_in_customer(english, person, level=2 if "twice" in visitor else 1)
        return english

    return browser


def outcome_of(response) -> str:
    if response.status_code == 302:
        for start, outcome in {"/sign-in/?next=": SIGN_IN, "/identity/?next=": PROVE}.items():
            if response["Location"].startswith(start):
                return outcome
    if response.status_code == 404:
        return NOTHING
    assert response.status_code in (200, 204, 286, 302, 405, 409), response.status_code
    return IN


def test_every_address_is_in_the_table():
    assert {one.name for one in urlpatterns} == set(PAGES)


@pytest.mark.parametrize(("name", "visitor", "outcome"), EVERY_CELL)
def test_who_gets_in(browser_of, annas_case, name, visitor, outcome):
    response = browser_of(visitor).get(path_of(name, annas_case))
    if response.status_code == 405:
        assert PAGES[name].only_posts  # a page that only takes forms tells nobody anything
    elif not PAGES[name].only_posts:
        assert outcome_of(response) in outcome.split("|")


@pytest.mark.parametrize("visitor", STRANGERS)
@pytest.mark.parametrize("name", names(Who.SIGNED_IN, Who.PROVED, Who.OWNER, Who.OWNER_PROVED, Who.GUARDIAN, Who.CONTROLLER))
def test_a_stranger_s_form_is_led_to_the_sign_in_too(browser_of, annas_case, name, visitor):
    response = browser_of(visitor).post(path_of(name, annas_case))
    assert outcome_of(response) == SIGN_IN
    assert RightsRequest.objects.get().state == State.TRIAGE


@pytest.mark.parametrize("visitor", ["another customer", "another customer, proved twice"])
@pytest.mark.parametrize("name", names(Who.OWNER, Who.OWNER_PROVED, Who.GUARDIAN))
@pytest.mark.parametrize("method", ["get", "post"])
def test_another_s_request_is_not_told_from_one_that_never_was(browser_of, annas_case, name, visitor, method):
    browser = browser_of(visitor)
    theirs = getattr(browser, method)(path_of(name, annas_case))
    nobodys = getattr(browser, method)(path_of(name))
    assert theirs.status_code == nobodys.status_code
    assert outcome_of(theirs) in (NOTHING, PROVE) or theirs.status_code == 405
    assert said(theirs, annas_case.reference) == said(nobodys, NOBODYS)
    annas_case.refresh_from_db()
    assert annas_case.state == State.TRIAGE
    assert RightsRequest.objects.count() == 1


def said(response, reference) -> str:
    """All that the answer says, the reference asked for and the forms' tokens aside."""
    text = response.content.decode() + response.get("Location", "")
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text).replace(reference, "REF")


@pytest.mark.parametrize("name", names(Who.SIGNED_IN, Who.OWNER, Who.OWNER_PROVED))
def test_nothing_personal_is_kept_by_any_cache(annas_proved, annas_case, name):
    response = annas_proved.get(path_of(name, annas_case))
    if response.status_code != 405:
        assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("name", PAGES)
def test_a_form_without_its_token_is_refused(annas, annas_case, name):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = annas.cookies
    response = strict.post(path_of(name, annas_case), {"email": "a@example.se"})
    assert response.status_code == 403
    assert "The form was too old" in response.content.decode()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_sends_the_strict_headers(annas_proved, annas_case, name):
    response = annas_proved.get(path_of(name, annas_case))
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    if not response.streaming:
        assert " style=" not in response.content.decode()
        assert "<script>" not in response.content.decode()
