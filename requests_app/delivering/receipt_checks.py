"""Signing a receipt and telling whether one is genuine: by the file, or by the code that is printed on it.

The code is `INSYN1.<facts>.<signature>`, both base64url without padding. The facts are a JSON list (see `Summary`), the signature
is Ed25519 over `insyn receipt`, a zero byte and the facts. The file's last line is `%insyn-receipt <code> <signature>`, whose
signature is over `insyn receipt file`, a zero byte and everything before it: the file and the code. Checking needs no database
and no net, only the public key: docs/receipts.md tells how to do it with OpenSSL alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from privacy import audit, signing

CODE, FILE = "receipt", "receipt file"  # what is signed
PREFIX = "INSYN1"
MARK = b"\n%insyn-receipt "
LONGEST_CODE = 2000
LONGEST_FILE = 1024 * 1024


@dataclass(frozen=True)
class Summary:
    """What the code of a receipt states; `facts` is the SHA-256 of everything that the receipt says, in canonical JSON."""

    reference: str
    received_on: str
    answered_on: str
    erased: int
    anonymized: int
    kept: int
    kept_until: str  # the last day, or empty
    left: int
    facts: str

    @property
    def received(self) -> date:
        return date.fromisoformat(self.received_on)

    @property
    def answered(self) -> date:
        return date.fromisoformat(self.answered_on)

    @property
    def until(self) -> date | None:
        return date.fromisoformat(self.kept_until) if self.kept_until else None


class NotGenuine(Exception):
    """This is no receipt of ours, or it was changed."""


def digest_of(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(audit.canonical(facts)).hexdigest()


def code_of(summary: Summary) -> str:
    content = audit.canonical(list(astuple(summary)))
    return f"{PREFIX}.{_text(content)}.{_text(signing.sign(content, purpose=CODE))}"


def signed_pdf(pdf: bytes, summary: Summary) -> bytes:
    """The PDF with its code and its signature in a last line, which PDF readers pass over."""
    signed = pdf.rstrip(b"\r\n") + MARK + code_of(summary).encode() + b" "
    return signed + _text(signing.sign(signed, purpose=FILE)).encode() + b"\n"


def check_code(code: str, *, keys: Iterable[Ed25519PublicKey]) -> Summary:
    """What a genuine code states; NotGenuine otherwise. Line breaks and blanks from copying do not matter."""
    parts = re.sub(r"\s+", "", code)[: LONGEST_CODE + 1].split(".")
    if len(parts) != 3 or parts[0] != PREFIX:
        raise NotGenuine
    content, signature = _bytes(parts[1]), _bytes(parts[2])
    if not signing.is_signed(content, signature, purpose=CODE, keys=keys):
        raise NotGenuine
    return Summary(*json.loads(content))  # signed by us, so it has our form


def check_pdf(file: bytes, *, keys: Iterable[Ed25519PublicKey]) -> Summary:
    """What a genuine file states: every byte of it, to the last, is what we signed. NotGenuine otherwise."""
    keys = list(keys)
    signed, mark, last = file.rpartition(MARK)
    code, blank, signature = last.partition(b" ")
    if not mark or not blank or not signature.endswith(b"\n") or file.count(MARK) != 1:
        raise NotGenuine
    signed += mark + code + blank
    if not signing.is_signed(signed, _bytes(signature[:-1].decode("ascii", "replace")), purpose=FILE, keys=keys):
        raise NotGenuine
    return check_code(code.decode("ascii", "replace"), keys=keys)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise NotGenuine
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise NotGenuine from None
    if _text(raw) != text:
        raise NotGenuine  # the same bytes have one spelling alone
    return raw
