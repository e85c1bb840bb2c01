"""Checkpoints outside the database find what the chains cannot: a cut tail, a rewritten chain, a rolled-back database."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from privacy import audit, checkpoints
from privacy.checkpoints import CheckpointRefused, merkle_root

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
CASE, OTHER = "K7MW-3QXD-9TBF", "B2CD-4FGH-6JKM"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.INSYN_CHECKPOINT_DIR = tmp_path / "checkpoints"
    return settings.INSYN_CHECKPOINT_DIR


@pytest.fixture
def as_owner(db: None) -> Callable[..., None]:
    def run(sql: str, *parameters: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE privacy_auditevent DISABLE TRIGGER audit_append_only")
            cursor.execute(sql, parameters)
            cursor.execute("ALTER TABLE privacy_auditevent ENABLE ALWAYS TRIGGER audit_append_only")

    return run


def write(count: int = 1, *, chain: str = CASE, action: str = "request.step") -> None:
    for _ in range(count):
        audit.record(chain=chain, actor="system", action=action, payload={}, now=NOW)


def checkpoint(days: int = 0, **options: Any) -> Path:
    return checkpoints.checkpoint(now=NOW + timedelta(days=days), **options)


def found() -> set[tuple[str, str]]:
    return {(problem.chain, problem.kind) for problem in audit.verify()}


def test_a_log_that_only_grows_verifies_against_all_its_checkpoints(folder: Path) -> None:
    checkpoint()
    write(3)
    write(2, chain=OTHER)
    checkpoint(1)
    write(2)
    checkpoint(2)
    write(1, chain="a")
    assert audit.verify() == []
    assert [path.name for path in sorted(folder.iterdir())] == [f"checkpoint-0000000{n}.json" for n in (1, 2, 3)]


def test_only_heads_that_moved_are_written() -> None:
    write(1)
    write(1, chain=OTHER)
    checkpoint()
    write(1, chain=OTHER)
    content = json.loads(checkpoint(1).read_text())
    assert [head[0] for head in content["heads"]] == [OTHER, audit.SYSTEM]
    assert content["chains"] == 3


def test_files_and_folder_are_for_the_owner_alone(folder: Path) -> None:
    path = checkpoint()
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_cut_tail_is_found(as_owner: Callable) -> None:
    write(4)
    checkpoint()
    as_owner("DELETE FROM privacy_auditevent WHERE chain = %s AND seq > 2", CASE)
    assert found() == {(CASE, "cut")}


def test_a_chain_that_is_gone_is_found(as_owner: Callable) -> None:
    write(4)
    checkpoint()
    as_owner("DELETE FROM privacy_auditevent WHERE chain = %s", CASE)
    assert found() == {(CASE, "cut")}


def test_a_database_that_was_rolled_back_and_went_on_is_found(as_owner: Callable) -> None:
    write(2)
    write(3, chain=OTHER)
    checkpoint()
    as_owner("DELETE FROM privacy_auditevent WHERE chain = %s AND seq > 1", OTHER)
    as_owner("DELETE FROM privacy_auditevent WHERE chain = %s", audit.SYSTEM)
    write(5, chain=OTHER, action="request.other")
    assert found() == {(OTHER, "rewritten")}


def test_a_chain_that_was_rewritten_whole_is_found(as_owner: Callable) -> None:
    write(3)
    checkpoint()
    as_owner("DELETE FROM privacy_auditevent WHERE chain = %s", CASE)
    write(3, action="request.approve")
    assert found() == {(CASE, "rewritten")}


def test_a_file_taken_away_is_found_at_either_end(folder: Path) -> None:
    for day in range(3):
        checkpoint(day)
    first, second, third = sorted(folder.iterdir())
    first_text, third_text = first.read_text(), third.read_text()
    third.unlink()
    assert [problem.text for problem in audit.verify()] == ["checkpoint 3 is in the log; its file is missing"]
    third.write_text(third_text)
    second.unlink()
    assert "checkpoint 2 is missing" in [problem.text for problem in audit.verify()]
    first.unlink()
    third.unlink()
    assert len(audit.verify()) == 3
    first.write_text(first_text)


@pytest.mark.parametrize(
    "key", ["at", "number", "previous", "chains", "root", "heads", "restart", "public_key", "signature", "version"]
)
def test_a_file_that_was_changed_is_found(key: str) -> None:
    write(2)
    path = checkpoint()
    content = json.loads(path.read_text())
    content[key] = {"heads": [], "restart": True}.get(key, content[key] if key == "signature" else "1")
    if key == "signature":
        content["signature"] = base64.b64encode(bytes(64)).decode()
    path.write_text(json.dumps(content))
    assert ("", "checkpoint") in found()


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff", b'{"signature": 5}', b'{"signature": "AAAA", "public_key": []}'])
def test_a_file_that_is_no_checkpoint_is_found(raw: bytes) -> None:
    checkpoint().write_bytes(raw)
    assert ("", "checkpoint") in found()


def test_a_checkpoint_of_somebody_elses_key_is_found(settings: Any) -> None:
    write(2)
    checkpoint()
    settings.INSYN_CHECKPOINT_KEY = base64.b64encode(bytes(range(32))).decode()
    assert ("", "checkpoint") in found()


def test_checkpoints_of_an_earlier_key_stay_valid_while_it_is_named(settings: Any) -> None:
    write(2)
    earlier = json.loads(checkpoint().read_text())["public_key"]
    settings.INSYN_CHECKPOINT_KEY = base64.urlsafe_b64encode(b"\xff" * 32).decode()
    settings.INSYN_CHECKPOINT_PUBLIC_KEYS = [earlier]
    checkpoint(1)
    assert audit.verify() == []


def test_a_log_that_does_not_verify_is_never_signed(as_owner: Callable, folder: Path) -> None:
    write(3)
    checkpoint()
    as_owner("DELETE FROM privacy_auditevent WHERE chain = %s AND seq = 3", CASE)
    with pytest.raises(CheckpointRefused):
        checkpoint(1)
    assert len(list(folder.iterdir())) == 1


def test_after_a_restored_backup_an_operator_begins_anew_and_that_is_told(as_owner: Callable) -> None:
    write(3)
    checkpoint()
    as_owner("DELETE FROM privacy_auditevent WHERE chain = %s AND seq = 3", CASE)
    path = checkpoint(1, restart=True, actor="operator:Kim")
    assert json.loads(path.read_text())["restart"] is True
    assert audit.events(audit.SYSTEM).last().actor == "operator:Kim"  # type: ignore[union-attr]
    assert audit.verify() == []


def test_a_single_chain_is_held_against_the_checkpoints_too(as_owner: Callable) -> None:
    write(3)
    write(3, chain=OTHER)
    checkpoint()
    as_owner("DELETE FROM privacy_auditevent WHERE chain = %s AND seq = 3", CASE)
    assert [problem.kind for problem in audit.verify([CASE])] == ["cut"]
    assert audit.verify([OTHER]) == []


@pytest.mark.parametrize("key", ["", "short", "å" * 43, base64.b64encode(bytes(31)).decode()])
def test_a_key_that_is_none_is_named(settings: Any, key: str) -> None:
    settings.INSYN_CHECKPOINT_KEY = key
    with pytest.raises(ImproperlyConfigured, match="INSYN_CHECKPOINT_KEY"):
        checkpoint()


# --- the tree and the signature, by somebody who has only the documents -----------------------------------------------


def rfc_9162_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + rfc_9162_root(leaves[:k]) + rfc_9162_root(leaves[k:])).digest()


@given(st.integers(0, 40))
def test_the_tree_is_that_of_rfc_9162(count: int) -> None:
    heads = {f"C{number:03}": (number + 1, sha256(bytes([number])).hexdigest()) for number in range(count)}
    leaves = [f'["{chain}",{seq},"{digest}"]'.encode() for chain, (seq, digest) in sorted(heads.items())]
    assert merkle_root(heads) == rfc_9162_root(leaves).hex()


def test_the_signature_covers_the_canonical_json_of_all_the_rest(settings: Any) -> None:
    write(1)
    content = json.loads(checkpoint().read_text())
    signature = base64.b64decode(content.pop("signature"))
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(settings.INSYN_CHECKPOINT_KEY)).public_key()
    key.verify(signature, json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode())
    leaves = [json.dumps(head, separators=(",", ":")).encode() for head in sorted(content["heads"])]
    assert content["root"] == rfc_9162_root(leaves).hex()


# --- the command ------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit", *arguments, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def test_verify_says_that_all_is_well() -> None:
    write(2)
    assert run("verify") == (0, "The audit log is whole.\n")
    assert run("verify", "--json") == (0, '{"ok": true, "problems": []}\n')


def test_verify_names_what_is_wrong_and_exits_with_1(as_owner: Callable) -> None:
    write(3)
    as_owner("DELETE FROM privacy_auditevent WHERE seq = 2")
    status, text = run("verify")
    assert (status, text) == (1, f"{CASE}: event 2 is missing\n1 problems\n")
    status, text = run("verify", "--json")
    assert status == 1
    assert json.loads(text)["problems"] == [{"chain": CASE, "seq": 3, "kind": "missing", "text": "event 2 is missing"}]
    assert run("verify", "--chain", OTHER)[0] == 0


def test_checkpoint_writes_a_file_or_says_why_not(as_owner: Callable, folder: Path) -> None:
    write(3)
    assert run("checkpoint", "--json") == (0, json.dumps({"file": str(folder / "checkpoint-00000001.json")}) + "\n")
    as_owner("DELETE FROM privacy_auditevent WHERE chain = %s AND seq = 3", CASE)
    assert run("checkpoint")[0] == 1
    assert run("checkpoint", "--restart") == (2, "--restart wants --actor NAME: the log tells who began anew")
    assert run("checkpoint", "--restart", "--actor", "kim@example.com")[0] == 2
    assert run("checkpoint", "--restart", "--actor", "Kim")[0] == 0
    assert run("verify")[0] == 0


def test_a_wrong_key_is_wrong_usage(settings: Any) -> None:
    settings.INSYN_CHECKPOINT_KEY = "x"
    assert run("verify")[0] == 2
