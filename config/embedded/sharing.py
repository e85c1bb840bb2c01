"""Who uses the servers now: a shared lock that the kernel takes back however a process ends."""

import atexit
import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator

from config.embedded.places import own_directory

_threads = threading.RLock()
_lock_held = False
_users_lock: tuple[int, int] | None = None  # (pid, file descriptor): a forked child inherits the descriptor, not the duty


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One process at a time starts, stops, migrates or makes keys; within a process it may be nested."""
    global _lock_held
    with _threads:
        if _lock_held:
            yield
            return
        handle = os.open(own_directory() / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _lock_held = True
            yield
        finally:
            _lock_held = False
            os.close(handle)


def join(leave: Callable[[], None]) -> None:
    """Count this process among the users until it ends; `leave` is called when it ends in an orderly way."""
    # The lock is on the directory itself: systemd-tmpfiles, too, leaves a locked directory alone when it cleans /var/tmp.
    global _users_lock
    if not _joined():
        handle = os.open(own_directory(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _users_lock = (os.getpid(), handle)
        atexit.register(leave)


def depart(leave: Callable[[], None]) -> bool:
    """Stop counting this process; answers whether it was counted."""
    global _users_lock
    if not _users_lock or not _joined():
        return False
    os.close(_users_lock[1])
    _users_lock = None
    atexit.unregister(leave)
    return True


def _joined() -> bool:
    return _users_lock is not None and _users_lock[0] == os.getpid()


def in_use() -> bool:
    """Whether another process uses the servers now."""
    ours = _users_lock[1] if _users_lock and _joined() else None
    handle = os.open(own_directory(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if ours is None else ours
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        if ours is None:
            os.close(handle)
        else:
            fcntl.flock(handle, fcntl.LOCK_SH)
