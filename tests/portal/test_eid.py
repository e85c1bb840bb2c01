"""Level 2 by e-ID: only what a broker signed for this very sitting, and only when a store has long held it for this person."""

import base64
import json
import logging
import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from django.core.cache import cache
from django.utils import timezone
from joserfc.jwk import RSAKey

from accounts import signin
from privacy import actions
from privacy.models import AuditEvent
from requests_app.models import State
from requests_app.portal.eid import comparable
from tests import eid_broker
from tests.eid_broker import CLIENT, SECRET
from tests.factories import make_request, sign_in_customer
from tests.portal.conftest import a_number

pytestmark = pytest.mark.django_db
PNR = "196408233234"


@pytest.fixture(scope="module")
def server():
    with eid_broker.broker() as running:
        yield running


@pytest.fixture
def broker(server, settings):
    key, issuer = server.key, server.issuer
    server.told, server.lies, server.metadata_lies, server.answer_lies = {"personnummer": "19640823-3234"}, {}, {}, {}
    server.user_info, server.sign, server.down, server.codes, server.asked = None, server.signed, False, {}, []
    cache.clear()
    settings.INSYN_EID_ISSUER, settings.INSYN_EID_CLIENT_ID, settings.INSYN_EID_CLIENT_SECRET = issuer, CLIENT, SECRET
    settings.INSYN_EID_SCOPE, settings.INSYN_EID_CLAIM, settings.INSYN_EID_MATCHES = "openid pnr", "personnummer", "personnummer"
    settings.INSYN_EID_NAME, settings.INSYN_EID_ACR = "Legitima", []
    yield server
    server.key = key
    cache.clear()


@pytest.fixture
def held(stores, monkeypatch):
    """What the stores hold of each person, by reference: e-mail address in the tests."""
    holding = {"anna@example.se": [a_number("640823-3234", kind="personnummer")]}

    def held_identities(person, *, kind):
        stores._up()
        mailbox = next(identity.value for identity in person.identities if identity.kind == "email")
        return [one for one in holding.get(mailbox, []) if one.kind == kind]

    monkeypatch.setattr(actions, "held_identities", held_identities)
    return holding


@pytest.fixture
def away(annas, broker, held):
    """Anna's browser, on its way to the broker: the address there."""
    return annas.get("/identity/eid/?next=/requests/")["Location"]


def at_broker(url):
    """What the broker answers the browser: the way back, as path and query."""
    answer = httpx2.get(url, follow_redirects=False, trust_env=False)
    back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def level(browser):
    return browser.session[signin.SESSION_KEY]["level"]


def there_and_back(browser, next_page="/requests/"):
    return browser.get(at_broker(browser.get(f"/identity/eid/?next={next_page}")["Location"]))


def refused(browser, response):
    assert response.status_code == 200
    page = response.content.decode()
    assert "choose another way" in page
    assert level(browser) == 1
    return page


def test_who_the_broker_knows_and_a_store_holds_gets_level_2(annas, anna, broker, held):
    case = make_request(anna, "access", level=1)
    before = annas.session.session_key
    assert there_and_back(annas, "/ask/access/check/")["Location"] == "/ask/access/check/"
    assert level(annas) == 2
    assert annas.session.session_key != before
    case.refresh_from_db()
    assert (case.state, case.identity_level) == (State.TRIAGE, 2)
    assert AuditEvent.objects.get(action="identity.recorded").payload == {"level": 2, "by": "eid"}


def test_the_way_there_carries_what_must_come_back_and_nothing_of_the_person(away, broker):
    parts = urlsplit(away)
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{broker.issuer}/authorize"
    assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == ("code", "S256", "openid pnr")
    assert asked["redirect_uri"] == "http://testserver/identity/eid/back/"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    assert "anna" not in away


def test_the_personnummer_is_kept_nowhere_and_stands_in_no_log_and_no_address(annas, anna, broker, held, caplog):
    with caplog.at_level(logging.DEBUG):
        response = there_and_back(annas)
    for place in (caplog.text, response["Location"], json.dumps(dict(annas.session)), str(list(AuditEvent.objects.values()))):
        assert "3234" not in place
    assert not anna.identities.exclude(kind="email").exists()


def test_it_is_offered_only_where_there_is_a_broker(annas, broker, held, settings):
    assert "Continue to Legitima" in annas.get("/identity/").content.decode()
    assert "Continue to Legitima" in annas.get("/identity/other/").content.decode()
    settings.INSYN_EID_ISSUER = ""
    assert "Legitima" not in annas.get("/identity/").content.decode()
    assert annas.get("/identity/eid/")["Location"] == "/identity/"
    assert annas.get("/identity/eid/back/?code=x&state=y")["Location"] == "/identity/"


@pytest.mark.parametrize(
    "contact",
    [
        a_number("19640823-3234", kind="personnummer", unchanged_days=29),
        a_number("19640823-3234", kind="personnummer", unchanged_days=None),
        a_number("19811228-9874", kind="personnummer"),
        a_number("okänt", kind="personnummer"),
        None,
    ],
)
def test_what_no_store_has_held_long_enough_does_not_match(annas, broker, held, contact):
    held["anna@example.se"] = [contact] if contact else []
    assert "not what we have about you" in refused(annas, there_and_back(annas))


def test_another_customers_personnummer_opens_nothing(annas, broker, held):
    held["bo@example.se"], held["anna@example.se"] = held["anna@example.se"], []
    refused(annas, there_and_back(annas))


def hs256_by_the_public_key(broker):
    broker.sign = eid_broker.signed_with_the_public_key_as_a_secret(broker.key)


ATTACKS = {
    "another nonce": lambda broker: broker.lies.update(nonce="another"),
    "no nonce": lambda broker: broker.lies.update(nonce=None),
    "for another client": lambda broker: broker.lies.update(aud="another"),
    "for two clients": lambda broker: broker.lies.update(aud=[CLIENT, "another"]),
    "for two, made for the other": lambda broker: broker.lies.update(aud=[CLIENT, "another"], azp="another"),
    "no audience": lambda broker: broker.lies.update(aud=None),
    "another issuer": lambda broker: broker.lies.update(iss="https://elsewhere.example"),
    "no issuer": lambda broker: broker.lies.update(iss=None),
    "expired": lambda broker: broker.lies.update(exp=int(time.time()) - 120, iat=int(time.time()) - 900),
    "identified an hour ago": lambda broker: broker.lies.update(auth_time=int(time.time()) - 3600),
    "identified some time": lambda broker: broker.lies.update(auth_time="now"),
    "without an end": lambda broker: broker.lies.update(exp=None),
    "from the future": lambda broker: broker.lies.update(iat=int(time.time()) + 900),
    "nobody's": lambda broker: broker.lies.update(sub=None),
    "not signed": lambda broker: setattr(broker, "sign", eid_broker.unsigned),
    "signed by somebody else": lambda broker: setattr(broker, "sign", eid_broker.signed_by_somebody_else),
    "signed by a key of another kind": lambda broker: setattr(broker, "sign", eid_broker.signed_by_another_curve),
    "signed with the public key": hs256_by_the_public_key,
    "no token": lambda broker: setattr(broker, "sign", lambda claims: 7),
    "rubbish": lambda broker: setattr(broker, "sign", lambda claims: "a.b.c"),
    "no claim": lambda broker: broker.lies.update(personnummer=None),
    "a list for a claim": lambda broker: broker.lies.update(personnummer=["19640823-3234"]),
    "an answer of another broker": lambda broker: broker.answer_lies.update(iss="https://elsewhere.example"),
    "another state": lambda broker: broker.answer_lies.update(state="another"),
    "no state": lambda broker: broker.answer_lies.update(state=None),
    "a made-up code": lambda broker: broker.answer_lies.update(code="made-up"),
    "token endpoint elsewhere": lambda broker: broker.metadata_lies.update(token_endpoint="http://127.0.0.1:9/token"),
    "keys elsewhere": lambda broker: broker.metadata_lies.update(jwks_uri="http://127.0.0.1:9/jwks"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_opens_nothing(annas, broker, held, name):
    ATTACKS[name](broker)
    assert "Legitima does not work just now" in refused(annas, there_and_back(annas)) or name == "a made-up code"


def test_an_answer_counts_once(annas, broker, held, away):
    back = at_broker(away)
    assert annas.get(back).status_code == 302
    sign_in_customer(annas, annas.session and _customer(annas), level=1)
    assert annas.get(back)["Location"] == "/identity/"
    assert level(annas) == 1


def _customer(browser):
    from accounts.models import Customer

    return Customer.objects.get(pk=browser.session[signin.SESSION_KEY]["id"])


def test_an_answer_to_one_browser_opens_nothing_in_another(annas, bos, broker, held, away):
    back = at_broker(away)
    held["bo@example.se"] = held["anna@example.se"]
    assert bos.get(back)["Location"] == "/identity/"
    bos.get("/identity/eid/")
    refused(bos, bos.get(back))


def test_an_answer_that_comes_too_late_counts_for_nothing(annas, broker, held, away, monkeypatch):
    back, later = at_broker(away), timezone.now() + timedelta(minutes=16)
    monkeypatch.setattr("requests_app.portal.eid.timezone.now", lambda: later)
    refused(annas, annas.get(back))


def test_somebody_who_is_not_signed_in_is_led_away_without_the_answer(english, broker, stores):
    response = english.get("/identity/eid/back/?code=secret&state=secret")
    assert response["Location"] == "/sign-in/?next=%2Fidentity%2F"


def test_who_breaks_it_off_is_told_so(annas, broker, held):
    broker.answer_lies = {"code": None, "error": "access_denied"}
    assert "did not go through with Legitima" in refused(annas, there_and_back(annas))


def test_a_broker_that_is_down_is_told(annas, broker, held):
    broker.down = True
    assert "Legitima does not work just now" in refused(annas, annas.get("/identity/eid/"))
    broker.down = False
    back = at_broker(annas.get("/identity/eid/")["Location"])
    broker.down = True
    refused(annas, annas.get(back))


@pytest.mark.parametrize(
    "lies",
    [
        {"issuer": "https://elsewhere.example"},
        {"authorization_endpoint": "https://elsewhere.example/authorize"},
        {"authorization_endpoint": None},
    ],
)
def test_a_broker_that_calls_itself_otherwise_or_sends_elsewhere_is_not_followed(annas, broker, held, lies):
    broker.metadata_lies = lies
    refused(annas, annas.get("/identity/eid/"))


def test_stores_that_are_down_are_told_and_lose_nothing(annas, broker, held, stores, away):
    back = at_broker(away)
    stores.down = True
    assert "cannot reach our records" in annas.get(back).content.decode()
    assert level(annas) == 1


def test_a_broker_that_changes_its_key_is_followed(annas, broker, held):
    there_and_back(annas)
    sign_in_customer(annas, _customer(annas), level=1)
    broker.key = RSAKey.generate_key(2048, {"kid": "three"}, private=True)
    assert there_and_back(annas).status_code == 302
    assert level(annas) == 2


def test_the_level_that_was_asked_for_must_be_confirmed(annas, broker, held, settings):
    settings.INSYN_EID_ACR = ["loa3", "loa4"]
    broker.lies = {"acr": "loa2"}
    refused(annas, there_and_back(annas))
    assert parse_qs(urlsplit(annas.get("/identity/eid/")["Location"]).query)["acr_values"] == ["loa3 loa4"]
    broker.lies = {"acr": "loa4"}
    there_and_back(annas)
    assert level(annas) == 2


def test_a_claim_that_only_the_user_info_has_is_taken_from_there_for_the_same_person_alone(annas, broker, held):
    broker.user_info = {"sub": "another", "personnummer": PNR}
    refused(annas, there_and_back(annas))
    broker.user_info = {"sub": "somebody", "personnummer": PNR}
    there_and_back(annas)
    assert level(annas) == 2


def test_an_address_counts_only_when_the_broker_verified_it(annas, broker, held, settings):
    settings.INSYN_EID_CLAIM = settings.INSYN_EID_MATCHES = "email"
    held["anna@example.se"] = [a_number("Anna@Example.se", kind="email")]
    broker.told = {"email": "anna@example.se", "email_verified": False}
    refused(annas, there_and_back(annas))
    broker.told = {"email": "anna@example.se", "email_verified": True}
    there_and_back(annas)
    assert level(annas) == 2


def test_a_customer_number_is_compared_as_it_stands(annas, broker, held, settings):
    settings.INSYN_EID_CLAIM, settings.INSYN_EID_MATCHES = "customer", "customer_number"
    held["anna@example.se"] = [a_number("K-1042", kind="customer_number")]
    broker.told = {"customer": "K-1042"}
    there_and_back(annas)
    assert level(annas) == 2


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        ("19640823-3234", PNR),
        ("196408233234", PNR),
        ("640823-3234", PNR),
        ("6408233234", PNR),
        ("640823+3234", "186408233234"),
        ("640823-3235", ""),
        ("hemligt", ""),
    ],
)
def test_a_personnummer_is_the_same_in_all_its_spellings(value, digits):
    assert comparable("personnummer", value) == digits


def test_the_token_of_the_tests_is_what_it_says():
    header = eid_broker.unsigned({"sub": "x"}).split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "none"}
