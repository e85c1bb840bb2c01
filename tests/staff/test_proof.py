"""The audit log in the admin: read, filtered, verified; nothing of it can be changed from here."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from privacy import audit
from privacy.models import AuditEvent, Restriction
from requests_app import cases
from tests.staff.conftest import CANARY_TRACES, make_case

pytestmark = pytest.mark.django_db
LOG = reverse("admin:privacy_auditevent_changelist")
VERIFY = reverse("admin:privacy_auditevent_verify")


@pytest.fixture(autouse=True)
def checkpoints(settings, tmp_path):
    settings.INSYN_CHECKPOINT_DIR = tmp_path


def test_the_log_says_what_happened_in_words(desk):
    case = make_case()
    cases.approve_request(request=case, acting_user=desk.person("bea"), reason="", now=timezone.now())
    page = desk.browser("olof").get(LOG).content.decode()
    for words in ("The request came in", "the customer", "Approved", "Bea", case.reference):
        assert words in page


def test_it_is_filtered_by_chain(desk):
    case = make_case()
    make_case()
    events = desk.browser("olof").get(f"{LOG}?chain={case.reference}").context["cl"].result_list
    assert {event.chain for event in events} == {case.reference}


def test_the_reference_may_be_typed_in_small_letters(desk):
    case = make_case()
    assert desk.browser("olof").get(f"{LOG}?chain=+{case.reference.lower()}").context["cl"].result_count == 2


def test_no_event_names_a_person(desk, canary):
    make_case("erasure", customer=canary)
    answer = desk.browser("ada").get(LOG)
    pages = [answer.content.decode()]
    urls = [reverse("admin:privacy_auditevent_change", args=[event.pk]) for event in answer.context["cl"].result_list]
    pages += [desk.browser("ada").get(url).content.decode() for url in urls]
    assert not [trace for page in pages for trace in CANARY_TRACES if trace in page.lower()]


def test_verifying_says_that_all_is_well(desk):
    make_case()
    page = desk.browser("olof").post(VERIFY).content.decode()
    assert "verified" in page
    assert "in order, and none is missing" in page


def test_verifying_one_chain_reads_that_chain(desk):
    case = make_case()
    make_case()
    answer = desk.browser("olof").post(VERIFY, {"chain": case.reference})
    assert answer.context["events"] == AuditEvent.objects.filter(chain=case.reference).count()


def test_a_changed_event_is_found(desk):
    case = make_case()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE privacy_auditevent DISABLE TRIGGER audit_append_only")
        cursor.execute("UPDATE privacy_auditevent SET actor = 'system' WHERE chain = %s AND seq = 1", [case.reference])
        cursor.execute("ALTER TABLE privacy_auditevent ENABLE ALWAYS TRIGGER audit_append_only")
    page = desk.browser("olof").post(VERIFY).content.decode()
    assert "1 problem was found" in page
    assert "was changed after it was written" in page


def test_verifying_takes_a_post(desk):
    assert desk.browser("olof").get(VERIFY).status_code == 405


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_an_event_is_only_read(desk, method):
    make_case()
    event = AuditEvent.objects.first()
    url = reverse("admin:privacy_auditevent_change", args=[event.pk])
    assert getattr(desk.browser("olof"), method)(url, {"actor": "system"}).status_code == 405
    assert desk.browser("olof").get(f"{LOG}add/").status_code == 404
    assert desk.browser("olof").get(f"{LOG}{event.pk}/delete/").status_code == 404


def test_posting_to_the_list_does_nothing(desk):
    make_case()
    before = AuditEvent.objects.count()
    desk.browser("olof").post(LOG, {"action": "delete_selected", "_selected_action": [AuditEvent.objects.first().pk]})
    assert AuditEvent.objects.count() == before


def test_the_log_costs_the_same_however_many_took_part(desk):
    browser = desk.browser("olof")

    def queries():
        browser.get(LOG)
        with CaptureQueriesContext(connection) as found:
            browser.get(LOG)
        return len(found)

    case = make_case()
    cases.assign_request(request=case, assignee=None, acting_user=desk.person("alice"), now=timezone.now())
    few = queries()
    for who in ("arne", "bea", "bo"):
        cases.assign_request(request=case, assignee=None, acting_user=desk.person(who), now=timezone.now())
    assert queries() == few


def test_restrictions_in_force_can_be_told_from_lifted_ones(desk):
    case = make_case("restriction", ground="a")
    for number, run in enumerate(case.runs.all()):
        lifted = timezone.now() if number else None
        Restriction.objects.create(
            subject="x", store=run.store, case=case.reference, ground="a", set_at=timezone.now(), lifted_at=lifted
        )
    url = reverse("admin:privacy_restriction_changelist")
    assert desk.browser("olof").get(f"{url}?lifted_at__isempty=1").context["cl"].result_count == 1


def test_what_the_desk_wrote_verifies(desk):
    case = make_case()
    cases.refuse_request(request=case, acting_user=desk.person("bea"), reason="No.", now=timezone.now())
    assert audit.verify() == []
