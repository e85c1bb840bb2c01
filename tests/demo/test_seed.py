"""The whole demo is put in place by one command, quickly when it is there already, and a killed one is simply run again."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Role
from demo import seed, stores
from demo.models import DemoSeed
from privacy.models import DatasetVersion, Store
from requests_app.models import RightsRequest, State

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def elsewhere(make_postgres_database: Callable[[], str], tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's databases and files, but not those of a demo that may be running."""
    urls = {
        "crm": make_postgres_database(),
        "billing": make_postgres_database(),
        "activity": f"sqlite:///{tmp_path}/activity.sqlite3",
        "hosted": f"sqlite:///{tmp_path}/hosted.sqlite3",
    }
    settings.DEMO_DIR = settings.INSYN_SQLITE_ROOT = tmp_path
    monkeypatch.setattr(stores, "addresses", lambda: urls)
    for role in Role:  # a transactional test that ran before emptied every table, those that migrations filled too
        Group.objects.get_or_create(name=role)


def run(**options: Any) -> str:
    out = StringIO()
    call_command("demo_seed", stdout=out, **options)
    return out.getvalue()


def test_it_puts_stores_staff_and_a_queue_in_place_and_then_leaves_them_alone() -> None:
    run()
    assert set(Store.objects.values_list("key", flat=True)) >= {"crm", "billing", "activity"}
    logins = json.loads(seed.logins_file().read_text())
    assert seed.logins_file().stat().st_mode & 0o077 == 0
    assert {login["role"] for login in logins} == {"agent", "approver", "engineer", "officer", "administrator", "customer"}
    states = set(RightsRequest.objects.values_list("state", flat=True))
    assert {State.TRIAGE, State.IDENTIFYING, State.PROPOSED, State.REFUSED} <= states
    open_requests = RightsRequest.objects.filter(closed_at=None)
    assert open_requests.filter(due_on__lt=timezone.localdate()).count() == 1
    assert open_requests.values("due_on").distinct().count() > 5

    before = list(RightsRequest.objects.order_by("pk").values_list("pk", "state"))
    assert run() == "The demo data are in place.\n"
    assert list(RightsRequest.objects.order_by("pk").values_list("pk", "state")) == before

    # As after a kill just before the end: nothing is there twice.
    DemoSeed.objects.all().delete()
    run()
    assert RightsRequest.objects.count() == len(before)
    assert json.loads(seed.logins_file().read_text()) == logins
    assert DatasetVersion.objects.filter(store__key="crm").count() == 1


def test_it_refuses_outside_the_demo(settings: Any) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="DATABASE_URL"):
        run()
    assert not Store.objects.filter(key="crm").exists()
