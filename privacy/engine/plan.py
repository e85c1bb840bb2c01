"""The plan of one person in one store: what an approval is bound to and what a run starts from (R19, R29).

It is a JSON value that holds personal values (link keys), so whoever stores it encrypts it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from privacy.datamap.graph import Graph, Node
from privacy.engine.contested.planned import Contested
from privacy.engine.erasure.decide import Decision, Fate
from privacy.engine.holding import REFERRED, ROOT, Holding, Keys, Member
from privacy.engine.locate.subject import Frozen
from privacy.stores.base import Values
from privacy.stores.values import from_json, to_json

VERSION = 1
NOBODYS = Member(0, REFERRED)


def write(graph: Graph, keys: Keys, store: str, holding: Holding, *, map_version: int = 0, salt: str = "") -> dict[str, Any]:
    """The plan of `store`: every group with its role and reasons, the keys that lead in, what other stores hold of them.

    `salt`: a secret that stays the same for this person and store; contested groups are named with it (`answers.py`).
    """
    groups = {}
    for node, members in holding.in_store(store).items():
        out = list if node in graph.json_alike else _out
        groups[node[1]] = [
            [out(values), member.count, member.role, [[r.letter, r.link, r.answer, r.foreign] for r in member.reasons]]
            for values, member in members.items()
        ]
    inbound, foreign = _across_stores(graph, keys, store, holding)
    return {
        "version": VERSION,
        "store": store,
        "map_version": map_version,
        "salt": salt,
        "columns": {node[1]: list(graph.group_columns[node]) for node in holding.in_store(store)},
        "groups": groups,
        "inbound": inbound,
        "foreign": foreign,
        "schema": graph.digest(store),
    }


def _across_stores(
    graph: Graph, keys: Keys, store: str, holding: Holding
) -> tuple[dict[str, dict[str, list[Any]]], dict[str, list[Any]]]:
    """The keys that lead into `store` ({link: {"down" | "up": keys}}), and those that the person's rows elsewhere have."""
    inbound: dict[str, dict[str, list[Any]]] = {}
    foreign: dict[str, list[Any]] = {}
    for link in graph.links:
        if link.child[0] == link.parent[0]:
            continue
        for downwards, source, columns in ((True, link.parent, link.parent_columns), (False, link.child, link.child_columns)):
            target = link.child if downwards else link.parent
            walkable = link.owns if downwards else link.refers or link.joint
            if target[0] != store:
                continue
            found: dict[Values, None] = {}
            passed = dict.fromkeys(holding.passed.get(source, ()), NOBODYS)
            for values, member in (holding.members.get(source, {}) | passed).items():
                if link.when_node == source and not keys.holds(source, link.when, values):
                    continue
                key = keys.raw(source, columns, values)
                if key is None:
                    continue
                if downwards and member is not NOBODYS:
                    foreign.setdefault(link.id, []).append(_out(keys.of(key, link.parent, link.parent_columns) or key))
                if walkable and not (downwards and ((member.contested and not member.given) or member.role == REFERRED)):
                    found[key] = None
            if found:
                inbound.setdefault(link.id, {})["down" if downwards else "up"] = [_out(key) for key in found]
    for keys_found in (*(ways for links in inbound.values() for ways in links.values()), *foreign.values()):
        keys_found.sort(key=lambda key: json.dumps(key, sort_keys=True))
    return inbound, foreign


def read(graph: Graph, plan: Mapping[str, Any]) -> Frozen:
    """What a run needs of a plan. Groups are read in today's column order; a column that is gone reads as NULL."""
    store = plan["store"]
    written = {(store, name): groups for name, groups in plan["groups"].items() if graph.is_node((store, name))}
    planned = {node: _values(graph, node, plan["columns"][node[1]], groups) for node, groups in written.items()}
    roots = {
        node: [values for values, group in zip(planned[node], groups, strict=True) if group[2] == ROOT]
        for node, groups in written.items()
    }
    return Frozen(
        store=store,
        roots={node: groups for node, groups in roots.items() if groups},
        inbound={
            (link, way == "down"): [_in(k) for k in keys] for link, ways in plan["inbound"].items() for way, keys in ways.items()
        },
        foreign={link: frozenset(_in(k) for k in keys) for link, keys in plan["foreign"].items()},
        planned=planned,
        written=written,
    )


def _values(graph: Graph, node: Node, order: list[str], groups: list[Any]) -> list[Values]:
    wanted = graph.group_columns[node]
    if tuple(order) == wanted:
        return [tuple(group[0]) for group in groups] if node in graph.json_alike else [_in(group[0]) for group in groups]
    return [_in_order(order, _in(group[0]), wanted) for group in groups]


def planned_counts(plan: Mapping[str, Any]) -> dict[str, int]:
    return {collection: sum([group[1] for group in groups]) for collection, groups in plan["groups"].items()}


def digest(plan: Mapping[str, Any]) -> str:
    """SHA-256 over the plan: changes with any group, any reason, the map's version and the touched schema."""
    stable = dict(plan, groups={c: sorted(json.dumps(g, sort_keys=True) for g in groups) for c, groups in plan["groups"].items()})
    return hashlib.sha256(json.dumps(stable, sort_keys=True).encode()).hexdigest()


def changes(graph: Graph, plan: Mapping[str, Any], holding: Holding, own: Mapping[str, Collection[str]]) -> list[str]:
    """Why a run must stop and ask (R29): new contested rows, a changed schema or map. Fewer contested rows are no reason.

    `own`: the person's identities by kind.
    """
    store = plan["store"]
    reasons = []
    if plan["schema"] != graph.digest(store):
        reasons.append("the store's tables changed since the plan was made; look for the data again")
    reasons += [f"rows of {name} changed since the plan was made; look for the data again" for _, name in sorted(holding.changed)]
    for node, groups in () if holding.undisputed else holding.in_store(store).items():
        contested = [(values, member.count) for values, member in groups.items() if member.reasons and not member.came_later]
        if contested and (new := Contested.read(graph, plan, node, own).unplanned(contested)):
            reasons.append(f"{new} more rows of {node[1]} are contested than when the plan was made")
    return reasons


def effects(decision: Decision) -> dict[str, dict[str, Any]]:
    """Counts per collection of what an erasure would do, without a value."""
    out: dict[str, dict[str, Any]] = {}
    for node, fate, count in decision.totals():
        counts = out.setdefault(node[1], {"delete": 0, "anonymize": 0, "pinned": 0, "contested": 0, "undecided": 0, "kept": []})
        if fate.kind == "keep":
            _count_kept(counts["kept"], fate, count)
        elif fate.pinned_by:
            counts["pinned"] += count
            counts.setdefault("pinned_by", [])
            if fate.pinned_by not in counts["pinned_by"]:
                counts["pinned_by"].append(fate.pinned_by)
        else:
            name = {"stay": "contested" if fate.basis == ("ask",) else "left", "part": "anonymize"}.get(fate.kind, fate.kind)
            counts[name] = counts.get(name, 0) + count
    return out


def _count_kept(kept: list[dict[str, Any]], fate: Fate, count: int) -> None:
    day = fate.until.isoformat() if fate.until else None
    entry: dict[str, Any] = {"basis": "; ".join(fate.basis), "until": day, "fields": sorted(fate.fields or ())}
    if fate.start_missing:
        entry["start_missing"] = True
    same = next((k for k in kept if {**k, "rows": 0} == {**entry, "rows": 0}), None)
    if same:
        same["rows"] += count
    else:
        kept.append({"rows": count, **entry})


def _out(values: Values) -> list[Any]:
    return [to_json(value) for value in values]


def _in(values: list[Any]) -> Values:
    return tuple(from_json(value) for value in values)


def _in_order(order: list[str], values: Values, wanted: tuple[str, ...]) -> Values:
    by_name = dict(zip(order, values, strict=True))
    return tuple(by_name.get(name) for name in wanted)
