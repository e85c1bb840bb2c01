"""The demo's own PostgreSQL and Redis: found, started, shared between processes, and stopped. No Django in here.

Everything lies in one private directory per clone, user and instance ("demo" or "test"), on Unix sockets only. A process
that uses the servers holds a shared lock on that directory for as long as it lives; the last one out stops them. Why it
is made this way: docs/adr/0001-embedded-servers.md.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from config.embedded import postgres, processes, redis
from config.embedded.keys import kept_secrets
from config.embedded.places import EmbeddedError, directory, has_home, own_directory, servers_account, servers_home
from config.embedded.postgres import MIGRATED, create_database, drop_database
from config.embedded.postgres import url as postgres_url
from config.embedded.processes import command_line
from config.embedded.redis import url as redis_url
from config.embedded.sharing import depart, in_use, join, locked

__all__ = [
    "DATABASE",
    "MIGRATED",
    "EmbeddedError",
    "Services",
    "command_line",
    "create_database",
    "directory",
    "drop_database",
    "ensure_running",
    "keep_running",
    "kept_secrets",
    "leave",
    "locked",
    "own_directory",
    "postgres_url",
    "redis_url",
    "reset",
    "services",
    "status",
    "stop",
]

DATABASE = "insyn"
KEEP = "keep"  # a file that says: stay, though nobody uses you


@dataclass(frozen=True)
class Services:
    database_url: str
    redis_url: str
    directory: Path


def services() -> Services:
    """The addresses, whether or not anything runs there."""
    return Services(database_url=postgres_url(DATABASE), redis_url=redis_url(), directory=own_directory())


def ensure_running() -> Services:
    """Start what does not run yet and use it until this process ends. Safe to call twice, and from two processes at once."""
    with locked():
        join(leave)
        postgres.start()
        redis.start()
        create_database(DATABASE)
    return services()


def keep_running() -> None:
    """Start the servers and leave them running until `stop`, whoever uses them."""
    with locked():
        ensure_running()
        (directory() / KEEP).touch(mode=0o600)


def leave() -> None:
    """Stop using the servers; whoever is last stops them."""
    if depart(leave) and directory().exists():
        with locked():
            if not (directory() / KEEP).exists() and not in_use():
                _stop()


def stop() -> None:
    """Stop the servers whoever uses them."""
    if directory().exists():
        with locked():
            (directory() / KEEP).unlink(missing_ok=True)
            _stop()


def _stop() -> None:
    if has_home():
        postgres.stop()
        redis.stop()
        processes.collect()


def reset() -> None:
    """Stop the servers and delete all their data; refused while another process uses them."""
    if not directory().exists():
        return
    with locked():
        if in_use():
            raise EmbeddedError("The demo is running (or another command uses its servers): stop it first, then reset.")
        _stop()
        if has_home() and servers_account().dropped:
            shutil.rmtree(servers_home())
        for path in own_directory().iterdir():
            if path.name in ("lock", "demo.lock"):  # another process may be waiting for it
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def status() -> str:
    """One line for people: what runs, and where."""
    if not directory().exists() or not has_home():
        return f"not set up ({directory()})"
    running = {"PostgreSQL": postgres.answers(), "Redis": redis.answers()}
    told = ", ".join(f"{name} {'runs' if up else 'is stopped'}" for name, up in running.items())
    return f"{told}{', in use' if in_use() else ''} ({directory()})"
