"""Exceptions that staff make from what would happen to a person's own rows: what is left out of a package (Art. 15(4)), and what
an erasure keeps although the data map knows no rule for it (Art. 17(3)).

They stand among a case's answers for contested rows, under keys that begin with a sign, and so belong to what is approved:

    -ticket.body        withheld in all rows            +invoice.total      kept in all rows
    -ticket             withheld, all rows              +invoice            kept, all rows whole
    -ticket#<row>       withheld, one row
    -ticket.body#<row>  withheld, one cell

The answer is a ground; of what is kept with the day on which it may go: `e 2027-12-31`. A row is named by a hash over its
primary key, salted in the plan as groups are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from privacy.engine.package.encode import plain

WITHHELD, KEPT = "-", "+"
MARK = "#"


def is_exception(key: str) -> bool:
    return key[:1] in (WITHHELD, KEPT)


def key_of(sign: str, collection: str, name: str = "", row: str = "") -> str:
    """The key under which an exception stands among the answers."""
    return sign + collection + (f".{name}" if name else "") + (f"{MARK}{row}" if row else "")


def row_key(plan: Mapping[str, Any], collection: str, values: Iterable[Any]) -> str:
    """The name of a row; `values`: its primary key as the store holds it, or as a package's JSON does."""
    text = json.dumps([plan.get("salt", ""), plan["store"], collection, "row", [plain(value) for value in values]], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Withheld:
    """What is left out of one collection, each with its ground."""

    everything: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # {row: {column: ground}}

    def __bool__(self) -> bool:
        return bool(self.everything or self.columns or self.rows or self.cells)

    @property
    def names_rows(self) -> bool:
        return bool(self.rows or self.cells)


NOTHING_WITHHELD = Withheld()


def withheld_in(answers: Mapping[str, str], collection: str, names: Collection[str]) -> Withheld:
    """What is withheld of a collection with these columns."""
    everything = ""
    columns: dict[str, str] = {}
    rows: dict[str, str] = {}
    cells: dict[str, dict[str, str]] = {}
    for name, row, ground in _of(answers, WITHHELD, collection, names):
        if row and name:
            cells.setdefault(row, {})[name] = ground
        elif row:
            rows[row] = ground
        elif name:
            columns[name] = ground
        else:
            everything = ground
    return Withheld(everything, columns, rows, cells) if everything or columns or rows or cells else NOTHING_WITHHELD


@dataclass(frozen=True)
class Kept:
    """Rows of one collection that an erasure keeps: these fields readable (None: all), on this ground, until that day."""

    fields: frozenset[str] | None
    ground: str
    until: date


def kept_in(answers: Mapping[str, str], collection: str, names: Collection[str]) -> list[Kept]:
    """What is kept of a collection with these columns, one for each ground and day."""
    found: dict[tuple[str, date], set[str] | None] = {}
    for name, _row, answer in _of(answers, KEPT, collection, names):
        ground, _space, day = answer.partition(" ")
        place = (ground, date.fromisoformat(day))
        known = found.setdefault(place, set())
        found[place] = None if not name or known is None else known | {name}
    return [Kept(None if fields is None else frozenset(fields), ground, day) for (ground, day), fields in found.items()]


def kept_among(answers: Mapping[str, str]) -> dict[str, str]:
    """Those of the answers that keep something."""
    return {key: answer for key, answer in answers.items() if key.startswith(KEPT)}


def basis_of(ground: str) -> str:
    """How a ground of Art. 17(3) is called beside the laws that data maps name."""
    return f"GDPR art. 17.3 {ground}"


def _of(answers: Mapping[str, str], sign: str, collection: str, names: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """(column or "", row or "", answer) of the exceptions about a collection. Names may hold dots themselves."""
    for key, answer in answers.items():
        if not key.startswith(sign):
            continue
        place, _mark, row = key[1:].partition(MARK)
        if place == collection:
            yield "", row, answer
        elif place.startswith(collection + ".") and place[len(collection) + 1 :] in names:
            yield place[len(collection) + 1 :], row, answer
