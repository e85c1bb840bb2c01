"""Decide: what an erasure does to every group of one person in one store (R3, R10, R11, R20).

The order of the questions: is it contested, is it decided, does a law keep it, is it needed by something kept, does a staying row
point at it. What passes all of them goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from privacy.datamap.graph import Graph, Link, Node, Pointer, start_of
from privacy.datamap.model import Collection, Keep
from privacy.datamap.periods import as_date, until
from privacy.engine.contested.answers import Answers
from privacy.engine.exceptions import basis_of
from privacy.engine.holding import REFERRED, Holding, Keys, Member
from privacy.stores.base import Count, Session, Values

DELETE, ANONYMIZE, KEEP, STAY, PART, UNDECIDED = "delete", "anonymize", "keep", "stay", "part", "undecided"


@dataclass(frozen=True)
class Fate:
    """What becomes of a group. `fields`: what stays readable of a kept one (None: all)."""

    kind: str
    fields: frozenset[str] | None = None
    until: date | None = None
    basis: tuple[str, ...] = ()
    start_missing: bool = False
    pinned_by: str = ""

    @property
    def stays(self) -> bool:
        return self.kind != DELETE


GONE = Fate(DELETE)


@dataclass
class Decision:
    """One person's fates in one store, and what stops the run."""

    holding: Holding = field(default_factory=Holding)
    fates: dict[Node, dict[Values, Fate]] = field(default_factory=dict)
    stops: list[str] = field(default_factory=list)
    goes: bool = False  # all of it is deleted
    pointed_at: bool = False  # by a row of somebody else, at a row that was to go

    def of(self, node: Node, values: Values) -> Fate | None:
        return self.fates.get(node, {}).get(values)

    def count(self, node: Node, values: Values) -> int:
        return self.holding.members[node][values].count

    def totals(self) -> Iterator[tuple[Node, Fate, int]]:
        """Rows by collection and fate."""
        for node, fates in self.fates.items():
            members = self.holding.members[node]
            if self.goes:
                yield node, GONE, sum([member.count for member in members.values()])
                continue
            counted: dict[int, int] = {}
            for values, fate in fates.items():
                counted[id(fate)] = counted.get(id(fate), 0) + members[values].count
            for fate in {id(fate): fate for fate in fates.values()}.values():
                yield node, fate, counted[id(fate)]

    def __iter__(self) -> Iterator[tuple[Node, Values, Fate]]:
        for node, fates in self.fates.items():
            for values, fate in fates.items():
                yield node, values, fate


def decide(
    graph: Graph,
    session: Session,
    store: str,
    holdings: list[Holding],
    *,
    answers: list[Answers],
    today: date,
) -> list[Decision]:
    """One Decision per holding. `answers`: staff's answers for contested rows, beside the map's own."""
    keys = Keys(graph)
    decisions = [_first(graph, keys, store, holding, chosen, today) for holding, chosen in zip(holdings, answers, strict=True)]
    for holding, decision in zip(holdings, decisions, strict=True):
        if not decision.goes:
            _along(graph, keys, store, holding, decision)
    _pin(graph, keys, session, store, decisions)
    return decisions


def _first(graph: Graph, keys: Keys, store: str, holding: Holding, chosen: Answers, today: date) -> Decision:
    decision = Decision(holding)
    for node, groups in holding.in_store(store).items():
        collection = graph.collection(node)
        kept = bool(collection.keeps or chosen.kept.get(node))
        if holding.undisputed and collection.on_erasure == "delete" and not kept:
            decision.fates[node] = dict.fromkeys(groups, GONE)
            continue
        fates = decision.fates.setdefault(node, {})
        for values, member in groups.items():
            fates[values] = fate_of(graph, keys, node, values, member, holding, chosen, today)
    decision.goes = all(fate is GONE for fates in decision.fates.values() for fate in fates.values())
    return decision


def fate_of(
    graph: Graph,
    keys: Keys,
    node: Node,
    values: Values,
    member: Member,
    holding: Holding,
    chosen: Answers,
    today: date,
) -> Fate:
    if member.contested and not member.given:
        answer = chosen.of(node, values, member)
        return Fate(PART if answer in ("redact", "anonymize") else STAY, basis=(answer,))
    collection = graph.collection(node)
    if collection.on_erasure is None:
        return Fate(UNDECIDED) if collection.personal else GONE
    if collection.on_erasure == "keep":
        return Fate(KEEP, basis=("on_erasure: keep",))
    fate = GONE if collection.on_erasure == "delete" else Fate(ANONYMIZE)
    for keep in collection.keeps:
        held, day, missing = _held(graph, keys, node, collection, keep, values, holding, today)
        if held:
            fate = _merge(fate, Fate(KEEP, frozenset(keep.fields) or None, day, (keep.basis,), missing))
    for exception in chosen.kept.get(node, ()):
        if today < exception.until:
            fate = _merge(fate, Fate(KEEP, exception.fields, exception.until, (basis_of(exception.ground),)))
    return fate


def _held(
    graph: Graph, keys: Keys, node: Node, collection: Collection, keep: Keep, values: Values, holding: Holding, today: date
) -> tuple[bool, date | None, bool]:
    """(held, first day on which it may go, start missing). A row without a start is kept and says so."""
    place, name = start_of(collection, keep.start)
    if place == collection.name:
        starts = [as_date(values[graph.group_columns[node].index(name)])]
    else:
        target = (node[0], place)
        position = graph.group_columns[target].index(name)
        starts = [as_date(other[position]) for other in _linked(graph, keys, node, values, target, holding)] or [None]
    if None in starts:
        return True, None, True
    year_end = graph.datasets[node[0]].year_end
    day = max(until(start, keep.period, keep.align, year_end) for start in starts if start)
    return today < day, day, False


def _linked(graph: Graph, keys: Keys, node: Node, values: Values, target: Node, holding: Holding) -> list[Values]:
    """The person's groups of `target` that a link joins directly with this group."""
    out: dict[Values, None] = {}
    members = holding.members.get(target, ())
    for link in graph.links:
        if {link.child, link.parent} != {node, target}:
            continue
        for here, key_here, there, key_there in (
            (link.child, keys.child, link.parent, keys.parent),
            (link.parent, keys.parent, link.child, keys.child),
        ):
            if (here, there) == (node, target) and _follows(keys, link, node, values):
                key = key_here(link, values)
                out.update(
                    (other, None)
                    for other in members
                    if key is not None and key_there(link, other) == key and _follows(keys, link, target, other)
                )
    return list(out)


def _follows(keys: Keys, link: Link, node: Node, values: Values) -> bool:
    return link.when_node != node or keys.holds(node, link.when, values)


def _merge(old: Fate, new: Fate) -> Fate:
    """Two reasons to keep: the later day, the fields of both. A missing start outlasts every day."""
    if old.kind in (STAY, PART, UNDECIDED):
        return old
    if old.kind != KEEP:
        return new
    fields = None if old.fields is None or new.fields is None else old.fields | new.fields
    missing = old.start_missing or new.start_missing
    endless = missing or old.until is None or new.until is None
    day = None if endless else max(d for d in (old.until, new.until) if d)
    return Fate(KEEP, fields, day, tuple(dict.fromkeys((*old.basis, *new.basis))), missing)


def _along(graph: Graph, keys: Keys, store: str, holding: Holding, decision: Decision) -> None:
    """What a kept row needs elsewhere stays with it, as long and on the same ground (`with`)."""
    for node, values, fate in list(decision):
        if fate.kind != KEEP or not fate.basis:
            continue
        for keep in graph.collection(node).keeps:
            if keep.basis not in fate.basis:
                continue
            wanted: dict[str, set[str] | None] = {}
            for name, column in keep.needs:
                columns = wanted.setdefault(name, set())
                if column is None or columns is None:
                    wanted[name] = None
                else:
                    columns.add(column)
            for name, columns in wanted.items():
                target = (store, name)
                for other in _path(graph, keys, node, values, target, holding, store):
                    needed = None if columns is None else frozenset(columns)
                    along = Fate(KEEP, needed, fate.until, (keep.basis,), fate.start_missing)
                    if (before := decision.of(target, other)) is not None:
                        decision.fates[target][other] = _merge(before, along)


def _path(graph: Graph, keys: Keys, node: Node, values: Values, target: Node, holding: Holding, store: str) -> list[Values]:
    """The person's groups of `target` joined with this group by the shortest chain of links inside the store."""
    frontier: dict[Node, set[Values]] = {node: {values}}
    visited = {node}
    while frontier and target not in frontier:
        following: dict[Node, set[Values]] = {}
        for here, groups in frontier.items():
            for link in graph.links:
                there = link.parent if link.child == here else link.child if link.parent == here else None
                if there is None or there in visited or there[0] != store:
                    continue
                for group in groups:
                    following.setdefault(there, set()).update(_linked(graph, keys, here, group, there, holding))
        visited |= set(following)
        frontier = {n: g for n, g in following.items() if g}
    return list(frontier.get(target, ()))


def _pin(graph: Graph, keys: Keys, session: Session, store: str, decisions: list[Decision]) -> None:
    """Rows at which a staying row points are anonymized instead of deleted (R20); cascades out of the plan stop the run (R19)."""
    pointers = [p for p in graph.pointers if p.parent[0] == store and p.child[0] == store]
    totals = _totals(keys, session, pointers, decisions)
    for decision in decisions:
        changed = True
        while changed:
            changed = False
            for pointer, total in zip(pointers, totals, strict=True):
                if total or not decision.goes:
                    changed |= _pin_by(graph, keys, pointer, total, decision)
        for pointer, total in zip(pointers, totals, strict=True):
            if not total or not decision.pointed_at:
                continue
            outside = any(out for _, _, out in _pointed(graph, keys, pointer, total, decision))
            if outside and pointer.on_delete == "CASCADE":
                text = (
                    f"deleting from {pointer.parent[1]} would cascade into rows of {pointer.child[1]} that the plan does not hold"
                )
                if text not in decision.stops:
                    decision.stops.append(text)


def _told(pointer: Pointer, decision: Decision, member: Member) -> bool:
    """Whether the search has shown already that nobody but this person's own rows point at a row by this pointer."""
    return decision.holding.undisputed and (member.role == REFERRED or (pointer.link is not None and pointer.link.owns))


def _totals(keys: Keys, session: Session, pointers: list[Pointer], decisions: list[Decision]) -> list[dict[Any, int]]:
    """How many rows point at each doomed one, as far as the search has not shown it. One statement for all pointers."""
    asked: list[tuple[int, list[Values]]] = []
    for number, pointer in enumerate(pointers):
        wanted: dict[Values | None, None] = {}
        for decision in decisions:
            fates = decision.fates.get(pointer.parent)
            if not fates or (decision.holding.undisputed and pointer.link and pointer.link.owns):
                continue
            members = decision.holding.members[pointer.parent]
            unsure = [v for v, fate in fates.items() if fate.kind == DELETE and not _told(pointer, decision, members[v])]
            wanted |= dict.fromkeys(keys.raws(pointer.parent, pointer.parent_columns, unsure))
        wanted.pop(None, None)
        if wanted:
            asked.append((number, [key for key in wanted if key is not None]))
    counts = [
        Count(p.child[1], p.child_columns, [(i, *key) for i, key in enumerate(order)], p.when)
        for p, order in ((pointers[number], order) for number, order in asked)
    ]
    out: list[dict[Any, int]] = [{} for _ in pointers]
    for (number, order), found in zip(asked, session.counts(counts), strict=True):
        parent, columns = pointers[number].parent, pointers[number].parent_columns
        out[number] = {keys.of(order[i], parent, columns): count for i, count in found.items()}
    return out


def _pin_by(graph: Graph, keys: Keys, pointer: Pointer, totals: Mapping[Any, int], decision: Decision) -> bool:
    """A row that would go with its parent by a cascade does not pin it: it stops the run, if nothing else keeps the parent."""
    changed = False
    lenient = pointer.on_delete == "CASCADE" or forgets(graph, pointer)
    for values, staying, outside in list(_pointed(graph, keys, pointer, totals, decision)):
        decision.pointed_at |= outside > 0
        if staying or (outside and not lenient):
            decision.fates[pointer.parent][values] = Fate(ANONYMIZE, pinned_by=pointer.child[1])
            decision.goes, changed = False, True
    return changed


def _pointed(
    graph: Graph, keys: Keys, pointer: Pointer, totals: Mapping[Any, int], decision: Decision
) -> Iterator[tuple[Values, int, int]]:
    """(doomed group, rows of the person's that stay and point at it, rows outside the plan that do)."""
    doomed = [values for values, fate in decision.fates.get(pointer.parent, {}).items() if fate.kind == DELETE]
    if not doomed:
        return
    going: dict[Any, int] = {}
    staying: dict[Any, int] = {}
    if pointer.mapped and (fates := decision.fates.get(pointer.child)):
        members, parting = decision.holding.members[pointer.child], lets_go(graph, pointer)
        own = keys.normals(pointer.child, pointer.child_columns, fates, pointer.parent, pointer.parent_columns)
        for key, (values, fate) in zip(own, fates.items(), strict=True):
            if key is not None and (not pointer.when or keys.holds(pointer.child, pointer.when, values)):
                side = staying if fate.stays and not (fate.kind == PART and parting) else going
                side[key] = side.get(key, 0) + members[values].count
    targets = keys.normals(pointer.parent, pointer.parent_columns, doomed, pointer.parent, pointer.parent_columns)
    for key, values in zip(targets, doomed, strict=True):
        outside = totals.get(key, 0) - going.get(key, 0) - staying.get(key, 0)  # below zero: it was not asked for
        yield values, staying.get(key, 0), max(outside, 0)


def lets_go(graph: Graph, pointer: Pointer) -> bool:
    """Whether a shared row loses this owner when the person's part is taken out of it, and so no longer pins it."""
    owner = pointer.link is not None and pointer.link.owns and bool(own_columns(graph, pointer))
    return owner or forgets(graph, pointer)


def forgets(graph: Graph, pointer: Pointer) -> bool:
    """Whether rows of others let go of a parent that goes, because the map says so."""
    wanted = pointer.link is not None and pointer.link.on_parent_erased == "set_null"
    return wanted and any(graph.column(pointer.child, name).nullable for name in pointer.child_columns)


def own_columns(graph: Graph, pointer: Pointer) -> list[str]:
    """The columns by which a row may let go of this parent and of nothing else: nullable, and in no other key of the row."""
    shared = {
        name
        for other in graph.pointers
        if other is not pointer and other.child == pointer.child and not _never_both(pointer, other)
        for name in other.child_columns
    }
    for fk in graph.schemas[pointer.child[0]].foreign_keys:
        if fk.child == pointer.child[1] and (fk.child_columns, fk.parent) != (pointer.child_columns, pointer.parent[1]):
            shared |= {*fk.child_columns}
    return [name for name in pointer.child_columns if graph.column(pointer.child, name).nullable and name not in shared]


def _never_both(one: Pointer, other: Pointer) -> bool:
    """Polymorphic links of one column: a row follows one of them."""
    return any(name in other.when and other.when[name] != value for name, value in one.when.items())
