"""Stores and maps as staff see them: health, coverage, what is undecided, what was loaded; never an address, never a person."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from privacy.models import AuditEvent, DatasetVersion, PurgeRun, Recipient, Store
from requests_app.desk.coverage import coverage_of
from requests_app.running import outbox
from tests.factories import make_store
from tests.staff.conftest import CANARY, CANARY_TRACES, make_case

pytestmark = pytest.mark.django_db
STORES = reverse("admin:privacy_store_changelist")
CRM = Path(__file__).resolve().parents[2] / "demo" / "datasets" / "crm.yml"
GAPS = """
dataset:
- fides_key: shop
  name: Shop
  collections:
  - name: buyer
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
  - name: product
    fields:
    - {name: id, fides_meta: {primary_key: true}}
"""


def loaded(source, key, *, name="The shop", country="", health="unknown", **columns):
    about = {"name": name, "country": country, "health": health}
    store = Store.objects.create(key=key, url="postgresql://somebody:topsecret@db/shop", **about)
    columns = {"version": 1, "digest": "ab" * 32, "loaded_by": "operator:nina", **columns}
    version = DatasetVersion.objects.create(store=store, fides_key=key, source=source, loaded_at=timezone.now(), **columns)
    return store, version


def page_of(desk, who, url):
    answer = desk.browser(who).get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def store_page(desk, who, store):
    return page_of(desk, who, reverse("admin:privacy_store_change", args=[store.pk]))


def test_the_demos_map_is_covered_in_full(desk):
    store, version = loaded(CRM.read_text(), "crm")
    coverage = coverage_of(version)
    assert not coverage.error
    assert not coverage.undecided
    assert "What the data map covers" in store_page(desk, "eva", store)


def test_an_undecided_collection_is_named_with_what_it_stops(desk):
    store, _version = loaded(GAPS, "shop")
    page = store_page(desk, "eva", store)
    assert "One collection with personal data is undecided, which stops every erasure in this store: buyer." in page
    assert "1 of 2" in page
    assert "product" not in page


def test_an_address_with_its_password_is_shown_to_nobody(desk):
    store, _version = loaded(GAPS, "shop")
    for who in desk.PEOPLE:
        assert "topsecret" not in store_page(desk, who, store) + page_of(desk, who, STORES)


def test_a_map_that_cannot_be_read_any_more_says_so(desk):
    store, _version = loaded("dataset: 7", "shop")
    assert "load it again" in store_page(desk, "eva", store)


def test_a_store_without_a_map_says_what_that_means(desk):
    store = Store.objects.create(key="empty", url="env:X")
    assert "no request reaches this store" in store_page(desk, "eva", store)
    assert "empty" in page_of(desk, "eva", f"{STORES}?map=none")


def test_the_engineer_confirms_what_was_assumed_once(desk):
    store, version = loaded(GAPS, "shop", assumed="delete")
    url = reverse("admin:privacy_datasetversion_confirm", args=[version.pk])
    assert "One collection with personal data is undecided" not in store_page(desk, "eva", store)
    assert "1 collection says nothing about erasure: buyer." in page_of(desk, "eva", url)
    for _press in range(2):
        desk.browser("eva").post(url)
    version.refresh_from_db()
    assert version.assumed_confirmed_by == f"staff:{desk.person('eva').pk}"
    assert AuditEvent.objects.filter(action="datamap.assumption_confirmed").count() == 1
    assert desk.browser("eva").get(url).status_code == 302


def test_a_version_shows_its_source_and_its_warnings(desk):
    _store, version = loaded(GAPS, "shop", warnings=["buyer: the key `referenses` is unknown"])
    page = page_of(desk, "olof", reverse("admin:privacy_datasetversion_change", args=[version.pk]))
    assert "fides_key: shop" in page
    assert "referenses" in page
    assert "abababab" in page


def test_the_engineer_meets_no_person_anywhere(desk, canary):
    case = make_case("erasure", customer=canary)
    outbox.enqueue(kind="email", key="k", to=CANARY.email, payload={"text": CANARY.words}, now=timezone.now(), request=case)
    names = ["privacy_store", "privacy_datasetversion", "privacy_recipient", "privacy_purgerun", "requests_app_outboxitem"]
    for name in names:
        answer = desk.browser("eva").get(reverse(f"admin:{name}_changelist"))
        pages = [answer.content.decode()]
        pages += [
            page_of(desk, "eva", reverse(f"admin:{name}_change", args=[row.pk])) for row in answer.context["cl"].result_list
        ]
        for page in pages:
            assert not [trace for trace in CANARY_TRACES if trace in page.lower()], name


def test_a_delivery_shows_that_it_failed_and_nothing_of_what_it_is(desk):
    outbox.enqueue(kind="email", key="k", to=CANARY.email, payload={"text": CANARY.words}, now=timezone.now())
    from requests_app.models import OutboxItem

    OutboxItem.objects.update(attempts=2, error="the mail server cannot be reached (gaierror)")
    page = page_of(desk, "eva", reverse("admin:requests_app_outboxitem_changelist") + "?delivery=failing")
    assert "gaierror" in page
    assert "tried, not delivered" in page


def test_only_the_newest_purge_of_a_collection_counts_as_stopped(desk):
    store = make_store()
    now = timezone.now()
    for collection, states in (("login", ["failed", "done"]), ("change", ["done", "stopped"])):
        for turn, state in enumerate(states):
            started = now + timedelta(minutes=turn)
            PurgeRun.objects.create(store=store, collection=collection, rule="P1Y", state=state, started_at=started)
    answer = desk.browser("eva").get(reverse("admin:privacy_purgerun_changelist") + "?last=stopped")
    assert [row.collection for row in answer.context["cl"].result_list] == ["change"]


@pytest.mark.parametrize("name", ["privacy_store", "privacy_datasetversion", "privacy_purgerun", "requests_app_outboxitem"])
def test_a_list_costs_the_same_for_one_row_and_for_many(desk, name):
    url = reverse(f"admin:{name}_changelist")
    browser = desk.browser("eva")

    def one_more(number):
        store = make_store()
        PurgeRun.objects.create(store=store, collection="login", rule="P1Y", state="done", started_at=timezone.now())
        outbox.enqueue(kind="email", key=f"k{number}", to="x@y.example", payload={}, now=timezone.now())

    def queries():
        browser.get(url)
        with CaptureQueriesContext(connection) as found:
            browser.get(url)
        return len(found)

    one_more(0)
    few = queries()
    for number in range(1, 9):
        one_more(number)
    assert queries() == few


# --- recipients -------------------------------------------------------------------------------------------------------


def test_the_administrator_adds_and_changes_a_recipient(desk):
    new = reverse("admin:privacy_recipient_new")
    data = {
        "key": "bookkeeper",
        "name": "Siffror AB",
        "role": "processor",
        "country": "se",
        "agreement": "",
        "safeguard": "",
        "contact": "",
    }
    desk.browser("ada").post(new, data)
    recipient = Recipient.objects.get()
    assert recipient.country == "SE"
    url = reverse("admin:privacy_recipient_edit", args=[recipient.pk])
    desk.browser("ada").post(url, data | {"key": "another", "name": "Siffror och Tal AB", "country": "SE"})
    recipient.refresh_from_db()
    assert (recipient.key, recipient.name) == ("bookkeeper", "Siffror och Tal AB")
    events = AuditEvent.objects.filter(action__startswith="recipient.")
    assert [event.action for event in events] == ["recipient.added", "recipient.changed"]
    assert events[1].payload["fields"] == ["name"]


def test_a_country_is_two_letters_and_a_key_is_taken_once(desk):
    Recipient.objects.create(key="bookkeeper", name="Siffror AB")
    new = reverse("admin:privacy_recipient_new")
    answer = desk.browser("ada").post(new, {"key": "bookkeeper", "name": "N", "role": "processor", "country": "Sverige"})
    assert {"key", "country"} <= set(answer.context["form"].errors)
    assert "Unknown" not in answer.content.decode()
