"""The page of an error under INSYN_DEBUG says where it happened, and nothing that was at hand there (DESIGN §8)."""

import sys

import pytest
from django.test import RequestFactory
from django.views.debug import technical_500_response

CANARY = f"kanarie{3 + 4}@example.com"  # a page shows lines of the source, too


def fail(row):
    cause = {"row": row}
    raise ValueError(f"cannot read {cause}")


@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_it_shows_frames_and_no_value(settings, accept):
    settings.DEBUG = True
    request = RequestFactory().post(f"/here/?q={CANARY}", {"email": CANARY}, headers={"accept": accept, "cookie": f"a={CANARY}"})
    try:
        fail(CANARY)
    except ValueError:
        page = technical_500_response(request, *sys.exc_info()).content.decode()
    assert "ValueError" in page
    assert "test_errors.py" in page
    assert CANARY not in page
