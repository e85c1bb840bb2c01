"""Waves: people whose rows meet are erased one after another, so that a batch ends as one by one would (R27).

A row that two of them share is contested while both are there and goes with the last of them; a row of one at which the other's
row points is pinned until that row has gone; an identity is somebody else's until their last row has gone.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from privacy.datamap.graph import Graph
from privacy.engine.erasure.decide import Decision
from privacy.engine.holding import ROOT, Holding, Keys, identities_of


def apart(holdings: Sequence[Holding], decisions: Sequence[Decision]) -> list[int]:
    """The numbers of those who meet nobody: nothing is disputed, no row from outside points at theirs, their roots are theirs.

    Whatever else they could share with somebody would have been contested (R10), so their order does not matter.
    """
    seen: set[Hashable] = set()
    alone = []
    for number, (holding, decision) in enumerate(zip(holdings, decisions, strict=True)):
        starts: set[Hashable] = {
            (node, values) for node, groups in holding.members.items() for values, member in groups.items() if member.role == ROOT
        }
        starts |= {(way, key) for way, keys in holding.inbound.items() for key in keys}
        if holding.undisputed and not decision.pointed_at and seen.isdisjoint(starts):
            alone.append(number)
        seen |= starts
    return alone


def waves(graph: Graph, store: str, holdings: Sequence[Holding], first: Sequence[int]) -> list[list[int]]:
    """The numbers of the holdings, wave by wave in the order they must go; within one, nobody's end depends on another's.

    `first` (those `apart`) make a wave of their own, before the others.
    """
    keys = Keys(graph)
    touched: dict[Hashable, int] = {}  # → the last wave that has it
    order: list[list[int]] = []
    for number in sorted(set(range(len(holdings))) - set(first)):
        marks, meets = _marks(graph, keys, store, holdings[number])
        wave = max((touched[mark] + 1 for mark in meets if mark in touched), default=0)
        for mark in marks:
            touched[mark] = max(wave, touched.get(mark, 0))
        order += [[] for _ in range(wave + 1 - len(order))]
        order[wave].append(number)
    return [wave for wave in (list(first), *order) if wave]


def _marks(graph: Graph, keys: Keys, store: str, holding: Holding) -> tuple[set[Hashable], set[Hashable]]:
    """What a person's rows are known by to others, and what they must not have in common with others of their wave.

    Two rows that point at the same third one do not meet; a row meets the one at which it points.
    """
    marks: set[Hashable] = set()
    meets: set[Hashable] = set()
    for node, groups in holding.in_store(store).items():
        ends = [
            (number, way, p.child_columns if way == "to" else p.parent_columns, p)
            for number, p in enumerate(graph.pointers)
            if p.mapped
            for way in ("to", "from")
            if node == (p.child if way == "to" else p.parent)
        ]
        for values in groups:
            both = {(node, values), *((kind, value) for kind, _, value in identities_of(graph, node, values))}
            marks |= both
            meets |= both
            for number, way, columns, pointer in ends:
                key = keys.normal(node, columns, values, pointer.parent, pointer.parent_columns)
                if key is not None:
                    marks.add((number, way, key))
                    meets.add((number, "from" if way == "to" else "to", key))
    return marks, meets
