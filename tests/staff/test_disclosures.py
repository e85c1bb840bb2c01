"""The register of disclosures at the desk: entered by one, decided by another, cleared by the officer."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from requests_app.models import Disclosure
from tests.staff.conftest import CANARY, CANARY_TRACES

pytestmark = pytest.mark.django_db
LIST = "admin:requests_app_disclosure_changelist"
ENTRY = {
    "kind": "email",
    "value": CANARY.email,
    "asker_kind": "authority",
    "asker": "Polismyndigheten",
    "in_inquiry": "on",
    "occasion": "terms",
    "asked": "Whose is the mailbox?",
    "asked_on": "2026-01-07",
}


def step(name, entry):
    return reverse("admin:requests_app_disclosure_step", args=[entry.pk, name])


@pytest.fixture
def entry(desk, canary):
    desk.browser("alice").post(reverse("admin:requests_app_disclosure_enter"), ENTRY)
    return Disclosure.objects.get()


def test_the_whole_road(desk, entry, canary):
    page = reverse("admin:requests_app_disclosure_change", args=[entry.pk])
    assert entry.customer == canary
    assert step("grant", entry) not in desk.browser("alice").get(page).content.decode()
    bea = desk.browser("bea")
    form = bea.get(step("grant", entry)).content.decode()
    assert "an occasion, not a legal ground" in form
    refused = bea.post(step("grant", entry), {"ground": "terms", "reason": "They broke the terms."})
    assert refused.status_code == 200
    bea.post(step("grant", entry), {"ground": "law", "paragraph": "våra villkor 3 §", "reason": "They broke the terms."})
    entry.refresh_from_db()
    assert entry.state == "entered"
    bea.post(step("grant", entry), {"ground": "rb-27-1", "reason": "The order was seen."})
    desk.browser("alice").post(step("given", entry), {"categories": ["contact"], "given": "By letter"})
    form = desk.browser("olof").get(step("clear", entry)).content.decode()
    assert "till en myndighet" in form or "to an authority" in form
    assert "Polismyndigheten" not in form.split("<form")[-1]
    desk.browser("olof").post(step("clear", entry), {"words": "We gave your address to an authority."})
    entry.refresh_from_db()
    assert (entry.state, entry.told) == ("given", "We gave your address to an authority.")
    text = desk.browser("olof").get(page).content.decode()
    for words in ("Polismyndigheten", "The order was seen.", "By letter", "Alice", "Bea", "Olof"):
        assert words in text


def test_no_page_names_the_person(desk, entry):
    for page in (reverse(LIST), reverse("admin:requests_app_disclosure_change", args=[entry.pk]), step("grant", entry)):
        text = desk.browser("bea").get(page).content.decode().casefold()
        assert not [trace for trace in CANARY_TRACES if trace in text]


def test_the_list_shows_neither_who_asks_nor_for_what(desk, entry):
    text = desk.browser("bea").get(reverse(LIST)).content.decode()
    assert entry.reference in text
    assert "Polismyndigheten" not in text
    assert "Whose is the mailbox" not in text


def test_the_first_page_says_what_waits(desk, entry):
    index = reverse("admin:index")

    def count(who, label):
        return {figure.label: figure.count for figure in desk.browser(who).get(index).context["figures"]}.get(label)

    assert count("bea", "Demands for data to decide on") == 1
    assert count("alice", "Demands for data to decide on") is None
    assert count("olof", "Disclosures that the person does not see") == 0
    now = timezone.now()
    Disclosure.objects.update(
        state="given",
        ground="rb-27-1",
        reason="r",
        decided_by=desk.person("bea"),
        decided_at=now,
        given="g",
        given_by=desk.person("alice"),
        given_at=now,
    )
    assert count("bea", "Demands for data to decide on") == 0
    assert count("olof", "Disclosures that the person does not see") == 1
    assert entry.reference in desk.browser("olof").get(f"{reverse(LIST)}?waits=clearing").content.decode()


def test_the_list_asks_as_often_however_long_it_is(desk, entry):
    counts = []
    for many in (0, 12):
        for _number in range(many):
            desk.browser("alice").post(reverse("admin:requests_app_disclosure_enter"), ENTRY)
        desk.browser("bea").get(reverse(LIST))
        with CaptureQueriesContext(connection) as queries:
            desk.browser("bea").get(reverse(LIST))
        counts.append(len(queries))
    assert counts[0] == counts[1]
