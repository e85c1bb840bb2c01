"""The customer's own requests by API: submit, list, one, withdraw, download."""

import json
import re
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, resolve
from django.utils import timezone

from privacy import actions
from privacy.actions import StoreUnavailable
from requests_app import cases
from requests_app.api import tokens
from requests_app.api.auth import PerCustomer
from requests_app.api.urls import router, urlpatterns
from requests_app.case.lifecycle import transition
from requests_app.models import ApiToken, RightsRequest, Source, State
from tests.factories import make_customer, make_request, make_store, sign_in_customer
from tests.requests_app.packages import give_package, part

pytestmark = pytest.mark.django_db
URL = "/api/v1/requests/"


@pytest.fixture(autouse=True)
def fresh_throttle(monkeypatch):
    monkeypatch.setattr(PerCustomer, "cache", LocMemCache(str(uuid4()), {}))


@pytest.fixture
def alice():
    return make_customer("alice@example.se")


def caller(customer, *, scope="write", level=2):
    """A client with a bearer token."""
    _token, plain = tokens.create_token(customer=customer, scope=scope, identity_level=level, now=timezone.now())
    return Client(headers={"authorization": f"Bearer {plain}", "accept-language": "en"})


def post(client, url, data=None, **options):
    return client.post(url, json.dumps(data or {}), content_type="application/json", **options)


# --- the road ---------------------------------------------------------------------------------------------------------


def test_submitting_and_following(alice):
    client = caller(alice)
    answer = post(client, URL, {"right": "access", "categories": ["contact"], "since": "2024-01-01"})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["right"], body["state"], body["is_open"], body["package"]) == ("access", "triage", True, None)
    request = RightsRequest.objects.get(reference=body["reference"])
    assert (request.source, request.customer, request.identity_level) == (Source.API, alice, 2)
    assert request.details == {"categories": ["contact"], "since": "2024-01-01"}
    one = client.get(f"{URL}{body['reference']}/").json()
    assert [entry["kind"] for entry in one["timeline"]] == ["submitted", "work"]
    assert [row["reference"] for row in client.get(URL).json()["results"]] == [body["reference"]]


def test_the_reference_may_be_written_small(alice):
    request = make_request(alice)
    assert caller(alice).get(f"{URL}{request.reference.lower()}/").status_code == 200


def test_a_second_submit_is_answered_with_the_first(alice):
    client = caller(alice)
    first = post(client, URL, {"right": "access"}).json()["reference"]
    answer = post(client, URL, {"right": "access"})
    assert (answer.status_code, answer.json()["reference"]) == (409, first)
    assert RightsRequest.objects.count() == 1


def test_withdrawing_works_once(alice):
    client = caller(alice)
    request = make_request(alice)
    answer = post(client, f"{URL}{request.reference}/withdraw/")
    assert (answer.status_code, answer.json()["state"]) == (200, State.WITHDRAWN)
    again = post(client, f"{URL}{request.reference}/withdraw/")
    assert again.status_code == 409
    assert "Withdrawn" in again.json()["detail"]


def test_downloading_and_going_on_where_it_broke_off(alice, settings, tmp_path):
    settings.INSYN_PACKAGE_DIR = tmp_path
    request = make_request(alice)
    give_package(request, part([(1, "Alice")], "id", "name"))
    url = f"{URL}{request.reference}/download/"
    answer = caller(alice).get(url)
    whole = b"".join(answer.streaming_content)
    assert (answer.status_code, whole[:2], int(answer["Content-Length"])) == (200, b"PK", len(whole))
    assert answer["Content-Type"] == "application/zip"
    assert re.fullmatch(rf'attachment; filename="[a-z-]+-{request.reference}.zip"', answer["Content-Disposition"])
    assert answer["Cache-Control"] == "private, no-store"
    rest = caller(alice).get(url, headers={"Range": "bytes=10-", "If-Range": answer["ETag"]})
    assert (rest.status_code, b"".join(rest.streaming_content)) == (206, whole[10:])


def test_there_is_nothing_to_download_yet(alice):
    request = make_request(alice)
    answer = caller(alice).get(f"{URL}{request.reference}/download/")
    assert (answer.status_code, answer.json()["detail"]) == (409, "There is no package to download here.")


def test_downloading_takes_level_2(alice):
    request = make_request(alice)
    answer = caller(alice, level=1).get(f"{URL}{request.reference}/download/")
    assert answer.status_code == 403
    assert "level 2" in answer.json()["detail"]


@pytest.mark.parametrize(("right", "level", "told"), [("access", 1, 0), ("access", 2, 1), ("restriction", 1, 1)])
def test_what_a_store_holds_is_told_only_at_the_level_that_could_be_given_it(alice, right, level, told):
    make_store("crm")
    request = make_request(alice, right, level=1)
    one = caller(alice, level=level).get(f"{URL}{request.reference}/").json()
    assert len(one["answers"]) == told
    withdrawn = post(caller(alice, level=level), f"{URL}{request.reference}/withdraw/").json()
    assert withdrawn["answers"] == []


@pytest.mark.parametrize(("right", "level", "told"), [("access", 1, False), ("access", 2, True), ("restriction", 1, True)])
def test_the_letter_tells_as_little_as_the_stores(alice, right, level, told):
    request = make_request(alice, right, level=2)
    action = "restrict" if right == "restriction" else "complete"
    RightsRequest.objects.filter(pk=request.pk).update(state=State.RUNNING)
    transition(requests=[request.pk], action=action, actor="system", now=timezone.now(), changes={"answer": "3 invoices."})
    last = caller(alice, level=level).get(f"{URL}{request.reference}/").json()["timeline"][-1]
    assert (last["kind"], last["text"]) == ("answer", "3 invoices." if told else "")


def test_the_list_has_pages(alice):
    for _ in range(55):
        request = make_request(alice)
        cases.withdraw_request(request=request, customer=alice, now=timezone.now())
    client = caller(alice)
    first = client.get(URL).json()
    assert len(first["results"]) == 50
    second = client.get(first["next"]).json()
    assert len(second["results"]) == 5
    assert second["next"] is None
    times = [row["received_at"] for row in first["results"] + second["results"]]
    assert times == sorted(times, reverse=True)


def test_a_list_takes_a_fixed_number_of_queries(alice, django_assert_max_num_queries):
    for right in ("access", "erasure", "portability"):
        make_request(alice, right=right)
    client = caller(alice)
    with django_assert_max_num_queries(3):
        client.get(URL)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "right"),
        ({"right": "oblivion"}, "right"),
        ({"right": "restriction"}, "detail"),
        ({"right": "restriction", "ground": "f"}, "detail"),
        ({"right": "erasure", "ground": "z"}, "ground"),
        ({"right": "erasure", "categories": ["contact"]}, "categories"),
        ({"right": "access", "corrections": [{"field": "a.b.c", "new": "x"}]}, "corrections"),
        ({"right": "access", "categories": ["gossip"]}, "categories"),
        ({"right": "access", "since": "2025-01-01", "until": "2024-01-01"}, "until"),
        ({"right": "access", "since": "yesterday"}, "since"),
        ({"right": "access", "reason": "x" * 5001}, "reason"),
        ({"right": "rectification"}, "detail"),
    ],
)
def test_bad_input_is_answered_with_the_field_to_change(alice, data, field):
    answer = post(caller(alice), URL, data)
    assert answer.status_code == 400
    assert field in answer.json()
    assert not RightsRequest.objects.exists()


def test_what_is_no_json_is_no_request(alice):
    client = caller(alice)
    assert client.post(URL, "{", content_type="application/json").status_code == 400
    assert client.post(URL, {"right": "access"}).status_code == 415
    assert post(client, URL, ["access"]).status_code == 400
    assert client.put(URL).status_code == 405


def test_a_nul_character_is_refused(alice):
    assert post(caller(alice), URL, {"right": "access", "reason": "a\x00b"}).status_code == 400


# --- correcting -------------------------------------------------------------------------------------------------------


@pytest.fixture
def correctable(engine, monkeypatch):
    fact = {
        "field": "crm.customer.city",
        "fields": ["crm.customer.city", "billing.customer.city"],
        "label": {"sv": "Ort", "en": "City"},
        "kind": "text",
        "value": "Lund",
        "stores": 2,
    }
    phone = {"field": "crm.customer.phone", "label": {"en": "Phone"}, "kind": "phone", "value": "070-123 45 67", "stores": 1}
    monkeypatch.setattr(actions, "preview_fields", lambda person, *, plans: [fact, phone])
    make_store("crm")


def test_what_can_be_corrected_is_told_in_full_at_level_2(alice, correctable):
    full = caller(alice).get("/api/v1/correctable-fields/").json()
    assert full[0] == {"field": "crm.customer.city", "label": {"sv": "Ort", "en": "City"}, "kind": "text", "value": "Lund"}
    masked = caller(alice, level=1).get("/api/v1/correctable-fields/").json()
    assert [row["value"] for row in masked] == [None, None]


def test_a_correction_goes_to_every_store_that_holds_the_fact(alice, correctable):
    data = {"right": "rectification", "corrections": [{"field": "crm.customer.city", "new": " Malmö "}]}
    assert post(caller(alice), URL, data).status_code == 201
    (correction,) = RightsRequest.objects.get().details["corrections"]
    assert (correction["old"], correction["new"]) == ("Lund", "Malmö")
    assert correction["fields"] == ["crm.customer.city", "billing.customer.city"]


@pytest.mark.parametrize(
    ("field", "new", "says"),
    [("crm.customer.is_admin", "true", "not a field that can be corrected"), ("crm.customer.phone", "12", "phone number")],
)
def test_only_correctable_fields_and_only_sensible_values(alice, correctable, field, new, says):
    answer = post(caller(alice), URL, {"right": "rectification", "corrections": [{"field": field, "new": new}]})
    assert answer.status_code == 400
    assert says in str(answer.json()["corrections"])
    assert not RightsRequest.objects.exists()


def test_a_store_that_is_down_is_a_503(alice, correctable, engine):
    engine.find_error = lambda person: StoreUnavailable("crm cannot be reached")
    data = {"right": "rectification", "corrections": [{"field": "crm.customer.city", "new": "Malmö"}]}
    assert post(caller(alice), URL, data).status_code == 503
    assert caller(alice).get("/api/v1/correctable-fields/").status_code == 503


# --- who may ----------------------------------------------------------------------------------------------------------

PLACES = [
    ("get", "{url}"),
    ("get", "{url}{reference}/"),
    ("get", "{url}{reference}/download/"),
    ("post", "{url}"),
    ("post", "{url}{reference}/withdraw/"),
    ("get", "/api/v1/correctable-fields/"),
    ("post", "/api/v1/tokens/"),
]


def test_every_address_is_in_the_table():
    """But the document, which anybody may read."""
    asked = {resolve(place.format(url=URL, reference="2222-2222-2222")).url_name for _method, place in PLACES}
    assert asked == {one.name for one in (*router.urls, *urlpatterns) if isinstance(one, URLPattern)} - {"schema"}


@pytest.mark.parametrize(("method", "place"), PLACES)
def test_nobody_gets_anything_without_signing_in(alice, method, place):
    url = place.format(url=URL, reference=make_request(alice).reference)
    for client in (Client(), Client(headers={"authorization": "Bearer insyn_wrong"})):
        answer = getattr(client, method)(url, **({"data": "{}", "content_type": "application/json"} if method == "post" else {}))
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "place"), [place for place in PLACES if "reference" in place[1]])
def test_another_customers_request_does_not_exist(alice, method, place):
    request = make_request(alice)
    mallory = caller(make_customer("mallory@example.se"))
    theirs = getattr(mallory, method)(place.format(url=URL, reference=request.reference))
    none = getattr(mallory, method)(place.format(url=URL, reference="2222-2222-2222"))
    assert theirs.status_code == none.status_code == 404
    assert theirs.json() == none.json()
    request.refresh_from_db()
    assert request.state == State.TRIAGE


def test_the_list_shows_only_ones_own(alice):
    make_request(alice)
    assert caller(make_customer()).get(URL).json()["results"] == []


def test_a_member_of_staff_is_no_customer(alice, admin_client):
    make_request(alice)
    assert admin_client.get(URL).status_code == 401


def test_a_token_to_read_does_not_write(alice):
    client = caller(alice, scope="read")
    request = make_request(alice)
    assert client.get(URL).status_code == 200
    for url in (URL, f"{URL}{request.reference}/withdraw/"):
        answer = post(client, url, {"right": "erasure"})
        assert answer.status_code == 403
        assert "may only read" in answer.json()["detail"]


def test_a_token_ends_after_an_hour(alice):
    client = caller(alice)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(URL).status_code == 401


def test_only_the_hash_of_a_token_is_stored(alice):
    token, plain = tokens.create_token(customer=alice, scope="read", identity_level=1, now=timezone.now())
    assert plain not in str(ApiToken.objects.values())
    assert token.expires_at - token.created_at == timedelta(hours=1)


# --- the portal's session ---------------------------------------------------------------------------------------------


def test_the_portals_session_calls_with_csrf(alice):
    client = Client(enforce_csrf_checks=True, headers={"accept-language": "en"})
    sign_in_customer(client, alice, level=2)
    assert client.get(URL).status_code == 200
    refused = post(client, URL, {"right": "access"})
    assert refused.status_code == 403
    assert "CSRF" in refused.json()["detail"]
    assert not RightsRequest.objects.exists()
    client.cookies[settings.CSRF_COOKIE_NAME] = "a" * 32
    assert post(client, URL, {"right": "access"}, headers={"x-csrftoken": "a" * 32}).status_code == 201


def test_a_token_is_made_by_who_is_signed_in_at_that_level(alice):
    client = Client()
    sign_in_customer(client, alice, level=1)
    answer = post(client, "/api/v1/tokens/", {"scope": "write"})
    assert answer.status_code == 201
    assert answer.json()["token"].startswith("insyn_")
    row = ApiToken.objects.get()
    assert (row.customer, row.scope, row.identity_level) == (alice, "write", 1)
    with_it = Client(headers={"authorization": f"Bearer {answer.json()['token']}", "accept-language": "en"})
    assert with_it.get(URL).status_code == 200
    another = post(with_it, "/api/v1/tokens/", {"scope": "write"})
    assert another.status_code == 403


def test_a_request_at_level_1_waits_for_the_second_proof(alice):
    assert post(caller(alice, level=1), URL, {"right": "erasure"}).json()["state"] == "identifying"


# --- limits and the document ------------------------------------------------------------------------------------------


def test_there_is_a_limit_per_customer(alice):
    client = caller(alice)
    codes = [client.get(URL).status_code for _ in range(125)]
    assert codes.count(200) == 120
    assert codes[-1] == 429
    assert caller(make_customer()).get(URL).status_code == 200


def test_the_document_builds_without_a_warning():
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=out)
    document = json.loads(out.getvalue())
    assert set(document["paths"]) == {
        "/api/v1/correctable-fields/",
        "/api/v1/requests/",
        "/api/v1/requests/{reference}/",
        "/api/v1/requests/{reference}/download/",
        "/api/v1/requests/{reference}/withdraw/",
        "/api/v1/tokens/",
    }
    assert set(document["components"]["securitySchemes"]) == {"session", "token"}


def test_anybody_may_read_the_document(client):
    answer = client.get("/api/v1/schema/")
    assert answer.status_code == 200
    assert answer.json()["info"]["title"] == "Insyn"
