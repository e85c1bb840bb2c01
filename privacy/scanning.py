"""Look for people in every text of one store, mapped or not, after their data were erased (R21)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from privacy.engine.mentions import Mentions
from privacy.engine.residue import columns_of, scan_table
from privacy.maps import Maps, open_maps
from privacy.stores import base
from privacy.terms import Person, Scanned, StoreUnavailable, UnknownStore


def scan(
    *,
    store_key: str,
    people: Sequence[Person],
    heartbeat: Callable[[], None] = lambda: None,
    done: Collection[str] = (),
) -> Iterator[Scanned]:
    """Table by table, but for those in `done`, one pass over each for all the people.

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
                    yield _scanned(maps, session, store_key, table, mentions, people, heartbeat)
                    del waiting[table]
        except base.StoreUnavailable as error:
            raise StoreUnavailable(str(error)) from None
        except base.StoreRefused as error:  # this table; its transaction is of no use any more
            yield Scanned(table, len(waiting.pop(table)), error=str(error))


def _scanned(
    maps: Maps,
    session: base.Session,
    store_key: str,
    table: str,
    mentions: Mentions,
    people: Sequence[Person],
    heartbeat: Callable[[], None],
) -> Scanned:
    found = scan_table(maps.graph, session, store_key, table, mentions, heartbeat=heartbeat)
    shown = {
        people[number].ref: [{"column": r.column, "rows": r.rows, "mapped": r.mapped} for r in residues]
        for number, residues in found.items()
    }
    return Scanned(table, len(columns_of(maps.graph, store_key)[table]), shown)
