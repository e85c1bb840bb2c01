"""The page of an error under INSYN_DEBUG says where it happened, and nothing that was at hand there (DESIGN §8)."""

import sys

import pytest
from django.template import engines
from django.test import RequestFactory
from django.views.debug import technical_500_response

CANARY = f"kanarie{3 + 4}@example.com"  # a page shows lines of the source, too


def fail(row):
    cause = {"row": row}
    raise ValueError(f"cannot read {cause}")


def fail_because_of(row):
    try:
        fail(row)
    except ValueError as error:
        raise ValueError("cannot go on") from error


def fail_in_a_template(row):
    engines["django"].from_string("{{ fail }}").render({"fail": lambda: fail(row)})


def fail_to_decode(row):
    try:
        f"{row}\xe5".encode("ascii")
    except UnicodeEncodeError as error:
        error.start = 0
        raise


@pytest.mark.parametrize("failing", [fail, fail_because_of, fail_in_a_template, fail_to_decode])
@pytest.mark.parametrize("accept", ["text/html", "text/plain"])
def test_it_shows_frames_and_no_value(settings, accept, failing):
    settings.DEBUG = True
    request = RequestFactory().post(f"/here/?q={CANARY}", {"email": CANARY}, headers={"accept": accept, "cookie": f"a={CANARY}"})
    settings.TEMPLATES[0]["OPTIONS"]["debug"] = True
    try:
        failing(CANARY)
    except ValueError:
        page = technical_500_response(request, *sys.exc_info()).content.decode()
    assert "Error" in page
    assert "test_errors.py" in page
    assert CANARY not in page
