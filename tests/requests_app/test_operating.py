"""What operators do from the command line stands in the log under their own name, before anybody holds the data."""

from pathlib import Path
from typing import Any

import pyrage
import pytest
from django.core.management import call_command

from accounts import people
from privacy import actions, audit
from privacy.actions import Finding, RunOutcome
from privacy.models import AuditEvent
from requests_app.delivering import delivery
from requests_app.operating import act, answers, exporting
from requests_app.operating.asked import Asked, Refused
from tests.factories import make_customer, make_request, make_store

pytestmark = pytest.mark.django_db
ZIP = b"PK anna@example.com"
WRITTEN: list[dict[str, Any]] = []  # what packages were asked for


@pytest.fixture
def production(settings: Any) -> None:
    settings.DEMO = False


@pytest.fixture
def approved(production: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    make_store("crm")
    case = make_request()
    case.state = "completed"
    case.save()
    case.runs.update(state="done", finding={"customer": {"rows": 1}})

    def stream(*, actor: str, now: Any, request: Any, **_asked: Any) -> Any:
        audit.record(chain=request.reference, actor=actor, action="package.downloaded", payload={}, now=now)
        return iter([ZIP]), "my-data.zip", len(ZIP)

    monkeypatch.setattr(delivery, "stream_package", stream)
    return case


def asked(**more: Any) -> Asked:
    return Asked(**({"action": "export", "people": [{"email": ["anna@example.com"]}], "actor": "olle"} | more))


def of_case(case: Any) -> Asked:
    identity = case.customer.identities.get()
    return asked(people=[{identity.kind: [identity.value]}], reference=case.reference)


def test_a_package_that_an_operator_fetches_is_not_said_to_be_the_customer_s(approved: Any, tmp_path: Path) -> None:
    out = tmp_path / "anna.zip"
    act.act(Asked(**{**of_case(approved).__dict__, "out": out}))
    assert out.read_bytes() == ZIP
    by = dict(AuditEvent.objects.filter(chain=approved.reference).values_list("action", "actor"))
    assert by["operator.began"] == by["package.downloaded"] == "operator:olle"


def test_a_recipient_is_honoured_for_an_approved_case_too(approved: Any, tmp_path: Path) -> None:
    key = pyrage.x25519.Identity.generate()
    out = tmp_path / "anna.zip.age"
    act.act(Asked(**{**of_case(approved).__dict__, "out": out, "recipient": str(key.to_public())}))
    assert b"anna" not in out.read_bytes()
    assert pyrage.decrypt(out.read_bytes(), [key]) == ZIP


def test_one_case_is_one_person_s(approved: Any) -> None:
    two = [{"email": ["a@example.com"]}, {"email": ["b@example.com"]}]
    with pytest.raises(Refused, match="one person"):
        act.act(asked(action="erase", people=two, reference=approved.reference))


@pytest.fixture
def anna(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that holds one row of hers."""
    make_store("crm")
    finding = Finding("found", counts={"customer": {"rows": 1, "contested": 0, "others": 0}}, plan={"links": []})
    for module in (answers, exporting):
        monkeypatch.setattr(module, "find_people", lambda people, **_asked: {people[0].ref: {"crm": finding}})
    monkeypatch.setattr(answers, "_keys", lambda people: {})

    def write(sink: Any, **given: Any) -> dict[str, RunOutcome]:
        WRITTEN.append(given)
        sink.write(ZIP)
        return {"crm": RunOutcome("done", {"collections": {"customer": {"rows": 1, "contested": 0}}})}

    monkeypatch.setattr(actions, "write_package", write)


def test_an_export_holds_what_the_application_has_of_who_proved_the_mailbox(anna: None, tmp_path: Path) -> None:
    customer = make_customer("anna@example.com")
    said = make_customer("bo@example.com").identities
    said.create(kind="email", value="cia@example.com", lookup=people.identity_hash("email", "cia@example.com")[1], lookup_key="1")
    for email in ("anna@example.com", "cia@example.com"):
        act.act(asked(people=[{"email": [email]}], out=tmp_path / f"{email}.zip"))
    *_, anna_s, cia_s = [given["own"] for given in WRITTEN]
    assert anna_s["accounts_customer"][0]["public_id"] == customer.public_id
    assert cia_s is None  # somebody only said so


@pytest.mark.parametrize("actor", ["anna@example.com", "o" * 60, ""])
def test_whose_name_cannot_be_recorded_exports_nothing(anna: None, tmp_path: Path, actor: str) -> None:
    with pytest.raises(Refused, match="--actor"):
        act.act(asked(out=tmp_path / "anna.zip", actor=actor))
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_cannot_be_recorded_leaves_no_file(anna: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_event: Any) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(audit, "record", full)
    with pytest.raises(RuntimeError):
        exporting.export(asked(out=tmp_path / "anna.zip"), act.person_of_command(0, {"email": ["a@example.com"]}), print)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_somebody_put_in_the_way_gets_nothing(anna: None, tmp_path: Path) -> None:
    trap, readable = tmp_path / ".anna.zip.partial", tmp_path / "readable"
    trap.symlink_to(readable)
    act.act(asked(out=tmp_path / "anna.zip"))
    assert not readable.exists()
    assert (tmp_path / "anna.zip").stat().st_mode & 0o777 == 0o600


def test_looking_somebody_up_is_recorded_without_naming_them(anna: None) -> None:
    call_command("subject", "locate", "--identity", "email=anna@example.com", "--actor", "olle", "--json")
    (event,) = AuditEvent.objects.filter(action="operator.looked")
    assert (event.actor, event.payload) == ("operator:olle", {"action": "locate", "people": 1})
