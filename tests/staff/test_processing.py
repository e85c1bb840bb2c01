"""The record of processing at the desk: the page, the table, the linked data, and that no person stands in any of them."""

import csv
import io
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.factories import make_store
from tests.staff.conftest import CANARY_TRACES, make_case
from tests.staff.test_stores import CRM, GAPS, loaded

pytestmark = pytest.mark.django_db
PAGE = reverse("admin:privacy_store_record")


def file(form):
    return reverse("admin:privacy_store_recordfile", args=[form])


def test_the_page_says_what_is_done_with_the_data_and_what_is_missing(desk):
    loaded(CRM.read_text(), "crm")
    loaded(GAPS, "shop", version=2)
    page = desk.browser("olof").get(PAGE).content.decode()
    assert "Customer service and contracts" in page
    assert "GDPR art. 6(1)(b)" in page
    assert "Employees" in page
    assert "shop holds personal fields without a purpose and a legal basis: buyer." in page
    assert "Purpose not recorded" in page


def test_the_files_hold_the_same_and_are_downloads(desk):
    loaded(CRM.read_text(), "crm")
    table = desk.browser("olof").get(file("csv"))
    assert table["Content-Disposition"] == 'attachment; filename="record-of-processing.csv"'
    assert "Customer service and contracts" in {row[1] for row in csv.reader(io.StringIO(table.content.decode()))}
    linked = desk.browser("olof").get(file("jsonld"))
    assert linked["Content-Type"] == "application/ld+json"
    assert any(node["@id"].endswith("controller:customer_care:6-1-b") for node in json.loads(linked.content)["@graph"])


def test_no_other_form_is_on_offer(desk):
    assert desk.browser("olof").get(file("exe")).status_code == 404


def test_nobody_changes_it(desk):
    assert desk.browser("olof").post(PAGE).status_code == 405
    assert desk.browser("olof").post(file("csv")).status_code == 405


def test_no_person_stands_in_it(desk, canary):
    make_case(customer=canary)
    for address in (PAGE, file("csv"), file("jsonld")):
        text = desk.browser("eva").get(address).content.decode().lower()
        assert not [trace for trace in CANARY_TRACES if trace in text]


def test_its_queries_do_not_grow_with_the_stores(desk):
    browser = desk.browser("olof")
    counts = []
    for number in (1, 20):
        for extra in range(number):
            make_store(f"many{number}x{extra}")
        browser.get(PAGE)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            browser.get(PAGE)
        counts.append(len(captured))
    assert counts[0] == counts[1]
