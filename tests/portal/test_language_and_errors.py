"""Both languages on every page, and pages for when something is wrong that say what to do."""

import pytest
from django.core.exceptions import SuspiciousOperation
from django.test import Client
from django.urls import reverse

from requests_app.portal import errors, pages
from tests.factories import make_request

pytestmark = pytest.mark.django_db


def switch(client, language, next_path="/"):
    return client.post("/sprak/", {"language": language, "next": next_path})


def test_switching_keeps_the_page_and_is_remembered(client):
    response = switch(client, "en", "/cookies/?x=1")
    assert response["Location"] == "/cookies/?x=1"
    assert response.cookies["django_language"]["httponly"]
    assert '<html lang="en">' in client.get("/contact/").content.decode()
    switch(client, "sv")
    assert '<html lang="sv">' in client.get("/contact/").content.decode()


@pytest.mark.parametrize("next_path", ["https://evil.example/", "//evil.example", "", "sign-in"])
def test_switching_leads_nowhere_else(client, next_path):
    assert switch(client, "en", next_path)["Location"] == "/"


def test_an_unknown_language_changes_nothing(client):
    assert "django_language" not in switch(client, "tlh").cookies
    client.cookies["django_language"] = "../../etc"
    assert '<html lang="sv">' in client.get("/").content.decode()


def test_we_write_to_a_signed_in_person_in_the_language_they_chose(annas, anna):
    switch(annas, "sv")
    anna.refresh_from_db()
    assert anna.language == "sv"


def test_the_switch_takes_a_post(client):
    assert client.get("/sprak/").status_code == 405


def test_the_switch_on_a_page_leads_back_to_that_page(annas, anna):
    case = make_request(anna)
    assert f'name="next" value="/requests/{case.reference}/"' in annas.get(f"/requests/{case.reference}/").content.decode()
    page = annas.post("/ask/access/scope/", {}).content.decode()  # after an error: the page itself
    assert 'name="next" value="/ask/access/scope/"' in page or "already asked" in page


def test_a_program_may_ask_by_accept_language(client):
    response = client.get("/api/nothing/", headers={"accept-language": "en"})
    assert response["Content-Language"] == "en"


@pytest.mark.parametrize(("language", "says"), [("en", "The page is not here"), ("sv", '<html lang="sv">')])
def test_a_page_that_is_not_there(client, language, says):
    client.cookies["django_language"] = language
    response = client.get("/no/such/page/")
    assert response.status_code == 404
    assert says in response.content.decode()


@pytest.mark.parametrize("reference", ["x", "K7MW-3QXD-9TBF", "%00", "' OR 1=1 --", "å" * 300])
def test_a_reference_that_is_none_is_not_found(annas, reference):
    assert annas.get(reverse("portal:requests") + reference + "/").status_code == 404


def test_a_reference_may_be_typed_in_small_letters(annas, anna):
    case = make_request(anna)
    assert annas.get(f"/requests/{case.reference.lower()}/").status_code == 200


@pytest.mark.parametrize(
    ("handler", "status"), [(errors.bad_request, 400), (errors.permission_denied, 403), (errors.not_found, 404)]
)
def test_the_other_error_pages(english, rf, handler, status):
    request = english.get("/").wsgi_request
    response = handler(request, SuspiciousOperation("anna@example.se"))
    assert response.status_code == status
    assert "anna@example.se" not in response.content.decode()
    assert "no-store" in response["Cache-Control"]


def test_a_fault_of_ours_says_so_in_both_languages_and_names_nobody(monkeypatch):
    def fail(request):
        raise RuntimeError("anna@example.se")

    monkeypatch.setattr(pages, "RIGHTS", property(fail))
    browser = Client(raise_request_exception=False)
    response = browser.get("/")
    assert response.status_code == 500
    page = response.content.decode()
    assert "Något gick fel hos oss" in page
    assert "Something went wrong" in page
    assert "anna@" not in page


def test_a_post_that_is_no_form_is_no_fault_of_ours(english):
    response = english.post("/sign-in/", b"\xff\xfe{", content_type="application/json")
    assert response.status_code == 200
    assert "Enter your e-mail address." in response.content.decode()
