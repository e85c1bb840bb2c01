"""What made-up worlds must have contained for a run of tests to prove anything: counted where it mattered to somebody's rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.engine.reference import ANONYMIZE, DELETE, KEEP, PART, Found, Locator, Row, Verdict
from tests.engine.worlds import Link, World


def of_found(world: World, found: Found) -> set[str]:
    """What the rows of one person show."""
    return {*_contested(found), *_linked(world, found), *_tables(world, found)}


def _contested(found: Found) -> Iterator[str]:
    letters = {letter for why in found.contested.values() for letter, _ in why}
    names = {"a": "owned by two", "b": "pointed at by others", "c": "another's identity", "d": "another's identity"}
    yield from (name for letter, name in names.items() if letter in letters)


def _linked(world: World, found: Found) -> Iterator[str]:
    locator = Locator(world, {})
    for link in locator.links:
        if not any(
            row in found.roles and _pairs(locator, link, row, found) for row in world.everything() if row[0] == link.child
        ):
            continue
        yield "linked"
        if link.when:
            yield "polymorphic"
        if link.nature:
            yield "joint"
        if link.child == link.parent:
            yield "self-reference"
        if world.crosses(link):
            yield "across stores"
        if len(link.columns) > 1:
            yield "composite key"
            beside = [other for other in locator.links if other is not link and other.child == link.child]
            if any({*other.columns} & {*link.columns} and len(other.columns) > 1 for other in beside):
                yield "composite keys with a shared column"


def _pairs(locator: Locator, link: Link, row: Row, found: Found) -> bool:
    return any(parent in found.roles and parent != row for parent in locator.parents(link, row))


def _tables(world: World, found: Found) -> Iterator[str]:
    for row in found.roles:
        table = world.tables[row[0]]
        if not table.key and not table.history_of:
            yield "without a key"
        if table.key == ("ten", "id") and world.rows[row[0]][row[1]]["ten"] in (0, ""):
            yield "zero or empty part of a key"


def of_verdict(world: World, verdict: Verdict) -> set[str]:
    """What the erasure of one person shows."""
    locator = Locator(world, {})
    out = set()
    if PART in verdict.fates.values():
        out.add("part taken out")
    for row, fate in verdict.fates.items():
        table = world.tables[row[0]]
        if fate == ANONYMIZE and table.on_erasure != "anonymize":
            out.add("pinned")
        if fate == KEEP and row in verdict.readable:
            out.add("kept by law" if table.keep else "kept along")
        histories = [other for other in world.tables.values() if other.history_of == row[0]]
        if fate in (DELETE, ANONYMIZE) and histories:
            out.add("history by trigger" if histories[0].mapped else "history by trigger, unmapped")
        for link in world.links:
            if fate == DELETE and link.on_delete == "CASCADE" and link.parent == row[0] and locator.children(link, row):
                out.add("cascade")
    return out


def of_batch(founds: Sequence[Found]) -> set[str]:
    """What people of one batch have in common."""
    roles = [{*found.roles} for found in founds]
    shared = any(one & two and one != two for number, one in enumerate(roles) for two in roles[:number])
    return {"shared in a batch"} if shared else set()
