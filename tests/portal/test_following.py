"""Following a request: in plain words, to its own person only."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Role
from privacy import actions
from requests_app import cases
from requests_app.case.lifecycle import transition
from requests_app.models import OutboxItem, Package, RightsRequest, State
from tests.factories import make_customer, make_request, make_staff, make_store, sign_in_customer

pytestmark = pytest.mark.django_db


def page_of(client, case):
    return client.get(f"/requests/{case.reference}/").content.decode()


def move(case, action, **changes):
    assert transition(requests=[case.pk], action=action, actor="staff:1", now=timezone.now(), changes=changes)
    case.refresh_from_db()


def give_package(case, state="ready", **columns):
    now = timezone.now()
    columns = {"size": 4821, "created_at": now, "ready_at": now, "expires_at": now + timedelta(days=14)} | columns
    return Package.objects.create(request=case, state=state, file_name=f"f{case.pk}", **columns)


def test_the_list_shows_ones_own_requests_newest_first(annas, anna):
    older = make_request(anna, "restriction", now=timezone.now() - timedelta(days=3))
    newer = make_request(anna, "access")
    other = make_request(make_customer(), "access")
    page = annas.get("/requests/").content.decode()
    assert page.index(newer.reference) < page.index(older.reference)
    assert other.reference not in page


def test_the_list_asks_the_database_no_more_for_many_than_for_few(annas, anna, django_assert_max_num_queries):
    for _number in range(25):
        case = make_request(anna, "restriction")
        RightsRequest.objects.filter(pk=case.pk).update(state=State.WITHDRAWN, closed_at=timezone.now())
    with django_assert_max_num_queries(6):
        page = annas.get("/requests/").content.decode()
    assert "?page=2" in page
    assert annas.get("/requests/?page=2").content.decode().count('class="card"') == 5
    assert annas.get("/requests/?page=nonsense").status_code == 200


def test_no_requests_yet_leads_to_the_first_page(annas):
    assert "not sent any request yet" in annas.get("/requests/").content.decode()


def test_one_request_says_state_date_and_what_happened(annas, anna, django_assert_max_num_queries):
    case = make_request(anna, "restriction")
    with django_assert_max_num_queries(12):
        page = page_of(annas, case)
    assert "Being assessed" in page
    assert case.due_on.strftime("%-d %B %Y") in page
    assert "Your request was received" in page
    assert "Restrict the use of my data" in page


@pytest.mark.parametrize("state", State.values)
def test_every_state_has_a_page(annas, anna, state):
    case = make_request(anna, "restriction")
    RightsRequest.objects.filter(pk=case.pk).update(state=state, outcome="nothing")
    assert annas.get(f"/requests/{case.reference}/").status_code == 200
    assert annas.get("/requests/").status_code == 200


def test_a_refusal_shows_the_letter_with_the_way_to_complain(annas, anna):
    case = make_request(anna, "access")
    agent = make_staff(Role.AGENT, Role.APPROVER)
    cases.refuse_request(request=case, acting_user=agent, reason="Vi har inga sådana uppgifter.", now=timezone.now())
    page = page_of(annas, case)
    assert "Refused" in page
    assert "Integritetsskyddsmyndigheten" in page
    assert page.count("Vi har inga sådana uppgifter.") == 1


def test_what_was_written_is_hidden_from_whoever_only_reads_the_mailbox(annas, anna):
    case = make_request(anna, "rectification", reason="Min hemlighet", details={"corrections": [
        {"field": "crm.customer.city", "label": {"en": "City"}, "kind": "text", "old": "Lund", "new": "Malmö"}
    ]})  # fmt: skip
    page = page_of(annas, case)
    assert "City" in page
    for secret in ("Min hemlighet", "Lund", "Malmö"):
        assert secret not in page
    sign_in_customer(annas, anna, level=2)
    page = page_of(annas, case)
    for mine in ("Min hemlighet", "Lund", "Malmö"):
        assert mine in page


def test_corrections_that_staff_entered_without_labels_are_shown_too(annas_proved, anna):
    assert "crm.customer.city" in page_of(annas_proved, make_request(anna, "rectification"))


def test_what_each_store_answered_stands_there(annas_proved, anna):
    make_store("crm")
    assert "We are looking for your data here." in page_of(annas_proved, make_request(anna, "access"))


def test_the_progress_answers_nothing_new_until_something_is(annas, anna):
    case = make_request(anna, "restriction")
    path = f"/requests/{case.reference}/progress/"
    first = annas.get(path)
    seen = first.context["seen"]
    assert f'value="{seen}"' in first.content.decode()
    assert "<html" not in first.content.decode()
    assert annas.get(path, {"seen": seen}).status_code == 204
    move(case, "approve")
    assert annas.get(path, {"seen": seen}).status_code == 200
    move(case, "start")
    move(case, "complete", answer="Klart.")
    last = annas.get(path, {"seen": seen})
    assert last.status_code == 286  # htmx: stop asking
    assert "Klart." in last.content.decode()


def test_the_page_asks_again_by_itself_only_while_something_may_change(annas, anna):
    case = make_request(anna, "restriction")
    assert "hx-get" in page_of(annas, case)
    move(case, "refuse", answer="Nej.")
    assert "hx-get" not in page_of(annas, case)
    assert "htmx" not in page_of(annas, case)


def test_withdrawing_is_confirmed_first_and_done_once(annas, anna):
    case = make_request(anna, "restriction")
    path = f"/requests/{case.reference}/withdraw/"
    assert "Withdraw the request?" in annas.get(path).content.decode()
    case.refresh_from_db()
    assert case.state == State.TRIAGE
    assert annas.post(path)["Location"] == f"/requests/{case.reference}/"
    case.refresh_from_db()
    assert case.state == State.WITHDRAWN
    sent = OutboxItem.objects.count()
    assert annas.post(path).status_code == 302
    assert OutboxItem.objects.count() == sent
    assert "You have withdrawn" in page_of(annas, case)


def test_what_is_already_done_can_no_longer_be_withdrawn(annas, anna):
    case = make_request(anna, "restriction")
    for action in ("approve", "start", "complete"):
        move(case, action)
    path = f"/requests/{case.reference}/withdraw/"
    assert "can no longer be withdrawn" in annas.get(path).content.decode()
    response = annas.post(path)
    assert response.status_code == 409
    assert "There is a problem" in response.content.decode()
    assert "/withdraw/" not in page_of(annas, case)


def test_a_restriction_in_force_can_be_ended_by_its_person(annas, anna):
    case = make_request(anna, "restriction")
    for action in ("approve", "start", "restrict"):
        move(case, action)
    assert "End the restriction" in page_of(annas, case)
    assert annas.post(f"/requests/{case.reference}/withdraw/").status_code == 302


def test_an_erasure_tells_what_it_waits_for_and_may_go_ahead(annas_proved, anna):
    access, erasure = make_request(anna, "access"), make_request(anna, "erasure", ground="a")
    assert "Your other requests come first" in page_of(annas_proved, erasure)
    path = f"/requests/{erasure.reference}/waive/"
    assert access.reference in annas_proved.get(path).content.decode()
    annas_proved.post(path)
    erasure.refresh_from_db()
    assert erasure.waived_at
    assert "come first" not in page_of(annas_proved, erasure)
    assert annas_proved.get(path).status_code == 302


# --- the package ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", Package.State.values)
def test_every_state_of_a_package_is_told(annas, anna, state):
    case = make_request(anna, "access")
    give_package(case, state=state)
    assert "Your package" in page_of(annas, case)


def test_stores_that_are_down_do_not_touch_the_page(annas, anna, monkeypatch):
    def down(*_args, **_options):
        raise actions.StoreUnavailable("crm")

    monkeypatch.setattr(actions, "find", down)
    assert annas.get(f"/requests/{make_request(anna, 'access').reference}/").status_code == 200


def test_what_we_hold_is_told_only_to_who_could_be_given_it(annas, anna):
    """Else a stolen mailbox would learn how much we know before anything was proved."""
    make_store("crm")
    case = make_request(anna, "access")
    assert "We are looking for your data here." not in page_of(annas, case)
    RightsRequest.objects.filter(pk=case.pk).update(state=State.COMPLETED, answer="Fakturor: 5 stycken.")
    page = page_of(annas, case)
    assert "Fakturor" not in page
    assert "Confirm who you are" in page
    sign_in_customer(annas, anna, level=2)
    page = page_of(annas, case)
    assert "Fakturor: 5 stycken." in page
    assert "We are looking for your data here." in page
