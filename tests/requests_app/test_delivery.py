"""A package is built once, lies encrypted, is handed to its owner alone, and is gone when its time is up."""

import hashlib
import io
import os
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from privacy import actions, audit
from privacy.actions import Contact, RunOutcome, StoreUnavailable
from requests_app import cases
from requests_app.delivering import building, delivery, package_files
from requests_app.errors import NotAllowed
from requests_app.models import OutboxItem, Package, RightsRequest, RunState, StoreRun
from requests_app.models import State as CaseState
from requests_app.running.workers import build_due, locate_due
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db

SECRET = b"anna@example.com lives in Lund. "
DONE = {"crm": RunOutcome("done", {"collections": {"customer": {"rows": 3, "exported": 3}}})}


class Writer:
    """Stands where the engine writes a package."""

    def __init__(self) -> None:
        self.data = SECRET * 1000
        self.outcomes: dict[str, RunOutcome] = DONE
        self.calls: list[dict[str, Any]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, sink: Any, *, heartbeat: Callable[[], None], **asked: Any) -> dict[str, RunOutcome]:
        self.calls.append(asked)
        sink.write(self.data[: len(self.data) // 2])
        heartbeat()
        self.meanwhile()
        sink.write(self.data[len(self.data) // 2 :])
        return self.outcomes


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Writer:
    writer = Writer()
    monkeypatch.setattr(actions, "write_package", writer)
    return writer


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    settings.INSYN_PACKAGE_DAYS = 14
    return settings.INSYN_PACKAGE_DIR


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Callable) -> Callable:
    return lambda: django_capture_on_commit_callbacks(execute=True)


def make_case(right: str = "access", **columns: Any) -> RightsRequest:
    make_store("crm")
    case = make_request(right=right, now=NOW, **columns)
    plan = {"links": [1]}
    StoreRun.objects.filter(request=case).update(state=RunState.RUNNING, plan=plan, finding={"customer": {"rows": 3}})
    return case


def build(case: RightsRequest, **more: Any) -> Package:
    building.build_package(request=case, now=NOW, **more)
    return Package.objects.get(request=case)


def download(case: RightsRequest, **more: Any) -> bytes:
    content, _name, size = delivery.stream_package(**({"request": case, "customer": case.customer, "now": NOW} | more))
    data = b"".join(content)
    assert len(data) == size
    return data


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def told(case: RightsRequest) -> list[str]:
    return [event.action for event in audit.events(case.reference) if event.action.startswith("package.")]


def test_a_download_is_recorded_as_whoever_it_was(writer: Writer) -> None:
    case = make_case()
    build(case)
    download(case)
    download(case, actor="operator:olle")
    assert [event.actor for event in audit.events(case.reference) if event.action == "package.downloaded"] == [
        "customer",
        "operator:olle",
    ]


# --- building ---------------------------------------------------------------------------------------------------------


def test_a_package_is_built_and_its_owner_gets_what_was_written(writer: Writer, folder: Path) -> None:
    case = make_case()
    package = build(case)
    assert (package.state, package.size) == (Package.State.READY, len(writer.data))
    assert package.sha256 == hashlib.sha256(writer.data).hexdigest()
    assert package.contents == {"crm": {"customer": {"rows": 3, "exported": 3}}}
    assert package.expires_at == NOW + timedelta(days=14)
    assert download(case) == writer.data
    assert told(case) == ["package.built", "package.downloaded"]
    assert Package.objects.get().downloads == 1
    assert audit.verify([case.reference]) == []


def test_the_file_is_encrypted_and_for_nobody_else(writer: Writer, folder: Path) -> None:
    package = build(make_case())
    assert files(folder) == [package.file_name]
    path = folder / package.file_name
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    raw = path.read_bytes()
    assert raw.startswith(b"age-encryption.org/v1")
    assert b"anna" not in raw
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(raw, [pyrage.x25519.Identity.generate()])


def test_the_key_lies_encrypted_in_the_database(writer: Writer) -> None:
    package = build(make_case())
    assert package.key.startswith("AGE-SECRET-KEY-")
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM requests_app_package")
        assert b"AGE-SECRET" not in bytes(cursor.fetchone()[0])


def test_the_engine_is_asked_for_the_person_the_plans_and_the_choices(writer: Writer) -> None:
    case = make_case(right="portability", details={"categories": ["contact"], "since": "2024-01-01", "other": 1}, language="sv")
    StoreRun.objects.filter(request=case).update(choices={"ticket": "redact"})
    build(case)
    (asked,) = writer.calls
    assert asked["person"].ref == case.customer.public_id
    assert asked["plans"] == {"crm": {"links": [1]}}
    assert (asked["language"], asked["portability"]) == ("sv", True)
    assert asked["options"] == {"categories": ["contact"], "since": "2024-01-01", "contested": {"crm": {"ticket": "redact"}}}
    assert asked["information"] == {"reference": case.reference, "requested_at": NOW}


def test_building_again_builds_nothing(writer: Writer, folder: Path) -> None:
    case = make_case()
    first = build(case)
    assert building.build_package(request=case, now=NOW + timedelta(days=1)) == DONE
    again = Package.objects.get()
    assert (again.file_name, again.ready_at, len(writer.calls)) == (first.file_name, NOW, 1)
    assert told(case) == ["package.built"]


def test_a_store_that_is_not_done_leaves_no_package(writer: Writer, folder: Path) -> None:
    writer.outcomes = DONE | {"billing": RunOutcome("blocked", reason="no safeguard")}
    case = make_case()
    assert building.build_package(request=case, now=NOW) == writer.outcomes
    assert files(folder) == []
    assert Package.objects.get().state == Package.State.BUILDING
    assert Package.objects.get().key is None
    with pytest.raises(NotAllowed, match="being made"):
        download(case)
    writer.outcomes = DONE
    assert build(case).state == Package.State.READY


@pytest.mark.parametrize("error", [StoreUnavailable("crm"), KeyboardInterrupt(), TimeoutError()])
def test_a_build_that_fails_leaves_nothing(writer: Writer, folder: Path, error: BaseException) -> None:
    def fail() -> None:
        raise error

    writer.meanwhile = fail
    case = make_case()
    with pytest.raises(type(error)):
        build(case)
    assert files(folder) == []
    assert Package.objects.get().key is None
    writer.meanwhile = lambda: None
    build(case)
    assert download(case) == writer.data


def test_a_lost_lease_stops_the_build(writer: Writer, folder: Path) -> None:
    def lost() -> None:
        raise RuntimeError("lease")

    with pytest.raises(RuntimeError, match="lease"):
        build(make_case(), heartbeat=lost)
    assert files(folder) == []


def test_a_killed_build_leaves_bytes_that_nothing_opens_and_that_are_swept(writer: Writer, folder: Path) -> None:
    case = make_case()
    names = []

    def die() -> None:
        names.extend(files(folder))
        leftover = folder / names[0]
        leftover.rename(leftover.with_name("kept"))  # what a process that is killed leaves where it stood
        raise KeyboardInterrupt

    writer.meanwhile = die
    with pytest.raises(KeyboardInterrupt):
        build(case)
    (folder / "kept").rename(folder / names[0])
    assert names[0].endswith(".age.partial")
    assert Package.objects.get().key is None
    writer.meanwhile = lambda: None
    package = build(case)
    delivery.expire_packages(now=NOW)
    assert len(files(folder)) == 2  # it may belong to a build that still runs
    old = (NOW - timedelta(hours=2)).timestamp()
    os.utime(folder / names[0], (old, old))
    delivery.expire_packages(now=NOW)
    assert files(folder) == [package.file_name]


def test_of_two_builds_at_once_the_later_one_counts(writer: Writer, folder: Path) -> None:
    case = make_case()

    def second() -> None:
        writer.meanwhile = lambda: None
        writer.data = b"second" * 1000
        assert building.build_package(request=case, now=NOW) == DONE

    writer.meanwhile = second
    assert building.build_package(request=case, now=NOW)["crm"].status == "failed"
    package = Package.objects.get()
    assert files(folder) == [package.file_name]
    assert download(case) == b"second" * 1000
    assert told(case) == ["package.built", "package.downloaded"]


def test_a_full_disk_is_an_error_of_the_disk(writer: Writer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Any, target: Any, recipients: Any) -> None:
        source.read(10)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package_files.pyrage, "encrypt_io", full)
    writer.data = SECRET * 100_000
    with pytest.raises(OSError, match="No space left"):
        build(make_case())
    assert files(folder) == []


def test_a_worker_builds_and_completes_the_case(writer: Writer, engine: Any, clock: Any) -> None:
    make_store("crm")
    case = make_request(right="access", now=NOW)
    while locate_due(clock=clock):
        pass
    cases.approve_request(request=case, acting_user=make_staff("approver"), reason="", now=NOW)
    assert build_due(clock=clock) == 1
    case.refresh_from_db()
    assert case.state == CaseState.COMPLETED
    assert download(case) == writer.data


# --- handing out ------------------------------------------------------------------------------------------------------


def test_nobody_but_the_owner_gets_it(writer: Writer) -> None:
    case = make_case()
    build(case)
    with pytest.raises(NotAllowed):
        download(case, customer=make_customer())
    assert Package.objects.get().downloads == 0
    assert told(case) == ["package.built"]


def test_a_case_without_a_package_has_nothing_to_download() -> None:
    case = make_case()
    with pytest.raises(NotAllowed):
        download(case)


def test_the_name_of_the_download_holds_the_reference_and_nothing_else(writer: Writer) -> None:
    case = make_case(language="en")
    build(case)
    _content, name, _size = delivery.stream_package(request=case, customer=case.customer, now=NOW)
    assert name == f"my-data-{case.reference}.zip"


def test_a_download_that_is_broken_off_ends_its_work(writer: Writer) -> None:
    writer.data = os.urandom(5_000_000)
    case = make_case()
    build(case)
    before = threading.active_count()
    content, _name, _size = delivery.stream_package(request=case, customer=case.customer, now=NOW)
    assert next(content)
    assert threading.active_count() == before + 1
    content.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    untouched, _name, _size = delivery.stream_package(request=case, customer=case.customer, now=NOW)
    untouched.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


@pytest.mark.parametrize("how", ["cut", "changed", "replaced"])
def test_a_spoilt_file_breaks_the_download(writer: Writer, folder: Path, how: str) -> None:
    writer.data = os.urandom(300_000)
    case = make_case()
    path = folder / build(case).file_name
    raw = path.read_bytes()
    path.write_bytes({"cut": raw[:150_000], "changed": raw[:200_000] + b"x" + raw[200_001:], "replaced": b"nothing"}[how])
    with pytest.raises(package_files.Spoilt):
        download(case)


def test_a_file_that_is_gone_is_told_before_anything_is_sent(writer: Writer, folder: Path) -> None:
    case = make_case()
    (folder / build(case).file_name).unlink()
    with pytest.raises(NotAllowed, match="Contact us"):
        download(case)
    assert Package.objects.get().downloads == 0


def test_memory_is_bounded_both_ways(writer: Writer) -> None:
    case = make_case()

    def large(sink: Any, **asked: Any) -> dict[str, RunOutcome]:
        block = os.urandom(65536)
        for _ in range(800):
            sink.write(block)
        return DONE

    actions.write_package = large  # the fixture puts it back
    tracemalloc.start()
    build(case)
    content, _name, size = delivery.stream_package(request=case, customer=case.customer, now=NOW)
    assert sum(map(len, content)) == size == 800 * 65536
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


# --- taking back ------------------------------------------------------------------------------------------------------


def test_an_expired_package_loses_its_key_then_its_file(writer: Writer, folder: Path, commit: Callable) -> None:
    case = make_case()
    build(case)
    with commit():
        assert delivery.expire_packages(now=NOW + timedelta(days=13, hours=23)) == 0
    with commit() as callbacks:
        assert delivery.expire_packages(now=NOW + timedelta(days=14)) == 1
    assert callbacks
    package = Package.objects.get()
    assert (package.state, package.key, package.deleted_at) == (Package.State.EXPIRED, None, NOW + timedelta(days=14))
    assert files(folder) == []
    assert told(case) == ["package.built", "package.expired"]
    with pytest.raises(NotAllowed, match=r"19 March 2026|19 mars 2026"):
        download(case, now=NOW + timedelta(days=15))


def test_a_package_that_is_due_is_not_handed_out_though_nobody_has_expired_it_yet(writer: Writer) -> None:
    case = make_case()
    build(case)
    with pytest.raises(NotAllowed):
        download(case, now=NOW + timedelta(days=14))


def test_a_crash_between_key_and_file_is_swept_up(writer: Writer, folder: Path) -> None:
    package = build(make_case())
    delivery.expire_packages(now=NOW + timedelta(days=14))
    assert files(folder) == [package.file_name]  # what follows the commit never ran
    os.utime(folder / package.file_name, (NOW.timestamp(),) * 2)
    delivery.expire_packages(now=NOW + timedelta(days=15))
    assert files(folder) == []


def test_the_sweep_touches_no_foreign_file(writer: Writer, folder: Path) -> None:
    package = build(make_case())
    (folder / "README").write_text("kept")
    os.utime(folder / "README", (0, 0))
    os.utime(folder / package.file_name, (0, 0))
    delivery.expire_packages(now=NOW)
    assert files(folder) == sorted(["README", package.file_name])


def test_many_packages_expire_in_few_statements(writer: Writer, commit: Callable) -> None:
    def statements() -> int:
        with commit(), CaptureQueriesContext(connection) as queries:
            delivery.expire_packages(now=NOW + timedelta(days=14))
        return len(queries)

    build(make_case())
    one = statements()
    make = [make_request(right="access", now=NOW) for _ in range(8)]
    for case in make:
        build(case)
    assert statements() == one


def test_packages_made_before_an_erasure_are_withdrawn_and_the_person_is_told(
    writer: Writer, folder: Path, commit: Callable, mailbox: list
) -> None:
    from requests_app.running import outbox

    customer = make_customer("anna@example.com")
    case, other = make_case(customer=customer), make_request(right="portability", customer=customer, now=NOW)
    someone_else = make_request(right="access", now=NOW)
    for each in (case, other, someone_else):
        build(each)
    with commit():
        assert delivery.revoke_packages(customer=customer, reason="erasure", now=NOW) == 2
        assert delivery.revoke_packages(customer=customer, reason="erasure", now=NOW) == 0
    assert Package.objects.filter(key=None, state=Package.State.REVOKED).count() == 2
    assert len(files(folder)) == 1
    assert told(case) == ["package.built", "package.revoked"]
    assert audit.events(case.reference).last().payload == {"reason": "erasure"}  # type: ignore[union-attr]
    with pytest.raises(NotAllowed, match="withdrawn"):
        download(case)
    outbox.deliver_due(now=NOW)
    sent = [message.subject for message in mailbox if case.reference in message.subject]
    assert any("package" in subject for subject in sent)
    assert download(someone_else) == writer.data


def test_a_package_withdrawn_while_it_is_built_is_never_ready(writer: Writer, folder: Path, commit: Callable) -> None:
    case = make_case(language="en")

    def withdrawn() -> None:
        with commit():
            delivery.revoke_packages(customer=case.customer, reason="erasure", now=NOW)

    writer.meanwhile = withdrawn
    assert building.build_package(request=case, now=NOW)["crm"].status == "failed"
    assert files(folder) == []
    assert building.build_package(request=case, now=NOW)["crm"].status == "blocked"
    assert Package.objects.get().state == Package.State.REVOKED


def test_an_expired_package_may_be_built_anew(writer: Writer, commit: Callable) -> None:
    case = make_case()
    build(case)
    with commit():
        delivery.expire_packages(now=NOW + timedelta(days=14))
    later = NOW + timedelta(days=20)
    building.build_package(request=case, now=later)
    assert download(case, now=later) == writer.data


# --- from the stores to the browser -----------------------------------------------------------------------------------


def test_a_real_zip_survives_the_way(writer: Writer) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.html", "ö" * 1000)
    writer.data = buffer.getvalue()
    case = make_case()
    build(case)
    with zipfile.ZipFile(io.BytesIO(download(case))) as archive:
        assert archive.testzip() is None
        assert archive.read("index.html").decode() == "ö" * 1000


def test_package_names_are_random() -> None:
    assert len({package_files.new_name() for _ in range(100)}) == 100


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "age"]


# --- telling the person's other contacts ------------------------------------------------------------------------------


def contact(kind: str, value: str, *, unchanged: bool = True) -> Contact:
    return Contact(kind, value, NOW - timedelta(days=1) if unchanged else None, "crm", f"customer.{kind}")


def announced() -> set[tuple[str, str]]:
    return {(item.kind, item.to) for item in OutboxItem.objects.filter(key__contains=":announced:")}


def test_a_package_is_announced_to_the_contacts_that_only_the_stores_know(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(customer=make_customer("anna@example.com"))
    known = [
        contact("email", "Anna@Example.com"),
        contact("email", "anna@work.example"),
        contact("phone_number", "070-174 06 01"),
        contact("phone_number", "see the file"),
        contact("email", "colleague@work.example", unchanged=False),
        contact("email", "a@b.example,c@d.example"),
    ]
    monkeypatch.setattr(actions, "contacts", lambda person, **options: known)
    build(case)
    assert announced() == {("email", "anna@work.example"), ("sms", "+46701740601")}
    text = OutboxItem.objects.filter(key__contains=":announced:").first().payload["text"]
    assert case.reference in text
    assert "anna" not in text.lower()


def test_nothing_is_announced_of_a_package_that_did_not_come_about(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "contacts", lambda person, **options: [contact("email", "anna@work.example")])
    writer.outcomes = {"crm": RunOutcome("failed", reason="busy")}
    case = make_case()
    building.build_package(request=case, now=NOW)
    assert announced() == set()


def test_who_loses_a_contact_by_a_correction_is_told_there(engine: Any) -> None:
    make_store("crm")
    corrections = [
        {"field": "crm.customer.phone", "kind": "phone", "old": "070-174 06 01", "new": "070-174 06 99"},
        {"field": "crm.customer.email", "kind": "email", "old": "", "new": "new@example.se", "confirmed": True},
        {"field": "crm.customer.city", "kind": "text", "old": "Lund", "new": "Malmö"},
    ]
    case = make_request(right="rectification", details={"corrections": corrections}, now=NOW)
    while locate_due(clock=lambda: NOW):
        pass
    case.refresh_from_db()
    cases.approve_request(request=case, acting_user=make_staff("approver"), reason="", now=NOW)
    (item,) = OutboxItem.objects.filter(key__contains=":replaced:")
    assert (item.kind, item.to) == ("sms", "+46701740601")
