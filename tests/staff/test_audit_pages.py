"""The audit log at the desk: filtered by case, kind, person and day, and taken away as a file, which is itself written down."""

import json
from datetime import UTC, datetime

import pytest
from django.urls import reverse

from privacy import audit
from privacy.models import AuditEvent
from tests.staff.conftest import make_case

pytestmark = pytest.mark.django_db
PAGE = reverse("admin:privacy_auditevent_changelist")
EXPORT = reverse("admin:privacy_auditevent_export")


@pytest.fixture
def events(db):
    def write(chain, action, actor, day):
        now = datetime(2026, 3, day, 12, tzinfo=UTC)
        return audit.record(chain=chain, actor=actor, action=action, payload={}, now=now)

    return [
        write("AAAA-2222-BBBB", "request.submitted", "customer", 1),
        write("AAAA-2222-BBBB", "package.built", "system", 2),
        write("CCCC-3333-DDDD", "request.approve", "staff:77", 3),
        write("system", "retention.purged", "operator:nina", 4),
    ]


def rows(desk, **asked):
    answer = desk.browser("olof").get(PAGE, asked)
    assert answer.status_code == 200
    return {(event.chain, event.seq) for event in answer.context["cl"].result_list}


def test_each_filter_and_all_of_them_together(desk, events):
    first, built, approved, purged = ((event.chain, event.seq) for event in events)
    assert rows(desk, chain="aaaa-2222-bbbb") == {first, built}
    assert rows(desk, what="request.") == {first, approved}
    assert rows(desk, who="staff:") == {approved}
    assert rows(desk, who="operator:") == {purged}
    assert rows(desk, since="2026-03-02", until="2026-03-03") == {built, approved}
    assert rows(desk, what="request.", since="2026-03-02") == {approved}


def test_a_day_that_is_none_filters_nothing(desk, events):
    assert len(rows(desk, since="2026-13-41")) == 4


def export(desk, who="olof", **asked):
    answer = desk.browser(who).post(EXPORT, asked)
    assert answer.status_code == 200
    return answer


def test_the_file_holds_what_the_page_shows(desk, events):
    answer = export(desk, form="jsonl", what="request.", since="2026-03-02")
    assert answer["Content-Disposition"] == 'attachment; filename="audit.jsonl"'
    (line,) = b"".join(answer.streaming_content).splitlines()
    assert json.loads(line)["hash"] == events[2].hash
    told = AuditEvent.objects.filter(action="audit.exported").get()
    assert told.payload == {"form": "jsonl", "what": "request.", "since": "2026-03-02"}
    assert told.actor == f"staff:{desk.person('olof').pk}"


def test_the_table_is_a_download_too(desk, events):
    head, *rest = b"".join(export(desk, form="csv").streaming_content).splitlines()
    assert head.startswith(b"chain,seq,at")
    assert len(rest) == 5  # with the event that tells of this export


def test_no_other_form_is_given_and_nothing_is_written_down(desk, events):
    assert desk.browser("olof").post(EXPORT, {"form": "exe"}).status_code == 302
    assert desk.browser("olof").get(EXPORT).status_code == 405
    assert not AuditEvent.objects.filter(action="audit.exported").exists()


def test_the_log_of_a_case_verifies_after_it_was_taken_away(desk):
    case = make_case()
    list(export(desk, form="jsonl", chain=case.reference).streaming_content)
    assert audit.verify([case.reference, audit.SYSTEM]) == []


def test_who_only_handles_cases_takes_nothing_away(desk, events):
    assert desk.browser("bea").post(EXPORT, {"form": "csv"}).status_code == 403
