"""The list of kept rows: what stays until when, without a value, for those who read cases."""

from datetime import date

import pytest
from django.urls import reverse
from django.utils import timezone

from privacy.models import Remnant
from tests.factories import make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept():
    return Remnant.objects.create(
        case="K7MW-3QXD-9TBF",
        subject="somebody",
        store=make_store("crm"),
        plan={"groups": {"invoice": [[["kanarie"], 1, "owned", []]]}},
        map_version=1,
        counts={
            "invoice": {"kept": 2, "pinned": 0, "shared": 0, "undated": 0, "until": "2034-01-01"},
            "document": {"kept": 0, "pinned": 1, "shared": 1, "undated": 0},
        },
        due_on=date(2033, 1, 1),
        shared=1,
        kept_at=timezone.now(),
    )


def test_the_list_says_how_many_rows_go_when(desk, kept):
    page = desk.browser("olof").get(reverse("admin:privacy_remnant_changelist")).content.decode()
    for text in ("K7MW-3QXD-9TBF", "crm", "waiting for its time", "1 January 2033"):
        assert text in page
    assert '<td class="field-rows">4</td>' in page
    assert "kanarie" not in page


def test_the_page_says_which_collections(desk, kept):
    page = desk.browser("alice").get(reverse("admin:privacy_remnant_change", args=[kept.pk])).content.decode()
    assert "invoice: 2 rows, document: 2 rows" in page or "document: 2 rows, invoice: 2 rows" in page
    assert "kanarie" not in page
    assert "somebody" not in page.replace("somebody else", "")


def test_the_engineer_does_not_see_cases_here(desk, kept):
    assert desk.browser("eva").get(reverse("admin:privacy_remnant_changelist")).status_code == 403
