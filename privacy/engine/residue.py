"""Residue: what an erasure left behind in columns that no map knows (R21).

One pass per table over all its text and JSON columns, for the identities of all people at once, as whole words in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
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


def scan(
    graph: Graph,
    session: Session,
    store: str,
    people: Sequence[Sequence[tuple[str, str]]],
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[list[Residue]]:
    """Per person (given by their identities) where they still stand in a store, in every table that is no view.

    One pass per table for all; only columns in which somebody was found are read again, person by person.
    """
    patterns = [pattern_of(identities) for identities in people]
    together = "|".join(dict.fromkeys(pattern for pattern in patterns if pattern))
    out: list[list[Residue]] = [[] for _ in people]
    known = graph.datasets[store].collections
    for name, table in sorted(graph.schemas[store].tables.items()):
        columns = [c.name for c in table.columns.values() if c.family in ("text", "json", "array")]
        if not columns or table.kind != "table" or not together:
            continue
        heartbeat()
        hit = tuple(session.scan(name, columns, together))
        for found, pattern in zip(out, patterns, strict=True):
            rows = session.scan(name, hit, pattern) if hit and pattern else {}
            mapped = known[name].fields if name in known else {}
            found += [Residue(f"{name}.{column}", count, column in mapped) for column, count in rows.items()]
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
