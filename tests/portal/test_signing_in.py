"""Signing in by a code to the mailbox: nothing tells whether we know the address."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from accounts import messaging, signin
from accounts.models import Customer, VerificationCode
from requests_app.models import RightsRequest, State
from tests.factories import make_customer, make_request, make_staff
from tests.mailbox import Mailbox, last_code

pytestmark = pytest.mark.django_db
ANNA = "anna@example.se"


def ask_for_code(client, email=ANNA, **more):
    return client.post("/sign-in/", {"email": email, **more})


def enter(client, digits, **more):
    return client.post("/sign-in/code/", {"code": digits, **more})


def sign_in(client, email=ANNA):
    ask_for_code(client, email)
    return enter(client, last_code(email))


def test_a_code_to_the_mailbox_signs_in_and_only_then_makes_a_customer(english):
    response = ask_for_code(english)
    assert response["Location"] == "/sign-in/code/"
    assert not Customer.objects.exists()
    assert ANNA in english.get("/sign-in/code/").content.decode()
    response = enter(english, last_code(ANNA))
    assert response["Location"] == "/requests/"
    assert Customer.objects.get().language == "en"
    assert "My requests" in english.get("/requests/").content.decode()


def test_it_leads_back_to_where_one_was_going(english):
    response = english.get("/ask/access/")
    assert response["Location"] == "/sign-in/?next=%2Fask%2Faccess%2F"
    ask_for_code(english, next="/ask/access/")
    assert enter(english, last_code(ANNA))["Location"] == "/ask/access/"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_it_leads_nowhere_else(english, elsewhere):
    ask_for_code(english, next=elsewhere)
    assert enter(english, last_code(ANNA))["Location"] == "/requests/"


def test_the_session_gets_a_new_key(english):
    ask_for_code(english)
    before = english.session.session_key
    enter(english, last_code(ANNA))
    assert english.session.session_key != before


@pytest.fixture
def tasks(monkeypatch):
    """The names of the tasks that were asked for, and how many arguments each got."""
    asked = []
    monkeypatch.setattr(
        "celery.app.task.Task.apply_async", lambda self, args=None, **_: asked.append((self.name, len(args or ())))
    )
    monkeypatch.setattr("celery.Celery.send_task", lambda self, name, args=None, **_: asked.append((name, len(args or ()))))
    return asked


def test_known_and_unknown_addresses_get_the_same_answers_statements_messages_and_tasks(
    client, tasks, django_assert_max_num_queries, django_capture_on_commit_callbacks
):
    make_customer(ANNA)
    make_request(make_customer("known@example.se"))
    seen = []
    for email in (ANNA, "nobody@example.se", "known@example.se"):
        client.cookies.clear()
        client.cookies["django_language"] = "en"
        Mailbox.kept.clear()
        tasks.clear()
        with django_assert_max_num_queries(60) as captured, django_capture_on_commit_callbacks(execute=True):
            asked = ask_for_code(client, email)
            page = client.get("/sign-in/code/").content.decode()
            wrong = enter(client, "000000" if last_code(email) != "000000" else "111111").content.decode()
            again = client.post("/sign-in/code/", {"again": "1"})["Location"] + client.get("/sign-in/code/").content.decode()
        messages = [text for message in Mailbox.kept for text in (message.subject, message.text)]
        texts = [asked.status_code, asked["Location"], page, wrong, again, *messages]
        texts = [re.sub(r"\d{6}", "######", str(text).replace(email, "EMAIL")) for text in texts]
        texts = [re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text) for text in texts]
        statements = [re.sub(r"'[^']*'(::\w+)?|\d+", "?", query["sql"]) for query in captured.captured_queries]
        seen.append((texts, statements, list(tasks)))
    assert len(statements) > 5
    assert len(messages) == 4
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize(
    "email", ["", "anna", "anna@", "@example.se", "a b@example.se", "anna@example.se\x00", "å@b", "x" * 250 + "@a.se"]
)
def test_what_is_no_address_gets_an_error_that_says_how_to_write_it(english, email):
    response = ask_for_code(english, email)
    page = response.content.decode()
    assert response.status_code == 200
    assert "There is a problem" in page
    assert 'href="#id_email"' in page
    assert page.count("<title>Error:") == 1
    assert not VerificationCode.objects.exists()


def test_a_wrong_code_says_how_many_attempts_are_left(english):
    ask_for_code(english)
    wrong = f"{(int(last_code(ANNA)) + 1) % 10**6:06d}"
    assert "4 more times" in enter(english, wrong).content.decode()
    for _attempt in range(3):
        page = enter(english, wrong).content.decode()
    assert "1 more time." in page
    assert "too many times" in enter(english, wrong).content.decode()
    page = enter(english, last_code(ANNA)).content.decode()
    assert "Send a new code" in page
    assert signin.SESSION_KEY not in english.session


def test_a_slip_of_the_pen_costs_no_attempt(english):
    ask_for_code(english)
    assert "six digits" in enter(english, "12345").content.decode()
    assert VerificationCode.objects.get().attempts == 0
    digits = last_code(ANNA)
    assert enter(english, f" {digits[:3]} {digits[3:]}\n").status_code == 302


def test_an_expired_code_says_so_and_a_new_one_is_one_click_away(english):
    ask_for_code(english)
    old = last_code(ANNA)
    VerificationCode.objects.update(expires_at=timezone.now())
    page = enter(english, old).content.decode()
    assert "no longer works" in page
    assert 'name="again"' in page
    assert english.post("/sign-in/code/", {"again": "1"})["Location"] == "/sign-in/code/"
    assert len(Mailbox.kept) == 2
    assert enter(english, last_code(ANNA)).status_code == 302


def test_a_code_is_no_use_in_another_browser(english):
    ask_for_code(english)
    thief = Client()
    assert enter(thief, last_code(ANNA))["Location"] == "/sign-in/"


def test_too_many_codes_gets_a_clear_answer(english, settings):
    settings.INSYN_CODES_PER_IDENTITY_HOUR = 1
    ask_for_code(english)
    page = ask_for_code(english).content.decode()
    assert "Wait an hour" in page
    assert len(Mailbox.kept) == 1


def test_a_mail_server_that_is_down_gets_a_clear_answer(english, monkeypatch):
    def fail(**_message):
        raise messaging.DeliveryFailed("the mail server cannot be reached")

    monkeypatch.setattr(messaging, "deliver", fail)
    page = ask_for_code(english).content.decode()
    assert "could not send the code" in page
    assert ANNA in page  # what was typed is still there


def test_a_time_out_is_told_and_the_way_back_is_kept(annas):
    session = annas.session
    session[signin.SESSION_KEY] = session[signin.SESSION_KEY] | {"seen": 0}
    session.save()
    response = annas.get("/requests/")
    assert response["Location"].startswith("/sign-in/")
    assert "You were signed out" in annas.get(response["Location"]).content.decode()


def test_signing_out_takes_a_post(annas):
    assert annas.get("/sign-out/").status_code == 405
    assert annas.post("/sign-out/")["Location"] == "/"
    assert annas.get("/requests/").status_code == 302


def test_staff_are_no_customers(client):
    staff = make_staff("administrator")
    client.force_login(staff)
    assert client.get("/requests/")["Location"].startswith("/sign-in/")


def test_who_is_signed_in_is_not_asked_again(annas):
    assert annas.get("/sign-in/?next=/ask/access/")["Location"] == "/ask/access/"


def test_proving_the_mailbox_moves_on_a_request_that_staff_entered(english):
    anna, agent = make_customer(ANNA), make_staff("agent")
    case = make_request(anna, "restriction", level=0, source="phone", entered_by=agent)
    assert case.state == State.IDENTIFYING
    sign_in(english)
    case.refresh_from_db()
    assert (case.state, case.identity_level) == (State.TRIAGE, 1)
    assert RightsRequest.objects.count() == 1


def test_asking_for_one_more_code_than_the_limit_says_so_on_the_same_page(english, settings):
    ask_for_code(english)
    settings.INSYN_CODES_PER_IDENTITY_HOUR = 1
    page = english.post("/sign-in/code/", {"again": "1"}).content.decode()
    assert "There is a problem" in page
    assert "Wait an hour" in page
