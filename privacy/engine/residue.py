"""Residue: what an erasure left behind in columns that no map knows (R21).

One pass per table over all its text and JSON columns, for the identities of all people at once, as whole words in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import phonenumbers

from privacy.datamap.graph import Graph
from privacy.engine.identity import EMAIL_KINDS, PHONE_KINDS, InvalidIdentity, canonical
from privacy.stores.base import Session

SEPARATORS = r"[ ()./\-]*"


@dataclass(frozen=True)
class Residue:
    column: str  # collection.column
    rows: int
    mapped: bool


def scan(graph: Graph, session: Session, store: str, identities: Iterable[tuple[str, str]]) -> list[Residue]:
    """Where the identities still stand in a store, in every table that is no view."""
    pattern = pattern_of(identities)
    if not pattern:
        return []
    out = []
    known = graph.datasets[store].collections
    for name, table in sorted(graph.schemas[store].tables.items()):
        columns = [c.name for c in table.columns.values() if c.family in ("text", "json", "array")]
        if columns and table.kind == "table":
            for column, rows in session.scan(name, columns, pattern).items():
                mapped = name in known and column in known[name].fields
                out.append(Residue(f"{name}.{column}", rows, mapped))
    return out


def pattern_of(identities: Iterable[tuple[str, str]]) -> str:
    """A regular expression that PostgreSQL, PCRE and Python read alike. Numbers of under four characters are too common."""
    parts = []
    for kind, value in identities:
        try:
            text = canonical(kind, value)
        except InvalidIdentity:
            continue
        if kind in EMAIL_KINDS:
            parts.append(rf"(?<![\w.+-]){re.escape(text)}(?![\w-]|[.]\w)")
        elif kind in PHONE_KINDS:
            parts.append(_phone(text))
        elif len(text) >= 4:
            parts.append(rf"(?<!\w){re.escape(text)}(?!\w)")
    return "|".join(dict.fromkeys(parts))


def _phone(value: str) -> str:
    number = phonenumbers.parse(value, None)
    national = SEPARATORS.join(str(number.national_number))
    abroad = rf"(?:[+]|00){SEPARATORS}{number.country_code}{SEPARATORS}(?:[(]?0[)]?{SEPARATORS})?"
    return rf"(?<!\d)(?:{abroad}|0{SEPARATORS})?{national}(?!\d)"
