"""Asking for a right: one question per page, answers checked before they are sent, and sent once."""

import pytest
import time_machine
from django.utils import timezone

from accounts import signin
from requests_app.errors import NotAllowed
from requests_app.models import Right, RightsRequest, State
from tests.factories import make_customer, make_request, sign_in_customer
from tests.portal.walk import post_until_check, problems, send, token_on

pytestmark = pytest.mark.django_db
PERIOD = {"since_0": "2024", "since_1": "1", "since_2": "31", "until_0": "", "until_1": "", "until_2": ""}


def the_request():
    return RightsRequest.objects.get()


@pytest.mark.parametrize(
    ("right", "answers", "expected"),
    [
        ("access", {"scope": {"scope": "all"}, "reason": {"reason": ""}}, {"details": None, "reason": None}),
        ("access", {"scope": {"scope": "all"}, "reason": {"reason": "Nyfiken"}}, {"details": None, "reason": "Nyfiken"}),
        (
            "access",
            {"scope": {"scope": "categories"}, "categories": {"categories": ["contact", "history"]}, "reason": {}},
            {"details": {"categories": ["contact", "history"]}},
        ),
        ("access", {"scope": {"scope": "period"}, "period": PERIOD, "reason": {}}, {"details": {"since": "2024-01-31"}}),
        (
            "access",
            {"scope": {"scope": "both"}, "categories": {"categories": ["history"]}, "period": PERIOD, "reason": {}},
            {"details": {"categories": ["history"], "since": "2024-01-31"}},
        ),
        (
            "portability",
            {"scope": {"scope": "period"}, "period": PERIOD | {"until_0": "2024", "until_1": "02", "until_2": "29"}},
            {"details": {"since": "2024-01-31", "until": "2024-02-29"}},
        ),
        ("restriction", {"ground": {"ground": "a"}, "consequence": {"understood": "on"}, "reason": {}}, {"ground": "a"}),
        ("restriction", {"ground": {"ground": "c"}, "reason": {"reason": "Tvist"}}, {"ground": "c", "reason": "Tvist"}),
        ("erasure", {"ground": {"ground": "d"}, "reason": {}}, {"ground": "d"}),
        ("erasure", {"ground": {"ground": "other"}, "reason": {"reason": "Vet inte"}}, {"ground": "", "reason": "Vet inte"}),
        ("objection", {}, {"ground": "", "details": None}),
    ],
)
def test_each_right_is_asked_for_with_its_own_questions(annas_proved, anna, right, answers, expected):
    assert post_until_check(annas_proved, right, answers) == f"/ask/{right}/check/"
    assert not RightsRequest.objects.exists()
    response = send(annas_proved, right)
    case = the_request()
    assert response["Location"] == f"/requests/{case.reference}/sent/"
    assert (case.customer, case.right, case.source, case.language, case.identity_level) == (anna, right, "portal", "en", 2)
    assert case.notice_version
    assert {name: getattr(case, name) for name in expected} == expected


def test_the_confirmation_says_the_reference_what_happens_next_and_when(annas_proved):
    with time_machine.travel("2026-03-05T09:00:00Z", tick=False):
        sign_in_customer(annas_proved, make_customer("anna@example.se"), level=2)
        post_until_check(annas_proved, "access", {"scope": {"scope": "all"}, "reason": {}})
        page = annas_proved.get(send(annas_proved, "access")["Location"]).content.decode()
    assert the_request().reference in page
    assert "What happens next" in page
    assert "7 April 2026" in page  # LAW.md: received Thursday 2026-03-05
    assert "anna@example.se" in page


def test_a_second_submit_of_the_same_form_shows_the_request_and_changes_nothing(annas_proved):
    post_until_check(annas_proved, "access", {"scope": {"scope": "all"}, "reason": {}})
    token = token_on(annas_proved.get("/ask/access/check/").content.decode())
    answers = [annas_proved.post("/ask/access/check/", {"token": token}) for _click in range(3)]
    assert {answer["Location"] for answer in answers} == {f"/requests/{the_request().reference}/sent/"}


def test_the_same_form_once_more_shows_its_request_even_when_that_is_closed(annas_proved):
    token = token_on(annas_proved.get("/ask/objection/check/").content.decode())
    annas_proved.post("/ask/objection/check/", {"token": token})
    RightsRequest.objects.update(state=State.COMPLETED, closed_at=timezone.now())
    answer = annas_proved.post("/ask/objection/check/", {"token": token})
    assert answer["Location"] == f"/requests/{the_request().reference}/sent/"


def test_an_open_request_is_shown_instead_of_a_form(annas, anna):
    case = make_request(anna, "restriction")
    for path in ("/ask/restriction/", "/ask/restriction/ground/", "/ask/restriction/check/"):
        page = annas.get(path).content.decode()
        assert "already asked" in page
        assert f"/requests/{case.reference}/" in page
    assert annas.post("/ask/restriction/check/", {"token": "x"}).status_code == 200
    assert RightsRequest.objects.count() == 1


def test_two_tabs_that_send_at_once_make_one_request(annas, anna, monkeypatch):
    """The other tab's request appears between our looking and our sending: the database says so."""
    from requests_app.portal import asking

    post_until_check(annas, "restriction", {"ground": {"ground": "b"}, "reason": {}})
    token = token_on(annas.get("/ask/restriction/check/").content.decode())
    case = make_request(anna, "restriction")
    look = asking._already_open
    blind = iter([True])
    monkeypatch.setattr(asking, "_already_open", lambda request, right: None if next(blind, False) else look(request, right))
    assert annas.post("/ask/restriction/check/", {"token": token})["Location"] == "/ask/restriction/"
    assert the_request() == case


def test_after_sending_the_back_button_meets_the_request(annas):
    post_until_check(annas, "restriction", {"ground": {"ground": "b"}, "reason": {}})
    send(annas, "restriction")
    for step in ("ground", "reason", "check"):
        assert "already asked" in annas.get(f"/ask/restriction/{step}/").content.decode()
    assert "no-store" in annas.get("/ask/restriction/check/")["Cache-Control"]


def test_answers_changed_in_another_tab_are_not_sent_unseen(annas):
    post_until_check(annas, "restriction", {"ground": {"ground": "b"}, "reason": {}})
    response = annas.post("/ask/restriction/check/", {"token": "an older one"})
    assert response["Location"] == "/ask/restriction/check/"
    assert "another tab" in annas.get("/ask/restriction/check/").content.decode()
    assert not RightsRequest.objects.exists()


def test_an_answer_can_be_changed_and_one_comes_straight_back(annas):
    post_until_check(annas, "restriction", {"ground": {"ground": "b"}, "reason": {"reason": "Bevis"}})
    page = annas.get("/ask/restriction/ground/").content.decode()
    assert 'value="b" checked' in page
    assert annas.post("/ask/restriction/ground/", {"ground": "c"})["Location"] == "/ask/restriction/check/"
    page = annas.get("/ask/restriction/check/").content.decode()
    assert "legal claim" in page
    assert "Bevis" in page


def test_a_changed_answer_asks_what_follows_from_it(annas):
    post_until_check(annas, "restriction", {"ground": {"ground": "b"}, "reason": {}})
    assert annas.post("/ask/restriction/ground/", {"ground": "a"})["Location"] == "/ask/restriction/consequence/"
    assert annas.get("/ask/restriction/check/")["Location"] == "/ask/restriction/consequence/"
    assert problems(annas.post("/ask/restriction/consequence/", {}))
    annas.post("/ask/restriction/consequence/", {"understood": "on"})
    assert "services are paused" in annas.get("/ask/restriction/check/").content.decode()


def test_an_answer_that_is_no_longer_asked_for_is_not_sent(annas_proved):
    post_until_check(annas_proved, "access", {"scope": {"scope": "period"}, "period": PERIOD, "reason": {}})
    annas_proved.post("/ask/access/scope/", {"scope": "all"})
    assert annas_proved.get("/ask/access/period/")["Location"] == "/ask/access/check/"
    send(annas_proved, "access")
    assert the_request().details is None


def test_the_company_decides_which_grounds_pause_services(annas, settings):
    settings.INSYN_STOP_SERVICES_ON_RESTRICTION = {"a": False, "d": True}
    assert annas.post("/ask/restriction/ground/", {"ground": "a"})["Location"] == "/ask/restriction/reason/"
    assert annas.post("/ask/restriction/ground/", {"ground": "d"})["Location"] == "/ask/restriction/consequence/"
    assert "paused" in annas.get("/ask/restriction/ground/").content.decode()


@pytest.mark.parametrize("right", ["access", "portability", "erasure"])
def test_what_leaves_the_house_or_cannot_be_undone_asks_for_the_second_proof_first(annas, right):
    answers = {"scope": {"scope": "all"}, "ground": {"ground": "a"}, "reason": {}}
    assert post_until_check(annas, right, answers) == f"/identity/?next=%2Fask%2F{right}%2Fcheck%2F"
    page = annas.get(f"/ask/{right}/check/").content.decode()
    assert "We do not know yet that it is you" in page
    send(annas, right)
    case = the_request()
    assert (case.state, case.identity_level) == (State.IDENTIFYING, 1)
    assert "Confirm who you are" in annas.get(f"/requests/{case.reference}/sent/").content.decode()


def test_who_came_to_the_last_page_without_the_proof_is_not_asked_again_for_every_change(annas):
    post_until_check(annas, "erasure", {"ground": {"ground": "a"}, "reason": {}})
    annas.get("/ask/erasure/check/")
    assert annas.post("/ask/erasure/ground/", {"ground": "d"})["Location"] == "/ask/erasure/check/"


@pytest.mark.parametrize("right", ["rectification", "restriction", "objection"])
def test_the_other_rights_need_the_mailbox_only(annas, right):
    answers = {
        "ground": {"ground": "b"},
        "fields": {"fields_wrong": ["crm.customer.street"]},
        "values": {"new_0": "Lillgatan 2"},
        "reason": {},
    }
    assert post_until_check(annas, right, answers) == f"/ask/{right}/check/"


@pytest.mark.parametrize(
    ("right", "step", "answer", "says"),
    [
        ("access", "scope", {}, "Choose what you want to see"),
        ("access", "scope", {"scope": "everything"}, "everything"),
        ("portability", "scope", {}, "take with you"),
        ("erasure", "ground", {}, "closest"),
        ("erasure", "ground", {"ground": "z"}, "z"),
        ("restriction", "ground", {"ground": "e"}, "e"),
        ("restriction", "reason", {"reason": "x" * 2001}, "2001"),
    ],
)
def test_a_bad_answer_gets_the_question_again_with_a_message(annas, right, step, answer, says):
    if step == "reason":
        annas.post("/ask/restriction/ground/", {"ground": "b"})
    response = annas.post(f"/ask/{right}/{step}/", answer)
    assert response.status_code == 200
    assert says in problems(response)[0]
    assert "<title>Error:" in response.content.decode()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({}, "first day of the period"),
        ({"since_0": "2024", "since_1": "2"}, "must have a day"),
        ({"since_0": "2024", "since_1": "2", "since_2": "30"}, "no such date"),
        ({"since_0": "20x4", "since_1": "2", "since_2": "3"}, "in digits"),
        ({"since_0": "٢٠٢٤", "since_1": "2", "since_2": "3"}, "in digits"),
        ({"since_0": "0", "since_1": "2", "since_2": "3"}, "no such date"),
        ({"since_0": "1889", "since_1": "2", "since_2": "3"}, "after 1990"),
        ({"since_0": "2999", "since_1": "2", "since_2": "3"}, "today or earlier"),
        (
            {"since_0": "2024", "since_1": "2", "since_2": "3", "until_0": "2024", "until_1": "2", "until_2": "2"},
            "same as the first or later",
        ),
    ],
)
def test_a_date_that_is_none_says_what_is_wrong_with_it(annas, parts, says):
    annas.post("/ask/access/scope/", {"scope": "period"})
    response = annas.post("/ask/access/period/", parts)
    assert says in problems(response)[0]


def test_what_was_typed_wrong_is_still_there(annas):
    annas.post("/ask/access/scope/", {"scope": "period"})
    page = annas.post("/ask/access/period/", {"since_0": "2024", "since_1": "13", "since_2": "1"}).content.decode()
    assert 'value="13"' in page


def test_what_the_rule_forbids_is_told_in_its_own_words(annas, monkeypatch):
    from requests_app import cases

    def forbid(**_request):
        raise NotAllowed("That is not possible because of the weather.")

    monkeypatch.setattr(cases, "submit_request", forbid)
    response = send(annas, "objection")
    assert response.status_code == 409
    assert "because of the weather" in response.content.decode()


def test_drafts_are_encrypted_and_nobody_elses(annas):
    annas.post("/ask/restriction/ground/", {"ground": "b"})
    annas.post("/ask/restriction/reason/", {"reason": "Min hemlighet"})
    assert "hemlighet" not in str(dict(annas.session.items()))
    bo = make_customer("bo@example.se")
    session = annas.session
    session[signin.SESSION_KEY]["seen"] = 0
    session.save()
    annas.post("/sign-in/", {"email": "bo@example.se"})
    from tests.mailbox import last_code

    annas.post("/sign-in/code/", {"code": last_code("bo@example.se")})
    assert annas.session[signin.SESSION_KEY]["id"] == bo.pk
    assert "drafts" not in annas.session.get(signin.NOTES_KEY, {})


def test_a_draft_survives_a_time_out_of_the_same_person(annas):
    from tests.mailbox import last_code

    annas.post("/ask/restriction/ground/", {"ground": "b"})
    session = annas.session
    session[signin.SESSION_KEY]["seen"] = 0
    session.save()
    annas.post("/sign-in/", {"email": "anna@example.se", "next": "/ask/restriction/"})
    annas.post("/sign-in/code/", {"code": last_code("anna@example.se")})
    assert annas.get("/ask/restriction/")["Location"] == "/ask/restriction/reason/"


def test_a_draft_under_a_key_that_is_gone_begins_anew(annas, settings):
    annas.post("/ask/restriction/ground/", {"ground": "b"})
    from cryptography.fernet import Fernet

    settings.INSYN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert annas.get("/ask/restriction/")["Location"] == "/ask/restriction/ground/"


@pytest.mark.parametrize("path", ["/ask/pardon/", "/ask/pardon/check/", "/ask/access/nothing/", "/ask/objection/reason/"])
def test_what_is_no_right_or_no_question_is_not_found(annas, path):
    assert annas.get(path).status_code == 404


def test_every_right_has_a_form_and_an_explanation():
    from requests_app.portal.flow import STEPS
    from requests_app.portal.rights import RIGHTS

    assert set(STEPS) == set(RIGHTS) == set(Right.values)
