"""Read a table in pieces by its key, so that no statement on it runs for long and a reading that was cut short goes on there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Any

from privacy.stores.base import Mark, Table, Values

if TYPE_CHECKING:
    from privacy.stores.session import SqlSession

FIRST_ROWS, MOST_ROWS = 500, 50_000
SECONDS = 2.0  # that a piece should take


@dataclass(frozen=True)
class Piece:
    where: str = ""  # what follows the table `t`
    parameters: dict[str, Any] = field(default_factory=dict)
    mark: Mark | None = None  # how far the table is read with it, where one may go on from there


def by_key(session: SqlSession, table: Table, key: Sequence[str], after: Mark | None) -> Iterator[Piece]:
    """The rows beyond the mark in the order of a unique key without NULL. The end of a piece is looked up before it is read,
    and the next is larger or smaller by the time that this one took.
    """
    dialect = session.dialect
    names = [f"t.{dialect.name(column)}" for column in key]
    order, own = ", ".join(names), dialect.table(table)
    low, size = _loaded(after), FIRST_ROWS
    while True:
        begun = monotonic()
        where, parameters = ("", {}) if low is None else (_beyond(names, "low"), _named("low", low))
        beyond = f" WHERE {where}" if where else ""
        ends = session.all(f"SELECT {order} FROM {own} t{beyond} ORDER BY {order} LIMIT 1 OFFSET {size - 1}", parameters)
        if not ends:
            yield Piece(beyond, parameters)
            return
        mark = [_dumped(value) for value in ends[0]]
        low = _loaded(mark) or ()
        within = f"({where}) AND NOT ({_beyond(names, 'high')})" if where else f"NOT ({_beyond(names, 'high')})"
        yield Piece(f" WHERE {within}", parameters | _named("high", low), mark)
        took = monotonic() - begun
        size = min(size * 2, MOST_ROWS) if took < SECONDS / 2 else max(size // 2, 1) if took > SECONDS * 2 else size


def _beyond(names: Sequence[str], of: str) -> str:
    """Comparing rows as such uses no index on MariaDB and MySQL; spelled out it does."""
    parts = []
    for place, name in enumerate(names):
        equal = "".join(f"{names[i]} = :{of}{i} AND " for i in range(place))
        parts.append(f"({equal}{name} > :{of}{place})")
    return " OR ".join(parts)


def _named(of: str, values: Values) -> dict[str, Any]:
    return {f"{of}{place}": value for place, value in enumerate(values)}


def _dumped(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    return value if isinstance(value, int | str) else str(value)


def _loaded(mark: Mark | None) -> Values | None:
    return None if mark is None else tuple(map(_load, mark))


def _load(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return bytes.fromhex(value["bytes"]) if "bytes" in value else Decimal(value["decimal"])
