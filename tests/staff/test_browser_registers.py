"""The registers in a real browser: recipients told, a demand for data, a breach; under axe and the strict policy."""

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from requests_app.models import BreachCase, Disclosure, Package, RecipientNotice
from tests.factories import make_customer
from tests.staff.conftest import CANARY, Desk, make_case
from tests.staff.test_browser_walk import at_the_desk, language, signed_in  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(db):
    return Desk()


@pytest.fixture
def case(db):
    case = make_case("access", customer=make_customer(CANARY.email, phone=CANARY.phone))
    Package.objects.create(request=case, state="ready", file_name="f", key="k", created_at=timezone.now())
    return case


def test_recipients_are_told_one_by_one(desk, case, signed_in):  # noqa: F811
    for key in ("bank", "registry"):
        RecipientNotice.objects.create(
            request=case,
            about="erasure",
            recipient=key,
            name=key,
            words="w",
            created_at=timezone.now(),
            due_on=timezone.localdate(),
        )
    alice = signed_in(desk, "alice")
    alice.open(reverse("admin:requests_app_rightsrequest_change", args=[case.pk]))
    alice.press("bank")
    alice.follow(alice.page.locator("main button.link"))
    alice.press("bank")
    alice.press(gettext("I have told the recipient"))
    alice.choose("phone")
    alice.send()
    alice.open(reverse("admin:requests_app_recipientnotice_changelist"))
    alice.press("registry")
    alice.press(gettext("The recipient cannot be told"))
    alice.choose("impossible")
    alice.fill("reason", "Wound up.")
    alice.send()
    assert set(RecipientNotice.objects.values_list("recipient", "state")) == {("bank", "told"), ("registry", "impossible")}


def test_a_demand_for_data_from_entry_to_clearing(desk, case, signed_in):  # noqa: F811
    alice = signed_in(desk, "alice")
    alice.open(reverse("admin:requests_app_disclosure_changelist"))
    alice.press(gettext("Enter a demand for data"))
    alice.choose("authority", "terms")
    for name, text in {"value": CANARY.email, "asker": "Polisen", "asked": "Whose is it?"}.items():
        alice.fill(name, text)
    alice.page.locator("[name=in_inquiry]").check()
    alice.follow(alice.page.locator("main button.primary"))
    entry = Disclosure.objects.get()
    page = reverse("admin:requests_app_disclosure_change", args=[entry.pk])
    bea = signed_in(desk, "bea")
    bea.open(page)
    bea.press(gettext("It may be given"))
    bea.choose("law")
    bea.fill("paragraph", "våra villkor 3 §")
    bea.fill("reason", "They broke the terms.")
    bea.send()
    assert bea.page.get_by_role("alert").is_visible()  # an occasion is no ground
    bea.choose("rb-27-1")
    bea.send()
    alice.open(page)
    alice.press(gettext("Write down what was given"))
    alice.choose("contact")
    alice.fill("given", "The address, by letter.")
    alice.send()
    olof = signed_in(desk, "olof")
    olof.open(reverse("admin:index"))
    olof.open(reverse("admin:requests_app_disclosure_changelist") + "?waits=clearing")
    olof.press(entry.reference)
    olof.press(gettext("Let the person see it"))
    olof.send()
    entry.refresh_from_db()
    assert entry.cleared_by == desk.person("olof")
    assert "Polisen" not in entry.told


def test_a_breach_from_the_case_to_its_end(desk, case, signed_in):  # noqa: F811
    alice = signed_in(desk, "alice")
    alice.open(reverse("admin:requests_app_rightsrequest_change", args=[case.pk]))
    alice.press(gettext("It reached the wrong person"))
    alice.choose("package")
    alice.fill("nature", "To a namesake.")
    alice.send()
    breach = BreachCase.objects.get()
    alice.press(breach.reference)
    alice.press(gettext("Write down what is known"))
    alice.choose("contact")
    for name, text in {"persons": "1", "records": "9", "consequences": "c", "measures": "m", "contact": "dpo@x.example"}.items():
        alice.fill(name, text)
    alice.send()
    page = reverse("admin:requests_app_breachcase_change", args=[breach.pk])
    olof = signed_in(desk, "olof")
    olof.open(reverse("admin:index"))
    olof.open(page)
    olof.press(gettext("Decide whether the authority is notified"))
    olof.choose("notify")
    olof.fill("reasons", "A risk is likely.")
    olof.send()
    olof.press(gettext("Decide whether the person is told"))
    olof.choose("tell")
    olof.fill("reasons", "The risk is high.")
    olof.send()
    alice.open(page)
    alice.press(gettext("The authority is notified"))
    alice.send()
    alice.press(gettext("Tell the person"))
    alice.choose("portal")
    alice.send()
    alice.open(reverse("admin:requests_app_breachcase_changelist"))
    breach.refresh_from_db()
    assert breach.closed_at is not None
    assert case.messages.count() == 1
