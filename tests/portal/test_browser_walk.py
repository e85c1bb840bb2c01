"""Every right from the first page to the answer, in a real browser, in four ways.

Between them each right is walked in both languages, with scripts and without, by mouse and by the keyboard alone, on a wide
screen and on one of 320 px, in the light and in the dark. What each page must not do wrong is in browser.py and audit.py.
"""

import zipfile
from dataclasses import dataclass

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext
from playwright.sync_api import Browser

from accounts.models import Customer
from requests_app.case.lifecycle import transition
from requests_app.models import Right, RightsRequest, State
from tests.portal.audit import NARROW, WIDE
from tests.portal.browser import Person
from tests.portal.keyboard import KeyboardPerson
from tests.requests_app.packages import give_package, part

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MAILBOX, PHONE = "anna@example.se", "+46701234567"


@dataclass(frozen=True)
class Way:
    language: str
    scripts: bool
    person: type[Person]
    screen: dict[str, int]
    scheme: str


WAYS = {
    "sv-mouse-wide": Way("sv", True, Person, WIDE, "light"),
    "en-keys-narrow": Way("en", True, KeyboardPerson, NARROW, "dark"),
    "sv-keys-narrow-no scripts": Way("sv", False, KeyboardPerson, NARROW, "light"),
    "en-mouse-wide-no scripts": Way("en", False, Person, WIDE, "dark"),
}


MOUSE = [name for name, way in WAYS.items() if way.person is Person]


@pytest.fixture(params=WAYS)
def way(request):
    way = WAYS[request.param]
    with translation.override(way.language):
        yield way


@pytest.fixture
def person(way, chromium: Browser, live_server, stores):
    context = chromium.new_context(
        java_script_enabled=way.scripts, locale="en-GB", viewport=way.screen, color_scheme=way.scheme, accept_downloads=True
    )
    context.set_default_timeout(20_000)
    walker = way.person(context.new_page(), live_server.url, language=way.language, scripts=way.scripts)
    walker.page.goto(live_server.url)
    if way.language == "en":
        walker.act(walker.page.get_by_role("button", name="English"))
    yield walker
    context.close()
    assert not walker.wrong, "\n".join(walker.wrong)


def begin(person: Person, action: str) -> None:
    """By the button of the right's own card; on a narrow screen links of the same name lead down to the cards."""
    person.follow(person.page.locator(".right").get_by_role("link", name=action, exact=True))


def sign_in(person: Person) -> None:
    person.fill("email", MAILBOX)
    person.send()
    person.enter_code(MAILBOX)


def prove_phone(person: Person) -> None:
    person.tick(person.page.locator("input[type=radio]").first)
    person.send()
    person.enter_code(PHONE)


def the_request(right: str) -> RightsRequest:
    return RightsRequest.objects.get(right=right)


def follow_and_withdraw(person: Person, right: str) -> None:
    """From the confirmation to the request's own page, back through the list, and take the request back."""
    case = the_request(right)
    assert case.reference in person.page.locator(".panel").inner_text()
    person.press(gettext("Follow my request"))
    assert person.path == f"/requests/{case.reference}/"
    person.follow(person.page.locator("a.back"))
    person.follow(person.page.locator(".card__title a").first)
    person.press(gettext("Withdraw the request"))
    person.send()
    case.refresh_from_db()
    assert case.state == State.WITHDRAWN
    person.look("withdrawn")


def test_access_from_the_first_page_to_the_package(person, settings, tmp_path):
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    person.look()
    begin(person, gettext("Ask to see my data"))
    person.send_wrong()
    sign_in(person)
    assert person.path == "/ask/access/scope/"
    person.send_wrong()
    person.choose("period")
    person.send()
    for name, value in {"since_0": "2024", "since_1": "1", "since_2": "31", "until_0": "2024"}.items():
        person.fill(name, value)
    person.fill("until_1", "2")
    person.fill("until_2", "30")
    person.send_wrong()  # there is no 30 February
    person.fill("until_2", "29")
    person.send()
    person.fill("reason", "Jag undrar")
    person.send()
    assert person.path.startswith("/identity/")
    prove_phone(person)
    assert person.path == "/ask/access/check/"
    person.follow(person.page.locator(".summary__act a").first)  # change an answer, and come straight back
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

    now = timezone.now()
    RightsRequest.objects.filter(pk=case.pk).update(state=State.COMPLETED, closed_at=now, answer="Hej!\n\nHär är dina uppgifter.")
    give_package(case, part([("Anna Öberg", "anna@example.se")], "name", "email"))
    person.open("/requests/")
    person.follow(person.page.locator(".card__title a").first)
    person.look("package")
    everything = person.page.locator("a[download]").first
    person.reach(everything)
    with person.page.expect_download() as download:
        person.page.keyboard.press("Enter") if isinstance(person, KeyboardPerson) else everything.click()
    assert zipfile.is_zipfile(download.value.path())


def test_portability_without_a_phone_waits_for_identity(person, stores):
    stores.contacts = []
    begin(person, gettext("Ask for my data as files"))
    sign_in(person)
    person.choose("categories")
    person.send()
    person.send_wrong()
    person.choose("contact", "history")
    person.send()
    person.look("other ways")
    person.press(gettext("Continue without a code"))
    assert person.path == "/ask/portability/check/"
    person.send()
    assert the_request(Right.PORTABILITY).state == State.IDENTIFYING
    person.look("sent and waiting")
    follow_and_withdraw(person, Right.PORTABILITY)


def test_rectification_shows_old_beside_new(person):
    begin(person, gettext("Correct my data"))
    sign_in(person)
    assert "Storgatan" not in person.page.content()  # one proof is not enough to read
    person.follow(person.page.locator("main .note a"))
    prove_phone(person)
    assert "Storgatan 1" in person.page.content()
    person.look("fields in full")
    person.send_wrong()
    person.choose("crm.customer.email", "crm.customer.phone", "crm.customer.street", "crm.customer.postcode")
    person.send()
    for name, value in {"new_0": "anna", "new_1": "12", "new_2": "Storgatan 1", "new_3": "1"}.items():
        person.fill(name, value)
    person.send_wrong()
    assert person.page.locator(".problems__list li").count() == 4
    for name, value in {"new_0": "anna@example.com", "new_1": "070 765 43 21", "new_2": "Lillgatan 2", "new_3": "21133"}.items():
        person.fill(name, value)
    person.send()
    person.fill("code", "12")  # the new mailbox has to answer
    person.send_wrong()
    person.enter_code("anna@example.com")
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
    follow_and_withdraw(person, Right.RECTIFICATION)


def test_restriction_warns_before_services_stop(person):
    begin(person, gettext("Restrict the use of my data"))
    sign_in(person)
    person.send_wrong()
    person.choose("a")
    person.send()
    assert person.path == "/ask/restriction/consequence/"
    person.send_wrong()  # without the tick
    person.tick(person.page.locator("input[name=understood]"))
    person.send()
    person.send()
    person.send()
    assert the_request(Right.RESTRICTION).ground == "a"
    person.look("restriction sent")
    follow_and_withdraw(person, Right.RESTRICTION)


def test_erasure_says_what_the_law_keeps(person):
    begin(person, gettext("Ask us to erase my data"))
    sign_in(person)
    person.send_wrong()
    person.choose("a")
    person.send()
    person.send()
    person.send_wrong()  # no phone chosen
    person.tick(person.page.locator("input[type=radio]").first)
    person.send()
    person.fill("code", "12")
    person.send_wrong()
    person.enter_code(PHONE)
    person.send()
    case = the_request(Right.ERASURE)
    assert (case.ground, case.identity_level) == ("a", 2)
    follow_and_withdraw(person, Right.ERASURE)


def test_objection_is_one_click(person):
    begin(person, gettext("Stop direct marketing"))
    sign_in(person)
    assert person.path == "/ask/objection/check/"
    person.send()
    assert the_request(Right.OBJECTION).state in (State.APPROVED, State.RUNNING, State.COMPLETED)
    person.press(gettext("Follow my request"))
    person.press(gettext("Sign out"))
    assert person.path == "/"


@pytest.mark.parametrize("way", MOUSE, indirect=True)
def test_the_page_of_a_request_follows_along_by_itself_or_by_one_click(person):
    begin(person, gettext("Restrict the use of my data"))
    sign_in(person)
    person.choose("b")
    for _question in range(3):
        person.send()
    case = the_request(Right.RESTRICTION)
    person.open(f"/requests/{case.reference}/")
    transition(requests=[case.pk], action="refuse", actor="staff:1", now=timezone.now(), changes={"answer": "Nej."})
    if not person.scripts:
        person.press(gettext("Update it now"))
    person.page.get_by_text(gettext("Refused"), exact=False).first.wait_for()
    assert Customer.objects.count() == 1


@pytest.mark.parametrize("way", MOUSE, indirect=True)
def test_two_tabs_and_two_clicks_send_one_request(person):
    """Both tabs hold the last page; the second one leads to what the first one sent."""
    begin(person, gettext("Stop direct marketing"))
    sign_in(person)
    other = type(person)(person.page.context.new_page(), person.url, language=person.language, scripts=person.scripts)
    other.open("/ask/objection/check/")
    person.page.bring_to_front()
    with person.page.expect_navigation():
        person.page.locator("main form[method=post] button.button").first.dblclick(no_wait_after=True)
    person.page.wait_for_url("**/sent/")
    other.page.bring_to_front()
    other.send()
    assert other.path == person.path
    assert RightsRequest.objects.count() == 1
    person.wrong += other.wrong


@pytest.mark.parametrize("way", MOUSE, indirect=True)
def test_answers_changed_in_another_tab_are_not_sent_unseen(person):
    begin(person, gettext("Restrict the use of my data"))
    sign_in(person)
    person.choose("b")
    person.send()
    person.send()
    assert person.path == "/ask/restriction/check/"
    other = type(person)(person.page.context.new_page(), person.url, language=person.language, scripts=person.scripts)
    other.open("/ask/restriction/ground/")
    other.choose("d")
    other.send()
    assert other.path == "/ask/restriction/check/"
    person.page.bring_to_front()
    person.send()
    assert not RightsRequest.objects.exists()
    assert person.path == "/ask/restriction/check/"  # with the new answers, and a word about it
    assert person.page.locator(".banner--warning").is_visible()
    person.send()
    assert the_request(Right.RESTRICTION).ground == "d"
    person.wrong += other.wrong
