"""What was erased, so that it can be erased again after a backup came back (R22).

An entry is a keyed hash of one value: a canonical identity, a spelling found, or a value by which links led on. It recognises the
value when it meets it again and tells nothing to who has no key. Entries stand in the database and, since that may be the very
thing which is restored, as JSON lines in INSYN_LEDGER_FILE, outside of it: back the file up on its own, and keep INSYN_HASH_KEYS.

The file is appended to after the database has committed: an entry of something that was not erased after all could make a replay
erase too much, which nothing brings back. If the process dies in between, `complete_file` (nightly) writes what is missing, and
so does the run that is tried again. Lines may stand there twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from privacy.arrays import execute_with_arrays
from privacy.crypto import keyed_hash
from privacy.models import LedgerEntry

IDENTITY, SPELLING, LINK = KINDS = ("identity", "spelling", "link")
_COLUMNS = ("case", "store_key", "kind", "field", "lookup", "lookup_key", "erased_at", "expires_on")

Entry = tuple[str, str, str]  # kind, field (collection.column, or the identity's kind), canonical value


@dataclass(frozen=True)
class Mark:
    """One erased value, as its hash."""

    case: str
    store_key: str
    kind: str
    field: str
    lookup: str
    lookup_key: str
    erased_at: datetime
    expires_on: date


def fingerprint(*, kind: str, field: str, value: str, version: str | None = None) -> tuple[str, str]:
    """(key version, hash) of a value. Another field gives another hash: the ledger tells nothing by comparing its entries."""
    return keyed_hash(value, purpose=f"ledger:{kind}:{field}", version=version)


# --- writing ----------------------------------------------------------------------------------------------------------


def record(*, case: str, store_key: str, entries: Iterable[Entry], now: datetime) -> int:
    """Write down what one case erased in one store; the same again changes nothing. Answers the number of entries."""
    return record_many({case: entries}.items(), store_key=store_key, now=now)


def record_many(cases: Iterable[tuple[str, Iterable[Entry]]], *, store_key: str, now: datetime) -> int:
    """Write down what many cases erased in one store, in one statement and one append."""
    expires_on = timezone.localdate(now) + timedelta(days=settings.INSYN_BACKUP_HORIZON_DAYS)
    marks = {}
    for case, entries in cases:
        for kind, name, value in entries:
            if kind not in KINDS:
                raise ValueError(f"a ledger entry is one of {', '.join(KINDS)}, not {kind!r}")
            version, lookup = fingerprint(kind=kind, field=name, value=value)
            marks[case, kind, name, lookup] = Mark(case, store_key, kind, name, lookup, version, now, expires_on)
    if not marks:
        return 0
    with transaction.atomic():
        _insert(list(marks.values()))
        transaction.on_commit(partial(_append, list(marks.values())))
    return len(marks)


_INSERT = """
INSERT INTO privacy_ledgerentry ("case", store_key, kind, field, lookup, lookup_key, erased_at, expires_on)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::date[])
ON CONFLICT DO NOTHING
"""


def _insert(marks: Sequence[Mark]) -> None:
    """As arrays: a person leaves dozens of marks, and a model for each would take longer than erasing the rows."""
    execute_with_arrays(_INSERT, [[getattr(mark, name) for mark in marks] for name in _COLUMNS])


def _fields(mark: Mark | LedgerEntry) -> dict[str, Any]:
    return {name: getattr(mark, name) for name in _COLUMNS}


# --- asking -----------------------------------------------------------------------------------------------------------


class Erased:
    """What was erased in one store after an instant: asked by a replay, value by value, as it walks the restored store."""

    def __init__(self, marks: Iterable[Mark]) -> None:
        self._cases: dict[tuple[str, str], dict[str, dict[str, datetime]]] = {}
        self._versions: set[str] = set()
        for mark in marks:
            cases = self._cases.setdefault((mark.kind, mark.field), {}).setdefault(mark.lookup, {})
            cases[mark.case] = max(mark.erased_at, cases.get(mark.case, mark.erased_at))
            self._versions.add(mark.lookup_key)

    def __bool__(self) -> bool:
        return bool(self._cases)

    def fields(self) -> set[tuple[str, str]]:
        """(kind, field) of everything there is to look for."""
        return set(self._cases)

    def cases(self, *, kind: str, field: str, value: str) -> dict[str, datetime]:
        """The cases that erased this value, and when; empty for a value that nobody asked to erase."""
        known = self._cases.get((kind, field))
        found: dict[str, datetime] = {}
        for version in self._versions if known else ():
            found |= (known or {}).get(fingerprint(kind=kind, field=field, value=value, version=version)[1], {})
        return found


def erased_since(*, store_key: str, instant: datetime) -> Erased:
    """What was erased in this store after `instant`, by the database and the file: either may be the older one.

    Raises KeyError naming the version of a hash key that INSYN_HASH_KEYS no longer has.
    """
    rows = LedgerEntry.objects.filter(store_key=store_key, erased_at__gt=instant).values(*_COLUMNS)
    marks = {_identity(mark): mark for mark in (Mark(**row) for row in rows.iterator())}
    marks |= {_identity(mark): mark for mark in read_file() if mark.store_key == store_key and mark.erased_at > instant}
    if lost := sorted({mark.lookup_key for mark in marks.values()} - set(settings.INSYN_HASH_KEYS)):
        raise KeyError(f"the ledger was written with hash key {', '.join(lost)}: put it back into INSYN_HASH_KEYS")
    return Erased(marks.values())


def _identity(mark: Mark | LedgerEntry) -> tuple[str, ...]:
    return mark.case, mark.store_key, mark.kind, mark.field, mark.lookup


# --- the file ---------------------------------------------------------------------------------------------------------


def read_file() -> Iterator[Mark]:
    """The marks of the file; a line that was cut off by a crash is passed over."""
    path = Path(settings.INSYN_LEDGER_FILE)
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            mark = _parsed(line)
            if mark is not None:
                yield mark


def _parsed(line: bytes) -> Mark | None:
    try:
        raw = json.loads(line)
        raw["erased_at"], raw["expires_on"] = datetime.fromisoformat(raw["erased_at"]), date.fromisoformat(raw["expires_on"])
        return Mark(**raw)
    except (ValueError, TypeError, KeyError):
        return None


def _line(mark: Mark) -> bytes:
    raw = _fields(mark) | {"erased_at": mark.erased_at.astimezone(UTC).isoformat(), "expires_on": mark.expires_on.isoformat()}
    return json.dumps(raw, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _append(marks: Iterable[Mark]) -> None:
    """Append and wait until the disk has it."""
    path = Path(settings.INSYN_LEDGER_FILE)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path):
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(handle, "ab", buffering=0) as file:
            end = os.fstat(handle).st_size
            data = b"".join(map(_line, marks))
            if end and os.pread(handle, 1, end - 1) != b"\n":  # the line of a writer that died
                data = b"\n" + data
            while data:
                data = data[file.write(data) :]
            os.fsync(handle)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    # On a file of its own: the ledger itself is replaced when it is compacted.
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def complete_file() -> int:
    """Append what the database has and the file lacks; answers how many marks that were."""
    there = {_identity(mark) for mark in read_file()}
    rows = (Mark(**row) for row in LedgerEntry.objects.values(*_COLUMNS).iterator())
    missing = [mark for mark in rows if _identity(mark) not in there]
    if missing:
        _append(missing)
    return len(missing)


def expire(*, now: datetime) -> int:
    """Forget what no backup can bring back any more, in the database and in the file; answers how many rows went."""
    today = timezone.localdate(now)
    gone, _each = LedgerEntry.objects.filter(expires_on__lte=today).delete()
    path = Path(settings.INSYN_LEDGER_FILE)
    if path.exists():
        with _locked(path):
            if any(mark.expires_on <= today for mark in read_file()):
                _rewrite(path, (mark for mark in read_file() if mark.expires_on > today))
    return gone


def _rewrite(path: Path, marks: Iterable[Mark]) -> None:
    partial_path = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(partial_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.writelines(map(_line, marks))
            file.flush()
            os.fsync(file.fileno())
        partial_path.replace(path)
    finally:
        partial_path.unlink(missing_ok=True)
