"""The long look (audit.py) at what pages show on their way, right and wrong: consents, the policy's versions, messages, papers,
acting for another, electronic identification, what an erasure would do, and receipts.
"""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts import eid
from accounts.models import Customer
from privacy import actions
from requests_app import policy
from requests_app.delivering.receipt_checks import Summary, code_of
from requests_app.files import uploads
from requests_app.models import Message
from requests_app.models.consent import PolicyVersion
from tests.factories import make_customer, make_request, make_store
from tests.files import picture
from tests.portal import test_messages as messages
from tests.portal.test_consents import MAP, brought_for
from tests.portal.test_erasing import FOUND
from tests.portal.test_every_page import closed, language, visit  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _files_of_our_own(settings, tmp_path):
    settings.INSYN_UPLOAD_DIR = tmp_path / "uploads"


def attach(person, name: str, content: bytes) -> None:
    person.page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": content})


def test_consents(visit, anna):  # noqa: F811
    make_store("crm").versions.update(source=MAP)
    person = visit(anna)
    person.open("/consents/")
    person.follow(person.page.locator("main form button.button").first)  # without being old enough
    person.page.locator("main input[name=of_age]").first.check()
    person.follow(person.page.locator("main form button.button").first)
    person.look("consents, one given")
    person.open("/consents/disclosure/")
    person.send_wrong()
    person.fill("recipient", "Byrå AB")
    person.choose("contact")
    person.page.locator("input[name=of_age]").check()
    person.send()
    person.look("consents, one to somebody named")


def test_consents_of_a_child(visit, anna):  # noqa: F811
    make_store("crm").versions.update(source=MAP)
    make_customer("barn@example.se")
    case = brought_for(anna, "barn@example.se")
    person = visit(anna)
    person.open(f"/requests/{case.reference}/")
    person.follow(person.page.locator(f"main a[href$='{case.reference}/consents/']"))
    person.send_wrong()
    person.page.locator("main input[name=of_age]").first.check()
    person.send()
    person.look("consents of a child, one given")


def test_versions_of_the_policy(visit, anna):  # noqa: F811
    now = timezone.now()
    PolicyVersion.objects.all().delete()
    PolicyVersion.objects.create(version="2026-11", in_force_at=now - timedelta(days=400), put_by="system", told_at=now)
    policy.put_in_force(version="2026-12", actor="operator:ola", now=now)
    Customer.objects.filter(pk=anna.pk).update(policy_seen="2026-11", created_at=now - timedelta(days=9))
    person = visit(anna)
    person.open("/requests/")
    person.look("news of the policy")
    for path in ("versions/", "2026-11/", "2026-12/", "2026-12/changes/"):
        person.open(f"/privacy/{path}")


def test_messages_and_their_files(visit, anna):  # noqa: F811
    case = make_request(anna, "access")
    messages.ask(case)
    person = visit(anna)
    person.open(f"/requests/{case.reference}/")
    person.look("a question is asked")
    person.open(f"/requests/{case.reference}/messages/")
    person.send_wrong()
    person.fill("text", "Fakturan från mars är min.")
    attach(person, "faktura.jpg", b"MZ no picture")
    person.send_wrong()
    person.fill("text", "Fakturan från mars är min.")
    attach(person, "faktura.jpg", picture())
    person.send()
    assert Message.objects.count() == 2
    person.look("a question is answered")
    once = visit(anna, level=1)
    once.open(f"/requests/{case.reference}/")
    once.look("messages are hidden")


def test_papers(visit, anna, settings):  # noqa: F811
    case = make_request(anna, "access", level=1)
    person = visit(anna, level=1)
    person.open(f"/requests/{case.reference}/evidence/")
    attach(person, "a.gif", b"GIF89a" + b"\0" * 40)
    person.send_wrong()
    attach(person, "a.jpg", picture())
    person.send()
    assert uploads.kept(case, "evidence").count() == 1
    person.look("a paper is sent")
    settings.INSYN_CLAMD = ""
    person.open("/identity/other/")


def test_acting_for_another(visit, anna):  # noqa: F811
    person = visit(anna)
    person.open("/for-another/")
    for answers in (
        lambda: person.choose("guardian"),
        lambda: (person.fill("name", "Barnet Andersson"), person.fill("known_by", "K-104233")),
        lambda: person.choose("restriction"),
        lambda: person.choose("a"),
        lambda: person.fill("words", "Adressen är fel."),
    ):
        if "words" not in person.path:
            person.send_wrong()
        answers()
        person.send()
    assert person.path == "/for-another/check/"
    person.send()
    person.send_wrong()  # no file chosen
    attach(person, "role.jpg", picture())
    person.send()
    person.look("a role is shown")
    person.open(person.path.replace("role/", ""))
    person.look("a request for another")


@pytest.mark.parametrize("numbers", [True, False], ids=["with a phone", "without"])
def test_electronic_identification(visit, anna, settings, monkeypatch, stores, numbers):  # noqa: F811
    settings.INSYN_EID_ISSUER, settings.INSYN_EID_CLIENT_ID = "https://broker.example", "insyn"
    settings.INSYN_EID_CLAIM, settings.INSYN_EID_NAME = "personnummer", "BankID"
    cache.clear()
    if not numbers:
        stores.contacts = []
    person = visit(anna, level=1)
    person.open("/identity/")
    person.look(f"a choice with e-ID {numbers}")
    if not numbers:
        return
    for failure in (eid.EidCancelled, eid.EidFailed):

        def fail(*_args, failure=failure, **_more):
            raise failure("no")

        monkeypatch.setattr(eid, "begin", fail)
        person.page.goto(person.url + "/identity/eid/")
        person.look(f"e-ID {failure.__name__}")
    stores.down = True
    other = visit(anna, level=1)
    other.open("/identity/")
    other.look("no records to ask")


@pytest.mark.parametrize("level", [1, 2])
def test_what_an_erasure_would_do(visit, anna, monkeypatch, level):  # noqa: F811
    make_store("crm").versions.update(source=MAP)
    monkeypatch.setattr(actions, "outlook", lambda person: FOUND | {"unreachable": ["Fakturering"]})
    person = visit(anna, level=level)
    person.open("/ask/erasure/ground/")
    person.choose("a")
    person.send()
    person.send()
    if level == 1:
        person.open("/identity/other/?next=/ask/erasure/check/")
        person.follow(person.page.locator("main a.button").first)
    assert person.path == "/ask/erasure/check/"
    person.look(f"what an erasure would do {level}")


def test_receipts_are_checked(visit):  # noqa: F811
    person = visit()
    person.open("/receipt/")
    person.send_wrong()
    genuine = code_of(Summary("K7MW-3QXD-9TBF", "2026-11-02", "2026-11-20", 48213, 12, 7, "2034-01-01", 1, "0" * 64))
    for code, name in ((genuine, "genuine"), (genuine[:-5] + "AAAAA", "not genuine")):
        person.fill("code", code)
        person.send()
        assert person.page.locator(".status").count() == 1
        person.look(f"a receipt that is {name}")
