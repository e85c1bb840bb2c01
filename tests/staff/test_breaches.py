"""Breaches at the desk: opened from the page of a case, the hours on the first page, both decisions by a colleague."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from requests_app.models import BreachCase, Package
from tests.staff.conftest import CANARY_TRACES, make_case

pytestmark = pytest.mark.django_db
LIST = "admin:requests_app_breachcase_changelist"
FACTS = {"nature": "To a namesake", "categories": ["contact"], "persons": 1, "records": 9, "consequences": "c", "measures": "m"}
FACTS |= {"contact": "dpo@firma.example"}


@pytest.fixture
def case(canary):
    case = make_case("access", customer=canary)
    Package.objects.create(request=case, state="ready", file_name="f", key="k", created_at=timezone.now())
    return case


def local(moment):
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


def open_one(desk, case, hours_ago=1):
    url = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "breach"])
    aware_at = local(timezone.now() - timedelta(hours=hours_ago))
    data = {"seen": case.state, "kind": "package", "aware_at": aware_at, "nature": "To a namesake"}
    answer = desk.browser("alice").post(url, data)
    assert answer.status_code == 302, answer.content.decode()
    return BreachCase.objects.get()


def shown(desk, who):
    """What the first page of this colleague says of breaches."""
    figures = desk.browser(who).get(reverse("admin:index")).context["figures"]
    return [figure for figure in figures if str(figure.label).startswith("Breaches")]


def step(name, breach):
    return reverse("admin:requests_app_breachcase_step", args=[breach.pk, name])


def test_the_whole_road(desk, case):
    page = desk.browser("alice").get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()
    assert "It reached the wrong person" in page
    breach = open_one(desk, case)
    assert Package.objects.get().state == "revoked"
    record = reverse("admin:requests_app_breachcase_change", args=[breach.pk])
    assert (
        record in desk.browser("alice").get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()
    )
    olof, alice = desk.browser("olof"), desk.browser("alice")
    assert step("authority", breach) not in olof.get(record).content.decode()  # nothing is known yet
    alice.post(step("facts", breach), FACTS)
    assert step("authority", breach) in olof.get(record).content.decode()
    assert step("authority", breach) not in alice.get(record).content.decode()
    draft = olof.get(step("authority", breach)).context["form"]["text"].value()
    assert "dpo@firma.example" in draft
    olof.post(step("authority", breach), {"decision": "notify", "reasons": "A risk is likely.", "text": draft})
    desk.browser("bea").post(step("person", breach), {"decision": "no", "reasons": "The risk is not high.", "text": ""})
    alice.post(step("notified", breach), {"notified_at": local(timezone.now()), "late_reasons": ""})
    breach.refresh_from_db()
    assert breach.closed_at is not None
    assert breach.authority_by == desk.person("olof")
    assert breach.person_by == desk.person("bea")
    text = olof.get(record).content.decode()
    assert "A risk is likely." in text
    assert not [trace for trace in CANARY_TRACES if trace in text.casefold()]


@pytest.mark.parametrize(("hours_ago", "words"), [(1, "70 hours left"), (60, "11 hours left"), (80, "9 hours too late")])
def test_the_first_page_says_how_many_hours_are_left(desk, case, hours_ago, words):
    open_one(desk, case, hours_ago)
    for who in ("alice", "olof"):
        figures = shown(desk, who)
        assert [(figure.count, figure.tone) for figure in figures] == [(1, "bad")]
        assert words in figures[0].label
        assert case.reference in desk.browser(who).get(figures[0].url).content.decode()
    assert not shown(desk, "eva")


def test_the_clock_stops_when_the_authority_is_not_to_be_notified(desk, case):
    breach = open_one(desk, case)
    desk.browser("alice").post(step("facts", breach), FACTS)
    desk.browser("bo").post(step("authority", breach), {"decision": "no", "reasons": "No risk."})
    (figure,) = shown(desk, "bo")
    assert figure.count == 0


def test_the_list_asks_as_often_however_long_it_is(desk, case):
    counts = []
    for many in (1, 12):
        for _number in range(many):
            now = timezone.now()
            BreachCase.objects.create(request=case, kind="package", nature="n", opened_at=now, aware_at=now)
        desk.browser("bea").get(reverse(LIST))
        with CaptureQueriesContext(connection) as queries:
            desk.browser("bea").get(reverse(LIST))
        counts.append(len(queries))
    assert counts[0] == counts[1]
