"""Very long lists: counted so far as anybody turns pages, closed cases newest first, the same statements at any size."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts import paging
from requests_app import cases
from requests_app.models import RightsRequest, State
from tests.staff.conftest import make_case
from tests.staff.test_answer_times import answered, this_month
from tests.staff.test_queue import QUEUE, in_days, queries_of, references

pytestmark = pytest.mark.django_db


@pytest.fixture
def short_of_two(monkeypatch):
    monkeypatch.setattr(paging, "MOST", 2)


def test_a_list_says_that_there_is_more_than_it_counts(desk, short_of_two):
    for _number in range(3):
        make_case()
    page = desk.browser("alice").get(QUEUE)
    assert page.context["cl"].result_count == 2
    assert "more than these 2" in page.content.decode()


def test_a_list_that_is_whole_says_nothing(desk, short_of_two):
    make_case()
    make_case()
    assert "more than" not in desk.browser("alice").get(QUEUE).content.decode()


def test_what_is_counted_on_the_first_page_is_counted_in_its_list(desk, short_of_two):
    for days in (1, 2, 3):
        answered("access", this_month(days=days), this_month())
    (row,) = desk.browser("alice").get(reverse("admin:index")).context["answer_times"].rows
    (cell,) = row[1]
    assert desk.browser("alice").get(cell["url"]).context["cl"].result_count == cell["line"].count == 3


def test_closed_cases_come_newest_first_whatever_the_address_asks(desk):
    first, second = in_days(make_case(), 1), in_days(make_case(), 9)
    for case in (first, second):
        cases.refuse_request(request=case, acting_user=desk.person("bea"), reason="Not ours.", now=timezone.now())
    for query in ("show=closed", "show=closed&o=4", "show=all&o=-4.1"):
        page = desk.browser("alice").get(f"{QUEUE}?{query}")
        assert references(page) == [second.reference, first.reference]
        assert "o=" not in "".join(page.content.decode().partition("<thead>")[2].partition("</thead>")[0])


def test_open_cases_are_sorted_as_asked(desk):
    first, second = in_days(make_case(), 1), in_days(make_case("erasure"), 9)
    assert references(desk.browser("alice").get(f"{QUEUE}?o=-4")) == [second.reference, first.reference]


LISTS = ["", "whose=needs-me", "due=overdue", "show=closed", "show=all&messages=unanswered", "show=closed&right=access"]


@pytest.mark.parametrize("query", [*LISTS, "show=closed&answered={month}"])
def test_every_list_takes_the_same_statements_for_few_and_for_many(desk, query):
    browser, url = desk.browser("bea"), f"{QUEUE}?{query.format(month=f'{timezone.localdate():%Y-%m}')}"

    def more(number):
        for _number in range(number):
            in_days(make_case(), -1)
            closed = make_case()
            RightsRequest.objects.filter(pk=closed.pk).update(
                state=State.COMPLETED, closed_at=timezone.now(), answered_at=timezone.now(), assignee=desk.person("arne")
            )

    more(2)
    few = queries_of(browser, url)
    more(8)
    assert queries_of(browser, url) == few


def test_the_audit_log_is_not_counted_whole(desk, short_of_two):
    make_case()
    make_case()
    page = desk.browser("olof").get(reverse("admin:privacy_auditevent_changelist"))
    assert page.context["cl"].result_count == 2
    assert "more than these 2" in page.content.decode()
