"""The log as a file, and the small program that checks it without a database: whatever is done to the log is found."""

import base64
import csv
import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command

from privacy import audit, audit_export, checkpoints, signing
from privacy.audit_export import Wanted
from privacy.models import AuditEvent

PROGRAM = Path(__file__).resolve().parents[2] / "scripts" / "verify_audit.py"
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
CASE, OTHER = "K7MW-3QXD-9TBF", "B2CD-4FGH-6JKM"

pytestmark = pytest.mark.django_db
specification = spec_from_file_location("verify_audit", PROGRAM)
verify_audit = module_from_spec(specification)
specification.loader.exec_module(verify_audit)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.INSYN_CHECKPOINT_DIR = tmp_path / "checkpoints"
    return settings.INSYN_CHECKPOINT_DIR


def write(count: int = 1, *, chain: str = CASE, action: str = "request.step", actor: str = "system", days: int = 0) -> None:
    for number in range(count):
        now = NOW + timedelta(days=days)
        audit.record(chain=chain, actor=actor, action=action, payload={"räknat": number, "list": [1, {"a": None}]}, now=now)


def exported(**wanted: Any) -> list[dict[str, Any]]:
    pieces = audit_export.export(wanted=Wanted(**wanted), form="jsonl", actor="system", now=NOW + timedelta(days=9))
    return [json.loads(line) for line in b"".join(pieces).splitlines()]


def key() -> bytes:
    return signing.private_key().public_key().public_bytes_raw()


def problems(
    events: list[dict[str, Any]], folder: Path | None, *, keys: list[bytes] | None = None, **options: Any
) -> set[tuple[str, str]]:
    lines = [json.dumps(event, ensure_ascii=False) for event in events]
    report = verify_audit.verify(lines, folder=folder, keys=[key()] if keys is None else keys, **options)
    return {(problem["chain"], problem["kind"]) for problem in report.problems}


@pytest.fixture
def log(folder: Path) -> list[dict[str, Any]]:
    """Two cases and two checkpoints, the second after some of the events, and a little more."""
    write(4)
    write(3, chain=OTHER)
    checkpoints.checkpoint(now=NOW)
    write(2)
    checkpoints.checkpoint(now=NOW + timedelta(days=1))
    write(1, chain=OTHER)
    return exported()


def rewritten(event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An event with a hash that fits, as somebody would write it who knows how."""
    changed = {**event, **changes}
    changed["hash"] = audit.hashlib.sha256(audit.canonical({k: v for k, v in changed.items() if k != "hash"})).hexdigest()
    return changed


def at(log: list[dict[str, Any]], chain: str, seq: int) -> int:
    return next(number for number, event in enumerate(log) if (event["chain"], event["seq"]) == (chain, seq))


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_line_holds_what_the_hash_is_made_of(log: list[dict[str, Any]]) -> None:
    stored = AuditEvent.objects.get(chain=CASE, seq=2)
    line = log[at(log, CASE, 2)]
    assert line == rewritten(line)
    assert (line["hash"], line["prev"], line["payload"]) == (stored.hash, stored.prev_hash, stored.payload)


def test_it_holds_what_was_asked_for_and_no_more() -> None:
    write(2)
    write(1, chain=OTHER, action="package.read", actor="customer", days=1)
    write(1, chain=OTHER, actor="staff:12", days=2)

    def found(**wanted: Any) -> list[tuple[str, int]]:
        return [(event["chain"], event["seq"]) for event in exported(**wanted) if event["chain"] != audit.SYSTEM]

    assert found(chain=CASE) == [(CASE, 1), (CASE, 2)]
    assert found(what="package.") == [(OTHER, 1)]
    assert found(who="staff:") == found(who="staff:12") == [(OTHER, 2)]
    assert found(who="staff:1") == []
    assert found(since=date(2026, 3, 6)) == [(OTHER, 1), (OTHER, 2)]
    assert found(since=date(2026, 3, 6), until=date(2026, 3, 6)) == [(OTHER, 1)]


def test_taking_it_away_is_written_down_first() -> None:
    write(1)
    exported(chain=CASE, since=date(2026, 3, 1))
    last = AuditEvent.objects.get(chain=audit.SYSTEM)
    (told,) = (event for event in exported() if event["hash"] == last.hash)
    assert told["action"] == "audit.exported"
    assert (last.action, last.payload) == ("audit.exported", {"form": "jsonl", "chain": CASE, "since": "2026-03-01"})


def test_the_table_holds_the_same_events(log: list[dict[str, Any]]) -> None:
    pieces = audit_export.export(wanted=Wanted(chain=CASE), form="csv", actor="system", now=NOW)
    head, *rows = csv.reader(io.StringIO(b"".join(pieces).decode()))
    assert tuple(head) == audit_export.COLUMNS
    assert [(row[1], json.loads(row[5]), row[7]) for row in rows] == [
        (str(event["seq"]), event["payload"], event["hash"]) for event in log if event["chain"] == CASE
    ]


def test_it_comes_in_pieces_and_is_never_whole_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    write(5)
    pieces = audit_export.export(wanted=Wanted(), form="jsonl", actor="system", now=NOW)
    assert iter(pieces) is pieces
    assert next(pieces).count(b"\n") == 1


# --- the program ------------------------------------------------------------------------------------------------------


def test_a_log_that_was_left_alone_is_whole(log: list[dict[str, Any]], folder: Path) -> None:
    assert problems(log, folder) == set()


def test_what_was_exported_of_one_case_is_whole_too(log: list[dict[str, Any]], folder: Path) -> None:
    case = [event for event in log if event["chain"] == CASE]
    assert problems(case, folder, chains=[CASE]) == set()
    assert problems(case[:-1], folder, chains=[CASE]) == {(CASE, "cut")}
    assert (OTHER, "cut") in problems(case, folder)  # without saying so it is a log in which a case is gone


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payload", {"räknat": 7}),
        ("actor", "customer"),
        ("action", "request.approve"),
        ("at", "2026-03-05T12:00:00.000001+00:00"),
    ],
)
def test_an_edited_event_is_found(log: list[dict[str, Any]], folder: Path, field: str, value: object) -> None:
    place = at(log, CASE, 3)
    plain = [*log[:place], {**log[place], field: value}, *log[place + 1 :]]
    assert problems(plain, folder) == {(CASE, "edited")}
    clever = [*log[:place], rewritten(log[place], **{field: value}), *log[place + 1 :]]
    assert problems(clever, folder) == {(CASE, "broken_link")}


@pytest.mark.parametrize("seq", [1, 3])
def test_a_deleted_event_is_found(log: list[dict[str, Any]], folder: Path, seq: int) -> None:
    place = at(log, CASE, seq)
    assert problems([*log[:place], *log[place + 1 :]], folder) == {(CASE, "missing")}


def test_a_deleted_event_is_found_though_the_rest_was_numbered_anew(log: list[dict[str, Any]], folder: Path) -> None:
    place, closed, previous = at(log, CASE, 3), list(log), log[at(log, CASE, 2)]["hash"]
    del closed[place]
    for number in range(place, at(log, CASE, 6)):
        closed[number] = rewritten(closed[number], seq=closed[number]["seq"] - 1, prev=previous)
        previous = closed[number]["hash"]
    assert problems(closed, folder) == {(CASE, "cut")}
    assert problems(closed, None) == set()  # only a checkpoint sees it


def test_reordered_events_are_found(log: list[dict[str, Any]], folder: Path) -> None:
    first, second = at(log, CASE, 2), at(log, CASE, 3)
    moved = list(log)
    moved[first], moved[second] = moved[second], moved[first]
    assert {(CASE, "missing"), (CASE, "reordered")} <= problems(moved, folder)
    renumbered = list(log)
    renumbered[first], renumbered[second] = rewritten(log[second], seq=2), rewritten(log[first], seq=3)
    assert problems(renumbered, folder) == {(CASE, "broken_link")}


def test_a_cut_tail_is_found(log: list[dict[str, Any]], folder: Path) -> None:
    assert problems([event for event in log if (event["chain"], event["seq"]) != (CASE, 6)], folder) == {(CASE, "cut")}
    assert problems([event for event in log if event["chain"] != CASE], folder) == {(CASE, "cut")}


def test_a_database_that_was_rolled_back_is_found(log: list[dict[str, Any]], folder: Path) -> None:
    first = json.loads((folder / "checkpoint-00000001.json").read_text())
    heads = {chain: seq for chain, seq, _digest in first["heads"]}
    earlier = [event for event in log if event["seq"] <= heads.get(event["chain"], 0)]
    assert problems(earlier, folder) == {(CASE, "cut"), (audit.SYSTEM, "cut")}
    went_on = list(earlier)
    for _ in range(3):  # it went on after it was rolled back, and is longer now than the checkpoint saw it
        last = next(event for event in reversed(went_on) if event["chain"] == CASE)
        went_on.append(rewritten(last, seq=last["seq"] + 1, prev=last["hash"]))
    assert problems(went_on, folder) == {(CASE, "rewritten"), (audit.SYSTEM, "cut")}


def test_a_checkpoint_taken_away_is_found(log: list[dict[str, Any]], folder: Path) -> None:
    (folder / "checkpoint-00000001.json").rename(folder / "away")
    assert ("", "checkpoint") in problems(log, folder)
    (folder / "away").rename(folder / "checkpoint-00000001.json")
    (folder / "checkpoint-00000002.json").unlink()
    assert problems(log, folder) == {("", "checkpoint")}


@pytest.mark.parametrize("by", ["cryptography", "openssl"])
def test_a_checkpoint_that_was_changed_or_is_not_ours_is_found(
    log: list[dict[str, Any]], folder: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "openssl":
        if not verify_audit.shutil.which("openssl"):
            pytest.skip("no openssl here")
        monkeypatch.setattr(verify_audit, "is_signed", verify_audit.is_signed_by_openssl)
    assert problems(log, folder) == set()
    assert problems(log, folder, keys=[b"\x07" * 32]) == {("", "checkpoint")}
    path = folder / "checkpoint-00000002.json"
    content = json.loads(path.read_text())
    content["heads"] = [[chain, seq - 1, digest] for chain, seq, digest in content["heads"]]
    path.write_bytes(audit.canonical(content))
    assert ("", "checkpoint") in problems(log, folder)


def test_a_filtered_export_is_checked_event_by_event(log: list[dict[str, Any]], folder: Path) -> None:
    part = [event for event in log if event["seq"] % 2]
    assert problems(part, folder, part=True) == set()
    part[1] = {**part[1], "actor": "customer"}
    assert problems(part, folder, part=True) == {(part[1]["chain"], "edited")}


def test_after_a_restart_earlier_checkpoints_no_longer_count(log: list[dict[str, Any]], folder: Path) -> None:
    (folder / "checkpoint-00000001.json").unlink()
    checkpoints.checkpoint(now=NOW + timedelta(days=3), restart=True, actor="operator:nina")
    assert problems(exported(), folder) == set()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    # Alone in an empty environment: it must need nothing of ours.
    return subprocess.run(
        [sys.executable, "-I", str(PROGRAM), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )


def test_it_runs_alone_and_tells_by_its_exit_status(log: list[dict[str, Any]], folder: Path, tmp_path: Path) -> None:
    file, ours = tmp_path / "audit.jsonl", base64.b64encode(key()).decode()
    call_command("audit", "export", f"--out={file}", "--actor=nightly")
    assert file.stat().st_mode & 0o777 == 0o600
    whole = run(file, "--checkpoints", folder, "--key", ours, "--json")
    assert (whole.returncode, json.loads(whole.stdout)["ok"]) == (0, True), whole.stderr
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[1:]))
    less = run(file, "--checkpoints", folder, "--key", ours)
    assert (less.returncode, "is missing" in less.stdout) == (1, True)
    assert run(file, "--checkpoints", folder).returncode == 2
    assert run(tmp_path / "none", "--key", ours).returncode == 2
    file.write_text("no event\n")
    assert run(file).returncode == 1


def test_it_never_writes_over_a_file(tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("mine")
    with pytest.raises(CommandError):
        call_command("audit", "export", f"--out={file}", "--actor=nightly")
    assert file.read_text() == "mine"
    with pytest.raises(CommandError):
        call_command("audit", "export", f"--out={tmp_path / 'new'}", "--actor=nina@firma.example")
    assert django_settings.INSYN_CHECKPOINT_DIR
