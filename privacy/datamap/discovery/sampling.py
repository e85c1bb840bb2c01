"""A bounded look at each table's rows, one statement per table. What is read stays in memory and is dropped with the proposal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from privacy.datamap.discovery.classify import SAMPLED
from privacy.stores.base import Session, Store, StoreError, Table, Values

SAMPLE_ROWS = 500
Item = TypeVar("Item")
Answer = TypeVar("Answer")
Samples = Mapping[str, Mapping[str, Sequence[Any]]]  # {table: {column: values}}


def sample(
    store: Store, tables: Iterable[Table], *, limit: int = SAMPLE_ROWS, progress: Callable[[str], None] | None = None
) -> tuple[Samples, dict[str, str]]:
    """(samples, {table: why its rows could not be read}). A table that refuses does not stop the others.

    Raises StoreError where the store itself cannot be opened.
    """
    samples: dict[str, dict[str, list[Any]]] = {}
    refused: dict[str, str] = {}

    def look(session: Session, table: Table) -> tuple[list[str], list[Values]]:
        if progress:
            progress(table.name)
        columns = [c.name for c in table.columns.values() if c.family in SAMPLED]
        return columns, session.sample(table.name, columns, limit) if columns else []

    for table, answer in each(store, list(tables) if limit > 0 else [], look):
        if isinstance(answer, StoreError):
            refused[table.name] = str(answer)
            continue
        columns, rows = answer
        samples[table.name] = {name: [row[i] for row in rows] for i, name in enumerate(columns)}
    return samples, refused


def each(
    store: Store, items: Iterable[Item], ask: Callable[[Session, Item], Answer]
) -> Iterator[tuple[Item, Answer | StoreError]]:
    """Ask the store one thing per item, in as few transactions as can be: a refused statement ends one, the next begins another.

    Raises StoreError where the store cannot be opened.
    """
    left = deque(items)
    while left:
        opened, answers = False, list[tuple[Item, Answer | StoreError]]()
        try:
            with store.read() as session:
                opened = True
                while left:
                    answers.append((left[0], ask(session, left[0])))
                    left.popleft()
        except StoreError as error:
            if not opened:
                raise
            if left:
                answers.append((left.popleft(), error))
        yield from answers
