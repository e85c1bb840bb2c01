"""The Ed25519 key that speaks for this house: it signs checkpoints of the audit log, and receipts.

Checkpoints sign their canonical JSON, which begins with `{`; everything else says first what it is, so that no signature of one
thing is one of another.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def sign(content: bytes, *, purpose: str) -> bytes:
    """The signature of 64 bytes over `insyn <purpose>`, a zero byte and the content."""
    return private_key().sign(_as(purpose, content))


def is_signed(content: bytes, signature: bytes, *, purpose: str, keys: Iterable[Ed25519PublicKey]) -> bool:
    """Whether one of the keys signed this content for this purpose."""
    for key in keys:
        try:
            key.verify(signature, _as(purpose, content))
        except InvalidSignature:
            continue
        return True
    return False


def private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key_bytes("INSYN_CHECKPOINT_KEY", settings.INSYN_CHECKPOINT_KEY))


def trusted_keys() -> Mapping[str, Ed25519PublicKey]:
    """{its text: key}: our current public key first, then those that were used before."""
    earlier = [public_key("INSYN_CHECKPOINT_PUBLIC_KEYS", text) for text in settings.INSYN_CHECKPOINT_PUBLIC_KEYS]
    return {public_text(key): key for key in (private_key().public_key(), *earlier)}


def public_key(name: str, text: str) -> Ed25519PublicKey:
    """The key of a base64 text; `name` is where it came from, for the error."""
    return Ed25519PublicKey.from_public_bytes(key_bytes(name, text))


def public_text(key: Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes_raw()).decode()


def key_bytes(name: str, text: str) -> bytes:
    try:
        raw = base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise ImproperlyConfigured(f"{name} must be 32 bytes in base64 (make a key with: openssl rand -base64 32).")
    return raw


def _as(purpose: str, content: bytes) -> bytes:
    return b"insyn " + purpose.encode() + b"\x00" + content
