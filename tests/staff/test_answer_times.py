"""How long answers took: only days on which the clock ran, by right and month, and each figure leads to the cases it counted."""

from datetime import date, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from requests_app import cases
from requests_app.case.answer_times import Answered, answer_times, keep_answer_times
from requests_app.case.deadlines import LOCAL
from requests_app.case.lifecycle import transition
from requests_app.models import AnswerTimes, RightsRequest, State
from tests.factories import make_customer, make_request, make_staff
from tests.staff.conftest import fresh

pytestmark = pytest.mark.django_db
QUEUE = reverse("admin:requests_app_rightsrequest_changelist")
NOW = datetime(2026, 11, 20, 12, tzinfo=LOCAL)


def answered(right, received, closed, *, paused_days=0, state=State.COMPLETED, **columns):
    """A case that came and was answered at noon on these days."""
    case = make_request(right=right)
    moments = [datetime.combine(day, datetime.min.time(), LOCAL) + timedelta(hours=12) for day in (received, closed)]
    RightsRequest.objects.filter(pk=case.pk).update(
        received_at=moments[0], closed_at=moments[1], answered_at=moments[1], paused_days=paused_days, state=state, **columns
    )
    return fresh(case)


def test_the_days_are_those_on_which_the_clock_ran():
    assert answered("access", date(2026, 9, 10), date(2026, 10, 10), paused_days=12).answered_days == 18
    # Refused while the person was asked to identify: the pause lasts until then.
    paused = datetime(2026, 9, 15, 8, tzinfo=LOCAL)
    assert answered("access", date(2026, 9, 10), date(2026, 10, 10), state=State.REFUSED, paused_at=paused).answered_days == 5


def test_a_day_is_a_day_in_sweden():
    case = make_request()
    came, went = datetime(2026, 3, 31, 0, 30, tzinfo=LOCAL), datetime(2026, 4, 1, 0, 30, tzinfo=LOCAL)
    RightsRequest.objects.filter(pk=case.pk).update(received_at=came, answered_at=went, closed_at=went, state="completed")
    assert fresh(case).answered_days == 1
    (line,) = answer_times(now=datetime(2026, 4, 2, tzinfo=LOCAL))
    assert line.month == date(2026, 4, 1)


def test_median_and_nine_of_ten_by_right_and_month():
    for days in (2, 4, 9):
        answered("access", date(2026, 10, 20) - timedelta(days=days), date(2026, 10, 20))
    answered("erasure", date(2026, 11, 1), date(2026, 11, 11))
    assert answer_times(now=NOW) == [
        Answered(date(2026, 10, 1), "access", 3, 4.0, 8.0),
        Answered(date(2026, 11, 1), "erasure", 1, 10.0, 10.0),
    ]


def test_what_was_withdrawn_or_is_open_is_no_answer():
    case = make_request(level=1)
    cases.withdraw_request(request=case, customer=case.customer, now=timezone.now())
    make_request()
    assert fresh(case).closed_at
    assert answer_times(now=timezone.now()) == []


def test_a_refusal_is_an_answer():
    case = make_request()
    cases.refuse_request(request=case, acting_user=make_staff("approver"), reason="Not ours.", now=timezone.now())
    assert fresh(case).answered_days == 0


def test_a_restriction_was_answered_when_it_came_in_force():
    case = make_request(right="restriction", customer=make_customer())
    RightsRequest.objects.filter(pk=case.pk).update(state=State.RUNNING)
    in_force, lifted = timezone.now() + timedelta(days=5), timezone.now() + timedelta(days=300)
    transition(requests=[case.pk], action="restrict", actor="system", now=in_force)
    transition(requests=[case.pk], action="end_restriction", actor="system", now=lifted)
    assert fresh(case).answered_at == in_force
    assert fresh(case).closed_at == lifted


def test_a_month_that_is_over_is_kept_and_outlives_its_cases():
    old = answered("access", date(2026, 9, 1), date(2026, 9, 8))
    new = answered("access", date(2026, 11, 1), date(2026, 11, 4))
    lines = answer_times(now=NOW)
    assert keep_answer_times(now=NOW) == 1
    assert keep_answer_times(now=NOW) == 0
    assert answer_times(now=NOW) == lines
    old.delete()
    assert answer_times(now=NOW) == lines
    new.delete()
    assert answer_times(now=NOW) == lines[:1]


def test_months_without_an_answer_leave_no_gap():
    answered("access", date(2026, 6, 1), date(2026, 6, 8))
    assert keep_answer_times(now=datetime(2026, 7, 2, tzinfo=LOCAL)) == 1
    answered("access", date(2026, 9, 1), date(2026, 9, 8))
    assert [line.month.month for line in answer_times(now=NOW)] == [6, 9]
    assert keep_answer_times(now=NOW) == 1
    assert AnswerTimes.objects.count() == 2


def test_a_page_costs_two_queries(django_assert_num_queries):
    for month in range(1, 11):
        answered("access", date(2026, month, 1), date(2026, month, 8))
    keep_answer_times(now=NOW)
    with django_assert_num_queries(2):
        assert len(answer_times(now=NOW)) == 10


# --- on the first page ------------------------------------------------------------------------------------------------


def this_month(*, days=0):
    return timezone.localdate() - timedelta(days=days)


def test_every_figure_leads_to_exactly_the_cases_it_counts(desk):
    for days in (0, 3, 7):
        answered("access", this_month(days=days), this_month())
    answered("erasure", this_month(days=4), this_month())
    answered("access", this_month(days=70), this_month(days=60))
    for case in (make_request(), make_request(level=1)):
        RightsRequest.objects.filter(pk=case.pk).update(due_on=this_month())
    keep_answer_times(now=timezone.now())
    chart = desk.browser("olof").get(reverse("admin:index")).context["answer_times"]
    cells = [cell for _month, cells in chart.rows for cell in cells if cell]
    assert sorted(cell["line"].count for cell in cells) == [1, 1, 3]
    for cell in cells:
        listed = desk.browser("olof").get(cell["url"]).context["cl"]
        assert listed.result_count == cell["line"].count
        assert {case.right for case in listed.result_list} == {cell["line"].right}


def test_the_picture_says_in_words_what_it_shows(desk):
    answered("access", this_month(days=1), this_month())
    answered("access", this_month(days=9), this_month())
    page = desk.browser("alice").get(reverse("admin:index")).content.decode()
    assert "half of the answers within 5 days, nine of ten within 8 days" in page
    assert "<svg" in page
    assert " style=" not in page


def test_no_bar_leaves_its_picture(desk):
    answered("access", this_month(days=200), this_month())
    (panel,) = desk.browser("alice").get(reverse("admin:index")).context["answer_times"].panels
    for bar in panel.bars:
        assert 0 <= bar.p90_y <= bar.median_y <= 100


def test_who_sees_no_cases_sees_no_times(desk):
    answered("access", this_month(days=1), this_month())
    assert "answer_times" not in desk.browser("eva").get(reverse("admin:index")).context


@pytest.mark.parametrize("month", ["2026-13", "x", "1999-01", ""])
def test_a_month_that_is_none_breaks_nothing(desk, month):
    answered("access", this_month(days=1), this_month())
    assert desk.browser("alice").get(f"{QUEUE}?show=closed&answered={month}").context["cl"].result_count == 1
