"""Every right, in both languages, with and without scripts, in a real browser: what a person would do, from the first page on."""

from datetime import timedelta

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext
from playwright.sync_api import Browser, sync_playwright

from accounts.models import Customer
from requests_app.case.lifecycle import transition
from requests_app.models import Package, Right, RightsRequest, State
from tests.portal.browser import CHROMIUM_ARGUMENTS, Person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MAILBOX, PHONE = "anna@example.se", "+46701234567"


@pytest.fixture(scope="module")
def chromium(chromium_path):
    # Playwright's own event loop runs in this thread, and Django sees it; nothing in it shares a connection with the tests.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(params=["sv", "en"])
def language(request):
    with translation.override(request.param):
        yield request.param


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def person(request, chromium: Browser, live_server, language, stores):
    context = chromium.new_context(java_script_enabled=request.param, locale="en-GB", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    walker = Person(context.new_page(), live_server.url, language=language, scripts=request.param)
    walker.page.goto(live_server.url)
    if language == "en":
        walker.page.get_by_role("button", name="English").click()
    yield walker
    context.close()
    assert not walker.wrong, "\n".join(walker.wrong)


def sign_in(person: Person) -> None:
    person.fill("email", MAILBOX)
    person.send()
    person.enter_code(MAILBOX)


def prove_phone(person: Person) -> None:
    person.page.locator("input[type=radio]").first.check()
    person.send()
    person.enter_code(PHONE)


def the_request(right: str) -> RightsRequest:
    return RightsRequest.objects.get(right=right)


def test_access_from_the_first_page_to_the_package(person, language):
    person.look()
    person.press(gettext("Ask to see my data"))
    person.send()
    assert person.page.locator(":focus").get_attribute("class") == "problems"  # the error summary has the focus
    sign_in(person)
    assert person.path == "/ask/access/scope/"
    person.send()
    person.choose("period")
    person.send()
    for name, value in {
        "since_0": "2024",
        "since_1": "1",
        "since_2": "31",
        "until_0": "2024",
        "until_1": "2",
        "until_2": "30",
    }.items():
        person.fill(name, value)
    person.send()  # there is no 30 February
    person.fill("until_2", "29")
    person.send()
    person.fill("reason", "Jag undrar")
    person.send()
    assert person.path.startswith("/identity/")
    prove_phone(person)
    assert person.path == "/ask/access/check/"
    person.page.locator(".summary__act a").first.click()  # change an answer, and come straight back
    assert person.path == "/ask/access/period/"
    person.fill("until_2", "28")
    person.send()
    assert person.path == "/ask/access/check/"
    person.send()
    case = the_request(Right.ACCESS)
    assert case.reference in person.page.locator(".panel").inner_text()
    assert case.details == {"since": "2024-01-31", "until": "2024-02-28"}
    assert case.identity_level == 2
    person.page.go_back()
    person.look("back")  # the back button shows the open request, not a form that would send it again
    assert RightsRequest.objects.count() == 1
    person.open(f"/requests/{case.reference}/")
    person.open("/requests/")

    now = timezone.now()
    RightsRequest.objects.filter(pk=case.pk).update(state=State.COMPLETED, closed_at=now, answer="Hej!\n\nHär är dina uppgifter.")
    Package.objects.create(
        request=case, state="ready", file_name="x", size=48213, created_at=now, ready_at=now, expires_at=now + timedelta(days=14)
    )
    person.open(f"/requests/{case.reference}/")
    person.look("package")
    assert person.page.get_by_role("link", name=gettext("Download my data")).is_visible()


def test_portability_without_a_phone_waits_for_identity(person, stores):
    stores.contacts = []
    person.press(gettext("Ask for my data as files"))
    sign_in(person)
    person.choose("categories")
    person.send()
    person.send()
    person.choose("contact", "history")
    person.send()
    person.look("other ways")
    person.press(gettext("Continue without a code"))
    assert person.path == "/ask/portability/check/"
    person.send()
    case = the_request(Right.PORTABILITY)
    assert case.state == State.IDENTIFYING
    person.look("sent and waiting")
    person.open(f"/requests/{case.reference}/")
    person.look("waiting for identity")
    person.press(gettext("Withdraw the request"))
    person.send()
    case.refresh_from_db()
    assert case.state == State.WITHDRAWN


def test_rectification_shows_old_beside_new(person):
    person.press(gettext("Correct my data"))
    sign_in(person)
    assert "Storgatan" not in person.page.content()  # one proof is not enough to read
    person.page.locator("main .note a").click()
    prove_phone(person)
    assert "Storgatan 1" in person.page.content()
    person.look("fields in full")
    person.choose("crm.customer.email", "crm.customer.phone", "crm.customer.street", "crm.customer.postcode")
    person.send()
    for name, value in {"new_0": "anna", "new_1": "12", "new_2": "Storgatan 1", "new_3": "1"}.items():
        person.fill(name, value)
    person.send()
    assert person.page.locator(".problems__list li").count() == 4
    for name, value in {"new_0": "anna@example.com", "new_1": "070 765 43 21", "new_2": "Lillgatan 2", "new_3": "21133"}.items():
        person.fill(name, value)
    person.send()
    person.send()
    assert person.path == "/ask/rectification/check/"
    person.send()
    corrections = the_request(Right.RECTIFICATION).details["corrections"]
    assert [(one["old"], one["new"]) for one in corrections] == [
        ("anna@example.se", "anna@example.com"),
        ("070-123 45 67", "070-765 43 21"),
        ("Storgatan 1", "Lillgatan 2"),
        ("111 22", "211 33"),
    ]


def test_restriction_warns_before_services_stop(person):
    person.press(gettext("Restrict the use of my data"))
    sign_in(person)
    person.choose("a")
    person.send()
    assert person.path == "/ask/restriction/consequence/"
    person.send()  # without the tick
    person.page.locator("input[name=understood]").check()
    person.send()
    person.send()
    person.send()
    assert the_request(Right.RESTRICTION).ground == "a"
    person.look("restriction sent")


def test_erasure_says_what_the_law_keeps(person):
    person.press(gettext("Ask us to erase my data"))
    sign_in(person)
    person.choose("a")
    person.send()
    person.send()
    prove_phone(person)
    person.send()
    case = the_request(Right.ERASURE)
    assert (case.ground, case.identity_level) == ("a", 2)


def test_objection_is_one_click(person):
    person.press(gettext("Stop direct marketing"))
    sign_in(person)
    assert person.path == "/ask/objection/check/"
    person.send()
    assert the_request(Right.OBJECTION).state in (State.APPROVED, State.RUNNING, State.COMPLETED)


def test_the_other_pages_and_errors(person):
    for path in ("/contact/", "/privacy/", "/cookies/", "/no-such-page/"):
        person.open(path)
    person.open("/requests/")
    sign_in(person)
    person.look("no requests yet")
    person.open("/requests/K7MW-3QXD-9TBF/")
    person.look("not mine")
    person.press(gettext("Sign out"))
    assert person.path == "/"


def test_the_page_of_a_request_follows_along_by_itself_or_by_one_click(person):
    person.press(gettext("Restrict the use of my data"))
    sign_in(person)
    person.choose("b")
    for _question in range(3):
        person.send()
    case = the_request(Right.RESTRICTION)
    person.open(f"/requests/{case.reference}/")
    transition(requests=[case.pk], action="refuse", actor="staff:1", now=timezone.now(), changes={"answer": "Nej."})
    if not person.scripts:
        person.press(gettext("Update it now"))
    person.page.get_by_text(gettext("Refused"), exact=False).first.wait_for(timeout=15_000)
    assert Customer.objects.count() == 1
