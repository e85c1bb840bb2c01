"""Report: what an erasure did for one person, counted by collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from privacy.datamap.graph import Graph
from privacy.engine import plan as plans
from privacy.engine.erasure.crowd import Crowd
from privacy.engine.erasure.decide import Decision
from privacy.engine.erasure.pseudonyms import pseudonymized


@dataclass
class Report:
    """What was done for one person: counts per collection, and why it stopped where it did."""

    collections: dict[str, dict[str, Any]] = field(default_factory=dict)
    blocked: str = ""
    remnant: dict[str, Any] | None = None  # what stays for a while, to be asked for again
    due: date | None = None  # the first day on which something of it may go

    @property
    def contested(self) -> int:
        return sum(c.get("undecided_contested", 0) for c in self.collections.values())

    @property
    def remaining(self) -> int:
        return sum(c.get("remaining", 0) for c in self.collections.values())


def account_crowd(crowd: Crowd, plans_of: Sequence[Mapping[str, Any]], reports: Sequence[Report]) -> None:
    deleted, others = crowd.counts(), crowd.others()
    for i in crowd.people:
        reports[i].blocked = ""  # nothing stands in the way any more, whatever did in an earlier round
        planned = plans.planned_counts(plans_of[i])
        for name in sorted({*planned, *deleted[i], *others.get(i, ())}):
            rows = deleted[i].get(name, 0)
            _enter(reports[i], name, planned.get(name, rows), rows, {"delete": rows}, others.get(i, {}).get(name, 0))


def account(graph: Graph, plan: Mapping[str, Any], report: Report, store: str, decision: Decision) -> None:
    planned, effects = plans.planned_counts(plan), plans.effects(decision)
    linked = pseudonymized(graph, store, decision)
    others = {node[1]: sum(groups.values()) for node, groups in decision.holding.others.items() if node[0] == store}
    members = {node[1]: groups.values() for node, groups in decision.holding.in_store(store).items()}
    for name in sorted({*planned, *effects, *others}):
        rows = sum([member.count for member in members.get(name, ())])
        astray = decision.holding.astray.get((store, name), 0)
        _enter(report, name, planned.get(name, rows), rows, effects.get(name, {}), others.get(name, 0), astray)
        entry = report.collections[name]
        entry["contested"] = sum([member.count for member in members.get(name, ()) if member.reasons])
        if name in linked:
            entry["pseudonymized"] = linked[name]
        if report.blocked:
            entry |= {"deleted": 0, "anonymized": 0, "pinned": 0, "kept": [], "remaining": rows}


def _enter(report: Report, name: str, planned: int, found: int, counts: Mapping[str, Any], others: int, astray: int = 0) -> None:
    """What was done in a collection: `planned` and `found` rows, `counts` by what became of them."""
    before = report.collections.get(name)
    entry: dict[str, Any] = {
        "rows": planned,
        "contested": 0,
        "others": others,
        "deleted": counts.get("delete", 0),
        "anonymized": counts.get("anonymize", 0) + counts.get("pinned", 0),
        "pinned": counts.get("pinned", 0),
        "kept": counts.get("kept", []),
        "left": counts.get("left", 0) + counts.get("contested", 0),
        "undecided_contested": counts.get("contested", 0),
        "remaining": 0,
    }
    if counts.get("pinned_by"):
        entry["pinned_by"] = counts["pinned_by"]
    if before:  # a further round adds to what the earlier did, and may not know again what that anonymized
        entry["deleted"] += before["deleted"]
        entry |= {name: max(entry[name], before[name]) for name in ("anonymized", "pinned")}
        entry |= {name: before[name] for name in ("erased_earlier", "no_longer_theirs") if name in before}
    elif (missing := planned - found) > 0:
        astray = min(missing, astray)
        entry |= {"no_longer_theirs": astray} if astray else {}
        entry |= {"erased_earlier": missing - astray} if missing > astray else {}
    report.collections[name] = entry
