"""Encryption at rest with rotating keys, and keyed hashes for what must be recognised but not readable.

Keys come from settings: INSYN_ENCRYPTION_KEYS, a list of Fernet keys whose first is current (the others still decrypt), and
INSYN_HASH_KEYS, a mapping of version to bytes whose first entry is current.
"""

import hmac
import json
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class DecryptionError(Exception):
    """A stored secret cannot be read with any of the configured keys."""


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(plain: bytes) -> bytes:
    return _fernet(tuple(settings.INSYN_ENCRYPTION_KEYS)).encrypt(plain)


def decrypt(token: bytes) -> bytes:
    try:
        return _fernet(tuple(settings.INSYN_ENCRYPTION_KEYS)).decrypt(bytes(token))
    except InvalidToken:
        raise DecryptionError("no key of INSYN_ENCRYPTION_KEYS opens this value") from None


def keyed_hash(value: str, *, purpose: str, version: str | None = None) -> tuple[str, str]:
    """HMAC-SHA-256 of `value` for one purpose; answers (key version, 64 hex digits)."""
    keys = settings.INSYN_HASH_KEYS
    version = next(iter(keys)) if version is None else version
    return version, hmac.new(keys[version], f"{purpose}\0{value}".encode(), sha256).hexdigest()


class EncryptedTextField(models.BinaryField):
    """Text in Python, a Fernet token in the database. Cannot be searched; keep a keyed hash beside it for that."""

    # For the type checker, which would believe that a binary field holds bytes.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: bytes | None, expression: Any, connection: Any) -> Any:
        return None if value is None else self.to_plain(decrypt(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None:
            return None
        return super().get_db_prep_value(encrypt(self.to_bytes(value)), connection, prepared)

    def to_python(self, value: Any) -> Any:
        return value

    def get_default(self) -> Any:
        return models.Field.get_default(self) if self.has_default() else (None if self.null else "")

    @staticmethod
    def to_plain(raw: bytes) -> Any:
        return raw.decode()

    @staticmethod
    def to_bytes(value: Any) -> bytes:
        return str(value).encode()


class EncryptedJSONField(EncryptedTextField):
    """Any JSON value in Python, a Fernet token in the database."""

    @staticmethod
    def to_plain(raw: bytes) -> Any:
        return json.loads(raw)

    @staticmethod
    def to_bytes(value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def get_default(self) -> Any:
        return models.Field.get_default(self) if self.has_default() else None
