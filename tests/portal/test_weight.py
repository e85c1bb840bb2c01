"""No page weighs 60 kB on a first visit, styles, icon and scripts included, and none asks the database much."""

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from tests.factories import make_request

pytestmark = pytest.mark.django_db
LIMIT = 60_000
OPEN = ["/", "/privacy/", "/cookies/", "/contact/", "/sign-in/"]
SIGNED_IN = ["/requests/", "/identity/", "/ask/erasure/ground/", "/ask/rectification/fields/", "/ask/objection/check/"]


def weight(page: str) -> int:
    """The page as it is, and what it loads as production serves it: compressed once, beforehand."""
    loaded = re.findall(r'<(?:link|script)[^>]+(?:href|src)="/static/([^"]+)"', page)
    assert loaded
    return len(page.encode()) + sum(len(gzip.compress(Path(finders.find(path)).read_bytes())) for path in loaded)


@pytest.mark.parametrize("path", OPEN)
def test_an_open_page_is_light_and_asks_little(english, django_assert_max_num_queries, path):
    with django_assert_max_num_queries(12):
        page = english.get(path).content.decode()
    assert weight(page) < LIMIT


@pytest.mark.parametrize("path", SIGNED_IN)
def test_a_page_is_light_and_asks_little(annas, django_assert_max_num_queries, path):
    with django_assert_max_num_queries(12):
        page = annas.get(path).content.decode()
    assert weight(page) < LIMIT


def test_the_page_that_follows_along_is_light_too(annas, anna):
    page = annas.get(f"/requests/{make_request(anna, 'restriction').reference}/").content.decode()
    assert "htmx" in page
    assert weight(page) < LIMIT


def test_nothing_is_loaded_from_elsewhere(annas):
    for path in OPEN + SIGNED_IN:
        page = annas.get(path).content.decode()
        assert not re.findall(r'<(?:link|script|img|iframe)[^>]+(?:href|src)="(?:https?:)?//', page)
