"""The application's own database is no store, whichever way its URL leads there: an erasure would eat the proof of itself."""

from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from privacy import maps
from privacy.models import Store
from privacy.stores.base import StoreError
from tests.factories import make_store

pytestmark = pytest.mark.django_db
DATASET = """
dataset:
- fides_key: sly
  collections:
  - name: accounts_staff
    fields:
    - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
"""


def our_url() -> str:
    own = settings.DATABASES["default"]
    # A trailing slash is another spelling of the same socket, as is a second name of the same host.
    return f"postgresql://{own['USER']}:{own['PASSWORD']}@/{own['NAME']}?host={own['HOST']}/"


def test_it_is_not_registered_under_another_spelling() -> None:
    with pytest.raises(StoreError, match="application's own database"):
        maps.load(sources=[DATASET], urls={"sly": our_url()}, on_erasure="delete", actor="operator:o", now=timezone.now())
    assert not Store.objects.exists()


def test_a_store_that_leads_there_later_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    store: Any = make_store("sly", url="env:SLY_URL")
    store.versions.update(source=DATASET)
    monkeypatch.setenv("SLY_URL", our_url())
    opened = maps.open_maps()
    assert "sly" not in opened.stores
    assert "application's own database" in opened.down["sly"]
