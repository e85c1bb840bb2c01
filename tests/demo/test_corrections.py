"""A correction in the demo's stores, as the workers make it: everywhere it is held, but not on vouchers."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from demo import stores
from privacy import actions
from privacy.actions import Identity, Person, RunItem

pytestmark = pytest.mark.django_db(transaction=True)

ANNA = Person("anna", (Identity("email", "anna.andersson@example.com"),))


@pytest.fixture
def urls(make_postgres_database: Callable[[], str], tmp_path: Path, settings: Any) -> dict[str, str]:
    settings.INSYN_SQLITE_ROOT = tmp_path
    urls = {
        "crm": make_postgres_database(),
        "billing": make_postgres_database(),
        "activity": f"sqlite:///{stores.activity_file()}",
        "hosted": f"sqlite:///{stores.hosted_file()}",
    }
    stores.fill(today=timezone.localdate(), urls=urls, customers=60)
    stores.register(urls=urls, now=timezone.now())
    return urls


def correct(store: str, **values: dict[str, str]) -> dict[str, Any]:
    found = actions.find([ANNA], right="rectification")["anna"][store]
    assert found.plan is not None
    item = RunItem(
        "case", "anna", ANNA.identities, found.plan, {"set": {name.replace("__", "."): value for name, value in values.items()}}
    )
    outcome = actions.execute(store_key=store, right="rectification", items=[item])["case"]
    assert outcome.status == "done", outcome.reason
    return outcome.report["collections"]


def one(url: str, statement: str) -> tuple[Any, ...]:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row


def test_a_corrected_telephone_no_longer_counts_as_unchanged_for_long(urls: dict[str, str]) -> None:
    correct("crm", customer__phone={"old": "070-174 06 05", "new": "070-174 06 95"})
    phone, changed = one(urls["crm"], "SELECT phone, contact_changed_at FROM customer WHERE number = 'K-104233'")
    assert phone == "070-174 06 95"
    assert timezone.now() - changed < timedelta(minutes=1)
    (contact,) = (contact for contact in actions.contacts(ANNA) if contact.kind == "phone_number")
    assert contact.unchanged_since is not None
    assert timezone.now() - contact.unchanged_since < timedelta(minutes=1)


def test_a_corrected_street_leaves_that_alone(urls: dict[str, str]) -> None:
    correct("crm", customer__street={"old": "Björkgatan 12", "new": "Granvägen 3"})
    (changed,) = one(urls["crm"], "SELECT contact_changed_at FROM customer WHERE number = 'K-104233'")
    assert timezone.now() - changed > timedelta(days=365)


def test_the_account_follows_the_move_but_keeps_the_name_that_its_invoices_need(urls: dict[str, str]) -> None:
    report = correct(
        "billing",
        account__street={"old": "Björkgatan 12", "new": "Granvägen 3"},
        account__name={"old": "Anna Andersson", "new": "Anna Lindén"},
    )
    assert report["account"]["kept"] == 1
    assert one(urls["billing"], "SELECT street, name FROM account WHERE customer_number = 'K-104233'") == (
        "Granvägen 3",
        "Anna Andersson",
    )
    streets = one(
        urls["billing"],
        "SELECT array_agg(DISTINCT bill_street) FROM invoice WHERE account_id = "
        "(SELECT id FROM account WHERE customer_number = 'K-104233')",
    )
    assert streets == (["Björkgatan 12"],)


def test_what_a_broker_says_is_compared_with_what_a_store_has_held_of_this_very_person(urls: dict[str, str]) -> None:
    (held,) = actions.held_identities(ANNA, kind="email")
    assert held.value == "anna.andersson@example.com"
    assert held.unchanged_since is not None
    assert actions.held_identities(ANNA, kind="customer_number") == []  # no map says since when it stands
