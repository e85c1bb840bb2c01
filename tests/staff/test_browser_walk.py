"""The desk in a real browser: an invitation, an erasure by four eyes, and every page under axe and the strict policy."""

import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext
from playwright.sync_api import Locator

from accounts.models import Staff
from privacy.models import PurgeRun, Recipient, Remnant
from requests_app.models import RightsRequest, State
from requests_app.running import outbox
from requests_app.running.workers import locate_due
from tests.factories import make_customer, make_request
from tests.portal.audit import desk_faults
from tests.portal.browser import Person
from tests.privacy.shared_rows import Shop
from tests.staff.conftest import CANARY, CONTESTED, FOUND, Desk, code_of, fresh, make_case, overdue, sign_in
from tests.staff.test_answer_times import answered

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Colleague(Person):
    """Somebody at the desk; pages of one kind differ by numbers only."""

    def look(self, name: str = "") -> None:
        super().look(name or "desk" + re.sub(r"\d+", "N", self.path.partition("?")[0]) + ("?" if "?" in self.path else ""))

    def faults(self) -> list[str]:
        return desk_faults(self.page)

    def send(self) -> None:
        """Press the page's main button."""
        self.follow(self.page.locator("main form[method=post] button[type=submit]:not(.link)").last)

    def press(self, text: str) -> None:
        link, button = (self.page.get_by_role(role, name=text, exact=True) for role in ("link", "button"))
        self.follow(link.or_(button).first)

    def follow(self, element: Locator) -> None:
        with self.page.expect_navigation():
            element.click()
        self.look()


@pytest.fixture(params=["sv", "en"])
def language(request):
    with translation.override(request.param):
        yield request.param


@pytest.fixture
def at_the_desk(chromium, live_server, language):
    """Opens a browser for a colleague; whatever any page does wrong fails the test at its end."""
    opened = []

    def come(**cookies) -> Colleague:
        context = chromium.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
        context.set_default_timeout(10_000)
        cookies = {"django_language": language, **cookies}
        context.add_cookies([{"name": name, "value": value, "url": live_server.url} for name, value in cookies.items()])
        colleague = Colleague(context.new_page(), live_server.url, language=language, scripts=True)
        opened.append((context, colleague))
        return colleague

    yield come
    for context, _colleague in opened:
        context.close()
    wrong = [line for _context, colleague in opened for line in colleague.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def signed_in(at_the_desk, settings):
    def come(desk, who):
        session = sign_in(desk.person(who)).cookies[settings.SESSION_COOKIE_NAME].value
        return at_the_desk(**{settings.SESSION_COOKIE_NAME: session})

    return come


def test_an_invitation_leads_to_the_desk(at_the_desk, capsys):
    call_command("invite_staff", "nina@firma.example", "--role=agent", "--name=Nina Ny")
    password, code = re.search(r"password +(\S+)\n +code +(\S+)", capsys.readouterr().out).groups()
    nina = at_the_desk()
    nina.open("/admin/")
    nina.fill("username", "nina@firma.example")
    nina.fill("password", password)
    nina.fill("otp_token", "000000")
    nina.send()
    assert nina.page.get_by_role("alert").is_visible()
    nina.page.wait_for_timeout(1100)  # a wrong code makes the next one wait a second
    nina.fill("password", password)
    nina.fill("otp_token", code)
    nina.send()
    assert nina.path == "/admin/enrol/", nina.page.locator("main").inner_text()
    assert nina.page.locator("svg.qr").bounding_box()["width"] > 150
    device = Staff.objects.get(email="nina@firma.example").totpdevice_set.get()
    nina.fill("code", code_of(device))
    nina.fill("new_password1", "ett eget långt lösen 9")
    nina.fill("new_password2", "ett eget långt lösen 9")
    nina.send()
    assert nina.path == "/admin/"
    nina.open(reverse("admin:requests_app_rightsrequest_enter"))
    nina.page.locator("input[value=phone]").check()
    nina.send()  # nothing says who it is
    nina.fill("email", CANARY.email)
    nina.send()
    assert "/change/" in nina.path


def test_an_erasure_takes_two_people_and_a_fresh_code(signed_in):
    desk = Desk()
    case = make_case("erasure", findings=(FOUND, FOUND | CONTESTED))
    alice, bea = signed_in(desk, "alice"), signed_in(desk, "bea")
    alice.open("/admin/")
    alice.press(case.reference)
    alice.follow(alice.page.locator("aside").get_by_role("link", name=gettext("Decide on contested rows")))
    alice.choose("anonymize")
    alice.send()
    alice.press(gettext("Propose the erasure"))
    alice.send()
    assert fresh(case).state == State.PROPOSED

    bea.open(reverse("admin:requests_app_rightsrequest_changelist") + "?whose=approval")
    bea.press(case.reference)
    bea.press(gettext("Approve the erasure"))
    bea.fill("plan_code", bea.page.locator(".code-box").inner_text())
    bea.fill("otp_token", "000000")
    bea.send()
    assert fresh(case).state == State.PROPOSED
    desk.devices["bea"].throttle_reset()
    bea.fill("otp_token", desk.code("bea"))
    with bea.page.expect_navigation():
        bea.page.keyboard.press("Enter")
    bea.look()
    assert fresh(case).state == State.APPROVED
    assert bea.page.locator(".messages .success").is_visible()


def test_contested_rows_are_looked_at_and_decided_group_by_group(signed_in, make_postgres_database):
    shop = Shop(make_postgres_database())
    shop.sql("INSERT INTO customer SELECT n, 'c' || n || '@example.se', 'C' FROM generate_series(100, 104) n")
    shop.sql("INSERT INTO document SELECT 1000 + n, 1, n, 'more', NULL, 1 FROM generate_series(100, 104) n")
    case = make_request(make_customer("anna@example.se"), "erasure")
    while locate_due():
        pass
    alice = signed_in(Desk(), "alice")
    alice.open(reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "contested"]))
    groups = alice.page.locator(".group")
    assert not groups.first.is_visible()
    alice.choose("each")
    assert groups.count() == 7
    assert groups.first.is_visible()
    alice.look("desk/contested/each")
    with alice.page.context.expect_page() as opened:
        groups.first.get_by_role("button").click()
    looked = Colleague(opened.value, alice.url, language=alice.language, scripts=True)
    looked.page.wait_for_load_state()
    looked.look("desk/contested/rows")
    assert looked.page.locator("main .card").count() == 1
    alice.wrong += looked.wrong
    for select in groups.get_by_role("combobox").all()[1:]:
        select.select_option("keep")
    alice.send()  # one is not decided
    assert alice.page.locator(".group .errorlist").count() == 1
    groups.get_by_role("combobox").first.select_option("disclose")
    alice.send()
    assert sorted(case.runs.get().choices.values()) == ["disclose", *["keep"] * 6]


def test_the_keyboard_alone_opens_a_case_and_takes_it(signed_in):
    desk = Desk()
    case = make_case()
    alice = signed_in(desk, "alice")
    alice.open(reverse("admin:requests_app_rightsrequest_changelist"))
    keys = alice.page.keyboard

    def tab_to(text):
        for _press in range(60):
            keys.press("Tab")
            if alice.page.evaluate("document.activeElement.innerText || ''").strip().startswith(text):
                return keys.press("Enter")
        raise AssertionError(text)

    tab_to(case.reference)
    alice.page.wait_for_url("**/change/")
    tab_to(gettext("Assign"))
    alice.page.wait_for_url("**/assign/")
    tab_to(gettext("Assign"))
    alice.page.wait_for_url("**/change/")
    assert fresh(case).assignee == desk.person("alice")


def test_a_colleague_is_asked_several_cases_are_assigned_and_a_view_is_saved(signed_in):
    desk = Desk()
    desk.person("arne")
    case, other = make_case("erasure", findings=(FOUND,)), make_case()
    alice, arne = signed_in(desk, "alice"), signed_in(desk, "arne")
    alice.open(reverse("admin:requests_app_rightsrequest_change", args=[case.pk]))
    alice.press(gettext("Write a note"))
    alice.fill("text", "@nobody, vad tror du?")
    alice.send()
    assert alice.page.locator(".errorlist").is_visible()
    alice.fill("text", "@arne, vad tror du?")
    alice.send()
    assert alice.page.locator("#notes").is_visible()
    arne.open(reverse("admin:index"))
    arne.follow(arne.page.locator(".figures a", has_text=gettext("Mention me")))
    arne.press(case.reference)
    arne.look("desk/case/mentioned")
    arne.press(gettext("I have read it"))
    assert arne.page.get_by_text(gettext("mentions you")).count() == 0

    alice.open(reverse("admin:requests_app_rightsrequest_changelist") + "?right=erasure&due=soon")
    alice.page.locator(".save-view summary").click()
    alice.fill("name", "Raderingar snart")
    alice.look("desk queue, saving a view")
    alice.press(gettext("Save"))
    assert alice.page.locator(".views [aria-current]").inner_text() == "Raderingar snart"
    alice.open(reverse("admin:requests_app_rightsrequest_changelist"))
    for box in alice.page.get_by_role("checkbox").all():
        alice.reach(box)
        box.press("Space")
    alice.press(gettext("Assign the chosen requests …"))
    alice.page.locator("select[name=assignee]").select_option(str(desk.person("arne").pk))
    alice.send()
    assert {fresh(case).assignee, fresh(other).assignee} == {desk.person("arne")}


def test_a_filter_opens_without_a_script_and_covers_nothing_else(signed_in):
    make_case()
    alice = signed_in(Desk(), "alice")
    alice.open(reverse("admin:requests_app_rightsrequest_changelist"))
    alice.page.locator(".filter summary").first.click()
    alice.look("desk queue, filter open")
    alice.follow(alice.page.locator(".filter[open] a").last)


def test_every_page_passes_the_long_look(signed_in):
    desk = Desk()
    case = overdue(make_case("erasure", findings=(FOUND, CONTESTED), ground="a"))
    make_request(right="access", level=1)
    answered("access", timezone.localdate() - timedelta(days=9), timezone.localdate())
    PurgeRun.objects.create(
        store=case.runs.first().store, collection="login", rule="P1Y", state="failed", started_at=timezone.now()
    )
    outbox.enqueue(kind="task", key="t", to=None, payload={"text": "Write a letter"}, request=case, now=timezone.now())
    Recipient.objects.create(key="bookkeeper", name="Siffror AB")
    kept = Remnant.objects.create(
        case=case.reference,
        subject="x",
        store=case.runs.first().store,
        map_version=1,
        counts={"invoice": {"kept": 2, "pinned": 0, "shared": 1, "undated": 0, "until": "2034-01-01"}},
        due_on=timezone.localdate(),
        shared=1,
        kept_at=timezone.now(),
    )
    step = "admin:requests_app_rightsrequest_step"
    pages = {
        "alice": [
            reverse("admin:index"),
            reverse("admin:requests_app_rightsrequest_change", args=[case.pk]),
            *(reverse(step, args=[case.pk, name]) for name in ("assign", "extend", "contested")),
            reverse("admin:requests_app_rightsrequest_target", args=[case.pk, "resume", case.runs.first().pk]),
            reverse("admin:password_change"),
        ],
        "bea": [reverse(step, args=[case.pk, "refuse"])],
        "eva": [
            reverse("admin:index"),
            reverse("admin:privacy_store_changelist"),
            reverse("admin:privacy_store_change", args=[case.runs.first().store_id]),
            reverse("admin:privacy_datasetversion_change", args=[case.runs.first().store.versions.get().pk]),
            reverse("admin:privacy_purgerun_changelist"),
            reverse("admin:requests_app_outboxitem_changelist"),
        ],
        "olof": [
            reverse("admin:index"),
            reverse("admin:privacy_auditevent_changelist"),
            reverse("admin:privacy_ledgerentry_changelist"),
            reverse("admin:privacy_remnant_changelist"),
            reverse("admin:privacy_remnant_change", args=[kept.pk]),
        ],
        "ada": [
            reverse("admin:accounts_staff_changelist"),
            reverse("admin:accounts_staff_invite"),
            reverse("admin:accounts_staff_change", args=[desk.person("bea").pk]),
            reverse("admin:accounts_staff_confirm", args=[desk.person("bea").pk, "reset"]),
            reverse("admin:privacy_recipient_changelist"),
            reverse("admin:privacy_recipient_new"),
        ],
    }
    for who, urls in pages.items():
        colleague = signed_in(desk, who)
        for url in urls:
            colleague.open(url)
    olof = signed_in(desk, "olof")
    olof.open(reverse("admin:privacy_auditevent_changelist"))
    olof.press(gettext("Verify now"))
    olof.open(reverse("admin:requests_app_rightsrequest_change", args=[case.pk]))
    olof.follow(olof.page.locator("button.link", has_text=gettext("Show in full")).first)
    olof.page.goto(olof.url + reverse("admin:accounts_staff_invite"))
    olof.look("desk refused")


def test_a_representative_s_letter_is_entered_and_the_role_looked_at(signed_in, desk):
    alice = signed_in(desk, "alice")
    alice.open(reverse("admin:requests_app_rightsrequest_enter"))
    for name, value in {"email": CANARY.email, "name": "Kanarie Fågel", "representative": "advokat@byra.example"}.items():
        alice.fill(name, value)
    alice.page.locator("input[name=source][value=post]").check()
    alice.send()
    alice.look("a letter of nobody knows whom")
    alice.page.locator("select[name=role]").select_option("lawyer")
    alice.send()
    case = RightsRequest.objects.get()
    assert case.representation.role == "lawyer"
    colleague = signed_in(desk, "bea")
    colleague.open(reverse("admin:requests_app_rightsrequest_change", args=[case.pk]))
    colleague.open(reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "accept-role"]))
    assert colleague.page.locator("[name=contact_is_theirs]").is_visible()
