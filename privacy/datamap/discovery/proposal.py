"""A proposed data map: what discovery made of a live schema, for the engineer to correct and load."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from privacy.datamap.checks import reachable
from privacy.datamap.discovery import hints, names
from privacy.datamap.discovery import links as linking
from privacy.datamap.discovery.classify import Guess, classify
from privacy.datamap.discovery.links import Link
from privacy.datamap.discovery.sampling import SAMPLE_ROWS, Samples, sample
from privacy.datamap.joining import build
from privacy.datamap.model import Collection, DataMapError, Dataset, Field, Reference
from privacy.stores import base
from privacy.stores.base import Schema, Store

PERSON, OWNED, MENTIONED, OTHER, SYSTEM = "person", "owned", "mentioned", "other", "system"


@dataclass(frozen=True)
class Column:
    name: str
    primary_key: bool
    guess: Guess | None
    links: tuple[tuple[Link, int], ...] = ()  # (link, place of the column in its key)


@dataclass(frozen=True)
class Table:
    """`part`: person (carries an identity), owned (hangs below one), mentioned, other, or system (a framework's own)."""

    name: str
    part: str
    columns: tuple[Column, ...]
    on_erasure: str = ""  # suggestion, with its reason
    retention: str = ""
    unread: str = ""  # why its rows could not be looked at
    unreached: bool = False  # it looks personal, but no identity and no link leads to it


@dataclass(frozen=True)
class Proposal:
    key: str
    schema: str | None
    tables: tuple[Table, ...]
    views: tuple[str, ...] = ()
    doubtful: tuple[Link, ...] = ()  # links that a file cannot state, or too uncertain to state
    problems: tuple[str, ...] = ()  # what loading the proposal as it stands would still complain about

    def dataset(self) -> Dataset:
        """The proposal as its dataset file reads once it is loaded."""
        return Dataset(self.key, {table.name: _collection(self.key, table) for table in self.tables}, schema=self.schema)


def discover(
    store: Store,
    *,
    key: str,
    schema: str | None = None,
    limit: int = SAMPLE_ROWS,
    progress: Callable[[str], None] | None = None,
) -> Proposal:
    """Reflect the store, look at up to `limit` rows of each table and propose a map. Values are forgotten. Raises StoreError."""
    live = store.schema()
    # Tables of other schemas that point here are known by their keys only.
    own = {name: table for name, table in live.tables.items() if table.name == name and table.kind == "table"}
    views = tuple(sorted(name for name, table in live.tables.items() if table.kind != "table"))
    samples, unread = sample(store, own.values(), limit=limit, progress=progress)
    found = linking.declared(live, own)
    found += linking.confirmed(store, own, linking.candidates(own, found), samples)
    stated = [link for link in found if "." not in link.parent and link.confidence >= 0.5]
    guesses, stated, owned = _settle(own, samples, stated)
    tables = tuple(_table(table, guesses[name], stated, owned, unread.get(name, "")) for name, table in sorted(own.items()))
    doubtful = tuple(link for link in found if "." in link.parent or link.confidence < 0.5)
    return _checked(Proposal(key, schema, tables, views, doubtful), live)


def _settle(
    tables: Mapping[str, base.Table], samples: Samples, links: list[Link]
) -> tuple[dict[str, dict[str, Guess]], list[Link], set[str]]:
    """Who carries an identity decides what hangs below whom, and that decides which names are believed."""
    pointing: dict[str, set[str]] = {name: set() for name in tables}
    for link in links:
        pointing[link.child].update(link.child_columns)
    near: set[str] = set()
    while True:
        guesses = {
            name: {}
            if names.system(name) and name not in near
            else classify(table, samples.get(name, {}), near=name in near, links=pointing[name])
            for name, table in tables.items()
        }
        roots = {name for name, found in guesses.items() if any(g.identity and g.likely for g in found.values())}
        # A table of people owns what points at it, whether or not the identities stand in it.
        directed, owned = linking.directed(links, tables, roots | {name for name in tables if names.about_a_person(name)})
        # A person's row mentions an address or a profile: what stands there is near the person too.
        grown = owned | {k.parent for k in directed if k.child in owned and _extends_a_person(k.parent)}
        if grown <= near:
            return guesses, directed, owned
        near |= grown


def _extends_a_person(table: str) -> bool:
    return re.search(r"(^|_)(addr|adress|profil|detail|info|contact|kontakt|person)", names.words(table)) is not None


def _table(table: base.Table, guesses: Mapping[str, Guess], links: list[Link], owned: set[str], unread: str) -> Table:
    own = [link for link in links if link.child == table.name]
    columns = tuple(
        Column(
            name,
            name in table.primary_key,
            guesses.get(name),
            tuple((link, link.child_columns.index(name)) for link in own if name in link.child_columns),
        )
        for name in table.columns
    )
    person = any(g.identity and g.likely for g in guesses.values())
    mentioned = any(link.parent == table.name and link.child in owned for link in links)
    part = PERSON if person else OWNED if table.name in owned else MENTIONED if mentioned else OTHER
    if part in (OTHER, MENTIONED) and names.system(table.name):
        part = SYSTEM
        columns = tuple(replace(column, links=()) for column in columns)
    parts = [link.child for link in links if link.parent == table.name and link.direction == "from"]
    acts = part in (PERSON, OWNED) or any(g.likely for g in guesses.values())
    return Table(
        table.name,
        part,
        columns,
        on_erasure=hints.on_erasure(table) if acts else "",
        retention=hints.retention(table, [c.name for c in columns if c.guess and c.guess.likely], parts) if acts else "",
        unread=unread,
    )


def _checked(proposal: Proposal, schema: Schema) -> Proposal:
    """The proposal with what nothing reaches set apart, as loading it would find; and whatever else loading would say."""
    skipped = {table.name for table in proposal.tables if table.part == SYSTEM}
    live = Schema({n: t for n, t in schema.tables.items() if n not in skipped}, schema.foreign_keys)
    graph = build({proposal.key: proposal.dataset()}, {proposal.key: live}, check=False)
    reached = {name for _, name in reachable(graph)}
    tables = tuple(
        table if table.name in reached else replace(
            table,
            part=SYSTEM if table.part == SYSTEM else OTHER,
            unreached=any(c.guess and c.guess.likely for c in table.columns),
            on_erasure="",
            retention="",
        )
        for table in proposal.tables
    )  # fmt: skip
    settled = replace(proposal, tables=tables)
    return replace(settled, problems=tuple(_problems(settled, live)))


def _problems(proposal: Proposal, live: Schema) -> list[str]:
    try:
        build({proposal.key: proposal.dataset()}, {proposal.key: live})
    except DataMapError as error:
        return error.problems
    return []


def _collection(key: str, table: Table) -> Collection:
    fields = {}
    for column in table.columns:
        guess = column.guess if column.guess and column.guess.likely and not table.unreached else None
        references = tuple(
            Reference(key, link.parent, link.parent_columns[place], link.direction) for link, place in column.links
        )
        fields[column.name] = Field(
            column.name,
            categories=guess.categories if guess else (),
            identity=guess.identity if guess else None,
            primary_key=column.primary_key,
            references=references,
        )
    return Collection(table.name, fields, skip=table.part == SYSTEM)
