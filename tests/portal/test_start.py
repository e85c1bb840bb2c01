"""Pages for everybody: they explain, and they work for somebody who is nobody yet."""

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse

from requests_app.models import Right

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


def test_the_icon_that_browsers_ask_for_by_themselves_is_there(english):
    answer = english.get("/favicon.ico")
    assert answer.status_code == 302
    assert finders.find(answer["Location"].removeprefix("/static/"))
