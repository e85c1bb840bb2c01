"""Look for people in every text of one store, mapped or not, after their data were erased (R21)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from privacy.engine.residue.mentions import Mentions
from privacy.engine.residue.scan import Read, Residue, columns_of, read_table
from privacy.maps import open_maps
from privacy.stores import base
from privacy.terms import Person, Scanned, StoreUnavailable, UnknownStore


def scan(
    *,
    store_key: str,
    people: Sequence[Person],
    heartbeat: Callable[[], None] = lambda: None,
    done: Collection[str] = (),
    begun: Scanned | None = None,
) -> Iterator[Scanned]:
    """Table by table, but for those in `done`, one pass over each for all the people. Where a table is read in pieces it is told
    how far: handed over as `begun`, another pass for the same people goes on there.

    A table that may not be read is answered with its error, and the others go on. Raises StoreUnavailable, UnknownStore.
    """
    maps = open_maps(only=[store_key])
    if store_key not in maps.versions:
        raise UnknownStore(f"no active store with a data map has the key {store_key}")
    if store_key not in maps.stores:
        raise StoreUnavailable(maps.down[store_key])
    mentions = Mentions([[(identity.kind, identity.value) for identity in person.identities] for person in people])
    waiting = {table: columns for table, columns in columns_of(maps.graph, store_key).items() if table not in done}
    while waiting:
        try:
            with maps.stores[store_key].read() as session:
                while waiting:
                    table = next(iter(waiting))
                    before = _begun(begun, people, table, waiting[table])
                    reading = read_table(maps.graph, session, store_key, table, mentions, heartbeat=heartbeat, begun=before)
                    for read in reading:
                        yield _scanned(table, len(waiting[table]), read, people)
                    del waiting[table]
        except base.StoreUnavailable as error:
            raise StoreUnavailable(str(error)) from None
        except base.StoreRefused as error:  # this table; its transaction is of no use any more
            yield Scanned(table, len(waiting.pop(table)), error=str(error))


def _scanned(table: str, columns: int, read: Read, people: Sequence[Person]) -> Scanned:
    shown = {
        people[number].ref: [{"column": r.column, "rows": r.rows, "mapped": r.mapped} for r in residues]
        for number, residues in read.found.items()
    }
    return Scanned(table, columns, shown, mark=read.mark)


def _begun(begun: Scanned | None, people: Sequence[Person], table: str, columns: Sequence[str]) -> Read | None:
    """What a pass before found in this table, if its columns are the same still."""
    if begun is None or begun.table != table or begun.columns != len(columns):
        return None
    numbers = {person.ref: number for number, person in enumerate(people)}
    found = {numbers[ref]: [Residue(**item) for item in items] for ref, items in begun.found.items() if ref in numbers}
    known = {f"{table}.{name}" for name in columns}
    same = all(item.column in known for items in found.values() for item in items)
    return Read(found, begun.mark) if same else None
