"""Pages for everybody: they explain, and they work for somebody who is nobody yet."""

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.urls import reverse

from requests_app.models import Right
from tests.mailbox import last_code

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["start", "notice", "cookies", "contact", "sign_in"])
@pytest.mark.parametrize("language", ["sv", "en"])
def test_it_is_open_to_everybody_in_both_languages(client, name, language):
    client.cookies["django_language"] = language
    response = client.get(reverse(f"portal:{name}"))
    assert response.status_code == 200
    assert f'<html lang="{language}">' in response.content.decode()


def test_the_first_page_is_swedish_whatever_the_browser_prefers(client):
    response = client.get("/", headers={"accept-language": "en-GB,en;q=0.9"})
    assert '<html lang="sv">' in response.content.decode()


def test_the_start_page_explains_every_right_and_leads_to_its_form(english):
    page = english.get("/").content.decode()
    for right in Right:
        assert f'href="{reverse("portal:ask", args=[right.value])}"' in page
        assert str(right.label) in page


def test_the_cookies_page_names_every_cookie_that_is_set_and_how_long_it_lasts(client, stores):
    for path in ("/", "/sign-in/", "/privacy/"):
        client.get(path)
    client.post("/sprak/", {"language": "en", "next": "/"})
    client.post("/sign-in/", {"email": "anna@example.se"})
    client.post("/sign-in/code/", {"code": last_code("anna@example.se")})
    client.post("/consents/", {"act": "give", "about": "nothing"})
    client.post("/sign-out/")
    page = client.get("/cookies/").content.decode()
    year, day = 365 * 24 * 3600, 24 * 3600
    assert len(client.cookies) == 3
    for name, cookie in client.cookies.items():
        assert f"<code>{name}</code>" in page
        assert int(cookie["max-age"] or 0) <= (8 * 3600 if name == settings.SESSION_COOKIE_NAME else year + day)


def test_the_icon_that_browsers_ask_for_by_themselves_is_there(english):
    answer = english.get("/favicon.ico")
    assert answer.status_code == 302
    assert finders.find(answer["Location"].removeprefix("/static/"))
