"""Made-up worlds: schemas, a data map over part of them, and rows, drawn by Hypothesis. `making.py` makes them real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from hypothesis import strategies as st

PEOPLE = 4
IDENTITIES = {"email": "email", "login": "login"}  # column → kind; one column of each kind per table at most
STORES = ("store", "other")  # dataset keys; nearly everything stands in the first


@dataclass(frozen=True)
class Link:
    """`child.columns` point at `parent.target`. Not mapped: a live foreign key that the data map does not mention."""

    child: str
    columns: tuple[str, ...]
    parent: str
    target: tuple[str, ...]
    mapped: bool = True
    enforced: bool = True
    on_delete: str = "NO ACTION"
    stated_at: str = "child"  # the end whose field states the reference: child | parent | both
    direction: str | None = None  # from the stating end: to | from | None
    nature: str | None = None  # joint, or None
    contested: str = "ask"
    when: tuple[str, Any] | None = None  # (column of the child, value): a polymorphic link
    set_null: bool = False

    @property
    def owns(self) -> bool:
        """Whether parent to child may be walked."""
        if self.when or self.stated_at == "both":
            return True
        return self.direction in (None, "from" if self.stated_at == "child" else "to")

    @property
    def refers(self) -> bool:
        """Whether child to parent may be walked."""
        if self.when or self.stated_at == "both":
            return True
        return self.direction in (None, "to" if self.stated_at == "child" else "from")


@dataclass(frozen=True)
class Keep:
    years: int
    fields: tuple[str, ...]
    along: tuple[str, ...] = ()  # `with`: tables, or table.column


@dataclass(frozen=True)
class Table:
    name: str
    columns: Mapping[str, str]  # name → SQL type
    key: tuple[str, ...]  # empty: a table without a key
    identities: tuple[str, ...] = ()
    mine: tuple[str, ...] = ()  # identity columns with `identity: mine`
    personal: bool = True
    mapped: bool = True
    on_erasure: str | None = "delete"
    keep: Keep | None = None
    store: str = STORES[0]
    history_of: str | None = None  # filled by a trigger with what that table's rows were before a change

    def nullable(self, column: str) -> bool:
        return column not in self.key and "NOT NULL" not in self.columns[column]

    @property
    def personal_columns(self) -> tuple[str, ...]:
        return (*(("note",) if self.personal else ()), *self.identities)


@dataclass(frozen=True)
class World:
    tables: Mapping[str, Table]
    links: tuple[Link, ...]
    rows: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    def everything(self) -> Iterator[tuple[str, int]]:
        for name, rows in self.rows.items():
            for number in range(len(rows)):
                yield name, number

    def crosses(self, link: Link) -> bool:
        return self.tables[link.child].store != self.tables[link.parent].store

    @property
    def stores(self) -> list[str]:
        return [store for store in STORES if any(table.store == store and table.mapped for table in self.tables.values())]


# -- drawing ------------------------------------------------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(3, 5))
    tenants = draw(st.sampled_from([(0, 1), ("", "a")]))  # zero and nothing at all are parts of a key like others
    tables = {f"t{i}": draw(_table(f"t{i}", tenants, first=i == 0)) for i in range(count)}
    sure, last = draw(_sure), f"t{count - 1}"
    if sure == ACROSS:
        tables[last] = replace(tables[last], store=STORES[1])
    elif sure == TENANTS:
        tables["t1"] = replace(tables["t1"], key=("ten", "id"), mapped=True)
    columns = {name: dict(table.columns) for name, table in tables.items()}
    ends = [*draw(_sure_ends(sure, last)), *[None] * draw(st.integers(count - 1, count + 1))]
    links = [draw(_link(number, tables, columns, ends=pair)) for number, pair in enumerate(ends)]
    tables = {name: replace(table, columns=columns[name]) for name, table in tables.items()}
    for name in list(tables):
        if draw(st.integers(0, 7)) == 0 and tables[name].key:
            tables[f"h{name[1:]}"] = _history(tables[name], mapped=tables[name].mapped and draw(st.integers(0, 3)) > 0)
            if tables[f"h{name[1:]}"].mapped:
                key = tables[name].key
                links.append(Link(f"h{name[1:]}", key, name, key, enforced=False, direction="from"))
    kept = _reachable(tables, links)
    links = [link for link in links if not link.mapped or {link.child, link.parent} <= kept]
    tables = {name: draw(_along(table, links, tables)) if name in kept else _unmapped(table) for name, table in tables.items()}
    rows = {
        name: [draw(_row(table, number, tenants)) for number in range(draw(_how_many(table)))] for name, table in tables.items()
    }
    for link in links:
        shared = {c for other in links if other is not link and other.child == link.child for c in other.columns}
        for row in rows[link.child]:
            draw(_point(link, row, rows[link.parent], shared, tables[link.child]))
    return World(tables, tuple(links), {name: tuple(own) for name, own in rows.items()})


@st.composite
def _table(draw: st.DrawFn, name: str, tenants: tuple[Any, Any], *, first: bool) -> Table:
    key: tuple[str, ...] = ("id",) if first else draw(st.sampled_from([("id",)] * 4 + [("ten", "id")] * 2 + [()] * 2))
    wanted = ("email",) if first else draw(st.sampled_from([(), (), (), ("email",), ("login",), ("email", "login")]))
    kind = "text" if isinstance(tenants[0], str) else "int"
    columns = {"rid": "int", "ten": kind, "id": "int", "note": draw(st.sampled_from(["text", "text NOT NULL"])), "day": "date"}
    columns |= {"flag": "int"} | dict.fromkeys(wanted, "text")
    mapped = first or draw(st.integers(0, 9)) > 0
    on_erasure = draw(st.sampled_from(["delete"] * 6 + ["anonymize", "keep"]))
    keep = None
    if on_erasure == "delete" and draw(st.integers(0, 4)) == 0:
        keep = Keep(draw(st.sampled_from([0, 1, 3])), draw(st.sampled_from([(), ("note",), ("day",)])))
    return Table(
        name,
        columns,
        key,
        identities=wanted if mapped else (),
        mine=tuple(column for column in wanted if draw(st.integers(0, 5)) == 0),
        personal=first or draw(st.integers(0, 4)) > 0,
        mapped=mapped,
        on_erasure=on_erasure,
        keep=keep,
    )


# What chance alone makes too seldom: links into another store, and rows that point twice by keys with one column in common.
ACROSS, TENANTS = "across", "tenants"
_sure = st.sampled_from([None, None, ACROSS, TENANTS])


@st.composite
def _sure_ends(draw: st.DrawFn, sure: str | None, last: str) -> list[tuple[str, str]]:
    """(child, parent) of links that a world is to have."""
    if sure == ACROSS:
        return [draw(st.sampled_from([(last, "t0"), (last, "t0"), ("t1", last)]))]
    if sure == TENANTS:
        return [(last, "t1"), (last, "t1"), draw(st.sampled_from([("t1", "t0"), ("t1", "t0"), ("t0", "t1"), (last, "t0")]))]
    return []


@st.composite
def _link(
    draw: st.DrawFn,
    number: int,
    tables: dict[str, Table],
    columns: dict[str, dict[str, str]],
    *,
    ends: tuple[str, str] | None,
) -> Link:
    child = tables[ends[0] if ends else draw(st.sampled_from(sorted(tables)))]
    parents = [name for name, table in tables.items() if table.key and (len(table.key) == 1 or table.store == child.store)]
    parent = tables[ends[1] if ends and ends[1] in parents else draw(st.sampled_from(sorted(parents)))]
    crossing = child.store != parent.store
    target = parent.key
    own = tuple(f"l{number}_{name}" for name in target)
    if len(own) > 1 and (ends or draw(st.booleans())):
        own = ("ten", own[1])  # the child's own tenant is part of every key that it points by
    columns[child.name] |= {
        name: "text" if crossing else "int" if theirs == "id" else columns[parent.name][theirs]
        for name, theirs in zip(own, target, strict=True)
        if name != "ten"
    }
    mapped = crossing or (child.mapped and parent.mapped and draw(st.integers(0, 6)) > 0)
    if not mapped:
        return Link(child.name, own, parent.name, target, mapped=False, on_delete=draw(_rules))
    enforced = draw(st.booleans()) and not crossing
    when = None
    if len(own) == 1 and child is not parent and not crossing and draw(st.integers(0, 5)) == 0:
        columns[child.name][f"l{number}_kind"] = "text"
        when, enforced = (f"l{number}_kind", "yes"), False
    joint = not when and len(own) == 1 and child is not parent and not crossing and draw(st.integers(0, 6)) == 0
    return Link(
        child.name,
        own,
        parent.name,
        target,
        enforced=enforced,
        on_delete=draw(_rules) if enforced else "NO ACTION",
        stated_at="child" if when or child is parent else draw(st.sampled_from(["child", "child", "parent", "both"])),
        direction=draw(st.sampled_from([None, None, "to", "from"])),
        nature="joint" if joint else None,
        contested=draw(st.sampled_from(["ask"] * 4 + ["keep", "redact"])),
        when=when,
        set_null=not crossing and draw(st.integers(0, 7)) == 0,
    )


_rules = st.sampled_from(["NO ACTION"] * 4 + ["CASCADE", "SET NULL"])


def _history(table: Table, *, mapped: bool) -> Table:
    columns = {"rid": "int GENERATED BY DEFAULT AS IDENTITY (START WITH 1000)", "ten": table.columns["ten"], "id": "int"}
    columns |= {"note": "text", "day": "date", "flag": "int"}
    return Table(f"h{table.name[1:]}", columns, (), mapped=mapped, store=table.store, history_of=table.name)


def _unmapped(table: Table) -> Table:
    return replace(table, mapped=False, identities=(), mine=())


@st.composite
def _along(draw: st.DrawFn, table: Table, links: list[Link], tables: Mapping[str, Table]) -> Table:
    """What a kept row needs elsewhere: other tables, a link away."""
    near = {
        end
        for link in links
        for end in (link.child, link.parent)
        if link.mapped and table.name in (link.child, link.parent) and end != table.name and tables[end].store == table.store
        if not tables[end].history_of
    }
    if not table.keep or not near or draw(st.booleans()):
        return table
    needs = draw(st.lists(st.sampled_from(sorted(near)), min_size=1, max_size=2, unique=True))
    along = tuple(name + draw(st.sampled_from(["", ".note", ".day"])) for name in needs)
    return replace(table, keep=replace(table.keep, along=along))


def _reachable(tables: Mapping[str, Table], links: list[Link]) -> set[str]:
    """What the loader would accept: tables with personal data that nothing reaches leave the map."""
    strong = {name for name, table in tables.items() if table.identities and table.mapped}
    weak: set[str] = set()
    while True:
        before = len(strong), len(weak)
        for link in links:
            if not link.mapped or not tables[link.child].mapped or not tables[link.parent].mapped:
                continue
            if link.parent in strong and link.owns:
                strong.add(link.child)
            if link.child in strong and link.nature == "joint":
                strong.add(link.parent)
            if link.child in strong | weak and link.refers:
                weak.add(link.parent)
        if before == (len(strong), len(weak)):
            return strong | weak


def _how_many(table: Table) -> st.SearchStrategy[int]:
    return st.integers(0, 2) if table.history_of else st.integers(1, 4)


@st.composite
def _row(draw: st.DrawFn, table: Table, number: int, tenants: tuple[Any, Any]) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(table.columns)
    row |= {"rid": number, "ten": tenants[number % 2], "id": number, "note": f"note {number}"}
    row["day"] = draw(st.sampled_from([None, date(2023, 1, 1), date(2025, 6, 1), date(2026, 3, 5)]))
    for column in table.columns:
        if column in IDENTITIES:
            person = draw(st.sampled_from([*range(PEOPLE), None, "", "n/a"]))
            row[column] = _spelled(draw, column, person) if isinstance(person, int) else person
    return row


def _spelled(draw: st.DrawFn, column: str, person: int) -> str:
    if column == "email":
        return draw(st.sampled_from(["p{}@example.com"] * 4 + ["P{}@Example.com"])).format(person)
    return f"L{person}"


@st.composite
def _point(
    draw: st.DrawFn, link: Link, row: dict[str, Any], parents: list[dict[str, Any]], shared: set[str], child: Table
) -> None:
    own = list(zip(link.columns, link.target, strict=True))
    fits = [n for n, parent in enumerate(parents) if all(row[a] == parent[b] for a, b in own if a == "ten" or a in shared)]
    choice = draw(st.sampled_from([*fits, None] + ([] if link.enforced else [-1])))
    text = child.columns[link.columns[-1]] == "text"
    free = [a for a, _ in own if a != "ten" and a not in shared]
    if choice == -1:  # points at nothing
        row |= dict.fromkeys(free, "no number" if text else None) | {link.columns[-1]: "no number" if text else 99}
    elif choice is not None:
        row |= {a: str(parents[choice][b]) if text and b == "id" else parents[choice][b] for a, b in own}
    elif len(free) > 1 and draw(st.booleans()):
        row[free[0]] = parents[0]["ten"] if parents else None  # half a key points at nothing
    if link.when:
        row[link.when[0]] = draw(st.sampled_from(["yes", "yes", "no", None]))


def describe(world: World) -> str:
    """What differs from the defaults, for whoever reads a failure."""
    lines = []
    for table in world.tables.values():
        lines.append(
            f"{table.name} {table.key=} {table.identities=} {table.mine=} {table.personal=} {table.mapped=} {table.on_erasure=} "
            f"{table.keep=} {table.store=} {table.history_of=}"
        )
        lines += [str({k: v for k, v in row.items() if v is not None and k != "rid"}) for row in world.rows[table.name]]
    return "\n".join([*lines, *map(repr, world.links)]).replace("table.", "")
