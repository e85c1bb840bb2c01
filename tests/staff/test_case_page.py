"""The page of a case: what is needed to decide; identities masked until somebody asks, which is logged."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from privacy import audit
from privacy.models import AuditEvent
from requests_app import cases
from requests_app.models import Package, ResidueScan, RightsRequest, RunState, StoreRun
from tests.factories import NOW
from tests.staff.conftest import CANARY, CONTESTED, FOUND, fresh, make_case

pytestmark = pytest.mark.django_db


def url_of(case):
    return reverse("admin:requests_app_rightsrequest_change", args=[case.pk])


def page_of(desk, who, case):
    answer = desk.browser(who).get(url_of(case))
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_says_what_was_asked_why_and_by_when(desk, canary):
    case = make_case("erasure", customer=canary, ground="d", findings=(FOUND, CONTESTED))
    page = page_of(desk, "alice", case)
    for words in (
        case.reference,
        "Erasure",
        "processed unlawfully (17(1)(d))",
        CANARY.words,
        "An extension must be told by",
        "level 2 (needed: 2)",
    ):
        assert words in page


@pytest.mark.parametrize("who", ["alice", "bea", "olof"])
def test_identities_are_masked(desk, canary, who):
    page = page_of(desk, who, make_case(customer=canary))
    assert "k•••@h•••" in page
    assert CANARY.email not in page
    assert "1740635" not in page


def test_an_identity_in_full_takes_a_post_and_is_logged_before_it_is_shown(desk, canary):
    case = make_case(customer=canary)
    identity = canary.identities.get(kind="email")
    url = reverse("admin:requests_app_rightsrequest_identity", args=[case.pk, identity.pk])
    assert desk.browser("olof").get(url).status_code == 405
    assert CANARY.email in desk.browser("olof").post(url).content.decode()
    event = AuditEvent.objects.get(chain=case.reference, action="identity.revealed")
    assert event.actor == f"staff:{desk.person('olof').pk}"
    assert CANARY.email not in str(event.payload)
    assert "Looked at an identity in full" in page_of(desk, "alice", case)


def test_only_this_persons_identities_are_shown(desk, canary):
    case, other = make_case(customer=canary), make_case()
    url = reverse("admin:requests_app_rightsrequest_identity", args=[other.pk, canary.identities.first().pk])
    assert desk.browser("alice").post(url).status_code == 404
    assert not AuditEvent.objects.filter(chain__in=[case.reference, other.reference], action="identity.revealed").exists()


def test_what_was_found_is_shown_per_store_and_category(desk):
    page = page_of(desk, "alice", make_case("access", findings=(FOUND, CONTESTED)))
    for words in ("customer", "contact (2), identification (1)", "2 contested", "1 row of somebody else, left alone"):
        assert words in page
    assert "delete 2 rows" not in page


def test_an_erasure_shows_what_is_planned_for_each_collection(desk):
    page = page_of(desk, "alice", make_case("erasure"))
    for words in (
        "delete 2 rows",
        "anonymize 1 row",
        "keep 2 rows until 1 January 2034: bokföringslagen 7 kap. 2 §",
        "Planned for 6 rows",
    ):
        assert words in page


def test_what_was_done_is_shown_with_what_was_left_behind(desk):
    case = make_case("erasure")
    report = {
        "collections": {
            "customer": {"rows": 1, "deleted": 1},
            "invoice": {"anonymized": 1, "kept": [{"rows": 2, "basis": "BFL", "until": None}]},
        },
    }
    run = case.runs.first()
    scan = ResidueScan.objects.create(
        store=run.store,
        tables=["customer", "ticket"],
        columns=7,
        unread=[["secret", "a right is lacking"]],
        due_at=NOW,
        finished_at=NOW,
    )
    residue = [{"column": "ticket.body", "rows": 2, "mapped": False}]
    StoreRun.objects.filter(pk=run.pk).update(state=RunState.DONE, report=report, scan=scan, residue=residue)
    page = page_of(desk, "olof", case)
    for words in (
        "1 row deleted",
        "keep 2 rows until a date that is not known yet: BFL",
        "2 rows in ticket.body still name the person",
        "columns read: 7, tables: 2",
        "secret could not be read: a right is lacking",
    ):
        assert words in page


def test_a_look_for_what_is_left_that_is_outstanding_is_named(desk):
    case = make_case("erasure")
    run = case.runs.first()
    scan = ResidueScan.objects.create(store=run.store, due_at=NOW, error="crm cannot be reached")
    StoreRun.objects.filter(pk=run.pk).update(state=RunState.DONE, report={"collections": {}}, scan=scan)
    page = page_of(desk, "olof", case)
    assert "The look for what is left in this store is outstanding." in page
    assert "crm cannot be reached" in page


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("rectification", "2 rows corrected"),
        ("restriction", "2 rows restricted"),
        ("lift", "2 rows free again"),
        ("objection", "marketing stopped for 2 rows"),
    ],
)
def test_what_was_done_is_called_as_what_it_is(desk, right, words):
    case = make_case("rectification" if right == "rectification" else "restriction")
    report = {"collections": {"customer": {"rows": 2, "changed": 2, "contested": 0}}}
    StoreRun.objects.filter(pk=case.runs.first().pk).update(right=right, state=RunState.DONE, report=report)
    page = page_of(desk, "olof", case)
    assert words in page
    assert right == "rectification" or "corrected" not in page


def test_the_trail_counts_in_words_and_leaves_zeros_out(desk):
    case = make_case()
    stores = {"crm": {"status": "found", "rows": 3}, "billing": {"status": "nothing", "rows": 0}}
    audit.record(chain=case.reference, actor="system", action="data.located", payload={"stores": stores}, now=timezone.now())
    counts = {"customer": {"rows": 3, "deleted": 3, "anonymized": 0}, "invoice": {"rows": 0, "deleted": 0}}
    done = {"store": "crm", "attempt": 1, "collections": counts}
    audit.record(chain=case.reference, actor="system", action="run.done", payload=done, now=timezone.now())
    page = page_of(desk, "olof", case)
    for words in ("crm: 3 rows found", "billing: nothing found", "customer: 3 rows found, 3 rows deleted", "invoice: nothing"):
        assert words in page
    assert "&quot;rows&quot;" not in page
    assert "0 rows" not in page


def test_a_stopped_store_says_why_and_offers_to_go_on(desk):
    case = make_case()
    run = case.runs.first()
    StoreRun.objects.filter(pk=run.pk).update(state=RunState.BLOCKED, error="The schema of invoice changed.")
    page = page_of(desk, "alice", case)
    assert "The schema of invoice changed." in page
    assert reverse("admin:requests_app_rightsrequest_target", args=[case.pk, "resume", run.pk]) in page
    assert "resume" not in page_of(desk, "olof", case)


def test_the_trail_names_colleagues_and_says_what_they_did(desk):
    case = make_case()
    cases.assign_request(request=case, assignee=desk.person("alice"), acting_user=desk.person("alice"), now=timezone.now())
    cases.approve_request(request=case, acting_user=desk.person("bea"), reason="", now=timezone.now())
    page = page_of(desk, "olof", case)
    for words in ("The request came in", "the customer", "Assigned the case", "Alice", "Approved", "Bea"):
        assert words in page


def test_letters_are_shown_word_for_word(desk):
    case = make_case()
    cases.extend_deadline(request=case, acting_user=desk.person("alice"), reason="Nine systems and a strike.", now=timezone.now())
    cases.refuse_request(request=fresh(case), acting_user=desk.person("bea"), reason="Somebody else's data.", now=timezone.now())
    page = page_of(desk, "olof", case)
    assert "Nine systems and a strike." in page
    assert "Somebody else&#x27;s data." in page


def test_words_cannot_become_markup(desk):
    case = make_case(reason="<script>alert(1)</script>")
    assert "<script" not in page_of(desk, "alice", case)


def test_corrections_show_the_new_value_and_mask_the_old(desk):
    details = {"corrections": [{"field": "store0.customer.street", "kind": "text", "old": CANARY.street, "new": "Lillgatan 2"}]}
    page = page_of(desk, "alice", make_case("rectification", details=details))
    assert "Lillgatan 2" in page
    assert CANARY.street not in page


def test_other_requests_of_the_person_are_linked(desk, canary):
    case, other = make_case(customer=canary), make_case("erasure", customer=canary)
    assert url_of(other) in page_of(desk, "alice", case)


def test_a_package_is_described_and_not_handed_out(desk):
    case = make_case()
    now = timezone.now()
    Package.objects.create(
        request=case, state="ready", file_name="random", size=2048, created_at=now, ready_at=now, expires_at=now
    )
    page = page_of(desk, "bea", case)
    assert "2.0" in page
    assert "random" not in page
    assert "download" not in page.lower().replace("downloads", "")


def test_a_case_that_is_not_there_is_not_found(desk):
    url = reverse("admin:requests_app_rightsrequest_change", args=[999999])
    assert desk.browser("alice").get(url).status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_nothing_is_changed_through_the_page_itself(desk, method):
    case = make_case()
    answer = getattr(desk.browser("bea"), method)(url_of(case), {"state": "completed"})
    assert answer.status_code == 405
    assert fresh(case).state == "triage"


def test_the_page_costs_the_same_for_any_number_of_stores_and_events(desk):
    browser = desk.browser("bea")
    small, large = make_case("erasure", stores=2), make_case("erasure", stores=9, findings=[FOUND] * 9)
    for _turn in range(5):
        cases.assign_request(request=large, assignee=desk.person("bo"), acting_user=desk.person("bo"), now=timezone.now())
    small.assignee = desk.person("bo")
    RightsRequest.objects.filter(pk=small.pk).update(assignee=desk.person("bo"))
    cases.assign_request(request=fresh(small), assignee=desk.person("bo"), acting_user=desk.person("bo"), now=timezone.now())
    counts = []
    for case in (small, large):
        browser.get(url_of(case))
        with CaptureQueriesContext(connection) as queries:
            browser.get(url_of(case))
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] < 30


def test_the_stores_addresses_and_the_plans_are_never_read(desk):
    case = make_case("erasure")
    browser = desk.browser("bea")
    browser.get(url_of(case))
    with CaptureQueriesContext(connection) as queries:
        browser.get(url_of(case))
    sql = " ".join(query["sql"] for query in queries)
    assert '"privacy_store"."url"' not in sql
    assert '"requests_app_storerun"."plan"' not in sql
