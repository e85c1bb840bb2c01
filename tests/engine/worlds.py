"""Made-up worlds: a schema, a data map over part of it, and rows, drawn by Hypothesis and made real in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml
from hypothesis import strategies as st

PEOPLE = 4
IDENTITIES = {"email": "email", "login": "login"}  # column → kind; one column of each kind per table at most


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


@dataclass(frozen=True)
class Table:
    name: str
    columns: Mapping[str, str]  # name → SQL type
    key: tuple[str, ...]
    identities: tuple[str, ...] = ()
    mine: tuple[str, ...] = ()  # identity columns with `identity: mine`
    personal: bool = True
    mapped: bool = True
    on_erasure: str | None = "delete"
    keep: Keep | None = None

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


# -- drawing ------------------------------------------------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(3, 5))
    tables = {f"t{i}": draw(_table(f"t{i}", first=i == 0)) for i in range(count)}
    columns = {name: dict(table.columns) for name, table in tables.items()}
    links = [draw(_link(number, tables, columns)) for number in range(draw(st.integers(count - 1, count + 3)))]
    tables = {name: _with_columns(table, columns[name]) for name, table in tables.items()}
    kept = _reachable(tables, links)
    links = [link for link in links if not link.mapped or {link.child, link.parent} <= kept]
    tables = {name: table if name in kept else _unmapped(table) for name, table in tables.items()}
    rows = {name: tuple(draw(_row(table, number)) for number in range(draw(st.integers(1, 4)))) for name, table in tables.items()}
    pointed = {name: [dict(row) for row in own] for name, own in rows.items()}
    for link in links:
        for row in pointed[link.child]:
            draw(_point(link, row, pointed[link.parent]))
    return World(tables, tuple(links), {name: tuple(own) for name, own in pointed.items()})


@st.composite
def _table(draw: st.DrawFn, name: str, *, first: bool) -> Table:
    composite = not first and draw(st.integers(0, 4)) == 0
    key = ("ten", "id") if composite else ("id",)
    wanted = ("email",) if first else draw(st.sampled_from([(), (), (), ("email",), ("login",), ("email", "login")]))
    columns = {"rid": "int", "ten": "int", "id": "int", "note": draw(st.sampled_from(["text", "text NOT NULL"])), "day": "date"}
    columns |= dict.fromkeys(wanted, "text")
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


@st.composite
def _link(draw: st.DrawFn, number: int, tables: dict[str, Table], columns: dict[str, dict[str, str]]) -> Link:
    child, parent = tables[draw(st.sampled_from(sorted(tables)))], tables[draw(st.sampled_from(sorted(tables)))]
    target = parent.key
    own = tuple(f"l{number}_{name}" for name in target)
    columns[child.name] |= dict.fromkeys(own, "int")
    mapped = child.mapped and parent.mapped and draw(st.integers(0, 6)) > 0
    enforced = not mapped or draw(st.booleans())
    if not mapped:
        return Link(child.name, own, parent.name, target, mapped=False, on_delete=draw(_rules))
    when = None
    if len(own) == 1 and child is not parent and draw(st.integers(0, 7)) == 0:
        columns[child.name][f"l{number}_kind"] = "text"
        when, enforced = (f"l{number}_kind", "yes"), False
    return Link(
        child.name,
        own,
        parent.name,
        target,
        enforced=enforced,
        on_delete=draw(_rules) if enforced else "NO ACTION",
        stated_at="child" if when or child is parent else draw(st.sampled_from(["child", "child", "parent", "both"])),
        direction=draw(st.sampled_from([None, None, "to", "from"])),
        nature="joint" if not when and len(own) == 1 and child is not parent and draw(st.integers(0, 6)) == 0 else None,
        contested=draw(st.sampled_from(["ask"] * 4 + ["keep", "redact"])),
        when=when,
        set_null=draw(st.integers(0, 7)) == 0,
    )


_rules = st.sampled_from(["NO ACTION"] * 4 + ["CASCADE", "SET NULL"])


def _with_columns(table: Table, columns: dict[str, str]) -> Table:
    return Table(**{**vars(table), "columns": columns})


def _unmapped(table: Table) -> Table:
    return Table(**{**vars(table), "mapped": False, "identities": (), "mine": ()})


def _reachable(tables: Mapping[str, Table], links: list[Link]) -> set[str]:
    """What the loader would accept: tables with personal data that nothing reaches leave the map."""
    strong = {name for name, table in tables.items() if table.identities and table.mapped}
    weak: set[str] = set()
    while True:
        before = len(strong), len(weak)
        for link in links:
            if not link.mapped:
                continue
            if link.parent in strong and link.owns:
                strong.add(link.child)
            if link.child in strong and link.nature == "joint":
                strong.add(link.parent)
            if link.child in strong | weak and link.refers:
                weak.add(link.parent)
        if before == (len(strong), len(weak)):
            return strong | weak


@st.composite
def _row(draw: st.DrawFn, table: Table, number: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(table.columns)
    row |= {"rid": number, "ten": number % 2, "id": number, "note": f"note {number}"}
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
def _point(draw: st.DrawFn, link: Link, row: dict[str, Any], parents: list[dict[str, Any]]) -> None:
    choice = draw(st.sampled_from([*range(len(parents)), None] + ([] if link.enforced else [-1])))
    if choice == -1:  # points at nothing
        row |= dict(zip(link.columns, [99] * len(link.columns), strict=True))
    elif choice is not None:
        row |= {own: parents[choice][name] for own, name in zip(link.columns, link.target, strict=True)}
    elif len(link.columns) > 1 and draw(st.booleans()):
        row[link.columns[0]] = 0  # half a key points at nothing
    if link.when:
        row[link.when[0]] = draw(st.sampled_from(["yes", "yes", "no", None]))


def describe(world: World) -> str:
    """What differs from the defaults, for whoever reads a failure."""
    lines = []
    for table in world.tables.values():
        lines.append(
            f"{table.name} {table.identities=} {table.mine=} {table.personal=} {table.mapped=} {table.on_erasure=} {table.keep=}"
        )
        lines += [str({k: v for k, v in row.items() if v is not None and k != "rid"}) for row in world.rows[table.name]]
    return "\n".join([*lines, *map(repr, world.links)]).replace("table.", "")


# -- making it real -----------------------------------------------------------------------------------------------------


def ddl(world: World) -> str:
    """One text of statements: tables, rows, then keys, so that rows may point in circles."""
    parts = []
    for table in world.tables.values():
        lines = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
        parts.append(f"CREATE TABLE {table.name} ({lines}, PRIMARY KEY ({', '.join(table.key)}))")
        for row in world.rows[table.name]:
            values = ", ".join(_literal(row[name]) for name in table.columns)
            parts.append(f"INSERT INTO {table.name} VALUES ({values})")
    parts += [
        f"ALTER TABLE {link.child} ADD FOREIGN KEY ({', '.join(link.columns)}) "
        f"REFERENCES {link.parent} ({', '.join(link.target)}) ON DELETE {link.on_delete}"
        for link in world.links
        if link.enforced
    ]
    return ";\n".join(parts)


def _literal(value: Any) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def dataset(world: World, schema: str) -> str:
    """The data map of a world, as a file."""
    collections: dict[str, dict[str, dict[str, Any]]] = {}
    for table in world.tables.values():
        if table.mapped:
            collections[table.name] = {name: _field(table, name) for name in table.columns if name != "rid"}
    extension: dict[str, Any] = {"collections": {}, "links": {}, "fields": {}, "keys": []}
    for table in world.tables.values():
        if table.mapped:
            entry: dict[str, Any] = {"on_erasure": table.on_erasure} if table.on_erasure else {}
            if table.keep:
                rule = {"basis": "a law", "from": "day", "for": f"P{table.keep.years}Y", "fields": list(table.keep.fields)}
                entry["keep"] = [rule]
            extension["collections"][table.name] = entry
            extension["fields"] |= {
                f"{table.name}.{column}": {"identity": "mine"} for column in table.mine if column in table.identities
            }
    for link in world.links:
        if link.mapped:
            _state(link, collections, extension)
    return yaml.safe_dump(
        {
            "dataset": [
                {
                    "fides_key": "store",
                    "fides_meta": {"namespace": {"schema": schema}},
                    "meta": {"privacy": extension},
                    "collections": [{"name": name, "fields": list(fields.values())} for name, fields in collections.items()],
                }
            ]
        },
        sort_keys=False,
    )


def _field(table: Table, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": name,
        "data_categories": ["user.content" if name in table.personal_columns else "system.operations"],
    }
    if name in table.identities:
        entry["fides_meta"] = {"identity": IDENTITIES[name]}
    return entry


def _state(link: Link, collections: dict[str, Any], extension: dict[str, Any]) -> None:
    rule: dict[str, Any] = {"contested": link.contested}
    if link.set_null:
        rule["on_parent_erased"] = "set_null"
    if link.nature:
        rule["nature"] = link.nature
    path = f"{link.child}.{link.columns[0]}"
    if link.when:
        rule |= {"to": f"{link.parent}.{link.target[0]}", "when": dict([link.when])}
    extension["links"][path] = rule
    if len(link.columns) > 1:
        extension["keys"].append([*(f"{link.child}.{c}" for c in link.columns), *(f"{link.parent}.{c}" for c in link.target)])
    for own, target in zip(link.columns, link.target, strict=True):
        if link.stated_at in ("child", "both"):
            # At both ends: each end allows its own half.
            direction = "to" if link.stated_at == "both" else link.direction
            _refer(collections[link.child][own], f"{link.parent}.{target}", direction)
        if link.stated_at in ("parent", "both"):
            direction = "to" if link.stated_at == "both" else link.direction
            _refer(collections[link.parent][target], f"{link.child}.{own}", direction)


def _refer(entry: dict[str, Any], target: str, direction: str | None) -> None:
    reference = {"dataset": "store", "field": target} | ({"direction": direction} if direction else {})
    entry.setdefault("fides_meta", {}).setdefault("references", []).append(reference)
