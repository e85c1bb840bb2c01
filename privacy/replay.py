"""After a store came back from a backup: erase again what was erased since (R22).

The ledger holds hashes only, so the restored store is walked column by column and every value asked for; what the ledger knows
leads to the rows of the case that erased it. They are judged and erased by the same engine, under the same rules, as then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from privacy import audit, ledger, returning
from privacy.datamap.graph import Graph, Link, Node
from privacy.engine import plan as plans
from privacy.engine.erasure import erase as erasing
from privacy.engine.holding import Keys
from privacy.engine.identity import InvalidIdentity, canonical
from privacy.engine.locate.search import locate
from privacy.engine.locate.subject import Frozen, Subject
from privacy.maps import Maps, open_maps
from privacy.models import Remnant
from privacy.stores.base import Session, StoreError, StoreRefused, Values
from privacy.stores.values import to_json


@dataclass
class Recognised:
    """What of one case stands in the restored store again."""

    case: str
    erased_at: datetime
    identities: set[tuple[str, str]] = field(default_factory=set)
    roots: dict[Node, set[Values]] = field(default_factory=dict)
    inbound: dict[str, set[Values]] = field(default_factory=dict)  # link id → keys of owners


@dataclass(frozen=True)
class Replayed:
    """The answer for one case. `skipped` says why nothing was done; counts as `erase` gives them."""

    case: str
    collections: Mapping[str, Any] = field(default_factory=dict)
    skipped: str = ""
    blocked: str = ""


def replay(*, store_key: str, backup_taken: datetime, actor: str, now: datetime) -> list[Replayed]:
    """Erase again in one store. Twice is the same as once. Raises StoreError, and KeyError for a lost hash key."""
    if not audit.is_actor(actor):  # said before anything is erased: what cannot be recorded must not happen
        raise StoreRefused("the audit log takes no such actor: a name without @, 55 characters at most")
    maps = open_maps()
    if store_key not in maps.versions:
        raise StoreRefused(f"no active store with a data map has the key {store_key}")
    if store_key not in maps.stores:
        raise StoreRefused(maps.down[store_key])
    erased = ledger.erased_since(store_key=store_key, instant=backup_taken)
    out = []
    if erased:
        with maps.stores[store_key].read() as session:
            found = _recognise(maps.graph, session, store_key, erased)
        out = [_again(maps, store_key, case, now) for case in found]
    with transaction.atomic():
        kept = returning.reopen(store_key=store_key, since=backup_taken, now=now)
        payload = {
            "store": store_key,
            "backup_taken": backup_taken.isoformat(),
            "cases": len(out),
            "kept_again": kept,
            "skipped": sum(bool(r.skipped) for r in out),
            "blocked": sum(bool(r.blocked) for r in out),
        }
        audit.record(chain="system", actor=actor, action="ledger.replayed", payload=payload, now=now)
    return out


# -- recognising --------------------------------------------------------------------------------------------------------


def _recognise(graph: Graph, session: Session, store: str, erased: ledger.Erased) -> list[Recognised]:
    cases: dict[str, Recognised] = {}

    def case(name: str, when: datetime) -> Recognised:
        return cases.setdefault(name, Recognised(name, when))

    for kind, places in graph.identities.items():
        for node, column in places:
            if node[0] == store:
                for value in session.distinct(node[1], (column,)):
                    for name, when in _known_identity(erased, kind, node, column, value[0]).items():
                        recognised = case(name, when)
                        recognised.identities.add((kind, str(value[0])))
                        groups = session.find(node[1], (column,), [(0, value[0])], graph.group_columns[node], {})
                        recognised.roots.setdefault(node, set()).update(values for _, values, _ in groups)
    for link in graph.links:
        if link.owns and link.child[0] == store:
            for key in session.distinct(link.child[1], link.child_columns):
                for name, when in _known_key(erased, link, key).items():
                    case(name, when).inbound.setdefault(link.id, set()).add(key)
    return sorted(cases.values(), key=lambda found: found.case)


def _known_identity(erased: ledger.Erased, kind: str, node: Node, column: str, value: Any) -> dict[str, datetime]:
    found = dict(erased.cases(kind=ledger.SPELLING, field=f"{node[1]}.{column}", value=str(value)))
    with suppress(InvalidIdentity):
        found |= erased.cases(kind=ledger.IDENTITY, field=kind, value=canonical(kind, value))
    return found


def _known_key(erased: ledger.Erased, link: Link, key: Values) -> dict[str, datetime]:
    """The cases that knew every part of the key, at the owner's end where it is in this store, else at this end."""
    inside = link.parent[0] == link.child[0]
    collection, columns = (link.parent[1], link.parent_columns) if inside else (link.child[1], link.child_columns)
    known: dict[str, datetime] | None = None
    for name, value in zip(columns, key, strict=True):
        cases = erased.cases(kind=ledger.LINK, field=f"{collection}.{name}", value=str(value))
        known = cases if known is None else {case: when for case, when in known.items() if case in cases}
    return known or {}


# -- erasing ------------------------------------------------------------------------------------------------------------


def _again(maps: Maps, store: str, found: Recognised, now: datetime) -> Replayed:
    graph = maps.graph
    if reason := _came_back(maps, store, found):
        return Replayed(found.case, skipped=reason)
    with maps.stores[store].read() as session:
        foreign = {
            link.id: frozenset(found.inbound.get(link.id, ())) for link in graph.links if link.parent[0] != store == link.child[0]
        }
        frozen = Frozen(
            store=store,
            roots={node: sorted(groups, key=repr) for node, groups in found.roots.items()},
            inbound={(link, True): sorted(keys, key=repr) for link, keys in found.inbound.items()},
            foreign=foreign,
        )
        subject = Subject.of(found.identities, frozen=frozen)
        (holding,) = locate(graph, {store: session}, [subject])
    plan = plans.write(graph, Keys(graph), store, holding, map_version=maps.versions[store].version)
    for link, keys in found.inbound.items():
        written = [[to_json(part) for part in key] for key in sorted(keys, key=repr)]
        plan["inbound"].setdefault(link, {})["down"] = written
        plan["foreign"][link] = written
    job = erasing.Job(tuple(sorted(found.identities)), plan)
    (report,) = erasing.erase(graph, maps.stores[store], [job], today=timezone.localdate(now))
    return Replayed(found.case, report.collections, blocked=report.blocked)


def _came_back(maps: Maps, store: str, found: Recognised) -> str:
    """Who stands in another store today, by an identity or by the number that led here from there, came back after the erasure.

    Rows that the erasure left there (kept by a law, pinned, shared) are no sign of that: they never went.
    """
    for key in _readable(maps, store):
        stayed = _stayed(found.case, key)
        try:
            with maps.stores[key].read() as session:
                (holding,) = locate(maps.graph, {key: session}, [Subject.of(found.identities)])
                roots = (node for node, _, member in holding if member.role == "root" and not member.contested)
                is_known = any(node[1] not in stayed for node in roots) or _owner_stands(maps.graph, session, key, found, stayed)
        except StoreError:
            continue
        if is_known:
            return f"this person is known to {key} again, after the erasure of {found.erased_at.date().isoformat()}"
    return ""


def _stayed(case: str, store: str) -> frozenset[str]:
    """The collections of a store in which the case's erasure left rows."""
    return frozenset(
        name for counts in Remnant.objects.filter(case=case, store__key=store).values_list("counts", flat=True) for name in counts
    )


def _owner_stands(graph: Graph, session: Session, store: str, found: Recognised, stayed: frozenset[str]) -> bool:
    """Whether a row of `store` owns rows that stand in the restored store again."""
    for link in graph.links:
        keys = found.inbound.get(link.id, ())
        if keys and link.parent[0] == store and link.parent[1] not in stayed:
            rows = [(0, *key) for key in sorted(keys, key=repr)]
            if any(session.find(link.parent[1], link.parent_columns, rows, link.parent_columns, {})):
                return True
    return False


def _readable(maps: Maps, store: str) -> Iterator[str]:
    return (key for key in maps.stores if key != store)
