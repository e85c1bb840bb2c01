"""The list of recipients who are to be told, its two steps, and what of it stands on the first page."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from privacy import audit
from requests_app.models import RecipientNotice
from tests.staff.conftest import CANARY, CANARY_TRACES, make_case

pytestmark = pytest.mark.django_db
LIST = "admin:requests_app_recipientnotice_changelist"


def owe(case, recipient="bank", *, days=7, **columns):
    now = timezone.now()
    return RecipientNotice.objects.create(
        request=case,
        about="erasure",
        recipient=recipient,
        name=recipient.capitalize(),
        **{"words": f"About {CANARY.email}", "created_at": now, "due_on": timezone.localdate() + timedelta(days=days), **columns},
    )


def url(page, notice):
    if page in ("told", "not-told"):
        return reverse("admin:requests_app_recipientnotice_step", args=[notice.pk, page])
    return reverse(f"admin:requests_app_recipientnotice_{page}", args=[notice.pk])


@pytest.fixture
def notice(canary):
    return owe(make_case("erasure", customer=canary))


def test_the_list_and_its_pages_name_no_person(desk, notice):
    alice = desk.browser("alice")
    case = reverse("admin:requests_app_rightsrequest_change", args=[notice.request_id])
    for page in (reverse(LIST), url("change", notice), url("told", notice), url("not-told", notice)):
        text = alice.get(page).content.decode()
        assert "Bank" in text
        assert not [trace for trace in CANARY_TRACES if trace in text.casefold()], page
    assert url("change", notice) in alice.get(case).content.decode()


def test_what_the_recipient_is_told_is_shown_by_post_and_written_down(desk, notice):
    alice = desk.browser("alice")
    assert alice.get(url("words", notice)).status_code == 405
    assert CANARY.email in alice.post(url("words", notice)).content.decode()
    (event,) = audit.events(notice.request.reference).filter(action="recipient.words_seen")
    assert event.actor == f"staff:{desk.person('alice').pk}"


def test_telling_by_hand(desk, notice):
    alice = desk.browser("alice")
    assert "This field is required" in alice.post(url("told", notice), {}).content.decode()
    answer = alice.post(url("told", notice), {"how": "phone"}, follow=True).content.decode()
    notice.refresh_from_db()
    assert (notice.state, notice.how, notice.reported_by) == ("told", "phone", desk.person("alice"))
    assert "by telephone" in answer
    late = desk.browser("arne").post(url("told", notice), {"how": "letter"}, follow=True).content.decode()
    assert "is not possible here now" in late
    notice.refresh_from_db()
    assert notice.how == "phone"


def test_not_telling_takes_a_reason(desk, notice):
    bea = desk.browser("bea")
    bea.post(url("not-told", notice), {"state": "impossible", "reason": " "})
    notice.refresh_from_db()
    assert notice.state == "owed"
    bea.post(url("not-told", notice), {"state": "disproportionate", "reason": "Wound up in 2019."})
    notice.refresh_from_db()
    assert (notice.state, notice.reason) == ("disproportionate", "Wound up in 2019.")


def test_what_is_late_stands_on_the_first_page_and_the_officer_sees_what_a_reminder_did_not_help(desk, notice):
    index = reverse("admin:index")
    late = owe(notice.request, "registry", days=-1)
    owe(notice.request, "post", days=-20, escalated_at=timezone.now())
    agents, officers = desk.browser("alice").get(index), desk.browser("olof").get(index)
    figures = {figure.label: figure for figure in agents.context["figures"]}
    assert figures["Recipients told too late"].count == 2
    assert "Recipients still not told after a reminder" not in figures
    figures = {figure.label: figure for figure in officers.context["figures"]}
    assert figures["Recipients still not told after a reminder"].count == 1
    assert "Recipients told too late" not in figures
    listed = desk.browser("olof").get(figures["Recipients still not told after a reminder"].url).content.decode()
    assert "Post" in listed
    assert "Registry" not in listed
    assert "Bank" not in listed
    listed = desk.browser("alice").get(reverse(LIST) + "?late=late").content.decode()
    assert "Registry" in listed
    assert "Bank" not in listed
    assert late.state == "owed"


def test_the_list_asks_as_often_however_long_it_is(desk, canary):
    counts = []
    for many in (1, 12):
        for number in range(many):
            owe(make_case("access", stores=1), f"r{number}")
        alice = desk.browser("alice")
        alice.get(reverse(LIST))
        with CaptureQueriesContext(connection) as queries:
            alice.get(reverse(LIST))
        counts.append(len(queries))
    assert counts[0] == counts[1]
