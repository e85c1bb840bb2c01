"""How long somebody who waits for a page waits for the stores. Without `patience` around it, a read takes the time it needs.

A store that is busy ends a statement by itself, one that hangs does not: so the wait is ended from our side, by closing the
connection under it. What was asked of that store then fails as unavailable, and the others go on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock, Timer
from time import monotonic
from typing import Any

from privacy.stores.base import StoreUnavailable

LEAST_CONNECT_SECONDS = 2  # libpq takes less for 2


@dataclass(frozen=True)
class _Patience:
    until: float
    per_store: float


_patience: ContextVar[_Patience | None] = ContextVar("patience", default=None)


@contextmanager
def patience(*, seconds: float, per_store: float) -> Iterator[None]:
    """Within the block every store is read for `per_store` seconds at a time, and all of them for `seconds`."""
    token = _patience.set(_Patience(monotonic() + seconds, per_store))
    try:
        yield
    finally:
        _patience.reset(token)


def is_limited() -> bool:
    return _patience.get() is not None


def connect_seconds(most: int) -> int:
    """How long connecting may take."""
    limit = _patience.get()
    return most if limit is None else max(LEAST_CONNECT_SECONDS, min(most, int(limit.per_store)))


@contextmanager
def bounded(key: str, connection: Any) -> Iterator[None]:
    """End whatever waits on this SQLAlchemy connection when the time is over."""
    seconds = time_left(key)
    if seconds is None:
        yield
        return
    driver, lock, ended = connection.connection.dbapi_connection, Lock(), False

    def end() -> None:
        with lock:
            if not ended:  # else the descriptor may be somebody else's by now
                # Whatever a driver raises here may carry values, and the thread would print it on stderr.
                with suppress(Exception):
                    _break_off(driver)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            ended = True


def time_left(key: str) -> float | None:
    """Seconds that this store may be read for, None for as long as it takes. Raises StoreUnavailable when there are none."""
    limit = _patience.get()
    if limit is None:
        return None
    left = min(limit.per_store, limit.until - monotonic())
    if left <= 0:
        raise StoreUnavailable(f"{key}: not asked, since the others took all the time there was")
    return left


def _break_off(driver: Any) -> None:
    if hasattr(driver, "interrupt"):  # SQLite
        driver.interrupt()
        return
    descriptor = driver.fileno() if hasattr(driver, "fileno") else driver._sock.fileno()
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)
