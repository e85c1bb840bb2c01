"""A house whose stores answer what the test says: what is behind the façade has tests of its own."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from privacy import actions
from tests.factories import make_customer, sign_in_customer

FIELDS = [
    {
        "field": "crm.customer.email",
        "label": {"sv": "E-post", "en": "E-mail"},
        "value": "anna@example.se",
        "kind": "email",
        "stores": 2,
    },
    {
        "field": "crm.customer.phone",
        "label": {"sv": "Telefon", "en": "Phone"},
        "value": "070-123 45 67",
        "kind": "phone",
        "stores": 1,
    },
    {
        "field": "crm.customer.street",
        "label": {"sv": "Gatuadress", "en": "Street"},
        "value": "Storgatan 1",
        "kind": "text",
        "stores": 1,
    },
    {
        "field": "crm.customer.postcode",
        "label": {"sv": "Postnummer", "en": "Postcode"},
        "value": "111 22",
        "kind": "postcode",
        "stores": 1,
    },
]


def a_number(value="070-123 45 67", *, unchanged_days=400, kind="phone_number"):
    since = None if unchanged_days is None else timezone.now() - timedelta(days=unchanged_days)
    return actions.Contact(kind=kind, value=value, unchanged_since=since, store="crm", field="customer.phone")


@dataclass
class Stores:
    """What the stores answer; change it in the test."""

    contacts: list = field(default_factory=lambda: [a_number()])
    fields: list = field(default_factory=lambda: [dict(one) for one in FIELDS])
    status: str = "found"
    down: bool = False
    asked: int = 0

    def _up(self):
        self.asked += 1
        if self.down:
            raise actions.StoreUnavailable("crm cannot be reached")

    def give_contacts(self, person, *, plans=None, dated=False):
        self._up()
        return list(self.contacts)

    def find(self, people, *, right, store_keys=None):
        self._up()
        return {person.ref: {"crm": actions.Finding(self.status, plan={"rows": 1}, dataset_version=1)} for person in people}

    def preview(self, person, *, plans):
        return list(self.fields) if plans else []


@pytest.fixture
def stores(monkeypatch):
    answering = Stores()
    monkeypatch.setattr(actions, "contacts", answering.give_contacts)
    monkeypatch.setattr(actions, "find", answering.find)
    monkeypatch.setattr(actions, "preview_fields", answering.preview)
    return answering


@pytest.fixture
def english(client):
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def anna(db):
    return make_customer("anna@example.se", language="en")


@pytest.fixture
def annas(english, anna, stores):
    """Anna's browser, signed in by her mailbox."""
    sign_in_customer(english, anna)
    return english


@pytest.fixture
def annas_proved(annas, anna):
    """Anna's browser with the second proof."""
    sign_in_customer(annas, anna, level=2)
    return annas


@pytest.fixture
def bos(db, stores):
    """Another customer's browser, signed in."""
    browser = Client()
    browser.cookies["django_language"] = "en"
    sign_in_customer(browser, make_customer("bo@example.se", language="en"))
    return browser
