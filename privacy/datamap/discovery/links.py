"""Links between tables: declared foreign keys, and columns whose name and values say where they point.

The direction of a link (DESIGN R6): `from` where a row belongs to the row it points at, so that a person's rows are walked;
`to` where it only mentions another (the product, the employee who helped).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from privacy.datamap.discovery import names
from privacy.datamap.discovery.names import words
from privacy.datamap.discovery.sampling import each
from privacy.stores.base import NO_MATCH, Schema, Session, Store, StoreError, Table
from privacy.stores.values import convert

LOOKED_UP = 100  # distinct values per candidate that are looked up where they seem to point
_ENDING = re.compile(r"_?(id|ids|uuid|guid|pk|key|code|no|nr|number|nummer|num|ref)$")
_KEY_FAMILIES = frozenset({"int", "text", "uuid", "decimal"})


@dataclass(frozen=True)
class Link:
    child: str
    child_columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    declared: bool
    confidence: float
    why: str
    direction: str = "to"

    @property
    def plain(self) -> bool:
        """Whether the column is called after what it points at, and not after the part that plays (`approved_by`)."""
        return not names.actor(self.child_columns[0]) or _ENDING.sub("", words(self.child_columns[0])) == words(self.parent)


def declared(schema: Schema, tables: Mapping[str, Table]) -> list[Link]:
    return [
        Link(fk.child, fk.child_columns, fk.parent, fk.parent_columns, True, 1.0, "a foreign key")
        for fk in schema.foreign_keys
        if fk.child in tables and fk.parent in tables and all(c in tables[fk.parent].columns for c in fk.parent_columns)
    ]


# -- links that nobody declared -----------------------------------------------------------------------------------------


def candidates(tables: Mapping[str, Table], known: Iterable[Link]) -> list[Link]:
    """Columns whose name says that they point at another table's unique column."""
    taken = {(link.child, column) for link in known for column in link.child_columns}
    targets = list(_targets(tables))
    found: dict[tuple[str, str], Link] = {}
    for table in tables.values():
        for column in table.columns.values():
            alone = table.primary_key == (column.name,)
            if (table.name, column.name) in taken or column.family not in _KEY_FAMILIES:
                continue
            for parent, key, called, likely in targets:
                if (parent.name == table.name and not names.actor(column.name)) or (alone and parent.name == table.name):
                    continue
                if words(column.name) == words(key) and table.is_unique([column.name]) and not _starts_like(parent.name, key):
                    continue  # two tables each with a number of their own
                if words(column.name) in called and _comparable(table, column.name, parent, key):
                    link = Link(
                        table.name, (column.name,), parent.name, (key,), False, likely, f"called after {parent.name}.{key}"
                    )
                    best = found.get((table.name, column.name))
                    if best is None or (best.confidence, -len(best.parent)) < (likely, -len(parent.name)):
                        found[table.name, column.name] = link
    return _without_mutual(found.values())


def _targets(tables: Mapping[str, Table]) -> Iterator[tuple[Table, str, frozenset[str], float]]:
    """(table, unique column, the names by which others call it, how telling those are)."""
    for table in tables.values():
        for unique in table.uniques:
            if len(unique) != 1 or table.columns[unique[0]].family not in _KEY_FAMILIES:
                continue
            key = words(unique[0])
            called = set()
            for noun in _nouns(table.name):
                plain = key if key.startswith(noun) else f"{noun}_{key}"
                called |= {plain, plain.replace("_", "")}
                if table.primary_key == unique:
                    called |= {f"{noun}_id", f"{noun}id", f"id_{noun}", f"{noun}_fk"}
                if key in ("number", "no", "nr", "nummer"):
                    called |= {noun + end for end in ("_number", "_no", "_nr", "nr", "_nummer", "nummer")}
            if key not in ("id", "uuid", "key", "code", "name", "number", "no", "nr", "nummer", "slug", "email"):
                called.add(key)
            yield table, unique[0], frozenset(called), 0.7
    for table in tables.values():
        # Whoever did something is a user of the system, where there is one table of those.
        if words(table.name) in ("user", "users", "auth_user", "accounts_user", "anvandare") and len(table.primary_key) == 1:
            called = {f"{part}{end}" for part in _PARTS for end in ("", "_id")}
            yield table, table.primary_key[0], frozenset(called), 0.6


_PARTS = re.findall(
    r"\w+",
    "created_by updated_by modified_by deleted_by approved_by assigned_to assignee owner author creator sender recipient manager "
    "reviewer invited_by uploaded_by user skapad_av andrad_av agare",
)


def _nouns(table: str) -> set[str]:
    """`shop_customers` → customer, customers, shop_customer …: what a foreign key to the table may be called."""
    name = words(table)
    parts = name.split("_")
    out = set()
    for start in range(min(len(parts), 3)):
        noun = "_".join(parts[start:])
        out |= {noun, *_singular(noun)}
    return {noun for noun in out if len(noun) > 2}


def _singular(noun: str) -> Iterator[str]:
    for plural, single in (
        ("ies", "y"),
        ("ses", "s"),
        ("xes", "x"),
        ("s", ""),
        ("people", "person"),
        ("or", "a"),
        ("ar", ""),
        ("er", ""),
        ("n", ""),
    ):
        if noun.endswith(plural) and len(noun) > len(plural) + 2:
            yield noun[: -len(plural)] + single


def _comparable(child: Table, column: str, parent: Table, key: str) -> bool:
    families = {child.columns[column].family, parent.columns[key].family}
    return len(families) == 1 or families <= {"int", "decimal"}


def _without_mutual(links: Iterable[Link]) -> list[Link]:
    """Two unique columns of one name point at each other: the one in the table called like it is the target."""
    kept: dict[frozenset[tuple[str, str]], Link] = {}
    for link in links:
        ends = frozenset({(link.child, link.child_columns[0]), (link.parent, link.parent_columns[0])})
        other = kept.get(ends)
        if other is None or _called_like(link.parent, link.parent_columns[0]) > _called_like(
            other.parent, other.parent_columns[0]
        ):
            kept[ends] = link
    return list(kept.values())


def _called_like(table: str, column: str) -> bool:
    return _starts_like(table, column) or names.about_a_person(table)


def _starts_like(table: str, column: str) -> bool:
    return any(words(column).startswith(noun) for noun in _nouns(table))


def confirmed(
    store: Store, tables: Mapping[str, Table], links: Sequence[Link], samples: Mapping[str, Mapping[str, Sequence[Any]]]
) -> list[Link]:
    """The candidates that the rows bear out: nearly every sampled value is there where it should point."""
    out: list[Link] = []
    asked: dict[Link, list[Any]] = {}
    for link in links:
        column = tables[link.parent].columns[link.parent_columns[0]]
        seen = list(
            dict.fromkeys(v for v in samples.get(link.child, {}).get(link.child_columns[0], ()) if v not in (None, "", 0))
        )[:LOOKED_UP]
        if seen:
            asked[link] = [value if convert(value, column) is not NO_MATCH else None for value in seen]
        else:
            out.append(replace(link, confidence=link.confidence - 0.1, why=f"{link.why}; there are no values to compare"))
    for link, found in each(store, asked, lambda session, link: _found(session, link, asked[link])):
        share = 0.0 if isinstance(found, StoreError) else found / len(asked[link])
        if share >= 0.9:
            why = f"{link.why}; {round(share * 100)} % of {len(asked[link])} values sampled are there"
            out.append(replace(link, confidence=min(0.95, link.confidence + 0.2), why=why))
    return out


def _found(session: Session, link: Link, values: Sequence[Any]) -> int:
    rows = [(number, value) for number, value in enumerate(values)]
    return len({tag for tag, _, _ in session.find(link.parent, link.parent_columns, rows, link.parent_columns, {})})


# -- directions ---------------------------------------------------------------------------------------------------------


def directed(links: Sequence[Link], tables: Mapping[str, Table], roots: set[str]) -> tuple[list[Link], set[str]]:
    """(links with their direction, tables that hang below a person). `roots`: tables that carry an identity."""
    owners = [link for link in links if not _mentions(link, links, tables)]
    plain = [link for link in owners if link.plain and not names.staff(link.parent)]
    owned, owning = set(roots), set[Link]()
    _spread(owned, owning, plain)
    # A part somebody plays makes a row theirs where nobody else has it: the comment of its author, not the order of its clerk.
    late = sorted(owners, key=lambda link: not _MADE_BY.search(words(link.child_columns[0])))
    while next_one := next((link for link in late if link.parent in owned and link.child not in owned), None):
        owned.add(next_one.child)
        owning.add(next_one)
        _spread(owned, owning, plain)
    return [replace(link, direction="from" if link in owning else "to") for link in links], owned


_MADE_BY = re.compile(r"(^|_)(created|entered|added|author|owner|creator|skapad|agare)(_|$)")


def _mentions(link: Link, links: Sequence[Link], tables: Mapping[str, Table]) -> bool:
    """Whether a row can only mention what it points at, and not belong to it."""
    if link.child == link.parent or names.catalogue(link.parent):
        return True
    person = names.about_a_person(link.parent)
    if names.about_a_person(link.child) and (not person or names.staff(link.parent) or not link.plain):
        return True
    # `customer_contact (customer_id, contact_id)`: the row belongs to the person of the two, else to the first.
    for pair in tables[link.child].uniques:
        if len(pair) == 2 and link.child_columns[0] in pair:
            second = link.child_columns[0] == pair[1]
            other = next((k for k in links if k.child == link.child and k.child_columns == (pair[not second],)), None)
            if other and other.parent != link.parent and names.about_a_person(other.parent) >= person + (not second):
                return True
    return False


def _spread(owned: set[str], owning: set[Link], links: Sequence[Link]) -> None:
    grew = True
    while grew:
        grew = False
        for link in links:
            if link.parent in owned and link not in owning:
                owning.add(link)
                grew = True
                owned.add(link.child)
