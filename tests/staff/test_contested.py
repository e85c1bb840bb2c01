"""Contested rows at the desk, with a real store: what each group says about itself, the look at it, one answer for each (R11)."""

import pytest
from django.urls import reverse

from privacy import audit
from privacy.models import Remnant
from requests_app.models import State
from requests_app.running.scans import scan_due
from requests_app.running.workers import locate_due, run_due
from tests.factories import make_customer, make_request
from tests.privacy.shared_rows import Shop
from tests.staff.conftest import fresh
from tests.staff.test_steps import step_url, take, told

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(make_postgres_database, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    return Shop(make_postgres_database())


@pytest.fixture
def case(shop):
    """Anna wants her data erased; documents of hers are Bo's and Cia's too."""
    found = make_request(make_customer("anna@example.se"), "erasure")
    while locate_due():
        pass
    return fresh(found)


def question(desk, case, who="alice"):
    page = desk.browser(who).get(step_url(case, "contested"))
    (asked,) = page.context["form"].blocks
    return asked, page.content.decode()


def look(desk, who, case, group):
    return desk.browser(who).post(reverse("admin:requests_app_rightsrequest_rows", args=[case.pk]), {"group": group})


def group_of(asked, number):
    return f"{asked.run.pk}:{asked.parts[number].group.key}"


def test_a_group_says_how_many_rows_why_and_what_leads_to_it(desk, case):
    asked, page = question(desk, case)
    assert [part.title for part in asked.parts] == ["Group 1: 1 row", "Group 2: 1 row"]
    assert [part.reasons for part in asked.parts] == [["document.co_owner_id names another owner in customer"]] * 2
    assert [part.ties for part in asked.parts] == ["document.owner_id"] * 2
    for secret in ("anna@", "bo@", "with Bo", "Cia"):
        assert secret not in page


def test_each_group_gets_its_own_answer_and_the_run_carries_them_out(desk, shop, case):
    asked, _page = question(desk, case)
    names = [part.name for part in asked.parts]
    take(desk, "alice", case, "contested", **{asked.name: "each", names[0]: "keep", names[1]: "disclose"})
    keys = [part.group.key for part in asked.parts]
    assert case.runs.get().choices == {keys[0]: "keep", keys[1]: "disclose"}
    page = desk.browser("alice").get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()
    assert "1 group: leave them as they are; 1 group: treat them as this person&#x27;s own, and erase them" in page
    while locate_due():  # what is below the rows that were given
        pass
    take(desk, "alice", case, "propose", reason="")
    code = desk.browser("bea").get(step_url(case, "approve-erasure")).context
    sent = {"digest": code["form"]["digest"].initial, "plan_code": code["plan_code"], "otp_token": desk.code("bea")}
    take(desk, "bea", case, "approve-erasure", **sent)
    while run_due() or scan_due():
        pass
    assert fresh(case).state == State.COMPLETED
    assert len(shop.column("SELECT id FROM document WHERE id IN (11, 12)")) == 1
    assert "1 record is somebody else's too" in fresh(case).answer
    assert Remnant.objects.get(case=case.reference).shared == 1


def test_group_by_group_leaves_none_out(desk, case):
    asked, _page = question(desk, case)
    answer = take(desk, "alice", case, "contested", **{asked.name: "each", asked.parts[0].name: "keep"})
    assert list(answer.context["form"].errors) == [asked.parts[1].name]
    assert case.runs.get().choices == {}


def test_an_erasure_is_not_proposed_while_a_group_is_open(desk, case):
    run = case.runs.get()
    asked, _page = question(desk, case)
    run.choices = {asked.parts[0].group.key: "keep"}
    run.save()
    page = desk.browser("alice").get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()
    assert "Contested rows are not decided on in shop: document." in page
    assert desk.browser("alice").get(step_url(case, "propose")).status_code == 302


def test_one_answer_for_all_takes_the_place_of_those_for_groups_and_back(desk, case):
    asked, _page = question(desk, case)
    names, keys = [part.name for part in asked.parts], [part.group.key for part in asked.parts]
    take(desk, "alice", case, "contested", **{asked.name: "each", names[0]: "keep", names[1]: "anonymize"})
    take(desk, "alice", case, "contested", **{asked.name: "anonymize"})
    assert case.runs.get().choices == {"document": "anonymize"}
    take(desk, "alice", case, "contested", **{asked.name: "each", names[0]: "keep", names[1]: "anonymize"})
    assert case.runs.get().choices == {keys[0]: "keep", keys[1]: "anonymize"}


def test_the_choices_are_in_the_trail_without_a_value(desk, case):
    asked, _page = question(desk, case)
    take(desk, "alice", case, "contested", **{asked.name: "each", **{part.name: "keep" for part in asked.parts}})
    event = next(event for event in audit.events(case.reference) if event.action == "contested.chosen")
    assert event.payload["choices"] == {part.group.key: "keep" for part in asked.parts}
    assert "anna" not in str(event.payload)


def test_a_look_shows_the_rows_and_is_written_down(desk, case):
    asked, _page = question(desk, case)
    pages = [look(desk, "alice", case, group_of(asked, number)).content.decode() for number in (0, 1)]
    assert sum("with Bo" in page for page in pages) == sum("with Cia" in page for page in pages) == 1
    events = [event for event in audit.events(case.reference) if event.action == "contested.looked"]
    assert [event.payload for event in events] == [{"store": "shop", "group": part.group.key, "rows": 1} for part in asked.parts]
    assert {event.actor for event in events} == {f"staff:{desk.person('alice').pk}"}


def test_a_look_reads_through_the_read_only_address(desk, shop, case):
    """The acting URL leads nowhere for this test: only the other is used."""
    asked, _page = question(desk, case)
    run = asked.run
    store = type(run.store).objects.get(key="shop")
    store.read_url, store.url = store.url, "postgresql://nobody@127.0.0.1:1/nowhere"
    store.save()
    assert "with " in look(desk, "alice", case, group_of(asked, 0)).content.decode()


def test_a_look_when_the_store_is_down_says_so(desk, case):
    asked, _page = question(desk, case)
    store = type(asked.run.store).objects.get(key="shop")
    store.url = "postgresql://nobody@127.0.0.1:1/nowhere"
    store.save()
    assert "The store cannot be read now." in told(look(desk, "alice", case, group_of(asked, 0)), desk, "alice")


@pytest.mark.parametrize("group", ["", "x:y", "1:document#00000000000000000000", "99999999999999999999:z"])
def test_a_group_that_does_not_exist_shows_nothing(desk, case, group):
    assert "not contested any more" in told(look(desk, "alice", case, group), desk, "alice")


def test_a_group_of_another_case_shows_nothing(desk, case):
    asked, _page = question(desk, case)
    other = make_request(make_customer("bo@example.se"), "erasure")
    assert "not contested any more" in told(look(desk, "alice", other, group_of(asked, 0)), desk, "alice")
    assert not [event for event in audit.events(other.reference) if event.action == "contested.looked"]


def test_only_those_who_decide_may_look(desk, case):
    asked, _page = question(desk, case)
    assert {who: look(desk, who, case, group_of(asked, 0)).status_code for who in ("alice", "bea", "olof", "eva", "ada")} == {
        "alice": 200,
        "bea": 200,
        "olof": 403,
        "eva": 403,
        "ada": 403,
    }


def test_a_look_is_no_address_that_can_be_followed(desk, case):
    url = reverse("admin:requests_app_rightsrequest_rows", args=[case.pk])
    assert desk.browser("alice").get(url).status_code == 405


def test_hundreds_of_groups_are_decided_in_several_sittings(desk, shop, case):
    shop.sql("INSERT INTO customer SELECT n, 'c' || n || '@example.se', 'C' FROM generate_series(100, 349) n")
    shop.sql("INSERT INTO document SELECT 1000 + n, 1, n, 'more', NULL, 1 FROM generate_series(100, 349) n")
    take(desk, "alice", case, "resume", target=case.runs.get().pk)
    while locate_due():
        pass
    asked, page = question(desk, case)
    assert (len(asked.parts), asked.more) == (200, 52)
    assert "52 more groups follow" in page
    take(desk, "alice", case, "contested", **{asked.name: "each", **{part.name: "keep" for part in asked.parts}})
    again, _page = question(desk, case)
    assert len([part for part in again.parts if part.group.key not in case.runs.get().choices]) == 52
    take(desk, "alice", case, "contested", **{again.name: "each", **{part.name: "keep" for part in again.parts}})
    assert len(case.runs.get().choices) == 252
    take(desk, "alice", case, "propose", reason="")
    assert fresh(case).state == State.PROPOSED
