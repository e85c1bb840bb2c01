"""Signed checkpoints of the audit log, kept outside the database: they find a cut tail and a database that was rolled back.

A checkpoint is one JSON file in INSYN_CHECKPOINT_DIR. It holds the Merkle root over the heads of all chains, the heads that
changed since the checkpoint before, that one's SHA-256, and an Ed25519 signature over the canonical JSON of everything else.
The tree is that of RFC 9162 §2.1: leaves SHA-256(0x00 ‖ [chain, seq, hash] as canonical JSON) ordered by chain, nodes
SHA-256(0x01 ‖ left ‖ right), split at the largest power of two below the number of leaves.

The log tells in turn of each checkpoint, so a file that is taken away is missed. Copy the directory to where the database's
owner cannot write: whoever can change database, directory and key at once can write history anew.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db import connection, transaction

from privacy import audit, signing
from privacy.audit import Head, Problem
from privacy.models import AuditEvent

RECORDED_AS = "audit.checkpoint"
_FILE = re.compile(r"checkpoint-(\d{8})\.json")
_LOCK = 0x696E7379_6E636B70  # one checkpoint at a time


class CheckpointRefused(Exception):
    """The log does not verify, so nothing was signed: `problems` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"the audit log has {len(problems)} problems, so no checkpoint was made; see `manage.py audit verify`")
        self.problems = problems


@dataclass
class Recorded:
    """What the checkpoint files say together: the last head of every chain, and what is wrong with the files."""

    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    number: int = 0
    digest: str = audit.GENESIS
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, number: int, text: str) -> None:
        self.problems.append(Problem("", number, "checkpoint", f"checkpoint {number} {text}"))


# --- verifying --------------------------------------------------------------------------------------------------------


def verify(chains: frozenset[str] | None = None) -> list[Problem]:
    """What is wrong with the log and its checkpoints; see `audit.verify`."""
    # The files first: whatever they tell of was committed before, so the log that is read afterwards must hold it.
    return _compare(read(), chains)[0]


def _compare(recorded: Recorded, chains: frozenset[str] | None) -> tuple[list[Problem], list[Head]]:
    problems, heads = list(recorded.problems), []
    expected = {chain: head for chain, head in recorded.heads.items() if chains is None or chain in chains}
    for head, found in audit.walk(chains, wanted={chain: seq for chain, (seq, _) in expected.items()}):
        problems += found
        heads.append(head)
        if head.chain not in expected:
            continue
        seq, digest = expected.pop(head.chain)
        if head.seq < seq:
            problems.append(Problem(head.chain, seq, "cut", f"the chain ends at event {head.seq}; a checkpoint saw event {seq}"))
        elif head.wanted != digest:
            problems.append(Problem(head.chain, seq, "rewritten", f"event {seq} is not the one that a checkpoint saw"))
    problems += [
        Problem(chain, seq, "cut", f"the chain is gone; a checkpoint saw event {seq}") for chain, (seq, _) in expected.items()
    ]
    told = _last_told()
    problems += [
        Problem("", number, "checkpoint", f"checkpoint {number} is in the log; its file is missing")
        for number in range(recorded.number + 1, told + 1)
    ]
    return problems, heads


def _last_told() -> int:
    """The number of the last checkpoint that the log tells of."""
    told = (
        AuditEvent.objects.filter(chain=audit.SYSTEM, action=RECORDED_AS)
        .order_by("-seq")
        .values_list("payload", flat=True)
        .first()
    )
    number = told.get("number") if isinstance(told, dict) else None
    return number if isinstance(number, int) else 0


def read() -> Recorded:
    """Read and check all checkpoint files, one after the other."""
    recorded, trusted = Recorded(), signing.trusted_keys()
    for number, path in _files():
        for missing in range(recorded.number + 1, number):
            recorded.wrong(missing, "is missing")
        _take(recorded, number, path.read_bytes(), trusted)
    return recorded


def _files() -> list[tuple[int, Path]]:
    folder = Path(settings.INSYN_CHECKPOINT_DIR)
    found = ((match, path) for path in (folder.iterdir() if folder.is_dir() else ()) if (match := _FILE.fullmatch(path.name)))
    return sorted((int(match[1]), path) for match, path in found)


def _take(recorded: Recorded, number: int, raw: bytes, trusted: Mapping[str, Ed25519PublicKey]) -> None:
    follows = recorded.number == number - 1
    previous, recorded.number, recorded.digest = recorded.digest, number, hashlib.sha256(raw).hexdigest()
    content = _signed_content(raw, trusted)
    if content is None or content["number"] != number:
        recorded.wrong(
            number, "was changed, or signed with a key that is not ours (INSYN_CHECKPOINT_PUBLIC_KEYS names earlier ones)"
        )
        return
    if follows and content["previous"] != previous:
        recorded.wrong(number, "does not follow the file before it")
    if content["restart"]:  # signed: whatever was wrong with the files before was known
        recorded.heads.clear()
        recorded.problems.clear()
    recorded.heads.update((chain, (seq, digest)) for chain, seq, digest in content["heads"])
    if follows and merkle_root(recorded.heads) != content["root"]:
        recorded.wrong(number, "has a root that its heads do not give")


def _signed_content(raw: bytes, trusted: Mapping[str, Ed25519PublicKey]) -> dict[str, Any] | None:
    try:
        content = json.loads(raw)
        signature = base64.b64decode(content.pop("signature"), validate=True)
        trusted[content["public_key"]].verify(signature, audit.canonical(content))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
        return None
    return dict(content)


# --- making -----------------------------------------------------------------------------------------------------------


def checkpoint(*, now: datetime, actor: str = "system", restart: bool = False) -> Path:
    """Verify the log, sign its state, write the file and record it. Raises CheckpointRefused when the log does not verify.

    `restart` starts anew from the log as it stands, for a database that was restored on purpose; both file and log say so.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        recorded = read()
        problems, heads = _compare(recorded, None)
        if problems and not restart:
            raise CheckpointRefused(problems)
        number = max(recorded.number, _last_told()) + 1
        current = {head.chain: (head.seq, head.hash) for head in heads}
        changed = [[chain, *head] for chain, head in sorted(current.items()) if restart or recorded.heads.get(chain) != head]
        root = merkle_root(current)
        path = _write(
            {
                "version": 1,
                "number": number,
                "at": now.astimezone(UTC).isoformat(timespec="microseconds"),
                "previous": recorded.digest,
                "chains": len(current),
                "root": root,
                "restart": restart,
                "heads": changed,
            }
        )
        # After the file: a crash in between leaves a file more than the log tells of, which is no problem; the other way is one.
        audit.record(
            chain=audit.SYSTEM,
            actor=actor,
            action=RECORDED_AS,
            payload={"number": number, "root": root, "restart": restart},
            now=now,
        )
    return path


def _write(content: dict[str, Any]) -> Path:
    key = signing.private_key()
    content["public_key"] = signing.public_text(key.public_key())
    content["signature"] = base64.b64encode(key.sign(audit.canonical(content))).decode()
    folder = Path(settings.INSYN_CHECKPOINT_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, partial = folder / f"checkpoint-{content['number']:08d}.json", folder / f".{secrets.token_hex(8)}.partial"
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(audit.canonical(content) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, path)  # unlike a rename it never replaces a checkpoint
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    folder_handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(folder_handle)
    finally:
        os.close(folder_handle)
    return path


# --- Merkle tree ------------------------------------------------------------------------------------------------------


def merkle_root(heads: Mapping[str, tuple[int, str]]) -> str:
    """The root over these heads, as hex; see the top of this file."""
    leaves = (audit.canonical([chain, *heads[chain]]) for chain in sorted(heads))
    return _root([hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]).hex()


def _root(nodes: list[bytes]) -> bytes:
    if not nodes:
        return hashlib.sha256(b"").digest()
    # Pairing neighbours and carrying an odd last one up gives the tree of RFC 9162 without recursion.
    while len(nodes) > 1:
        pairs = [hashlib.sha256(b"\x01" + nodes[i] + nodes[i + 1]).digest() for i in range(0, len(nodes) - 1, 2)]
        nodes = pairs + nodes[len(nodes) & ~1 :]
    return nodes[0]
