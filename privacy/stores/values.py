"""Values between types: a key compares in its target's type, and what does not convert matches nothing (R12)."""

from __future__ import annotations

import base64
import ipaddress
import re
import uuid
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from privacy.stores.base import NO_MATCH, Column


def convert(value: Any, column: Column) -> Any:
    """`value` as the column's type holds it, or NO_MATCH. NULL converts to nothing."""
    if value is None:
        return NO_MATCH
    try:
        return _CONVERTERS.get(column.family, _same)(value, column)
    except (ValueError, TypeError, InvalidOperation, OverflowError):
        return NO_MATCH


def weight(rows: Sequence[Sequence[Any]]) -> int:
    """About how many bytes the texts of these rows take; what has no length takes next to nothing."""
    total = 0
    for column in zip(*rows, strict=True):
        types = set(map(type, column))
        if types <= _SIZED:
            total += sum(map(len, filter(None, column)))
        elif types & _SIZED - {type(None)}:
            total += sum(len(value) for value in column if type(value) in _SIZED and value is not None)
    return total


_SIZED = {str, bytes, list, dict, type(None)}


def _same(value: Any, _column: Column) -> Any:
    return value


def _int(value: Any, column: Column) -> Any:
    if isinstance(value, str):
        if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", value):
            return NO_MATCH
        value = int(value)
    elif isinstance(value, float | Decimal):
        if value != int(value):
            return NO_MATCH
        value = int(value)
    elif not isinstance(value, int):
        return NO_MATCH
    return int(value) if -(2**column.bits) - 1 < value < 2**column.bits else NO_MATCH


def _decimal(value: Any, _column: Column) -> Any:
    if isinstance(value, date | uuid.UUID | bytes):
        return NO_MATCH
    number = Decimal(str(value).strip())
    return number if number.is_finite() else NO_MATCH


def _float(value: Any, column: Column) -> Any:
    number = _decimal(value, column)
    return number if number is NO_MATCH else float(number)


def _text(value: Any, _column: Column) -> Any:
    if isinstance(value, bytes):
        return NO_MATCH
    if isinstance(value, bool):
        return "true" if value else "false"
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    # Half a surrogate pair is no character that a store could hold.
    return NO_MATCH if "\x00" in text or any("\ud800" <= ch <= "\udfff" for ch in text) else text


def _bool(value: Any, _column: Column) -> Any:
    if value in (0, 1):
        return bool(value)
    return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.get(str(value).strip().lower(), NO_MATCH)


def _uuid(value: Any, _column: Column) -> Any:
    if isinstance(value, bytes):
        return uuid.UUID(bytes=value)
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value).strip())


def _date(value: Any, _column: Column) -> Any:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value).strip())


def _datetime(value: Any, _column: Column) -> Any:
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time.min) if isinstance(value, date) else datetime.fromisoformat(str(value).strip())


def _bytes(value: Any, _column: Column) -> Any:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else NO_MATCH


def _enum(value: Any, column: Column) -> Any:
    return value if value in column.choices else NO_MATCH


def _ip(value: Any, _column: Column) -> Any:
    return str(ipaddress.ip_interface(str(value).strip())).removesuffix("/32").removesuffix("/128")


_CONVERTERS = {
    "int": _int,
    "decimal": _decimal,
    "float": _float,
    "text": _text,
    "bool": _bool,
    "uuid": _uuid,
    "date": _date,
    "datetime": _datetime,
    "bytes": _bytes,
    "enum": _enum,
    "ip": _ip,
}


def to_json(value: Any) -> Any:
    """A value as JSON that `from_json` reads back to an equal value of the same type."""
    if value is None or isinstance(value, bool | int | str):
        return value
    for name, kind, write in _TAGGED:
        if isinstance(value, kind):
            return {name: write(value)}
    return {"text": str(value)}


def from_json(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((name, text),) = value.items()
    return _READERS[name](text)


_TAGGED: tuple[tuple[str, type, Any], ...] = (
    ("float", float, repr),
    ("decimal", Decimal, str),
    ("uuid", uuid.UUID, str),
    ("datetime", datetime, datetime.isoformat),
    ("date", date, date.isoformat),
    ("time", time, time.isoformat),
    ("microseconds", timedelta, lambda span: span // timedelta(microseconds=1)),
    ("bytes", bytes, lambda raw: base64.b64encode(raw).decode()),
)
_READERS: dict[str, Any] = {
    "float": float,
    "decimal": Decimal,
    "uuid": uuid.UUID,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "microseconds": lambda count: timedelta(microseconds=count),
    "bytes": base64.b64decode,
    "text": str,
}
