"""Messages about a request, both ways: read by signing in, announced without a word of them, and the clock runs on."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Role
from privacy import audit
from requests_app.case import conversation
from requests_app.errors import NotAllowed
from requests_app.files import uploads
from requests_app.keeping import forgetting, own_data
from requests_app.models import Message, OutboxItem, RightsRequest, State, Upload
from tests.factories import make_customer, make_request, make_staff
from tests.files import picture, sent

pytestmark = pytest.mark.django_db
ASKED = "Which of the two addresses is yours?"
ANSWERED = "The one in <Lund> & no other."


def page_of(client, case):
    return client.get(f"/requests/{case.reference}/").content.decode()


def ask(case, text=ASKED, *, is_question=True, form="staff-1", user=None):
    user = user or make_staff(Role.AGENT)
    conversation.write_to_person(
        request=case, acting_user=user, text=text, is_question=is_question, form=form, now=timezone.now()
    )


def path_of(case):
    return f"/requests/{case.reference}/messages/"


def form_of(client, case):
    return client.get(path_of(case)).context["message_form"].initial["form"]


@pytest.fixture
def case(anna):
    return make_request(anna, "access")


def test_a_question_is_read_and_answered_on_the_page_of_the_request(annas_proved, case):
    due_on = case.due_on
    ask(case)
    page = page_of(annas_proved, case)
    assert ASKED in page
    assert "We wait for your answer" in page
    answer = annas_proved.post(path_of(case), {"text": ANSWERED, "form": form_of(annas_proved, case)})
    assert answer["Location"] == f"/requests/{case.reference}/#messages-title"
    page = page_of(annas_proved, case)
    assert "The one in &lt;Lund&gt; &amp; no other." in page
    assert "We wait for your answer" not in page
    case.refresh_from_db()
    assert (case.due_on, case.paused_at) == (due_on, None)


def test_the_notice_says_only_that_there_is_something_new(case):
    OutboxItem.objects.all().delete()
    ask(case)
    (notice,) = OutboxItem.objects.all()
    assert "something new" in notice.payload["text"]
    assert "address" not in str(notice.payload)


def test_the_same_form_twice_is_one_message(annas_proved, case):
    form = form_of(annas_proved, case)
    for _time in range(2):
        assert annas_proved.post(path_of(case), {"text": ANSWERED, "form": form}).status_code == 302
    assert Message.objects.count() == 1
    for _time in range(2):
        ask(case)
    assert Message.objects.count() == 2
    assert OutboxItem.objects.filter(key__contains=":message:").count() == 1


def test_two_tabs_are_two_messages_and_a_form_of_another_request_is_none(annas_proved, anna, case):
    for form in [form_of(annas_proved, case) for _tab in range(2)]:
        annas_proved.post(path_of(case), {"text": ANSWERED, "form": form})
    assert Message.objects.count() == 2
    other = make_request(anna, "restriction")
    used = Message.objects.first().form
    response = annas_proved.post(path_of(other), {"text": ANSWERED, "form": used})
    assert response.status_code == 422
    assert Message.objects.count() == 2


@pytest.mark.parametrize("text", ["", "   ", "x" * (conversation.LONGEST_MESSAGE + 1)])
def test_a_message_that_is_none_is_told_at_its_field(annas_proved, case, text):
    response = annas_proved.post(path_of(case), {"text": text, "form": form_of(annas_proved, case)})
    assert response.status_code == 422
    assert 'href="#id_text"' in response.content.decode()
    assert not Message.objects.exists()


def test_nobody_is_flooded(annas_proved, case, monkeypatch):
    monkeypatch.setattr(conversation, "MOST_A_DAY", 2)
    statuses = [
        annas_proved.post(path_of(case), {"text": "Hello", "form": form_of(annas_proved, case)}).status_code for _time in range(3)
    ]
    assert statuses == [302, 302, 422]


def test_who_only_reads_the_mailbox_reads_no_messages(annas, case):
    ask(case)
    annas.post(path_of(case), {"text": ANSWERED, "form": form_of(annas, case)})
    for page in (page_of(annas, case), annas.get(path_of(case)).content.decode()):
        assert ASKED not in page
        assert "Lund" not in page
        assert "Confirm who you are to read the messages" in page
    assert Message.objects.get(is_question=True).answered_at is None  # who cannot read it has not answered it


def test_whoever_still_has_to_prove_who_they_are_can_be_written_to(annas, anna):
    case = make_request(anna, "access", level=1)
    assert case.state == State.IDENTIFYING
    ask(case, "Call us, or come by with your passport.")
    assert "come by with your passport" in page_of(annas, case)


def test_what_is_written_lies_encrypted_and_is_in_no_log(case):
    ask(case)
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM requests_app_message")
        assert b"address" not in bytes(cursor.fetchone()[0])
    events = list(audit.events(case.reference).filter(action="message.sent"))
    assert len(events) == 1
    assert "address" not in str(events[0].payload)


def test_messages_are_in_the_persons_package_and_go_with_the_account(case, anna):
    ask(case)
    (row,) = own_data.own_of([anna])[anna.pk]["requests_app_message"]
    assert row["text"] == ASKED
    assert "staff" not in row
    long_after = timezone.now() + timedelta(days=5 * 366)
    assert forgetting.forget_messages(now=long_after) == 0  # the request is still open
    RightsRequest.objects.update(state=State.COMPLETED, closed_at=timezone.now())
    assert forgetting.forget_messages(now=timezone.now()) == 0
    assert forgetting.forget_messages(now=long_after) == 1


def test_only_who_handles_cases_writes(case):
    for role in (Role.OFFICER, Role.ENGINEER, Role.ADMINISTRATOR):
        with pytest.raises(NotAllowed):
            ask(case, user=make_staff(role))
    assert not Message.objects.exists()


def test_nobody_writes_in_another_persons_request(case):
    with pytest.raises(NotAllowed):
        conversation.write_to_staff(request=case, customer=make_customer(), level=2, text="Hello", form="x", now=timezone.now())


def test_the_page_asks_little_however_long_the_conversation(annas_proved, case, django_assert_max_num_queries):
    user = make_staff(Role.AGENT)
    for number in range(15):
        ask(case, f"Message {number}", form=f"f{number}", user=user)
    with django_assert_max_num_queries(12):
        page_of(annas_proved, case)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def upload_folder(settings, tmp_path):
    settings.INSYN_UPLOAD_DIR = tmp_path / "uploads"
    return settings.INSYN_UPLOAD_DIR


def send(client, case, content, form=None):
    fields = {"text": ANSWERED, "form": form or form_of(client, case), "file": sent(content)}
    return client.post(path_of(case), fields)


def test_a_file_goes_along_with_a_message(annas_proved, case, upload_folder):
    assert send(annas_proved, case, picture()).status_code == 302
    upload = Upload.objects.get()
    assert upload.message == Message.objects.get()
    path = f"/requests/{case.reference}/messages/{upload.pk}/"
    assert path in page_of(annas_proved, case)
    response = annas_proved.get(path)
    assert response["Content-Disposition"].startswith("attachment")
    assert b"".join(response.streaming_content).startswith(b"\xff\xd8")
    assert audit.events(case.reference).filter(action="upload.opened").count() == 1


def test_a_file_that_is_refused_sends_nothing(annas_proved, case, upload_folder):
    response = send(annas_proved, case, b"MZ no picture")
    assert response.status_code == 422
    assert "Only JPEG, PNG and PDF" in response.content.decode()
    assert not Message.objects.exists()


def test_the_same_form_twice_keeps_the_file_once(annas_proved, case, upload_folder):
    form = form_of(annas_proved, case)
    for _time in range(2):
        assert send(annas_proved, case, picture(), form).status_code == 302
    assert Upload.objects.count() == 1


def test_a_file_that_no_message_took_along_is_deleted(annas_proved, case, upload_folder, monkeypatch):
    monkeypatch.setattr(conversation, "MOST_A_DAY", 0)
    assert send(annas_proved, case, picture()).status_code == 422
    assert Upload.objects.get().deleted_at


def test_a_file_is_for_who_may_read_its_message(annas, bos, case, upload_folder):
    send(annas, case, picture())
    path = f"/requests/{case.reference}/messages/{Upload.objects.get().pk}/"
    assert path not in page_of(annas, case)
    assert annas.get(path)["Location"].startswith("/identity/")
    assert bos.get(path).status_code == 404
    assert not audit.events(case.reference).filter(action="upload.opened").exists()


def test_a_file_of_another_request_or_purpose_is_not_handed_out_here(annas_proved, anna, case, upload_folder):
    other = make_request(anna, "restriction")
    send(annas_proved, other, picture())
    proof = uploads.receive(request=case, purpose="evidence", file=sent(picture()), now=timezone.now())
    for upload in (Upload.objects.exclude(pk=proof.pk).get(), proof):
        assert annas_proved.get(f"/requests/{case.reference}/messages/{upload.pk}/").status_code == 302


def test_where_files_are_closed_there_is_no_field_for_them(annas_proved, case, settings):
    settings.INSYN_UPLOADS_OPEN = False
    assert 'type="file"' not in page_of(annas_proved, case)
