"""Correcting: the old value beside the new one, checked as what it is, and shown in full only to whoever proved more."""

import pytest

from requests_app.errors import NotAllowed
from requests_app.models import RightsRequest
from tests.factories import make_request
from tests.mailbox import Mailbox, last_code
from tests.portal.walk import post_until_check, problems, send

pytestmark = pytest.mark.django_db
ALL = ["crm.customer.email", "crm.customer.phone", "crm.customer.street", "crm.customer.postcode"]


def confirm(client, email):
    return client.post("/ask/rectification/mailbox/", {"code": last_code(email)})


def choose(client, *fields):
    return client.post("/ask/rectification/fields/", {"fields_wrong": list(fields)})


def test_one_proof_shows_values_masked_and_the_second_shows_them(annas, annas_proved, anna):
    from tests.factories import sign_in_customer

    sign_in_customer(annas, anna, level=1)
    page = annas.get("/ask/rectification/fields/").content.decode()
    for value in ("anna@example.se", "070-123 45 67", "Storgatan", "111 22"):
        assert value not in page
    assert "a•••@e•••" in page
    sign_in_customer(annas, anna, level=2)
    page = annas.get("/ask/rectification/fields/").content.decode()
    for value in ("anna@example.se", "070-123 45 67", "Storgatan 1", "111 22"):
        assert value in page


def test_old_and_new_are_sent_with_the_label_and_the_kind(annas_proved):
    answers = {
        "fields": {"fields_wrong": ALL},
        "values": {"new_0": " Anna@Example.com ", "new_1": "0707654321", "new_2": "Lillgatan   2", "new_3": "21133"},
        "reason": {"reason": ""},
    }
    assert post_until_check(annas_proved, "rectification", answers) == "/ask/rectification/mailbox/"
    confirm(annas_proved, "anna@example.com")
    post_until_check(annas_proved, "rectification", answers)
    page = annas_proved.get("/ask/rectification/check/").content.decode()
    assert "Storgatan 1" in page
    assert "Lillgatan 2" in page
    send(annas_proved, "rectification")
    corrections = RightsRequest.objects.get().details["corrections"]
    assert [(one["field"], one["old"], one["new"]) for one in corrections] == [
        ("crm.customer.email", "anna@example.se", "Anna@Example.com"),
        ("crm.customer.phone", "070-123 45 67", "070-765 43 21"),
        ("crm.customer.street", "Storgatan 1", "Lillgatan 2"),
        ("crm.customer.postcode", "111 22", "211 33"),
    ]
    assert corrections[0]["label"] == {"sv": "E-post", "en": "E-mail"}
    assert corrections[1]["kind"] == "phone"


def test_the_true_old_value_is_sent_even_where_it_was_shown_masked(annas):
    post_until_check(
        annas, "rectification", {"fields": {"fields_wrong": ALL[2:3]}, "values": {"new_0": "Lillgatan 2"}, "reason": {}}
    )
    assert "Storgatan" not in annas.get("/ask/rectification/check/").content.decode()
    send(annas, "rectification")
    assert RightsRequest.objects.get().details["corrections"][0]["old"] == "Storgatan 1"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        (ALL[0], "anna", "name@example.se"),
        (ALL[0], "", "new value"),
        (ALL[1], "12", "phone number"),
        (ALL[1], "0700000000000000", "phone number"),
        (ALL[3], "1112", "five digits"),
        (ALL[3], "٠١٢٣٤", "five digits"),
        (ALL[2], "x" * 301, "300 characters"),
        (ALL[2], "Stor\x00gatan", "ull"),
    ],
)
def test_a_value_is_checked_as_what_it_is(annas_proved, field, value, says):
    choose(annas_proved, field)
    assert says in problems(annas_proved.post("/ask/rectification/values/", {"new_0": value}))[0]


@pytest.mark.parametrize(("field", "same"), [(ALL[0], "ANNA@example.se"), (ALL[1], "+46 70 123 45 67"), (ALL[2], "Storgatan 1")])
def test_what_we_already_have_is_said_only_to_who_may_see_it(annas_proved, anna, field, same):
    from tests.factories import sign_in_customer

    choose(annas_proved, field)
    assert "already have" in problems(annas_proved.post("/ask/rectification/values/", {"new_0": same}))[0]
    sign_in_customer(annas_proved, anna, level=1)
    assert choose(annas_proved, field).status_code == 302
    assert annas_proved.post("/ask/rectification/values/", {"new_0": same}).status_code == 302  # no oracle for guesses


@pytest.mark.parametrize(
    ("old", "typed", "written"),
    [
        ("+46701234567", "070-765 43 21", "+46 70 765 43 21"),
        ("0701234567", "+46 70 765 43 21", "070-765 43 21"),
        ("0701234567", "+47 22 34 50 00", "+47 22 34 50 00"),
    ],
)
def test_a_phone_number_is_written_the_way_the_old_one_was(annas_proved, stores, old, typed, written):
    stores.fields[1]["value"] = old
    post_until_check(
        annas_proved, "rectification", {"fields": {"fields_wrong": [ALL[1]]}, "values": {"new_0": typed}, "reason": {}}
    )
    send(annas_proved, "rectification")
    assert RightsRequest.objects.get().details["corrections"][0]["new"] == written


def test_something_else_is_told_in_ones_own_words(annas):
    assert choose(annas, "other")["Location"] == "/ask/rectification/reason/"
    assert "wrong or missing" in problems(annas.post("/ask/rectification/reason/", {"reason": " "}))[0]
    annas.post("/ask/rectification/reason/", {"reason": "Mitt mellannamn saknas"})
    send(annas, "rectification")
    case = RightsRequest.objects.get()
    assert case.reason == "Mitt mellannamn saknas"
    assert not case.details["corrections"]


def test_choosing_more_fields_keeps_what_was_written_and_asks_for_the_rest(annas):
    choose(annas, ALL[2])
    annas.post("/ask/rectification/values/", {"new_0": "Lillgatan 2"})
    annas.post("/ask/rectification/reason/", {"reason": ""})
    assert choose(annas, ALL[2], ALL[3])["Location"] == "/ask/rectification/values/"
    assert "Lillgatan 2" in annas.get("/ask/rectification/values/").content.decode()


def test_nothing_found_still_leaves_a_way(annas, stores):
    stores.status = "nothing"
    page = annas.get("/ask/rectification/fields/").content.decode()
    assert "Something else" in page
    assert "cannot reach" not in page


@pytest.mark.parametrize("trouble", ["down", "unreachable"])
def test_a_store_that_is_down_is_told_and_never_looks_like_nothing(annas, stores, trouble):
    if trouble == "down":
        stores.down = True
    else:
        stores.status = "unreachable"
    page = annas.get("/ask/rectification/fields/").content.decode()
    assert "cannot reach all our records" in page


def test_the_stores_are_asked_once_per_draft(annas, stores):
    for _click in range(3):
        annas.get("/ask/rectification/fields/")
    choose(annas, ALL[2])
    assert stores.asked == 1


def test_a_field_that_is_not_ours_is_refused(annas):
    assert problems(choose(annas, "crm.customer.credit_limit"))


def test_labels_fall_back_where_a_language_is_missing(annas, stores):
    stores.fields[0]["label"] = {"sv": "E-postadress"}
    stores.fields[1]["label"] = {}
    page = annas.get("/ask/rectification/fields/").content.decode()
    assert "E-postadress" in page
    assert "crm.customer.phone" in page


def test_who_is_found_nowhere_does_not_read_that_something_is_held(annas, stores):
    stores.status = "nothing"
    page = annas.get("/ask/rectification/fields/").content.decode()
    assert "This is what we have about you" not in page
    assert "nothing to choose from" in page
    assert "Something else, or something that is missing" in page


# --- a new e-mail address ---------------------------------------------------------------------------------------------

NEW = "anna.ny@example.se"


def change_email(client, new=NEW):
    choose(client, ALL[0])
    return client.post("/ask/rectification/values/", {"new_0": new})


def the_correction():
    return RightsRequest.objects.get().details["corrections"][0]


def test_a_new_address_counts_when_a_code_came_back_from_its_mailbox(annas):
    assert change_email(annas)["Location"] == "/ask/rectification/mailbox/"
    [message] = Mailbox.kept
    assert message.to == NEW
    assert NEW in annas.get("/ask/rectification/mailbox/").content.decode()
    assert annas.get("/ask/rectification/check/")["Location"] == "/ask/rectification/mailbox/"
    assert confirm(annas, NEW)["Location"] == "/ask/rectification/"
    assert annas.get("/ask/rectification/mailbox/")["Location"] == "/ask/rectification/reason/"  # the back button
    annas.post("/ask/rectification/reason/", {})
    send(annas, "rectification")
    assert (the_correction()["new"], the_correction()["confirmed"]) == (NEW, True)


def test_looking_at_the_page_sends_nothing_and_a_new_code_is_one_click_away(annas):
    change_email(annas)
    for _look in range(3):
        annas.get("/ask/rectification/mailbox/")
    assert len(Mailbox.kept) == 1
    old = last_code(NEW)
    assert annas.post("/ask/rectification/mailbox/", {"again": "1"}).status_code == 302
    assert len(Mailbox.kept) == 2
    if old != last_code(NEW):
        assert problems(annas.post("/ask/rectification/mailbox/", {"code": old}))
    assert confirm(annas, NEW).status_code == 302


def test_a_wrong_code_changes_nothing_and_the_same_code_works_once(annas):
    change_email(annas)
    wrong = f"{(int(last_code(NEW)) + 1) % 10**6:06d}"
    assert "4 more times" in problems(annas.post("/ask/rectification/mailbox/", {"code": wrong}))[0]
    confirm(annas, NEW)
    assert change_email(annas)["Location"] != "/ask/rectification/mailbox/"  # proved is proved


def test_changing_the_address_afterwards_asks_for_that_mailbox(annas):
    change_email(annas)
    confirm(annas, NEW)
    assert change_email(annas, "annan@example.se")["Location"] == "/ask/rectification/mailbox/"
    assert problems(annas.post("/ask/rectification/mailbox/", {"code": last_code(NEW)}))
    assert confirm(annas, "annan@example.se").status_code == 302


def test_another_customers_code_confirms_nothing(annas, bos):
    change_email(annas)
    annas_code = last_code(NEW)
    change_email(bos)
    assert problems(annas.post("/ask/rectification/mailbox/", {"code": last_code(NEW)})) or annas_code == last_code(NEW)


def test_a_mailbox_one_has_signed_in_with_needs_no_code(annas, stores):
    stores.fields[0]["value"] = "old@example.se"
    assert change_email(annas, "Anna@Example.se")["Location"] == "/ask/rectification/reason/"
    assert not Mailbox.kept


def test_when_the_code_cannot_be_sent_the_page_says_so_and_offers_to_try_again(annas, settings):
    settings.INSYN_CODES_PER_IDENTITY_HOUR = 0
    assert change_email(annas)["Location"] == "/ask/rectification/mailbox/"
    assert "Send me a code" in annas.get("/ask/rectification/mailbox/").content.decode()
    assert problems(annas.post("/ask/rectification/mailbox/", {"again": "1"}))
    assert annas.post("/ask/rectification/mailbox/", {"code": "123456"}).status_code == 200


def test_the_rule_stands_where_requests_are_taken_whoever_sends_them(anna):
    correction = {"field": "crm.customer.email", "kind": "email", "old": "a@example.se", "new": NEW}
    with pytest.raises(NotAllowed, match="not confirmed"):
        make_request(anna, "rectification", details={"corrections": [correction]})
    assert make_request(anna, "rectification", details={"corrections": [correction | {"confirmed": True}]})
