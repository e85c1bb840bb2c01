"""No page weighs 60 kB on a first visit, styles, icon and scripts included, and none asks the database much."""

import gzip
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.utils import timezone

from requests_app.models import Package, Right, RightsRequest, State
from requests_app.portal.flow import STEPS
from tests.factories import make_request
from tests.portal.pages import PAGES, path_of

pytestmark = pytest.mark.django_db
LIMIT, STATEMENTS = 60_000, 12
HEADERS = 800  # what goes over the wire beside each body: generously
EVERY_STEP = [f"/ask/{right}/{step.name}/" for right, steps in STEPS.items() for step in steps]
CHECKS = [f"/ask/{right}/check/" for right in STEPS]


def fetched(client, path):
    return client.get(path, headers={"Accept-Encoding": "gzip"})


def weight(client, response) -> int:
    """What a first visit moves: the page as it is sent, and everything that it loads, compressed as production does it."""
    page = gzip.decompress(response.content) if response.get("Content-Encoding") == "gzip" else response.content
    loaded = set(re.findall(r'<(?:link|script|img)\b[^>]*?\s(?:href|src)="(/[^"]+)"', page.decode()))
    total = len(response.content) + HEADERS
    for address in loaded:
        if address.startswith("/static/"):
            total += HEADERS + len(gzip.compress(Path(finders.find(address.removeprefix("/static/"))).read_bytes()))
        else:
            answer = fetched(client, address)
            assert answer.status_code == 200, address
            total += HEADERS + len(answer.getvalue())
    return total


@pytest.fixture
def a_long_history(anna):
    """What makes pages heavy: a case that has come all the way, with its answer and package, and many others."""
    for number in range(25):
        make_request(anna, ("access", "erasure", "restriction")[number % 3])
        RightsRequest.objects.filter(closed_at=None).update(state=State.REFUSED, closed_at=timezone.now())
    case = make_request(anna, "access")
    now = timezone.now()
    RightsRequest.objects.filter(pk=case.pk).update(
        state=State.COMPLETED, closed_at=now, answer="Här är dina uppgifter.\n\n" * 80
    )
    Package.objects.create(
        request=case, state="ready", file_name="x", size=48213, created_at=now, ready_at=now, expires_at=now + timedelta(days=14)
    )
    return case


def is_light(client, path, count):
    with count(STATEMENTS):
        response = fetched(client, path)
    if response.status_code == 200 and "text/html" in response["Content-Type"]:
        heavy = weight(client, response)
        assert heavy <= LIMIT, f"{path} weighs {heavy} bytes on a first visit"
        return True
    assert response.status_code in (200, 204, 286, 302, 404, 405), response.status_code
    return False


@pytest.mark.parametrize("name", PAGES)
def test_no_address_is_heavy_or_asks_much(annas_proved, a_long_history, django_assert_max_num_queries, name):
    is_light(annas_proved, path_of(name, a_long_history), django_assert_max_num_queries)


@pytest.mark.parametrize("name", [name for name in PAGES if PAGES[name].who == "everybody"])
def test_nor_is_any_for_a_stranger(english, django_assert_max_num_queries, name):
    is_light(english, path_of(name), django_assert_max_num_queries)


@pytest.mark.parametrize("path", EVERY_STEP + CHECKS)
def test_no_question_is_heavy_or_asks_much(annas, django_assert_max_num_queries, path):
    is_light(annas, path, django_assert_max_num_queries)


@pytest.mark.parametrize("right", [right for right in Right.values if right in STEPS])
@pytest.mark.parametrize("page", ["request", "sent", "withdraw"])
def test_an_open_request_is_light_too(annas_proved, anna, django_assert_max_num_queries, right, page):
    assert is_light(annas_proved, path_of(page, make_request(anna, right)), django_assert_max_num_queries)


def test_the_page_that_follows_along_loads_what_it_needs(annas, anna):
    page = annas.get(f"/requests/{make_request(anna, 'restriction').reference}/").content.decode()
    assert "htmx" in page


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/requests/", "/ask/erasure/ground/"])
def test_nothing_is_loaded_from_elsewhere(annas, path):
    page = annas.get(path).content.decode()
    assert not re.findall(r'<(?:link|script|img|iframe)[^>]+(?:href|src)="(?:https?:)?//', page)
