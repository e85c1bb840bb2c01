"""From a URL to a store: which kinds there are, and which URLs an operator may register (DESIGN §8).

Built-in kinds by scheme; a further kind registers an entry point in the group `insyn.stores` whose object takes
(key, url, schema) and answers a `Store`.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from privacy.stores.base import Store, StoreError
from privacy.stores.patience import connect_seconds

# scheme → (module, dialect class)
KINDS = {
    "postgresql": ("privacy.stores.postgresql", "PostgresDialect"),
    "postgres": ("privacy.stores.postgresql", "PostgresDialect"),
    "mysql": ("privacy.stores.mysql", "MySqlDialect"),
    "mariadb": ("privacy.stores.mysql", "MySqlDialect"),
    "sqlite": ("privacy.stores.sqlite", "SqliteDialect"),
}


class BadUrl(StoreError):
    """The URL cannot be used. The text names what to change and never repeats the URL, which may hold a password."""


@dataclass(frozen=True)
class Policy:
    """What an operator allows: `hosts` empty means loopback and sockets only, `*` any; SQLite files below `sqlite_root`."""

    hosts: tuple[str, ...] = ()
    sqlite_root: Path | None = None
    forbidden: tuple[str, ...] = ()  # URLs of the application's own database


def resolve(url: str) -> str:
    """`env:NAME` becomes what the environment variable NAME holds."""
    if url.startswith("env:"):
        name = url[4:]
        if not os.environ.get(name):
            raise BadUrl(f"the environment variable {name} is not set")
        return os.environ[name]
    return url


def open_store(key: str, url: str, *, policy: Policy, schema: str | None = None, application: bool = False) -> Store:
    """The store behind a URL; nothing is connected yet. Raises BadUrl."""
    text = resolve(url)
    scheme = text.split(":", 1)[0].split("+", 1)[0]
    if scheme not in KINDS:
        for point in entry_points(group="insyn.stores"):
            if point.name == scheme:
                return point.load()(key=key, url=text, schema=schema)
        raise BadUrl(f"{key}: the URL begins with no kind of store known here; known are {', '.join(sorted(KINDS))}")
    try:
        parsed = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise BadUrl(f"{key}: the URL cannot be read; write it as {scheme}://user:password@host:port/database") from None
    module = import_module(KINDS[scheme][0])
    if not application:
        _check(key, parsed, module.OPTIONS, policy)
    from privacy.stores.sql import CONNECT_SECONDS, SqlStore

    options: dict[str, Any] = {}
    if scheme != "sqlite":
        options["connect_args"] = {"connect_timeout": connect_seconds(CONNECT_SECONDS)}
    return SqlStore(
        key,
        parsed.set(drivername=module.DRIVER),
        dialect=getattr(module, KINDS[scheme][1]),
        schema=schema,
        options=options,
    )


def _check(key: str, url: sa.URL, allowed: Sequence[str] | set[str], policy: Policy) -> None:
    is_file = url.get_backend_name() == "sqlite"
    if is_file and (not url.database or url.database == ":memory:" or url.database.startswith("file:")):
        raise BadUrl(f"{key}: name a file, sqlite:////path/to/file.db")
    if unknown := sorted(set(url.query) - set(allowed)):
        raise BadUrl(f"{key}: the URL option {unknown[0]} is not on the list ({', '.join(sorted(allowed)) or 'it is empty'})")
    if is_file:
        path = Path(str(url.database)).resolve()
        if policy.sqlite_root is not None and not path.is_relative_to(policy.sqlite_root.resolve()):
            raise BadUrl(f"{key}: SQLite files must lie below INSYN_SQLITE_ROOT ({policy.sqlite_root})")
        if not path.is_file():
            raise BadUrl(f"{key}: there is no SQLite file at the path of the URL")
        return
    if not url.database:
        raise BadUrl(f"{key}: the URL names no database")
    for host in _hosts(url):
        if not host.startswith("/") and not _allowed(host, policy.hosts):
            raise BadUrl(f"{key}: the host of the URL is not on INSYN_STORE_HOST_ALLOWLIST")
    if _identity(url) in {_identity(sa.make_url(own)) for own in policy.forbidden}:
        raise BadUrl(f"{key}: this is the application's own database, which is registered as `insyn` and not by hand")


def _allowed(host: str, hosts: Sequence[str]) -> bool:
    if "*" in hosts or host in hosts:
        return True
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hosts(url: sa.URL) -> list[str]:
    more = url.query.get("host", ())
    return [host for host in (url.host, *((more,) if isinstance(more, str) else more)) if host]


def _identity(url: sa.URL) -> tuple[Any, ...]:
    host = (_hosts(url) or ["localhost"])[-1]
    port = url.port or int(str(url.query.get("port") or 0)) or 5432
    return ({"127.0.0.1": "localhost", "::1": "localhost"}.get(host, host), port, url.database)
