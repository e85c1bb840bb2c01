"""Encrypted files of packages: written and read as streams, whole or not at all, never in plain text on a disk.

The format is age v1 (https://age-encryption.org/v1): X25519, ChaCha20-Poly1305 in chunks of 64 KiB, so a file that was changed
or cut is found while it is read. `pyrage` pulls its input and pushes its output; a pipe and a thread turn that into a sink that a
ZIP is written to, and into an iterator that a response reads from. Both hold back who is faster: memory holds a pipe's worth.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import pyrage
from django.conf import settings

CHUNK = 64 * 1024
SUFFIX, PARTIAL = ".age", ".partial"
# A file that no package names is left alone this long: its package may be about to be written down.
GRACE = timedelta(hours=1)
LONGEST_BUILD = timedelta(days=1)


class Spoilt(Exception):
    """A package file that is not what was written: changed, cut or gone."""


def new_name() -> str:
    return secrets.token_urlsafe(24) + SUFFIX


def folder(where: Path | None = None) -> Path:
    """Where packages lie, or other files kept in the same way; made if need be, for nobody but us."""
    path = where or Path(settings.INSYN_PACKAGE_DIR)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


# --- writing ----------------------------------------------------------------------------------------------------------


class Sink:
    """Takes the plain bytes of one package; knows how many they are and their SHA-256."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe, self._digest, self.size = pipe, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._pipe.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


@contextmanager
def sealed(name: str, recipient: pyrage.x25519.Recipient, *, where: Path | None = None) -> Iterator[Sink]:
    """A sink whose bytes end up encrypted in the file `name`, which is there when the block ends well and not otherwise."""
    path = folder(where) / name
    partial = path.with_name(name + PARTIAL)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            with encrypted(file, recipient) as sink:
                yield sink
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        _sync(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def encrypted(file: IO[bytes], recipient: pyrage.x25519.Recipient) -> Iterator[Sink]:
    """A sink whose bytes reach `file` encrypted."""
    with _pump(lambda plain: pyrage.encrypt_io(plain, file, [recipient])) as pipe:
        yield Sink(pipe)


@contextmanager
def _pump(consume: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    """A pipe to write to, whose other end `consume` reads in a thread; what goes wrong there is raised here."""
    reading, writing = os.pipe()
    failures: list[BaseException] = []

    def run() -> None:
        with os.fdopen(reading, "rb", buffering=0) as source:
            try:
                consume(source)
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
                failures.append(error)

    thread = threading.Thread(target=run, name="age", daemon=True)
    thread.start()
    try:
        with os.fdopen(writing, "wb", buffering=CHUNK) as pipe:
            yield pipe
    except BrokenPipeError:
        thread.join()
        raise (failures[0] if failures else BrokenPipeError()) from None
    finally:
        thread.join()
    if failures:
        raise failures[0]


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- reading ----------------------------------------------------------------------------------------------------------


def require_there(name: str, *, where: Path | None = None) -> None:
    """Raises Spoilt when the file is gone."""
    if not (folder(where) / name).is_file():
        raise Spoilt("the file is gone")


def opened(name: str, identity: pyrage.x25519.Identity, *, where: Path | None = None) -> Iterator[bytes]:
    """The plain bytes of a file, in chunks. Closing the iterator, as a response does, ends the work.

    Raises Spoilt in the middle where the file was changed or cut: what was given before is genuine, but not all there is.
    """
    reading, writing = os.pipe()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with os.fdopen(writing, "wb", buffering=CHUNK) as pipe, (folder(where) / name).open("rb") as file:
                pyrage.decrypt_io(file, pipe, [identity])
        except BaseException as error:  # noqa: BLE001 - told to the thread that reads
            failures.append(error)

    thread = threading.Thread(target=run, name="age", daemon=True)
    source = os.fdopen(reading, "rb", buffering=0)
    thread.start()
    try:
        while chunk := source.read(CHUNK):
            yield chunk
        thread.join()
        if failures:
            raise Spoilt("the file is gone, cut or changed") from None
    finally:
        source.close()  # a writer in the middle gets a broken pipe
        thread.join()


# --- removing ---------------------------------------------------------------------------------------------------------


def remove(names: Iterable[str], *, where: Path | None = None) -> None:
    for name in names:
        (folder(where) / name).unlink(missing_ok=True)


def sweep(*, keep: set[str], now: datetime, where: Path | None = None) -> int:
    """Remove files that no package names (`keep`), and what killed builds left; answers how many."""
    gone = 0
    for path in folder(where).iterdir():
        named = path.name.removesuffix(PARTIAL) in keep
        partial = path.name.endswith(PARTIAL)
        with suppress(FileNotFoundError):
            age = now.timestamp() - path.stat().st_mtime
            limit = LONGEST_BUILD if named else GRACE
            if (partial or not named) and age > limit.total_seconds() and path.name.removesuffix(PARTIAL).endswith(SUFFIX):
                path.unlink()
                gone += 1
    return gone
