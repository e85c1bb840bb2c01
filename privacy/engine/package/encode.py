"""Rows as JSON objects and as CSV lines, a batch at a time and column by column.

Both files must give back what the store held. How each type is written, in JSON and in CSV alike:

    None                    null; in CSV nothing at all between the commas (an empty text is "")
    text                    as it is; in CSV always quoted, guarded against formulas (below)
    bool                    true, false
    int                     digits; in JSON a string beyond ±(2^53 - 1), which many readers would round (RFC 7493 §2.2)
    float                   shortest digits that give the same number; NaN, Infinity and -Infinity as text: JSON has none
    Decimal                 all its digits, in JSON as a string, so that 12.50 stays 12.50
    date, time, datetime    ISO 8601, with the offset where the store had one; timedelta as an ISO 8601 duration
    UUID                    as text; bytes in base64; arrays and JSON as JSON; anything else as its text

A spreadsheet takes a text that begins with = + - @ (also full-width), a tab or a line break for a formula. So an apostrophe goes
before such a text, and before the same signs after a semicolon, tab or line break within it, since a spreadsheet set to Swedish
splits there. A text that has an apostrophe in such a place gets one more, so `unguard` gives back every text as it was.
https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import base64
import enum
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from math import isfinite
from typing import Any
from uuid import UUID

LARGEST_EXACT = 2**53 - 1
BOM = "\ufeff"

_SIGNS = "=+\\-@'＝＋－＠"
_GUARD = re.compile(rf"\A(?=[{_SIGNS}\t\r\n])|(?<=[;\t\r\n])(?=[{_SIGNS}])")
_GUARDED = re.compile(r"\A'|(?<=[;\t\r\n])'")
# Control characters that no text column is likely to hold: they part the values of a column while it is treated as one string.
_JSON_MARK, _CSV_MARK = "\x7f", "\x00"
_RISKY = tuple(";\t\r\n") + tuple(_CSV_MARK + sign for sign in "=+-@'＝＋－＠")

Texts = Sequence[str]


def guard(text: str) -> str:
    """The text as a CSV file holds it: no spreadsheet takes it for a formula."""
    return _GUARD.sub("'", text)


def unguard(text: str) -> str:
    """The text that `guard` was given."""
    return _GUARDED.sub("", text)


class RowEncoder:
    """Encodes the rows of one collection. `columns` are the keys of its JSON objects and the heading of its CSV."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        members = (encode_basestring(name).replace("%", "%%") + ":%s" for name in self.columns)
        self._object = "{" + ",".join(members) + "}"

    def heading(self) -> bytes:
        return _utf8(BOM + ",".join(map(_quoted, self.columns)) + "\r\n")

    def batch(self, rows: Sequence[Sequence[Any]]) -> tuple[bytes, bytes]:
        """The rows as JSON objects (with commas between, none at the ends) and as CSV lines."""
        if not rows:
            return b"", b""
        if not self.columns:
            return ",\n".join(["{}"] * len(rows)).encode(), b"\r\n" * len(rows)
        pairs = [_column(values) for values in zip(*rows, strict=True)]
        as_json = ",\n".join(map(self._object.__mod__, zip(*(pair[0] for pair in pairs), strict=True)))
        as_csv = "\r\n".join(map(",".join, zip(*(pair[1] for pair in pairs), strict=True))) + "\r\n"
        return _utf8_json(as_json), _utf8(as_csv)


def _utf8(text: str) -> bytes:
    # Half a surrogate pair is no character; SQLite and MariaDB can hold one all the same.
    return text.encode("utf-8", "replace")


def _utf8_json(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text).encode()


# --- one column of a batch --------------------------------------------------------------------------------------------


def _column(values: Sequence[Any]) -> tuple[Texts, Texts]:
    """A column's values as JSON and as CSV. Columns of one type, the rule, are treated as a whole."""
    types = set(map(type, values))
    empty = type(None) in types
    types.discard(type(None))
    if not types:
        return ["null"] * len(values), [""] * len(values)
    whole = _WHOLE.get(types.pop()) if len(types) == 1 else None
    if whole is None:
        pairs = [_single(value) for value in values]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if not empty:
        return whole(values)
    given = whole([value for value in values if value is not None])
    as_json, as_csv = iter(given[0]), iter(given[1])
    return (
        ["null" if value is None else next(as_json) for value in values],
        ["" if value is None else next(as_csv) for value in values],
    )


def _single(value: Any) -> tuple[str, str]:
    if value is None:
        return "null", ""
    whole = _WHOLE.get(type(value))
    if whole is None:
        value = plain(value)
        if value is None:  # an enum may hold it
            return "null", ""
        whole = _WHOLE[type(value)]
    as_json, as_csv = whole([value])
    return as_json[0], as_csv[0]


def _texts(values: Sequence[str]) -> tuple[Texts, Texts]:
    return _texts_as_json(values), _texts_as_csv(values)


def _texts_as_json(values: Sequence[str]) -> Texts:
    # One call for the whole column is several times quicker than one for each value.
    parted = encode_basestring(_JSON_MARK.join(values)).replace(_JSON_MARK, '"\x7f"').split(_JSON_MARK)
    return parted if len(parted) == len(values) else [encode_basestring(value) for value in values]


def _texts_as_csv(values: Sequence[str]) -> Texts:
    joined = _CSV_MARK.join(values)
    if joined.count(_CSV_MARK) != len(values) - 1:
        return [_quoted(guard(value)) for value in values]
    marked = _CSV_MARK + joined
    if any(risky in marked for risky in _RISKY):
        joined = _CSV_MARK.join(map(guard, values))
    joined = joined.replace('"', '""').replace(_CSV_MARK, '"\x00"')
    return f'"{joined}"'.split(_CSV_MARK)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _bare(to_text: Callable[[Any], str]) -> Callable[[Sequence[Any]], tuple[Texts, Texts]]:
    """For types whose text needs neither quotes nor escapes in CSV, and quotes alone in JSON."""

    def whole(values: Sequence[Any]) -> tuple[Texts, Texts]:
        texts = list(map(to_text, values))
        return ('"' + '"\x00"'.join(texts) + '"').split("\x00"), texts

    return whole


def _integers(values: Sequence[int]) -> tuple[Texts, Texts]:
    texts = list(map(str, values))
    if min(values) >= -LARGEST_EXACT and max(values) <= LARGEST_EXACT:
        return texts, texts
    return [text if abs(value) <= LARGEST_EXACT else f'"{text}"' for value, text in zip(values, texts, strict=True)], texts


def _floats(values: Sequence[float]) -> tuple[Texts, Texts]:
    if all(map(isfinite, values)):
        texts = list(map(repr, values))
        return texts, texts
    pairs = [
        (repr(value),) * 2 if isfinite(value) else (f'"{_not_finite(value)}"', _quoted(guard(_not_finite(value))))
        for value in values
    ]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _booleans(values: Sequence[bool]) -> tuple[Texts, Texts]:
    texts = ["true" if value else "false" for value in values]
    return texts, texts


def _structures(values: Sequence[Any]) -> tuple[Texts, Texts]:
    as_json = [json.dumps(plain(value), ensure_ascii=False, separators=(",", ":")) for value in values]
    return as_json, [_quoted(guard(text)) for text in as_json]


def _binary(values: Sequence[Any]) -> tuple[Texts, Texts]:
    return _texts([base64.b64encode(value).decode() for value in values])


_WHOLE: Mapping[type, Callable[[Sequence[Any]], tuple[Texts, Texts]]] = {
    str: _texts,
    int: _integers,
    bool: _booleans,
    float: _floats,
    Decimal: _bare(str),
    datetime: _bare(datetime.isoformat),
    date: _bare(date.isoformat),
    time: _bare(time.isoformat),
    UUID: _bare(str),
    bytes: _binary,
    bytearray: _binary,
    memoryview: _binary,
    list: _structures,
    tuple: _structures,
    dict: _structures,
}


# --- a value of any type ----------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """The value as JSON can hold it, by the rules at the top; arrays and objects all the way down."""
    if value is None or isinstance(value, (bool, str)):
        return value if not isinstance(value, enum.Enum) else plain(value.value)
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, int):
        return int(value) if abs(value) <= LARGEST_EXACT else str(int(value))
    if isinstance(value, float):
        return float(value) if isfinite(value) else _not_finite(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(plain, value), key=str)
    if isinstance(value, Iterable) and isinstance(value, Sequence):
        return [plain(item) for item in value]
    return str(value)


def _not_finite(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def duration(value: timedelta) -> str:
    """An ISO 8601 duration of days and seconds, such as P1DT3600S or -PT0.5S."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    fraction = f"{value.microseconds:06d}".rstrip("0")
    return f"{sign}P{value.days}DT{value.seconds}{'.' if fraction else ''}{fraction}S"
