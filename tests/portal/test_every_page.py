"""Every page of the portal under the long look (audit.py), in both languages: all addresses of pages.py, all questions, and the
states that no walk comes to. A new address comes along by itself; a new state is one line below.
"""

from datetime import date, timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation

from requests_app.models import Forwarding, Package, RightsRequest, State
from requests_app.portal import following
from requests_app.portal.flow import STEPS
from tests.factories import make_customer, make_request, make_store, sign_in_customer
from tests.portal.audit import POLICY, WIDE, let_scripts_look
from tests.portal.browser import Person
from tests.portal.pages import PAGES, Who, names, path_of
from tests.requests_app.packages import give_package, part

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FRAGMENT = "progress"  # of a page, put into one by a script
LETTER = "Hej!\n\nVi har gått igenom dina uppgifter. " + "Det här har vi gjort. " * 20 + "\n\nVänliga hälsningar"


@pytest.fixture(autouse=True)
def _packages_of_our_own(tmp_path, settings):
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"


@pytest.fixture(params=["sv", "en"])
def language(request):
    with translation.override(request.param):
        yield request.param


@pytest.fixture
def visit(chromium, live_server, language, stores):
    """Opens a browser, of somebody signed in or of nobody; whatever any page does wrong fails the test at its end."""
    opened = []

    def come(customer=None, *, level: int = 2) -> Person:
        context = chromium.new_context(locale="en-GB", viewport=WIDE)
        context.set_default_timeout(20_000)
        cookies = {settings.LANGUAGE_COOKIE_NAME: language}
        if customer:
            client = Client()
            sign_in_customer(client, customer, level=level)
            cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": name, "value": value, "url": live_server.url} for name, value in cookies.items()])
        let_scripts_look(context)
        person = Person(context.new_page(), live_server.url, language=language, scripts=True)
        opened.append((context, person))
        return person

    yield come
    for context, _person in opened:
        context.close()
    wrong = [line for _context, person in opened for line in person.wrong]
    assert not wrong, "\n".join(wrong)


def shows(person: Person, path: str) -> bool:
    """Whether there is a page at this address, or a file or a way elsewhere."""
    answer = person.page.request.get(person.url + path, max_redirects=0)
    return answer.status in (200, 404) and answer.headers["content-type"].startswith("text/html")


def look_at(person: Person, paths: list[str]) -> int:
    seen = [path for path in paths if shows(person, path)]
    for path in seen:
        person.open(path)
    return len(seen)


def put(case: RightsRequest, **columns) -> RightsRequest:
    """The case as it stands somewhere on its way: how it gets there has tests of its own."""
    RightsRequest.objects.filter(pk=case.pk).update(**columns)
    case.refresh_from_db()
    return case


def closed(case: RightsRequest, state: str = State.COMPLETED, **columns) -> RightsRequest:
    return put(case, **{"state": state, "closed_at": timezone.now(), "answer": LETTER} | columns)


def package(case: RightsRequest, state: str) -> None:
    now = timezone.now()
    ready = {"ready_at": now} if state != "building" else {}
    Package.objects.create(
        request=case, state=state, file_name=state, size=48213, created_at=now, expires_at=now + timedelta(days=14), **ready
    )


def test_pages_for_everybody(visit):
    person = visit()
    paths = [path_of(name) for name in names(Who.EVERYBODY) if not PAGES[name].only_posts]
    assert look_at(person, [*paths, "/no-such-page/"]) > 5
    person.page.context.clear_cookies(name=settings.CSRF_COOKIE_NAME)
    person.page.goto(person.url + "/sign-in/")
    person.page.context.clear_cookies(name=settings.CSRF_COOKIE_NAME)
    person.page.context.clear_cookies(name=settings.LANGUAGE_COOKIE_NAME)
    if person.language == "sv":
        person.send()
        person.look("a form that was too old")


def test_pages_of_somebody_signed_in(visit, anna):
    for level in (1, 2):
        person = visit(anna, level=level)
        look_at(person, [path_of(name) for name in names(Who.SIGNED_IN, Who.PROVED)])
    person.open("/requests/K7MW-3QXD-9TBF/")


def test_a_request_that_was_forwarded_to_a_controller(visit, anna):
    mailbox = anna.identities.get(kind="email")
    row = Forwarding.objects.create(
        request=make_request(make_customer(), "erasure", ground="a"),
        store=make_store("hosting"),
        mark="m",
        lookup=mailbox.lookup,
        controller=[["email", mailbox.value]],
        person=[["email", "lisa@example.se"]],
        collections=["guestbook"],
        state="sent",
        created_at=timezone.now(),
    )
    person = visit(anna, level=2)
    for path in ("/requests/", "/forwarded/", f"/forwarded/{row.reference}/"):
        person.open(path)
    person.fill("note", "Borttaget.")
    person.send()
    person.open(f"/forwarded/{row.reference}/")
    row.refresh_from_db()
    assert row.state == "done"


@pytest.mark.parametrize("right", [right for right, steps in STEPS.items() if steps])
def test_every_question(visit, anna, right):
    person = visit(anna, level=1 if right == "rectification" else 2)
    assert look_at(person, [f"/ask/{right}/{step.name}/" for step in STEPS[right]]) >= 1


@pytest.fixture
def answered(anna):
    """A case that has come all the way, with a package to read."""
    case = closed(make_request(anna, "access"))
    logins = [(number, date(2026, 1 + number % 6, 1), f"10.0.0.{number}") for number in range(60)]
    give_package(case, part(logins, "number", "at", "address", collection="login", purpose="Så att ingen annan kommer in."))
    return case


def test_pages_about_a_request(visit, anna, answered):
    case, person = answered, visit(anna)
    assert look_at(person, [path_of(name, case) for name in names(Who.OWNER, Who.OWNER_PROVED) if name != FRAGMENT]) > 5
    person.open(f"/requests/{case.reference}/")
    put(case, state=State.TRIAGE, closed_at=None)
    person.open("/ask/access/scope/")
    person.look("already asked")


def test_a_package_is_read_searched_and_deleted(visit, anna, answered):
    person = visit(anna)
    person.open(f"/requests/{answered.reference}/package/read/")
    person.open(f"/requests/{answered.reference}/package/read/1/")
    for words, name in (("10.0.0", "found"), ("nowhere", "not found")):
        person.page.locator("#q").fill(words)
        with person.page.expect_navigation():
            person.page.locator("#q").press("Enter")
        person.look(f"package search {name}")
    person.open(f"/requests/{answered.reference}/package/delete/")
    person.send()
    person.look("package deleted")


def test_what_a_package_holds_is_served_where_no_script_can_run(chromium, live_server, anna, answered):
    """The long look is taken without this word of the policy; here nothing is taken out."""
    client = Client()
    sign_in_customer(client, anna, level=2)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context = chromium.new_context(base_url=live_server.url)
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    page = context.new_page()
    for path in ("read/", "read/1/"):
        answer = page.goto(f"/requests/{answered.reference}/package/{path}")
        policy = {words[0]: words[1:] for part in answer.headers[POLICY].split(";") if (words := part.split())}
        assert policy["sandbox"] == ["allow-forms", "allow-same-origin", "allow-downloads"]
        assert policy["script-src"] == ["'none'"]
        assert page.locator("h1").is_visible()
    context.close()


STATES = {
    "moving": lambda anna: make_request(anna, "restriction"),
    "extended": lambda anna: put(
        make_request(anna, "access"), extended_at=timezone.now(), extension_reason="Det är många uppgifter i gamla system."
    ),
    "waits for identity": lambda anna: make_request(anna, "access", level=1),
    "restricted": lambda anna: put(make_request(anna, "restriction"), state=State.RESTRICTED),
    "refused": lambda anna: closed(make_request(anna, "access"), State.REFUSED),
    "withdrawn": lambda anna: closed(make_request(anna, "erasure"), State.WITHDRAWN, answer=""),
    "erased": lambda anna: closed(make_request(anna, "erasure")),
}


@pytest.mark.parametrize("level", [1, 2])
def test_states_of_a_request(visit, anna, level):
    make_store("crm")
    make_store("billing")
    person = visit(anna, level=level)
    for name, make in STATES.items():
        case = make(anna)
        person.page.goto(f"{person.url}/requests/{case.reference}/")
        person.look(f"request {name} {level}")
        put(case, state=State.WITHDRAWN, closed_at=timezone.now())
    for state in ("building", "expired"):
        case = closed(make_request(anna, "access"))
        package(case, state)
        person.page.goto(f"{person.url}/requests/{case.reference}/")
        person.look(f"package {state} {level}")
    make_request(anna, "access")
    waiting = make_request(anna, "erasure")
    person.page.goto(f"{person.url}/requests/{waiting.reference}/")
    person.look(f"an erasure that waits {level}")
    person.open(f"/requests/{waiting.reference}/waive/")
    person.page.goto(f"{person.url}/requests/")
    person.look(f"a full list {level}")


def test_the_page_for_our_own_fault(visit, anna, monkeypatch):
    def fail(*_args, **_more):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(following, "Paginator", fail)
    person = visit(anna)
    person.page.goto(person.url + "/requests/")
    person.wrong = [line for line in person.wrong if "500" not in line]
    if person.language == "sv":  # it is in both languages, Swedish first
        person.look("our own fault")
