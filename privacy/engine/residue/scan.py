"""Residue: what an erasure left behind in columns that no map knows (R21).

One pass per table over all its text, JSON and array columns, for the identities of all people at once: the database lets through
what may hold one of them, and every word of that is looked up (`engine.mentions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from privacy.datamap.graph import Graph
from privacy.engine.residue.mentions import Mentions
from privacy.stores.base import Mark, Session

TEXTS = ("text", "json", "array")


@dataclass(frozen=True)
class Residue:
    column: str  # collection.column
    rows: int
    mapped: bool


def columns_of(graph: Graph, store: str) -> dict[str, tuple[str, ...]]:
    """{table: columns} that a scan of the store reads: every table that is no view, mapped or not."""
    found = {}
    for name, table in sorted(graph.schemas[store].tables.items()):
        columns = tuple(column.name for column in table.columns.values() if column.family in TEXTS or column.free)
        if columns and table.kind == "table":
            found[name] = columns
    return found


@dataclass(frozen=True)
class Read:
    """Who stands in a table, by their places among the people that are looked for; as far as `mark`, or in all of it."""

    found: dict[int, list[Residue]]
    mark: Mark | None = None


def read_table(
    graph: Graph,
    session: Session,
    store: str,
    table: str,
    mentions: Mentions,
    *,
    heartbeat: Callable[[], None] = lambda: None,
    begun: Read | None = None,
) -> Iterator[Read]:
    """What was found so far wherever a later reading may go on, by handing it over as `begun`; at last what the table holds."""
    columns = columns_of(graph, store)[table]
    types = graph.schemas[store].tables[table].columns
    is_json = [types[name].family == "json" for name in columns]
    known = graph.datasets[store].collections
    mapped = known[table].fields if table in known else {}
    counts: dict[tuple[int, int], int] = {}
    for person, residues in begun.found.items() if begun else ():
        counts |= {(person, columns.index(item.column.removeprefix(f"{table}."))): item.rows for item in residues}

    def found() -> dict[int, list[Residue]]:
        out: dict[int, list[Residue]] = {}
        for (person, place), count in sorted(counts.items()):
            out.setdefault(person, []).append(Residue(f"{table}.{columns[place]}", count, columns[place] in mapped))
        return out

    for rows, mark in session.may_hold(table, columns, mentions.needles, begun.mark if begun else None):
        heartbeat()
        for row in rows:
            for place, text in enumerate(row):
                if isinstance(text, str):
                    for person in mentions.of(text, is_json=is_json[place]):
                        counts[person, place] = counts.get((person, place), 0) + 1
        if mark is not None:
            yield Read(found(), mark)
    yield Read(found())


def scan(
    graph: Graph,
    session: Session,
    store: str,
    people: Sequence[Sequence[tuple[str, str]]],
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[list[Residue]]:
    """The same for a whole store, per person (given by their identities)."""
    mentions = Mentions(people)
    out: list[list[Residue]] = [[] for _ in people]
    for table in columns_of(graph, store):
        for read in read_table(graph, session, store, table, mentions, heartbeat=heartbeat):
            whole = read
        for person, found in whole.found.items():
            out[person] += found
    return out
