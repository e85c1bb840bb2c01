#!/usr/bin/env python3
"""Check an exported audit log against its hash chains and signed checkpoints: no database, no Insyn, one file (docs/audit.md).

    verify_audit.py audit.jsonl --checkpoints FOLDER --key BASE64 [--key EARLIER …] [--chain REFERENCE | --part] [--json]

Take the checkpoints before the export: what a checkpoint saw must stand in the export. Needs Python 3.11 or later, and either the
package `cryptography` or the program `openssl` (3 or later) for the signatures. Exit status: 0 nothing is wrong, 1 something is,
2 it could not be checked.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

GENESIS = "0" * 64
SYSTEM = "system"
CHECKPOINT = re.compile(r"checkpoint-(\d{8})\.json")
FIELDS = {"action", "actor", "at", "chain", "payload", "prev", "seq", "v", "hash"}
SPKI = bytes.fromhex("302a300506032b6570032100")  # what stands before the 32 bytes of an Ed25519 key in DER


class Unchecked(Exception):
    """Something that was asked for cannot be read or checked at all."""


class Report:
    def __init__(self) -> None:
        self.problems: list[dict[str, Any]] = []
        self.events = 0
        self.checkpoints = 0

    def wrong(self, chain: str, seq: int | None, kind: str, text: str) -> None:
        self.problems.append({"chain": chain, "seq": seq, "kind": kind, "text": text})


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


# --- checkpoints ------------------------------------------------------------------------------------------------------


def read_checkpoints(folder: Path, keys: list[bytes], report: Report) -> tuple[dict[str, tuple[int, str]], int]:
    """The last head of every chain that the files tell of, and the number of the last file."""
    files = sorted((int(match[1]), path) for path in folder.iterdir() if (match := CHECKPOINT.fullmatch(path.name)))
    heads: dict[str, tuple[int, str]] = {}
    number, digest = 0, GENESIS
    for current, path in files:
        for missing in range(number + 1, current):
            report.wrong("", missing, "checkpoint", f"checkpoint {missing} is missing")
        follows, number = number == current - 1, current
        raw = path.read_bytes()
        previous, digest = digest, hashlib.sha256(raw).hexdigest()
        content = signed_content(raw, keys)
        if content is None or content.get("number") != current:
            report.wrong("", current, "checkpoint", f"checkpoint {current} was changed, or signed with a key that was not given")
            continue
        if follows and content["previous"] != previous:
            report.wrong("", current, "checkpoint", f"checkpoint {current} does not follow the file before it")
        if content["restart"]:  # signed: whatever was wrong with the files before was known
            heads.clear()
            report.problems.clear()
        heads.update((chain, (seq, head)) for chain, seq, head in content["heads"])
        if follows and merkle_root(heads) != content["root"]:
            report.wrong("", current, "checkpoint", f"checkpoint {current} has a root that its heads do not give")
        report.checkpoints += 1
    return heads, number


def signed_content(raw: bytes, keys: list[bytes]) -> dict[str, Any] | None:
    try:
        content = json.loads(raw)
        signature = base64.b64decode(content.pop("signature"), validate=True)
        signed = canonical(content)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return content if any(is_signed(signed, signature, key) for key in keys) else None


def is_signed(content: bytes, signature: bytes, key: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return is_signed_by_openssl(content, signature, key)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def is_signed_by_openssl(content: bytes, signature: bytes, key: bytes) -> bool:
    program = shutil.which("openssl")
    if program is None:
        raise Unchecked("signatures cannot be checked without the Python package `cryptography` or the program `openssl`")
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in ("content", "signature", "key")}
        paths["content"].write_bytes(content)
        paths["signature"].write_bytes(signature)
        paths["key"].write_bytes(SPKI + key)
        command = [program, "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", str(paths["key"])]
        command += ["-in", str(paths["content"]), "-sigfile", str(paths["signature"])]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own words


def merkle_root(heads: dict[str, tuple[int, str]]) -> str:
    """RFC 9162, section 2.1: neighbours are paired, an odd last one is carried up."""
    nodes = [hashlib.sha256(b"\x00" + canonical([chain, *heads[chain]])).digest() for chain in sorted(heads)]
    if not nodes:
        return hashlib.sha256(b"").hexdigest()
    while len(nodes) > 1:
        pairs = [hashlib.sha256(b"\x01" + nodes[i] + nodes[i + 1]).digest() for i in range(0, len(nodes) - 1, 2)]
        nodes = pairs + nodes[len(nodes) & ~1 :]
    return nodes[0].hex()


# --- events -----------------------------------------------------------------------------------------------------------


def read_events(lines: Iterable[str], report: Report) -> Iterator[dict[str, Any]]:
    """Every event of the export whose fields are all there; one in memory at a time."""
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict) or set(event) != FIELDS or not isinstance(event["seq"], int):
            report.wrong("", None, "unreadable", f"line {number} is no event")
            continue
        report.events += 1
        yield event


def check_events(
    events: Iterable[dict[str, Any]], heads: dict[str, tuple[int, str]], report: Report, *, part: bool
) -> tuple[dict[str, tuple[int, str | None]], int]:
    """{chain: (last event, the hash of the one that a checkpoint saw)}, and the last checkpoint that the log tells of."""
    seen: dict[str, tuple[int, str | None]] = {}
    last: dict[str, tuple[int, str]] = {}
    told = 0
    for event in events:
        chain, seq = str(event["chain"]), event["seq"]
        digest = hashlib.sha256(canonical({key: value for key, value in event.items() if key != "hash"})).hexdigest()
        before, previous = last.get(chain, (0, GENESIS))
        if digest != event["hash"]:
            report.wrong(chain, seq, "edited", f"event {seq} was changed after it was written")
        if seq <= before:
            report.wrong(chain, seq, "reordered", f"event {seq} stands after event {before}")
        elif seq != before + 1:
            if not part:
                gone = str(before + 1) if seq == before + 2 else f"{before + 1} to {seq - 1}"
                report.wrong(chain, seq, "missing", f"event {gone} is missing")
        elif event["prev"] != previous:
            report.wrong(chain, seq, "broken_link", f"event {seq} does not follow the one before it")
        last[chain] = (seq, event["hash"])
        wanted = seen.get(chain, (0, None))[1]
        seen[chain] = (max(seq, before), event["hash"] if seq == heads.get(chain, (0, ""))[0] else wanted)
        if chain == SYSTEM and event["action"] == "audit.checkpoint" and isinstance(event["payload"].get("number"), int):
            told = max(told, event["payload"]["number"])
    return seen, told


def compare(
    seen: dict[str, tuple[int, str | None]], heads: dict[str, tuple[int, str]], report: Report, chains: list[str]
) -> None:
    """What the checkpoints saw, against what the export holds."""
    for chain, (seq, digest) in heads.items():
        if chains and chain not in chains:
            continue
        last, found = seen.get(chain, (0, None))
        if last == 0:
            report.wrong(chain, seq, "cut", f"the chain is gone; a checkpoint saw event {seq}")
        elif last < seq:
            report.wrong(chain, seq, "cut", f"the chain ends at event {last}; a checkpoint saw event {seq}")
        elif found != digest:
            report.wrong(chain, seq, "rewritten", f"event {seq} is not the one that a checkpoint saw")


def verify(
    lines: Iterable[str], *, folder: Path | None, keys: list[bytes], chains: list[str] | None = None, part: bool = False
) -> Report:
    """Everything that is wrong with an export. `chains`: what the export holds, where it is not all; `part`: nor whole chains."""
    report = Report()
    heads, number = read_checkpoints(folder, keys, report) if folder else ({}, 0)
    seen, told = check_events(read_events(lines, report), heads, report, part=part)
    if folder and not part:
        compare(seen, heads, report, chains or [])
        for missing in range(number + 1, told + 1):
            report.wrong("", missing, "checkpoint", f"checkpoint {missing} is in the log; its file is missing")
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("export", type=Path, help="the log as JSON lines, as Insyn exports it")
    parser.add_argument("--checkpoints", type=Path, help="the folder of signed checkpoints")
    parser.add_argument("--key", action="append", default=[], help="a public key that signs checkpoints, in base64; repeatable")
    parser.add_argument("--chain", action="append", default=[], help="the export holds this case (or `system`) alone; repeatable")
    parser.add_argument("--part", action="store_true", help="the export was filtered: each event is checked for itself")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args(arguments)
    try:
        if given.checkpoints and not given.key:
            raise Unchecked("say with --key who signs the checkpoints (`public_key` of one that you trust)")
        keys = [base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True) for text in given.key]
        if any(len(key) != 32 for key in keys):
            raise Unchecked("a key is 32 bytes in base64")
        with given.export.open(encoding="utf-8") as lines:
            report = verify(lines, folder=given.checkpoints, keys=keys, chains=given.chain, part=given.part)
    except (OSError, ValueError, Unchecked) as error:
        print(f"not checked: {error}", file=sys.stderr)
        return 2
    if given.json:
        counts = {"events": report.events, "checkpoints": report.checkpoints}
        print(json.dumps({"ok": not report.problems, "problems": report.problems, **counts}))
    else:
        for problem in report.problems:
            print(f"{problem['chain'] or 'checkpoints'}: {problem['text']}")
        checked = f"{report.events} events and {report.checkpoints} checkpoints"
        print(f"{len(report.problems)} problems in {checked}" if report.problems else f"Nothing is wrong with {checked}.")
        if not given.checkpoints:
            print("No checkpoints were given: a cut tail or a log written anew cannot be seen.")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
