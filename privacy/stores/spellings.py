"""The spellings of an identity: those an index may be asked for, and what every spelling of one identity has in common (R12)."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import phonenumbers

from privacy.engine.identity import EMAIL_KINDS, PHONE_KINDS, InvalidIdentity, canonical


def is_spelling(kind: str, stored: Any, value: str) -> bool:
    if stored is None:
        return False
    try:
        return canonical(kind, stored) == value
    except InvalidIdentity:
        return False


def candidates(kind: str, value: str) -> list[str]:
    """Spellings under which an index may hold a canonical identity."""
    spelled = [value]
    if kind in EMAIL_KINDS:
        local, _, domain = value.rpartition("@")
        spelled += [value.upper(), local.title() + "@" + domain, value.capitalize()]
        spelled += [unicodedata.normalize("NFD", text) for text in spelled]
    elif kind in PHONE_KINDS:
        number = phonenumbers.parse(value, None)
        national = phonenumbers.national_significant_number(number)
        formats = phonenumbers.PhoneNumberFormat
        for style in (formats.INTERNATIONAL, formats.NATIONAL, formats.RFC3966):
            text = phonenumbers.format_number(number, style)
            spelled += [
                text,
                text.replace("-", " "),
                "".join(ch for ch in text if ch.isdigit() or ch == "+"),
                text.replace(" ", ""),
            ]
        spelled += [value[1:], "00" + value[1:], f"+{number.country_code}0{national}"]
    return list(dict.fromkeys(spelled))


ODD = "¤"  # before the fold of a spelling that is not plain, so that it never equals a plain one's
# Regular expressions that PostgreSQL, MariaDB, MySQL and Python read alike (`$` would not do: a last line break passes it).
NOT_PLAIN, NOT_KEPT = "[^!-~]", "[^0-9@._+-]"
NOT_PLAIN_PHONE, NOT_DIGIT, NOT_E164 = "[^0-9+() ./-]", "[^0-9]", "[^+0-9]|.[+]|^[^+]"


def folds(kind: str, value: str) -> list[str]:
    """The keys of a canonical identity: what `Dialect.folded` makes of any spelling of it is one of them.

    A database folds case its own way, so only ASCII is left to it. Of any other spelling the key is what neither case folding nor
    normalisation can touch, and the exact comparison follows. The telephone's end is the same in every way of writing it.
    """
    if kind in PHONE_KINDS:
        return [re.sub(NOT_DIGIT, "", value)[-8:], ODD]
    odd = ODD + re.sub(NOT_KEPT, "", value)
    if re.search(NOT_PLAIN, value):
        return [odd]
    return [value.lower() if kind in EMAIL_KINDS else value, odd]
