"""Proof of identity that came as a file, at the desk: found in the queue, opened with a trace, gone with the decision."""

import pytest
from django.urls import reverse
from django.utils import timezone

from privacy.models import AuditEvent
from requests_app.files import uploads
from requests_app.models import State
from tests.factories import make_request
from tests.files import picture, sent
from tests.staff.conftest import fresh, make_case

pytestmark = pytest.mark.django_db
QUEUE = reverse("admin:requests_app_rightsrequest_changelist")


@pytest.fixture
def case(canary, settings, tmp_path):
    settings.INSYN_UPLOAD_DIR = tmp_path / "uploads"
    return make_case("access", customer=canary, level=1)


@pytest.fixture
def upload(case):
    return uploads.receive(request=case, purpose="evidence", file=sent(picture()), now=timezone.now())


def url(page, *args):
    return reverse(f"admin:requests_app_rightsrequest_{page}", args=args)


def test_a_case_whose_proof_came_needs_somebody(desk, case):
    agent = desk.browser("alice")
    assert case.reference not in agent.get(f"{QUEUE}?whose=needs-me").content.decode()
    uploads.receive(request=case, purpose="evidence", file=sent(picture()), now=timezone.now())
    page = agent.get(f"{QUEUE}?whose=needs-me").content.decode()
    assert case.reference in page
    assert "proof came" in page


def test_it_is_downloaded_from_the_case_and_the_look_is_in_its_trail(desk, case, upload):
    agent = desk.browser("alice")
    page = agent.get(url("change", case.pk)).content.decode()
    assert url("paper", case.pk, upload.pk) in page
    assert agent.get(url("paper", case.pk, upload.pk)).status_code == 405
    answer = agent.post(url("paper", case.pk, upload.pk))
    assert b"".join(answer.streaming_content).startswith(b"\xff\xd8\xff")
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    event = AuditEvent.objects.get(action="upload.opened")
    assert event.actor == f"staff:{desk.person('alice').pk}"
    assert "Opened a file" in agent.get(url("change", case.pk)).content.decode()


def test_the_officer_sees_that_it_is_there_and_does_not_open_it(desk, case, upload):
    officer = desk.browser("olof")
    assert url("paper", case.pk, upload.pk) not in officer.get(url("change", case.pk)).content.decode()
    assert officer.post(url("paper", case.pk, upload.pk)).status_code == 403
    assert not AuditEvent.objects.filter(action="upload.opened").exists()


def test_a_file_of_another_case_is_not_found_and_a_deleted_one_is_told(desk, case, upload):
    agent, other = desk.browser("alice"), make_request(right="erasure", level=1)
    assert agent.post(url("paper", other.pk, upload.pk)).status_code == 404
    uploads.delete(uploads=[upload], reason="expired", now=timezone.now())
    assert "This file is deleted" in agent.post(url("paper", case.pk, upload.pk), follow=True).content.decode()


def test_the_two_decisions_say_that_the_files_go(desk, case, upload):
    agent = desk.browser("alice")
    for step in ("identity", "ask-identity"):
        assert "files that the person sent as proof are deleted" in agent.get(url("step", case.pk, step)).content.decode()
    agent.post(url("step", case.pk, "identity"), {"seen": case.state, "level": "2", "note": "A passport."})
    assert fresh(case).state == State.TRIAGE
    assert not uploads.kept(case, "evidence").exists()
