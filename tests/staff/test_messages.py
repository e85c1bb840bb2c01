"""The desk's side of the conversation: asking and answering from the case, and finding what waits for an answer."""

import pytest
from django.urls import reverse
from django.utils import timezone

from privacy import audit
from requests_app.case import conversation
from requests_app.models import Message, Upload
from tests.files import picture, sent
from tests.staff.conftest import make_case
from tests.staff.test_steps import step_url

pytestmark = pytest.mark.django_db


def written(case, text="Where are my invoices?", form="p1"):
    conversation.write_to_staff(request=case, customer=case.customer, level=2, text=text, form=form, now=timezone.now())


def send(desk, who, case, form=None, **data):
    page = desk.browser(who).get(step_url(case, "message"))
    fields = {"seen": page.context["seen"], "form": form or page.context["form"]["form"].value(), **data}
    return desk.browser(who).post(step_url(case, "message"), fields)


def case_page(desk, who, case):
    return desk.browser(who).get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()


def test_a_message_is_shown_answered_and_no_longer_waits(desk):
    case = make_case()
    written(case)
    queue = reverse("admin:requests_app_rightsrequest_changelist") + "?show=all&messages=unanswered"
    assert "Where are my invoices?" in case_page(desk, "alice", case)
    assert "waits for your answer" in case_page(desk, "alice", case)
    assert case.reference in desk.browser("alice").get(queue).content.decode()
    assert "Messages to answer" in desk.browser("alice").get(reverse("admin:index")).content.decode()
    assert send(desk, "alice", case, text="In the package.").status_code == 302
    page = case_page(desk, "olof", case)
    assert "In the package." in page
    assert "waits for your answer" not in page
    assert case.reference not in desk.browser("alice").get(queue).content.decode()


def test_the_same_form_sent_twice_is_one_message(desk):
    case = make_case()
    for _time in range(2):
        send(desk, "alice", case, form="once", text="Which address?", is_question="on")
    assert Message.objects.count() == 1
    assert "waits for the person" in case_page(desk, "alice", case)


def test_a_message_that_needs_no_answer_is_laid_aside(desk):
    case = make_case()
    assert desk.browser("alice").get(step_url(case, "message-noted")).status_code == 302  # there is none
    written(case, "Thank you!")
    page = desk.browser("alice").get(step_url(case, "message-noted"))
    desk.browser("alice").post(step_url(case, "message-noted"), {"seen": page.context["seen"]})
    assert "waits for your answer" not in case_page(desk, "alice", case)


def test_the_agent_is_warned_where_only_the_mailbox_is_proved(desk):
    page = desk.browser("alice").get(step_url(make_case(level=1), "message")).content.decode()
    assert "Write no personal data." in page
    assert "Write no personal data." not in desk.browser("alice").get(step_url(make_case(), "message")).content.decode()


def test_a_colleague_sends_a_file_and_looks_at_one(desk, settings, tmp_path):
    settings.INSYN_UPLOAD_DIR = tmp_path / "uploads"
    case = make_case()
    assert send(desk, "alice", case, text="Here it is.", file=sent(picture())).status_code == 302
    upload = Upload.objects.get()
    assert upload.message == Message.objects.get()
    url = reverse("admin:requests_app_rightsrequest_file", args=[case.pk, upload.pk])
    assert url in case_page(desk, "olof", case)
    assert b"".join(desk.browser("olof").get(url).streaming_content).startswith(b"\xff\xd8")
    event = audit.events(case.reference).get(action="upload.opened")
    assert event.actor == f"staff:{desk.person('olof').pk}"
    other = reverse("admin:requests_app_rightsrequest_file", args=[make_case().pk, upload.pk])
    assert desk.browser("olof").get(other).status_code == 302
    assert send(desk, "alice", case, text="And this.", file=sent(b"MZ")).status_code == 200
    assert Message.objects.count() == 1
