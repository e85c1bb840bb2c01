"""Before an erasure is asked for: what would go, what a law keeps, what is shared, told from the stores or in general."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts import signin
from privacy import actions
from tests.factories import make_store, sign_in_customer
from tests.portal.walk import post_until_check, send

pytestmark = pytest.mark.django_db
ANSWERS = {"ground": {"ground": "a"}, "reason": {}}


SWEDISH = {
    "Tickets": "Supportärenden",
    "Domain": "Domän",
    "Invoices": "Fakturor",
    "Payments": "Betalningar",
    "Ledger": "Huvudbok",
    "Contracts": "Avtal",
    "Shared domain": "Delad domän",
}


def item(label, rows, **more):
    return {"label": {"sv": SWEDISH.get(label, label), "en": label}, "categories": ["contact"], "rows": rows, **more}


FOUND = {
    "groups": {
        "goes": [item("Tickets", 4)],
        "anonymous": [item("Domain", 1)],
        "kept": [
            item("Invoices", 3, until="2034-01-01", basis="BFL 7:2"),
            item("Payments", 2, until="2031-01-01", basis="BFL 7:2"),
            item("Payments", 3, until="2033-01-01", basis="BFL 7:2"),
            item("Ledger", 1, until=None, basis="on_erasure: keep"),
        ],
        "running": [item("Contracts", 1, basis="running contract", ends={"sv": "Upphörde", "en": "Ended"})],
        "shared": [item("Shared domain", 2)],
        "undecided": [],
    },
    "unreachable": [],
    "rows": 12,
}


@pytest.fixture
def asked(monkeypatch, stores):
    """How often the stores were asked, and what they answer."""
    answers = {"times": 0, "found": json.loads(json.dumps(FOUND))}

    def outlook(person):
        answers["times"] += 1
        if isinstance(answers["found"], Exception):
            raise answers["found"]
        return answers["found"]

    monkeypatch.setattr(actions, "outlook", outlook)
    return answers


def check(client):
    post_until_check(client, "erasure", ANSWERS)
    return client.get("/ask/erasure/check/").content.decode()


def test_it_says_what_goes_what_stays_until_when_and_what_somebody_decides(annas_proved, asked):
    page = check(annas_proved)
    for text in (
        "4 entries",
        "until 1 January 2034: BFL 7:2",
        "5 entries; the first goes on 1 January 2031, the last on 1 January 2033",
        "obliged to keep it",
        "Not yet",
        "a date for “Ended”",
        "running contract",
        "also about somebody else",
    ):
        assert text in page
    assert "on_erasure" not in page
    assert "What happens to your data" in page


def test_with_one_proof_nobody_is_told_what_we_have(annas, asked):
    store = make_store("crm")
    store.versions.update(
        source="""
dataset:
- fides_key: crm
  meta: {privacy: {collections: {ticket: {on_erasure: delete, label: {en: Support tickets}}}}}
  collections:
  - {name: ticket, fields: [{name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, identity: email}}]}
"""
    )
    page = check(annas)
    assert "Support tickets" in page
    assert "4 entries" not in page
    assert asked["times"] == 0


def test_what_was_told_at_the_second_proof_is_not_told_at_the_first(annas_proved, anna, asked):
    assert "4 entries" in check(annas_proved)
    sign_in_customer(annas_proved, anna, level=1)
    assert "4 entries" not in annas_proved.get("/ask/erasure/check/").content.decode()


def test_a_store_that_could_not_be_asked_is_named_and_asked_again_soon(annas_proved, asked):
    asked["found"]["unreachable"] = ["Fakturering"]
    assert "could not ask Fakturering just now" in check(annas_proved)
    assert asked["times"] == 1
    asked["found"]["unreachable"] = []
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert "could not ask" not in annas_proved.get("/ask/erasure/check/").content.decode()


def test_whatever_goes_wrong_the_request_can_be_sent(annas_proved, asked):
    asked["found"] = RuntimeError("anna@example.se")
    assert "We could not ask our records just now" in check(annas_proved)
    assert "/sent/" in send(annas_proved, "erasure")["Location"]


def test_the_stores_are_asked_once_and_the_answer_is_kept_encrypted(annas_proved, asked):
    check(annas_proved)
    for _look in range(3):
        annas_proved.get("/ask/erasure/check/")
    assert asked["times"] == 1
    assert "Tickets" not in str(annas_proved.session[signin.NOTES_KEY])


def test_who_is_nowhere_reads_that_nothing_was_found(annas_proved, asked):
    asked["found"] = {"groups": {}, "unreachable": [], "rows": 0}
    assert "found nothing" in check(annas_proved)


def test_the_page_is_light_and_asks_little(annas_proved, asked, django_assert_max_num_queries):
    asked["found"]["groups"]["goes"] = [item(f"Collection {number}", number) for number in range(1, 60)]
    post_until_check(annas_proved, "erasure", ANSWERS)
    with django_assert_max_num_queries(12):
        assert len(annas_proved.get("/ask/erasure/check/").content) < 60_000
