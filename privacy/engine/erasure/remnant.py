"""The remnant of an erasure: what stayed for a while, and goes when its time has come (R11, R20).

Kept rows go on the first day on which no rule needs them, likewise the rows that stayed with them or because of them; a shared
row goes with its last owner. What finds them again is a plan of those rows alone, without the values that the erasure replaced.
A row that came later is no part of it: the person came back, and what their new rows hang on stays as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from privacy.datamap.graph import Graph, Link, Node, Pointer
from privacy.engine.erasure.anonymize import assignments
from privacy.engine.erasure.decide import KEEP, PART, STAY, Decision, Fate
from privacy.engine.holding import NEWCOMER, OWNED, REFERRED, ROOT, Holding, Keys, Member, Reason
from privacy.engine.locate.subject import Frozen
from privacy.engine.plan import VERSION
from privacy.stores.base import Groups, Session, Values
from privacy.stores.values import from_json, to_json

SHARED = {"a", "b"}  # reasons by which a row has another owner, with whom it will go

Left = dict[Node, dict[Values, tuple[Member, Fate]]]


@dataclass(frozen=True)
class Ended:
    """One person's erasure in this store as it was decided."""

    plan: Mapping[str, Any]
    frozen: Frozen
    holding: Holding
    decision: Decision


def remember(graph: Graph, session: Session, store: str, people: Sequence[Ended]) -> list[dict[str, Any] | None]:
    """For each the plan of what the erasure leaves, or None where nothing of it will ever be asked for again.

    Asked before the rows are changed: where no key is among a collection's columns, those of the rows are read now.
    """
    staying = [_staying(ended) for ended in people]
    keyless: dict[Node, dict[Values, list[Values]]] = {}
    for left in staying:
        for node in left or ():
            if not _unique(graph, node, set(graph.group_columns[node])) and graph.table(node).primary_key:
                keyless.setdefault(node, {}).update((values, []) for values in left[node])
    for node, found in keyless.items():
        columns = graph.group_columns[node]
        groups = Groups(node[1], columns, tuple(found))
        for row in session.rows(groups, (*columns, *graph.table(node).primary_key)):
            found[row[: len(columns)]].append(row[len(columns) :])
    return [_written(graph, store, ended, left, keyless) for ended, left in zip(people, staying, strict=True)]


def _staying(ended: Ended) -> Left:
    left: Left = {}
    for node, values, fate in ended.decision if not ended.decision.goes else ():
        member = ended.holding.members[node][values]
        shared = fate.kind in (STAY, PART) and member.role != ROOT and not member.came_later
        if fate.kind == KEEP or fate.pinned_by or shared:
            left.setdefault(node, {})[values] = (member, fate)
    lasting = any(fate.kind in (KEEP, STAY, PART) for groups in left.values() for _, fate in groups.values())
    return left if lasting else {}


def _unique(graph: Graph, node: Node, columns: set[str]) -> tuple[str, ...]:
    return next((tuple(unique) for unique in graph.table(node).uniques if set(unique) <= columns), ())


def due(decision: Decision) -> date | None:
    """The first day on which something that the law keeps may go."""
    return min((fate.until for _, _, fate in decision if fate.kind == KEEP and fate.until), default=None)


def waiting(holding: Holding, decision: Decision) -> dict[str, int]:
    """{collection: rows that stay because somebody else has a part in them, until that one goes}."""
    out: dict[str, int] = {}
    for node, values, fate in decision if not decision.goes else ():
        member = holding.members[node][values]
        letters = {reason.letter for reason in member.reasons}
        if fate.kind == STAY and fate.basis != ("ask",) and letters & SHARED and not member.came_later:
            out[node[1]] = out.get(node[1], 0) + member.count
    return out


class _Writing:
    """The remnant of one person, group by group."""

    def __init__(self, graph: Graph, ended: Ended, left: Left) -> None:
        self.graph, self.ended, self.left = graph, ended, left
        self.keys = Keys(graph)
        self.inbound: dict[str, dict[str, dict[Values, None]]] = {}
        self._replaced: dict[tuple[Node, bool, frozenset[str]], set[str]] = {}
        self._owners: dict[str, set[Any]] = {}

    def group(self, node: Node, values: Values, member: Member, fate: Fate) -> list[Any] | None:
        """A group as a plan holds it, without the values that the erasure replaced; the keys that lead to it are noted.

        None where nothing is left by which the rows could be found again: nothing tells whose they were.
        """
        replaced = self.replaced(node, fate)
        columns = self.graph.group_columns[node]
        left = [None if name in replaced else to_json(value) for name, value in zip(columns, values, strict=True)]
        reasons = [[r.letter, r.link, r.answer, r.foreign] for r in member.reasons]
        role = member.role
        if not self._lead(node, values, role, replaced):
            if reasons or not _unique(self.graph, node, set(columns) - replaced):
                return None
            role = ROOT  # what led to it was replaced with the rest: by its key it is found again
        return [left, member.count, role, reasons]

    def replaced(self, node: Node, fate: Fate) -> set[str]:
        """The columns in which the erasure wrote something else; and identities, where a key finds the row without them."""
        anonymized = bool(fate.pinned_by) or (fate.kind == KEEP and fate.fields is not None)
        readable = fate.fields if fate.kind == KEEP and fate.fields else frozenset()
        known = self._replaced.get((node, anonymized, readable))
        if known is None:
            known = set(assignments(self.graph, node, keep=readable, staying=set(self.left))) if anonymized else set()
            if by_key := _unique(self.graph, node, set(self.graph.group_columns[node]) - known):
                linking = {name for pointer in self.graph.pointers for name in _ends(pointer, node)}
                named = {item.name for item in self.graph.collection(node).fields.values() if item.identity}
                known |= named - set(by_key) - linking
            self._replaced[node, anonymized, readable] = known
        return known

    def _lead(self, node: Node, values: Values, role: str, replaced: set[str]) -> bool:
        """Note the keys by which the person's own rows led here; whether any is left."""
        found = role == ROOT
        for link in self.graph.links:
            if link.child == node and link.owns and role == OWNED and not replaced & set(link.child_columns):
                meant = link.when_node != node or self.keys.holds(node, link.when, values)
                key = self.keys.raw(node, link.child_columns, values) if meant else None
                if key is not None and self.keys.child(link, values) in self.owners(link):
                    self.inbound.setdefault(link.id, {}).setdefault("down", {})[key] = None
                    found = True
            if link.parent == node and (link.refers or link.joint) and role != ROOT and not replaced & set(link.parent_columns):
                key = self.keys.raw(node, link.parent_columns, values)
                if key is not None:
                    self.inbound.setdefault(link.id, {}).setdefault("up", {})[key] = None
                    found = True
        return found

    def owners(self, link: Link) -> set[Any]:
        """The keys of the rows at a link's upper end that are this person's alone, or were before they went."""
        known = self._owners.get(link.id)
        if known is None:
            frozen, members = self.ended.frozen, self.ended.holding.members.get(link.parent, {})
            known = {self.keys.of(key, link.parent, link.parent_columns) for key in frozen.inbound.get((link.id, True), ())}
            known |= {
                self.keys.parent(link, v) for v, member in members.items() if member.role != REFERRED and not member.contested
            }
            planned = frozen.known.get(link.parent, {}).items()
            known |= {self.keys.parent(link, v) for v, (role, reasons) in planned if role != REFERRED and not reasons}
            known.discard(None)
            self._owners[link.id] = known
        return known


def _written(
    graph: Graph, store: str, ended: Ended, left: Left, keyless: Mapping[Node, Mapping[Values, list[Values]]]
) -> dict[str, Any] | None:
    writing = _Writing(graph, ended, left)
    groups: dict[str, list[Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for node, members in left.items():
        written = (writing.group(node, values, member, fate) for values, (member, fate) in members.items())
        groups[node[1]] = [group for group in written if group is not None]
        if node in keyless:
            found = [_out(key) for values in members for key in keyless[node][values]]
            rows[node[1]] = {"key": list(graph.table(node).primary_key), "values": found}
    if not any(groups.values()):
        return None
    inbound = {link: {way: [_out(key) for key in keys] for way, keys in ways.items()} for link, ways in writing.inbound.items()}
    return {
        "version": VERSION,
        "store": store,
        "map_version": ended.plan["map_version"],
        "salt": ended.plan.get("salt", ""),
        "columns": {name: list(graph.group_columns[store, name]) for name in groups},
        "groups": groups,
        "rows": rows,
        "inbound": inbound,
        "foreign": {link: found for link, found in ended.plan["foreign"].items() if link in inbound},
        "schema": ended.plan["schema"],
        "exceptions": ended.plan.get("exceptions", {}),  # the map of a later day does not know them either
    }


def _out(values: Values) -> list[Any]:
    return [to_json(value) for value in values]


def _ends(pointer: Pointer, node: Node) -> Iterator[str]:
    if pointer.child == node:
        yield from pointer.child_columns
    if pointer.parent == node:
        yield from pointer.parent_columns


# -- when it is looked at again -----------------------------------------------------------------------------------------


def set_apart(graph: Graph, session: Session, store: str, returning: Sequence[tuple[Mapping[str, Any], Holding]]) -> None:
    """Mark the rows that came after the erasure, and what they hang on, as staying. `returning`: (remnant, what is there now)."""
    keys = Keys(graph)
    named = _named(graph, session, store, [remnant for remnant, _ in returning])
    for (_, holding), known in zip(returning, named, strict=True):
        _mark(graph, keys, holding, _unknown(graph, store, holding, known))


def _mark(graph: Graph, keys: Keys, holding: Holding, pending: list[tuple[Node, Values]]) -> None:
    parents: dict[str, dict[Any, list[Values]]] = {}
    for link in graph.links if pending else ():
        for values in holding.members.get(link.parent, {}):
            parents.setdefault(link.id, {}).setdefault(keys.parent(link, values), []).append(values)
    while pending:
        node, values = pending.pop()
        member = holding.members[node][values]
        if member.came_later:
            continue
        holding.undisputed = False
        holding.members[node][values] = replace(member, reasons=(*member.reasons, Reason(NEWCOMER, answer="keep")))
        for link in graph.links:
            if link.child == node and (link.when_node != node or keys.holds(node, link.when, values)):
                key = keys.child(link, values)
                pending += [(link.parent, other) for other in parents.get(link.id, {}).get(key, ()) if key is not None]


Named = dict[tuple[Node, tuple[str, ...]], dict[Values, int]]  # rows that the erasure left, by the columns that name them


def _named(graph: Graph, session: Session, store: str, plans: Sequence[Mapping[str, Any]]) -> list[Named]:
    out: list[Named] = [{} for _ in plans]
    asked: dict[tuple[Node, tuple[str, ...]], list[Values]] = {}
    for number, plan in enumerate(plans):
        for collection, groups in plan["groups"].items():
            node = (store, collection)
            if not graph.is_node(node):
                continue
            if rows := plan["rows"].get(collection):
                key = tuple(rows["key"])
                asked.setdefault((node, key), []).extend((number, *(from_json(part) for part in row)) for row in rows["values"])
                continue
            for raw, count, _role, _reasons in groups:
                given = {name: from_json(value) for name, value in zip(plan["columns"][collection], raw, strict=True)}
                given = {name: given[name] for name in graph.group_columns[node] if given.get(name) is not None}
                by = _unique(graph, node, set(given)) or tuple(given)
                known = out[number].setdefault((node, by), {})
                values = tuple(given[name] for name in by)
                known[values] = known.get(values, 0) + count
    for (node, key), rows in asked.items():
        by = graph.group_columns[node]
        for number, values, count in session.find(node[1], key, rows, by, {}):
            out[number].setdefault((node, by), {})[values] = count
    return out


def _unknown(graph: Graph, store: str, holding: Holding, named: Named) -> list[tuple[Node, Values]]:
    """The groups that the remnant does not name, or in which there are more rows than it names."""
    out = []
    for node, members in holding.in_store(store).items():
        columns = graph.group_columns[node]
        ways = [([columns.index(name) for name in by], known) for (place, by), known in named.items() if place == node]
        totals: list[dict[Values, int]] = [{} for _ in ways]
        for values, member in members.items():
            for (at, _), total in zip(ways, totals, strict=True):
                key = tuple(values[i] for i in at)
                total[key] = total.get(key, 0) + member.count
        for values in members:
            found = ((known, total, tuple(values[i] for i in at)) for (at, known), total in zip(ways, totals, strict=True))
            if not any(total[key] <= known.get(key, 0) for known, total, key in found):
                out.append((node, values))
    return out


# -- several erased people together -------------------------------------------------------------------------------------


def circles(plans: Iterable[Mapping[str, Any]]) -> list[list[int]]:
    """The numbers of remnants that name the same contested rows, circle by circle; who shares with nobody here is in none.

    Each of them waits for the other owner, and all of these are erased: together they are the last.
    """
    leader: dict[int, int] = {}

    def of(number: int) -> int:
        while leader.setdefault(number, number) != number:
            number = leader[number]
        return number

    first: dict[bytes, int] = {}
    for number, plan in enumerate(plans):
        for collection, groups in plan["groups"].items():
            for raw, _count, _role, reasons in groups:
                if reasons:
                    text = json.dumps([plan["columns"][collection], collection, raw])
                    name = hashlib.sha256(text.encode()).digest()
                    leader[of(number)] = of(first.setdefault(name, number))
    found: dict[int, list[int]] = {}
    for number in leader:
        found.setdefault(of(number), []).append(number)
    return [sorted(numbers) for numbers in found.values() if len(numbers) > 1]


def together(plans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One remnant of several, as of one person. Their collections must have the same columns."""
    groups: dict[str, dict[str, Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    inbound: dict[str, dict[str, list[Any]]] = {}
    foreign: dict[str, list[Any]] = {}
    for plan in plans:
        for collection, members in plan["groups"].items():
            for group in members:
                groups.setdefault(collection, {}).setdefault(json.dumps(group[0]), group)
        for collection, named in plan["rows"].items():
            known = rows.setdefault(collection, {"key": named["key"], "values": []})["values"]
            known += [key for key in named["values"] if key not in known]
        for link, ways in plan["inbound"].items():
            for way, keys in ways.items():
                known = inbound.setdefault(link, {}).setdefault(way, [])
                known += [key for key in keys if key not in known]
        for link, keys in plan["foreign"].items():
            foreign[link] = [*foreign.get(link, []), *keys]
    columns = {name: order for plan in plans for name, order in plan["columns"].items()}
    exceptions = {key: answer for plan in reversed(plans) for key, answer in plan.get("exceptions", {}).items()}
    listed = {collection: list(members.values()) for collection, members in groups.items()}
    found = {"columns": columns, "groups": listed, "rows": rows, "inbound": inbound, "foreign": foreign}
    return {**plans[0], **found, "exceptions": exceptions}


def alike(plans: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these remnants were written under the same columns."""
    seen: dict[str, list[str]] = {}
    return all(seen.setdefault(name, order) == order for plan in plans for name, order in plan["columns"].items())
