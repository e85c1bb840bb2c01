"""Papers and acting for another, in a real browser: what a person would do, with and without scripts, in both languages."""

import pytest
from django.utils.translation import gettext

from requests_app.models import RightsRequest, Upload
from tests.files import pdf, picture
from tests.portal.test_browser_walk import person, sign_in, way  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.INSYN_UPLOAD_DIR = tmp_path / "uploads"
    settings.INSYN_EID_ISSUER, settings.INSYN_EID_CLIENT_ID = "https://broker.example", "insyn"
    settings.INSYN_EID_CLAIM, settings.INSYN_EID_NAME = "personnummer", "BankID"


def choose_file(walker, tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    walker.page.set_input_files("input[type=file]", str(path))


def test_a_paper_is_sent_for_a_request_that_waits(person, stores, tmp_path):  # noqa: F811
    stores.contacts = []
    person.press(gettext("Ask for my data as files"))
    sign_in(person)
    person.choose("all")
    person.send()
    person.look("other ways with e-ID")
    person.press(gettext("Continue without a code"))
    person.send()
    case = RightsRequest.objects.get()
    person.open(f"/identity/other/?next=/requests/{case.reference}/")
    person.page.locator(f"a[href='/requests/{case.reference}/evidence/']").click()
    person.look()
    choose_file(person, tmp_path, "a.gif", b"GIF89a" + b"\0" * 40)
    person.page.get_by_role("button", name=gettext("Send the file")).click()
    person.look()
    for name, content in (("a.jpg", picture()), ("b.pdf", pdf(2))):
        choose_file(person, tmp_path, name, content)
        person.page.get_by_role("button", name=gettext("Send the file")).click()
        person.page.wait_for_load_state()
    person.look("papers sent")
    assert sorted(Upload.objects.filter(deleted_at=None).values_list("kind", flat=True)) == ["jpeg", "pdf"]
    person.press(gettext("I am done"))
    assert person.path == f"/requests/{case.reference}/"


def test_somebody_asks_for_another(person, stores, tmp_path):  # noqa: F811
    person.open("/contact/")
    person.press(gettext("Ask for somebody else"))
    sign_in(person)
    person.send()  # nothing chosen
    person.choose("trustee")
    person.send()
    person.fill("name", "Karin Ek")
    person.fill("known_by", "K-104233")
    person.send()
    person.choose("access")
    person.send()
    person.send()
    assert person.path == "/for-another/check/"
    person.send()
    case = RightsRequest.objects.get()
    assert person.path == f"/requests/{case.reference}/role/"
    choose_file(person, tmp_path, "role.jpg", picture())
    person.page.get_by_role("button", name=gettext("Send the file")).click()
    person.look("role sent")
    person.press(gettext("I am done"))
    person.look("request for another")
