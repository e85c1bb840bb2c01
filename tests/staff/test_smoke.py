import pytest
from django.urls import reverse

from tests.staff.conftest import make_case

pytestmark = pytest.mark.django_db


def test_pages(desk, canary):
    case = make_case("erasure", customer=canary)
    for who in ("alice", "bea", "olof"):
        b = desk.browser(who)
        for url in (
            reverse("admin:index"),
            reverse("admin:requests_app_rightsrequest_changelist"),
            reverse("admin:requests_app_rightsrequest_change", args=[case.pk]),
        ):
            r = b.get(url)
            assert r.status_code == 200, (who, url, r.status_code, r.get("Location"))
