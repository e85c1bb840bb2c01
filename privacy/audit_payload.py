"""What an audit payload may hold: facts about a case, nothing about whose it is.

Callers put in counts, keys and digests. This is the net under them: a value that looks like an e-mail address, a telephone number
or a personnummer, or that is long enough to be somebody's words, is refused. A net has holes (a name looks like nothing), so
it excuses nobody from thinking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings
from stdnum.se import personnummer

log = structlog.get_logger("insyn.audit")

LONGEST_TEXT = 256
REMOVED = "[removed]"

_EMAIL = re.compile(r"[^\s@]@[^\s@]")
# Not inside a longer word: a digest or a random reference may hold any run of digits.
_PHONE = re.compile(r"(?<![\w.+-])(?:\+|00|0)[1-9](?:[ ()/-]*\d){6,13}(?![\w.])")
_PERSONNUMMER = re.compile(r"(?<![\w+-])(?:\d{2})?\d{6}[-+]?\d{4}(?![\w-])")


class PersonalPayload(ValueError):
    """A payload that may name a person. The text names the key, never the value."""


class InvalidPayload(TypeError):
    """A payload that does not come back from the database as it went in, so its hash would not either."""


def checked(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload, fit for the log: raises InvalidPayload, and PersonalPayload where INSYN_AUDIT_STRICT says so.

    Elsewhere what looks personal is left out and the key is logged: an event without a detail is better than a case that stops.
    """
    result = _checked(payload, "payload")
    assert isinstance(result, dict)
    return result


def _checked(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _refused(path) if value > 10**11 and looks_personal(str(value)) else int(value)
    if isinstance(value, str):
        return _checked_text(str(value), path)
    if isinstance(value, Mapping):
        return {_checked_key(key, path): _checked(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_checked(item, f"{path}[{number}]") for number, item in enumerate(value)]
    raise InvalidPayload(
        f"{path} is of type {type(value).__name__}: a payload holds texts, whole numbers, booleans, lists, objects"
    )


def _checked_key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise InvalidPayload(f"a key of {path} is of type {type(key).__name__}, not a text")
    checked_key = _checked_text(key, f"a key of {path}")
    assert isinstance(checked_key, str)
    return checked_key


def _checked_text(text: str, path: str) -> Any:
    if "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise InvalidPayload(f"{path} holds a character that PostgreSQL does not store")
    return _refused(path) if len(text) > LONGEST_TEXT or looks_personal(text) else text


def looks_personal(text: str) -> bool:
    return bool(_EMAIL.search(text) or _PHONE.search(text) or any(map(personnummer.is_valid, _PERSONNUMMER.findall(text))))


def _refused(path: str) -> str:
    if settings.INSYN_AUDIT_STRICT:
        raise PersonalPayload(f"{path} looks personal; put a count, a key or a digest into the audit log instead")
    log.error("audit_payload_removed", key=path)
    return REMOVED
