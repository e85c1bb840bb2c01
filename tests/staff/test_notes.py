"""Notes between colleagues: encrypted, never sent, and whoever is mentioned sees the case among what needs them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from privacy.models import AuditEvent
from requests_app import cases
from requests_app.keeping import forgetting, own_data
from requests_app.models import Mention, Note, OutboxItem, RightsRequest, State
from requests_app.running import outbox
from tests.mailbox import Mailbox
from tests.staff.conftest import make_case
from tests.staff.test_queue import INDEX, listed
from tests.staff.test_steps import step_url, take

pytestmark = pytest.mark.django_db
WORDS = "Ring kanariefågeln efter tre."


def case_url(case):
    return reverse("admin:requests_app_rightsrequest_change", args=[case.pk])


def note(desk, case, text=WORDS, who="alice"):
    return take(desk, who, case, "note", text=text, form=f"form-{Note.objects.count()}")


def mention_url(mention):
    return reverse("admin:requests_app_rightsrequest_mention", args=[mention.note.request_id, mention.pk])


def test_a_note_is_read_by_colleagues_and_stored_encrypted(desk):
    case = make_case()
    note(desk, case)
    assert WORDS in desk.browser("bea").get(case_url(case)).content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM requests_app_note")
        assert b"kanarie" not in bytes(cursor.fetchone()[0])


def test_who_is_mentioned_has_the_case_before_them_until_they_have_read_it(desk):
    desk.person("arne")
    case = make_case()
    cases.assign_request(request=case, assignee=desk.person("alice"), acting_user=desk.person("alice"), now=timezone.now())
    assert listed(desk, "arne", "whose=needs-me") == []
    note(desk, case, "Vad tycker du, @arne?")
    assert listed(desk, "arne", "whose=needs-me") == [case.reference]
    assert listed(desk, "arne", "show=all&whose=mentions") == [case.reference]
    assert listed(desk, "bea", "whose=mentions") == []
    mention = Mention.objects.get()
    assert "mentions you" in desk.browser("arne").get(case_url(case)).content.decode()
    desk.browser("arne").post(mention_url(mention))
    assert listed(desk, "arne", "whose=needs-me") == []
    assert "mentions you" not in desk.browser("arne").get(case_url(case)).content.decode()


def test_the_figure_counts_closed_cases_as_its_list_does(desk):
    desk.person("olof")
    case = make_case()
    note(desk, case, "@olof, titta")
    cases.refuse_request(request=case, acting_user=desk.person("bea"), reason="Not ours.", now=timezone.now())
    (figure,) = [figure for figure in desk.browser("olof").get(INDEX).context["figures"] if figure.label == "Mention me"]
    assert figure.count == desk.browser("olof").get(figure.url).context["cl"].result_count == 1


def test_the_notice_says_nothing_of_the_note_and_is_no_letter_to_the_person(desk, canary):
    desk.person("arne")
    case = make_case(customer=canary)
    note(desk, case, f"@arne {WORDS}")
    item = OutboxItem.objects.get(key__startswith="mention:")
    assert item.request is None
    Mailbox.kept.clear()
    outbox.deliver_due()
    (mail,) = [kept for kept in Mailbox.kept if kept.to == "arne@firma.example"]
    assert case.reference in mail.text
    assert "kanarie" not in f"{mail.subject}{mail.text}"


def test_a_name_that_nobody_has_is_asked_about_and_nothing_is_kept(desk):
    desk.person("arne")
    case = make_case()
    answer = note(desk, case, "@arn, vad tycker du?")
    assert "@arn." in answer.context["form"].errors["text"][0]
    assert "@arne" in answer.context["form"].errors["text"][0]
    assert not Note.objects.exists()


@pytest.mark.parametrize("text", ["fraga@firma.example", "kl. 3 @ kontoret", "a@b"])
def test_an_address_is_no_mention(desk, text):
    note(desk, make_case(), text)
    assert Note.objects.exists()
    assert not Mention.objects.exists()


def test_who_sees_no_cases_is_not_mentioned(desk):
    desk.person("eva")
    assert note(desk, make_case(), "@eva").context["form"].errors


def test_a_form_sent_twice_is_one_note(desk):
    case = make_case()
    for _time in range(2):
        take(desk, "alice", case, "note", text=WORDS, form="the-same")
    assert Note.objects.count() == 1


def test_the_log_tells_of_the_note_and_not_what_it_says(desk):
    desk.person("arne")
    case = make_case()
    note(desk, case, f"@arne {WORDS}")
    event = AuditEvent.objects.get(action="note.written")
    assert event.payload == {"note": Note.objects.get().pk, "mentions": [desk.person("arne").pk]}


def test_nobody_reads_a_mention_for_another(desk):
    desk.person("arne")
    note(desk, make_case(), "@arne")
    mention = Mention.objects.get()
    assert "You are not mentioned" in desk.browser("bea").post(mention_url(mention), follow=True).content.decode()
    assert desk.browser("arne").get(mention_url(mention)).status_code == 405
    assert Mention.objects.get().read_at is None


def test_the_officer_reads_notes_and_writes_none(desk):
    case = make_case()
    note(desk, case)
    assert WORDS in desk.browser("olof").get(case_url(case)).content.decode()
    assert desk.browser("olof").get(step_url(case, "note")).status_code == 403


def test_a_note_is_in_no_package(desk, canary):
    case = make_case(customer=canary)
    note(desk, case)
    own = own_data.own_of([canary])[canary.pk]
    assert "requests_app_rightsrequest" in own
    assert "requests_app_note" not in own


def test_notes_go_a_year_after_they_were_written_unless_the_case_is_open(desk):
    open_case, closed = make_case(), make_case()
    for case in (open_case, closed):
        note(desk, case)
    RightsRequest.objects.filter(pk=closed.pk).update(state=State.COMPLETED, closed_at=timezone.now())
    assert forgetting.forget_notes(now=timezone.now() + timedelta(days=360)) == 0
    assert forgetting.forget_notes(now=timezone.now() + timedelta(days=370)) == 1
    assert Note.objects.get().request == open_case
