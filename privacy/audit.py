"""The audit log: append-only, one hash chain per case and one called "system".

Each event's hash is SHA-256 over the canonical JSON (keys sorted by code point, no spaces, UTF-8, no floating point; the
subset of RFC 8785 that such values need) of

    {"action", "actor", "at", "chain", "payload", "prev", "seq", "v": 1}

where `at` is UTC with six decimals and `prev` the hash of the event before, 64 zeros for the first. So an event that is changed,
removed from the middle or moved breaks its chain. A chain that was cut at the end, or rewritten whole, still fits itself: that
is what `privacy.checkpoints` finds. docs/audit.md tells how to check a log without this program.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError

from privacy.audit_payload import checked
from privacy.models import AuditEvent

SYSTEM = "system"
GENESIS = "0" * 64
VERSION = 1
_ACTOR = re.compile(r"customer|system|staff:\d+|operator:[^@\x00-\x1f]+")
_CHAIN = re.compile(r"[A-Za-z0-9._:-]{1,32}")
_ACTION = re.compile(r"[a-z0-9_.]{1,64}")
_COLUMNS = ("chain", "seq", "at", "actor", "action", "payload", "prev_hash", "hash")


@dataclass(frozen=True)
class Entry:
    """One event to be recorded on `chain` (a case reference, or SYSTEM)."""

    chain: str
    action: str
    payload: Mapping[str, Any] = field(default_factory=dict)


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def event_hash(*, chain: str, seq: int, at: datetime, actor: str, action: str, payload: Any, prev_hash: str) -> str:
    """The hash that an event with these fields must have."""
    fields = {"v": VERSION, "chain": chain, "seq": seq, "actor": actor, "action": action, "payload": payload, "prev": prev_hash}
    fields["at"] = at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(canonical(fields)).hexdigest()


# --- writing ----------------------------------------------------------------------------------------------------------


def record(*, chain: str, actor: str, action: str, payload: Mapping[str, Any], now: datetime) -> AuditEvent:
    """Append one event, in the transaction of the change it tells of."""
    return record_many([Entry(chain, action, payload)], actor=actor, now=now)[0]


def record_many(entries: Iterable[Entry], *, actor: str, now: datetime) -> list[AuditEvent]:
    """Append events to any number of chains in three statements; those of one chain in the order given.

    Must run inside a transaction. A chain is locked until that ends, and no other chain with it: no case waits for another.
    They are locked in one order, so two batches do not wait in a circle; the system chain belongs in transactions of its own.
    """
    entries = list(entries)
    if not connection.in_atomic_block:
        raise TransactionManagementError("an audit event is recorded in the transaction of the change it tells of")
    _require_valid(entries, actor, now)
    if not entries:
        return []
    heads = _lock_heads({entry.chain for entry in entries})
    events = []
    for entry in entries:
        seq, prev_hash = heads[entry.chain]
        event = AuditEvent(
            chain=entry.chain,
            seq=seq + 1,
            at=now,
            actor=actor,
            action=entry.action,
            payload=checked(entry.payload),
            prev_hash=prev_hash,
        )
        event.hash = _hash_of(event)
        heads[entry.chain] = event.seq, event.hash
        events.append(event)
    return AuditEvent.objects.bulk_create(events)


def is_actor(text: str) -> bool:
    """Whether the log takes this as the name of who acts."""
    return len(text) <= 64 and _ACTOR.fullmatch(text) is not None


def _require_valid(entries: Sequence[Entry], actor: str, now: datetime) -> None:
    if now.tzinfo is None:
        raise ValueError("`now` needs a time zone")
    if not is_actor(actor):
        raise ValueError(
            "an actor is customer, system, staff:<number> or operator:<name> (no e-mail address), 64 characters at most"
        )
    for entry in entries:
        if not _CHAIN.fullmatch(entry.chain):
            raise ValueError("a chain is named by up to 32 letters, digits, dots, colons, dashes and underscores")
        if not _ACTION.fullmatch(entry.action):
            raise ValueError("an action is named by up to 64 lower-case letters, digits, dots and underscores")


def _lock_heads(chains: set[str]) -> dict[str, tuple[int, str]]:
    """Lock the chains and answer number and hash of their last events.

    Two statements: the second one's snapshot must be taken when the locks are held, to see what their last holder wrote.
    """
    names = sorted(chains, key=_lock_number)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) AS number", [list(map(_lock_number, names))]
        )
        cursor.execute(
            "SELECT name, coalesce(last.seq, 0), coalesce(last.hash, %s) FROM unnest(%s::text[]) AS name LEFT JOIN LATERAL"
            " (SELECT seq, hash FROM privacy_auditevent WHERE chain = name ORDER BY seq DESC LIMIT 1) AS last ON true",
            [GENESIS, names],
        )
        return {name: (seq, head) for name, seq, head in cursor.fetchall()}


def _lock_number(chain: str) -> int:
    return int.from_bytes(hashlib.sha256(b"insyn.audit\0" + chain.encode()).digest()[:8], signed=True)


def _hash_of(event: AuditEvent) -> str:
    return event_hash(**{name: getattr(event, name) for name in _COLUMNS if name != "hash"})


# --- reading ----------------------------------------------------------------------------------------------------------


def events(chain: str) -> QuerySet[AuditEvent]:
    """The chain's events, the oldest first."""
    return AuditEvent.objects.filter(chain=chain).order_by("seq")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the log. `kind`: edited | missing | broken_link | cut | rewritten | checkpoint."""

    chain: str
    seq: int | None
    kind: str
    text: str


@dataclass(frozen=True)
class Head:
    """The last event of a chain that was walked, and the hash that each event asked for in `wanted` has."""

    chain: str
    seq: int
    hash: str
    wanted: str | None = None


def verify(chains: Iterable[str] | None = None) -> list[Problem]:
    """Everything that is wrong with the log (or with these chains of it), checkpoints included; empty when nothing is."""
    from privacy import checkpoints  # checkpoints read the log by this module

    return checkpoints.verify(None if chains is None else frozenset(chains))


def walk(chains: Iterable[str] | None, *, wanted: Mapping[str, int]) -> Iterator[tuple[Head, list[Problem]]]:
    """Every chain's head and what is wrong inside it, in the order of their names; one event in memory at a time.

    `wanted` names for a chain the event whose hash the head shall tell.
    """
    rows = AuditEvent.objects.order_by("chain", "seq")
    if chains is not None:
        rows = rows.filter(chain__in=list(chains))
    found = rows.values(*_COLUMNS).iterator(chunk_size=2000)
    for chain, members in groupby(found, key=lambda row: str(row["chain"])):
        yield _walk_one(chain, members, wanted.get(chain))


def _walk_one(chain: str, rows: Iterable[Mapping[str, Any]], wanted: int | None) -> tuple[Head, list[Problem]]:
    problems: list[Problem] = []
    seq, previous, wanted_hash = 0, GENESIS, None
    for row in rows:
        if row["seq"] != seq + 1:
            gone = str(seq + 1) if row["seq"] == seq + 2 else f"{seq + 1} to {row['seq'] - 1}"
            problems.append(Problem(chain, row["seq"], "missing", f"event {gone} is missing"))
        elif row["prev_hash"] != previous:
            problems.append(Problem(chain, row["seq"], "broken_link", f"event {row['seq']} does not follow the one before it"))
        if row["hash"] != event_hash(**{name: row[name] for name in _COLUMNS if name != "hash"}):
            problems.append(Problem(chain, row["seq"], "edited", f"event {row['seq']} was changed after it was written"))
        seq, previous = row["seq"], row["hash"]
        if seq == wanted:
            wanted_hash = previous
    return Head(chain, seq, previous, wanted_hash), problems
