"""Level 2: a code to a number that a store has held unchanged for long enough. The page never learns the numbers."""

import re

import pytest
from django.utils import timezone

from accounts import people, signin
from accounts.models import VerificationMethod
from requests_app.models import State
from tests.factories import make_request, make_staff
from tests.mailbox import Mailbox, last_code
from tests.portal.conftest import a_number

pytestmark = pytest.mark.django_db
PHONE = "+46701234567"


def numbers_on(page):
    return re.findall(r'name="number" id="\w+" value="(\w+)"', page)


def choose(client, key=None, next_page="/requests/"):
    page = client.get("/identity/").content.decode()
    return client.post("/identity/", {"number": key or numbers_on(page)[0], "next": next_page})


def prove(client, next_page="/requests/"):
    choose(client, next_page=next_page)
    return client.post("/identity/code/", {"code": last_code(PHONE)})


def test_the_code_raises_the_level_for_this_sitting_and_the_phone_becomes_an_identity(annas, anna):
    page = annas.get("/identity/").content.decode()
    assert "67" in page
    assert "4567" not in page.replace(" ", "")
    assert "123" not in page
    key = annas.session.session_key
    assert prove(annas, "/ask/access/check/")["Location"] == "/ask/access/check/"
    assert annas.session.session_key != key
    assert annas.session[signin.SESSION_KEY]["level"] == 2
    identity = anna.identities.get(kind="phone_number")
    assert (identity.value, identity.method) == (PHONE, VerificationMethod.SMS_CODE)


@pytest.mark.parametrize(
    "contact",
    [a_number(unchanged_days=29), a_number(unchanged_days=None), a_number("inget nummer"), a_number("a@b.se", kind="email")],
)
def test_a_number_that_is_new_or_of_unknown_age_is_not_used(annas, stores, contact):
    stores.contacts = [contact]
    page = annas.get("/identity/").content.decode()
    assert "no phone number that we can use" in page
    assert "30 days" in page
    assert "Back to where you were" in page
    annas.post("/identity/", {"number": "anything"})
    assert not Mailbox.kept


def test_a_number_unchanged_for_just_long_enough_is_used(annas, stores):
    stores.contacts = [a_number(unchanged_days=30), a_number("+46 70 123 45 67", unchanged_days=90)]
    page = annas.get("/identity/").content.decode()
    assert len(numbers_on(page)) == 2  # the same number once, and "none of these"


def test_a_number_that_staff_accepted_is_used_too(annas, anna, stores):
    stores.contacts = []
    people.add_identity(
        customer=anna,
        kind="phone_number",
        value=PHONE,
        method=VerificationMethod.STAFF,
        now=timezone.now(),
        verified_by=make_staff("agent"),
    )
    assert prove(annas).status_code == 302


def test_a_number_proved_earlier_and_no_longer_in_any_store_is_not_used(annas, anna, stores):
    stores.contacts = []
    people.add_identity(customer=anna, kind="phone_number", value=PHONE, method=VerificationMethod.SMS_CODE, now=timezone.now())
    assert "no phone number that we can use" in annas.get("/identity/").content.decode()


def test_nobody_can_send_a_code_to_a_number_of_their_choice(annas, stores):
    mine = numbers_on(annas.get("/identity/").content.decode())[0]
    stores.contacts = [a_number("070-999 99 99")]
    for number in (mine, "070-111 11 11", "+46701111111", ""):
        page = annas.post("/identity/", {"number": number}).content.decode()
        assert "There is a problem" in page
    assert not Mailbox.kept


def test_the_key_of_a_number_is_good_for_its_own_person_only(annas, bos):
    assert numbers_on(annas.get("/identity/").content.decode())[0] != numbers_on(bos.get("/identity/").content.decode())[0]


def test_a_code_sent_for_one_person_proves_nothing_for_another(annas, bos):
    choose(annas)
    session = bos.session
    session["customer_notes"] = {"identity_code": annas.session["customer_notes"]["identity_code"]}
    session.save()
    assert bos.post("/identity/code/", {"code": last_code(PHONE)})["Location"] == "/identity/"
    assert bos.session[signin.SESSION_KEY]["level"] == 1


def test_wrong_codes_are_counted_and_a_new_one_is_a_click_away(annas):
    choose(annas)
    wrong = f"{(int(last_code(PHONE)) + 1) % 10**6:06d}"
    assert "4 more times" in annas.post("/identity/code/", {"code": wrong}).content.decode()
    assert annas.post("/identity/code/", {"again": "1"})["Location"] == "/identity/code/"
    assert annas.post("/identity/code/", {"code": last_code(PHONE)}).status_code == 302


def test_the_limits_of_codes_hold_here_too(annas, settings):
    settings.INSYN_CODES_PER_IDENTITY_HOUR = 1
    choose(annas)
    assert "Wait an hour" in choose(annas).content.decode()
    assert len(Mailbox.kept) == 1


def test_stores_that_are_down_are_told_and_lose_nothing(annas, stores):
    stores.down = True
    page = annas.get("/identity/?next=/ask/access/check/").content.decode()
    assert "cannot reach our records" in page
    assert 'href="/ask/access/check/"' in page


def test_who_can_use_none_of_them_gets_the_other_ways(annas):
    response = choose(annas, "none", "/ask/access/check/")
    assert response["Location"] == "/identity/other/?next=%2Fask%2Faccess%2Fcheck%2F"
    page = annas.get(response["Location"]).content.decode()
    assert "Continue without a code" in page
    assert "dataskydd@nordhem.example" in page


def test_a_request_that_waits_goes_on_when_its_person_is_proved(annas, anna):
    case = make_request(anna, "access", level=1)
    assert case.state == State.IDENTIFYING
    prove(annas)
    case.refresh_from_db()
    assert (case.state, case.identity_level, case.paused_at) == (State.TRIAGE, 2, None)


def test_a_doubt_that_staff_raised_after_the_proof_is_answered_by_it(annas_proved, anna):
    case = make_request(anna, "access", level=1)
    assert annas_proved.get("/identity/?next=/requests/")["Location"] == "/requests/"
    case.refresh_from_db()
    assert case.state == State.TRIAGE


def test_it_needs_the_first_proof(english, stores):
    for path in ("/identity/", "/identity/code/", "/identity/other/"):
        assert english.get(path)["Location"].startswith("/sign-in/")


def test_without_a_code_on_its_way_the_code_page_leads_to_the_numbers(annas):
    assert annas.get("/identity/code/")["Location"] == "/identity/"


def test_the_stores_are_asked_once_in_a_while_and_again_when_nothing_was_found(annas, stores, settings):
    stores.contacts = []
    annas.get("/identity/")
    stores.contacts = [a_number()]
    before = stores.asked
    for _look in range(3):
        assert "radio" in annas.get("/identity/").content.decode()
    assert stores.asked == before + 1
    assert "123" not in str(dict(annas.session))  # what is kept of the number is encrypted
