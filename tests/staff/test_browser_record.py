"""The record of processing, the audit log and the package before its approval, in a real browser: axe, the policy, the phone."""

import pytest
from django.urls import reverse
from django.utils.translation import gettext

from requests_app.running.workers import locate_due
from tests.factories import make_customer, make_request
from tests.portal.audit import let_scripts_look
from tests.privacy.shared_rows import Shop
from tests.staff.conftest import Desk, fresh, make_case
from tests.staff.test_browser_walk import at_the_desk, language, signed_in  # noqa: F401 - fixtures
from tests.staff.test_stores import CRM, GAPS, loaded

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_record_of_processing_and_the_log(signed_in):  # noqa: F811
    store, _version = loaded(CRM.read_text(), "crm", name="Customer register", country="SE", health="ok")
    loaded(GAPS, "shop", version=2)
    make_case(stores=1)
    desk = Desk()
    eva = signed_in(desk, "eva")
    eva.open(reverse("admin:privacy_store_change", args=[store.pk]))
    eva.look("desk/store")
    olof = signed_in(desk, "olof")
    olof.open(reverse("admin:privacy_store_record"))
    olof.look("desk/record")
    with olof.page.expect_download() as download:
        olof.page.locator("a[href$='record.csv']").click()
    assert download.value.suggested_filename == "record-of-processing.csv"
    olof.open(reverse("admin:privacy_auditevent_changelist"))
    olof.page.locator("#since").fill("2020-01-01")
    olof.press(gettext("Find"))
    olof.look("desk/log")
    with olof.page.expect_download() as download:
        olof.page.get_by_role("button", name="JSON").click()
    assert download.value.suggested_filename == "audit.jsonl"


def test_the_package_is_seen_and_something_is_left_out(signed_in, make_postgres_database, settings, tmp_path):  # noqa: F811
    settings.INSYN_PACKAGE_DIR = tmp_path
    Shop(make_postgres_database())
    case = make_request(make_customer("anna@example.se"), "access")
    while locate_due():
        pass
    bea = signed_in(Desk(), "bea")
    let_scripts_look(bea.page.context)  # that the page is sandboxed is asserted in test_preview.py
    bea.open(reverse("admin:requests_app_rightsrequest_change", args=[case.pk]))
    bea.press(gettext("See the package as the person will get it"))
    bea.look("desk/preview")
    card = bea.page.locator("section.card", has=bea.page.locator("input[name=collection][value=document]"))
    card.locator("details summary").click()
    card.locator("input[name=column][value=title]").check()
    card.locator("input[name=ground][value=others]").check()
    bea.look("desk/preview, leaving out")
    bea.follow(card.get_by_role("button", name=gettext("Leave out"), exact=True))
    assert fresh(case).runs.get().choices == {"-document.title": "others"}
    bea.look("desk/preview, left out")
    bea.page.locator("input[name=key]").check()
    bea.press(gettext("Give these after all"))
    assert fresh(case).runs.get().choices == {}
