"""A desk with one person per role, signed in with both factors, and cases that stand where a test wants them."""

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Role
from requests_app.models import RightsRequest, RunState, StoreRun
from requests_app.running import doorbell
from tests.factories import make_customer, make_request, make_staff, make_store
from tests.mailbox import Mailbox

# A person whom every page is searched for; none of this may stand in a list.
CANARY = SimpleNamespace(
    email="kanariefagel@hemligt.example",
    phone="+46701740635",
    number="K-987654321",
    words="Kanariefågeln vill veta allt.",
    street="Hemlighetsgatan 7",
)
CANARY_TRACES = ("kanarie", "hemlig", "1740635", "174 06 35", "987654321")

FOUND = {
    "customer": {
        "rows": 1,
        "contested": 0,
        "others": 0,
        "categories": {"identification": ["name"], "contact": ["email", "phone"]},
        "erase": {"delete": 1, "anonymize": 0, "pinned": 0, "contested": 0, "undecided": 0, "kept": []},
    },
    "invoice": {
        "rows": 5,
        "contested": 0,
        "others": 0,
        "categories": {"history": ["issued_on"]},
        "erase": {
            "delete": 2,
            "anonymize": 1,
            "pinned": 0,
            "contested": 0,
            "undecided": 0,
            "kept": [{"rows": 2, "basis": "bokföringslagen 7 kap. 2 §", "until": "2034-01-01", "fields": ["number"]}],
        },
    },
}
CONTESTED = {
    "ticket": {
        "rows": 3,
        "contested": 2,
        "others": 1,
        "categories": {"history": ["body"]},
        "erase": {"delete": 1, "contested": 2},
    },
}


@pytest.fixture(autouse=True)
def quiet(monkeypatch, settings):
    """No broker, and a mailbox instead of mail."""
    monkeypatch.setattr(doorbell, "ring_now", lambda name: None)
    settings.INSYN_EMAIL_MESSENGER = settings.INSYN_SMS_MESSENGER = "tests.mailbox.Mailbox"
    Mailbox.kept.clear()


def enrol(staff):
    return TOTPDevice.objects.create(user=staff, name="app", confirmed=True)


def sign_in(staff, language="en"):
    """A browser of this person, both factors given."""
    client = Client()
    client.force_login(staff)
    session = client.session
    session["otp_device_id"] = staff.totpdevice_set.get().persistent_id
    session.save()
    client.cookies["django_language"] = language
    return client


def code_of(device, *, steps=0):
    """What the app shows now, or `steps` × 30 seconds later."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time.time() + steps * device.step
    return f"{totp.token():06d}"


class Desk:
    """Agents alice and arne, approvers bea and bo, eva the engineer, olof the officer, ada the administrator."""

    PEOPLE = {
        "alice": (Role.AGENT,),
        "arne": (Role.AGENT,),
        "bea": (Role.APPROVER,),
        "bo": (Role.APPROVER,),
        "eva": (Role.ENGINEER,),
        "olof": (Role.OFFICER,),
        "ada": (Role.ADMINISTRATOR,),
    }

    def __init__(self):
        self.staff, self.devices, self.browsers = {}, {}, {}

    def person(self, name):
        if name not in self.staff:
            self.staff[name] = make_staff(*self.PEOPLE[name], email=f"{name}@firma.example")
            self.staff[name].first_name = name.capitalize()
            self.staff[name].save()
            self.devices[name] = enrol(self.staff[name])
        return self.staff[name]

    def browser(self, name):
        person = self.person(name)
        if name not in self.browsers:
            self.browsers[name] = sign_in(person)
        return self.browsers[name]

    def code(self, name, *, steps=0):
        self.person(name)
        self.devices[name].refresh_from_db()
        return code_of(self.devices[name], steps=steps)


@pytest.fixture
def desk(db):
    return Desk()


@pytest.fixture
def canary(db):
    return make_customer(CANARY.email, phone=CANARY.phone)


def searched(case, *findings, state=RunState.READY):
    """Every store of the case was searched and found what is given (in order of their keys; nothing where no finding is left)."""
    for number, run in enumerate(case.runs.order_by("store__key")):
        finding = findings[number] if number < len(findings) else {}
        run.state, run.finding, run.digest, run.located_at = state, finding, f"digest-{run.pk}", timezone.now()
        run.plan = {"links": [CANARY.number]}
        run.save()
    return case


def make_case(right="access", *, customer=None, findings=(FOUND,), stores=2, level=2, **columns):
    """A case in assessment whose stores were searched."""
    for number in range(stores):
        if not StoreRun._meta.get_field("store").related_model.objects.filter(key=f"store{number}").exists():
            make_store(f"store{number}")
    columns.setdefault("reason", CANARY.words)
    case = make_request(customer, right, level=level, **columns)
    return searched(case, *findings)


def fresh(case):
    return RightsRequest.objects.get(pk=case.pk)


def overdue(case, days=3):
    day = timezone.localdate() - timedelta(days=days)
    RightsRequest.objects.filter(pk=case.pk).update(due_on=day)
    return fresh(case)
