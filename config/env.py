"""Readers of environment variables that fail loudly, naming the variable. Names read are noted in `READ`, for the docs' test."""

import base64
import binascii
import hashlib
import os
import re

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

READ: set[str] = set()


def text(name: str, default: str | None = None) -> str:
    """The variable's value; without a default it must be set and not be empty."""
    READ.add(name)
    value = os.environ.get(name, "")
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"Set the environment variable {name} (docs/operator.md says to what).")
    return default


def is_absent(name: str) -> bool:
    """Whether the variable is not set at all. Set but empty raises: it is more likely a slip than a wish."""
    READ.add(name)
    if os.environ.get(name) == "":
        raise ImproperlyConfigured(f"{name} is set but empty: give it a value, or unset it.")
    return name not in os.environ


def dotted(name: str, default: str) -> str:
    """The dotted path of a class of ours or the operator's own; one of the demo's is refused."""
    path = text(name, default)
    if path.partition(".")[0] in ("demo", "tests"):
        raise ImproperlyConfigured(f"{name} names a part of the demo, which only runs without DATABASE_URL.")
    return path


def boolean(name: str, default: bool) -> bool:
    value = text(name, str(default)).lower()
    if value not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in ("1", "true", "yes", "on")


def integer(name: str, default: int, *, least: int = 0) -> int:
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def colour(name: str, default: str) -> str:
    """A colour as `#rrggbb`, in small letters."""
    value = text(name, default).lower()
    if not re.fullmatch("#[0-9a-f]{6}", value):
        raise ImproperlyConfigured(f"{name} must be a colour of the form #12433d, not {value!r}.")
    return value


def words(name: str, default: str | None = None) -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def https(name: str, *, loopback: bool) -> str:
    """A URL that begins with https://, or with `loopback` one of this machine; empty when it is not set."""
    value = text(name, "")
    own = loopback and value.startswith(("http://127.0.0.1:", "http://localhost:"))
    if value and not value.startswith("https://") and not own:
        raise ImproperlyConfigured(f"{name} must begin with https://.")
    return value


def endpoint(name: str) -> str:
    """`host:port` or the absolute path of a unix socket; empty when it is not set."""
    value = text(name, "")
    host, _colon, port = value.rpartition(":")
    if value and not value.startswith("/") and not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ImproperlyConfigured(f"{name} must be host:port or the path of a socket, not {value!r}.")
    return value


def fernet_keys(name: str, default: str | None = None) -> list[str]:
    """Fernet keys, the first of which encrypts. The value itself never gets into the message."""
    keys = words(name, default)
    for number, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except (ValueError, binascii.Error):
            raise ImproperlyConfigured(
                f"{name}: key number {number} is not a Fernet key (32 bytes in URL-safe base64)."
            ) from None
    return keys


def hash_keys(name: str, default: str | None = None) -> dict[str, bytes]:
    """`version:base64` keys of keyed hashes, the first of which is current; at least 32 bytes each."""
    keys: dict[str, bytes] = {}
    for number, word in enumerate(words(name, default), 1):
        version, _, encoded = word.partition(":")
        try:
            key = base64.b64decode(encoded.translate(str.maketrans("-_", "+/")), validate=True)
        except binascii.Error:
            key = b""
        if not version or len(version) > 16 or version in keys or len(key) < 32:
            raise ImproperlyConfigured(
                f"{name}: entry number {number} is not `version:base64` with its own version and at least 32 bytes."
            )
        keys[version] = key
    return keys


def database(name: str, url: str) -> dict[str, object]:
    """A Django database from a PostgreSQL URL, read by libpq's own rules."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    if not url.startswith(("postgresql://", "postgres://")):
        raise ImproperlyConfigured(f"{name} must start with postgresql:// (PostgreSQL is Insyn's only application database).")
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        raise ImproperlyConfigured(f"{name} is not a URL that PostgreSQL understands.") from None
    if not parts.get("dbname"):
        raise ImproperlyConfigured(f"{name} names no database.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": parts,
    }


def derived(secret: str, purpose: str) -> str:
    """32 bytes in base64 made of a kept secret: one more key that the demo need not keep."""
    return base64.b64encode(hashlib.sha256(f"{purpose}\0{secret}".encode()).digest()).decode()
