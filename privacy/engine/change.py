"""Rectify, restrict, lift, object: changes to rows that stay (R16–R18)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from privacy.datamap.graph import Graph, Node
from privacy.engine import plan as plans
from privacy.engine.contested.answers import Answers
from privacy.engine.erasure.decide import KEEP, Fate, decide
from privacy.engine.erasure.erase import subject_of
from privacy.engine.holding import Holding
from privacy.engine.locate.search import locate
from privacy.stores.base import NO_MATCH, Assignment, Groups, Session, Store, StoreRefused, Values
from privacy.stores.values import convert, from_json, to_json


@dataclass(frozen=True)
class Job:
    """One person's part. `values`: rectification {collection.column: {"old", "new"}}; `state`: what a restriction remembered."""

    identities: tuple[tuple[str, str], ...]
    plan: Mapping[str, Any]
    answers: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    state: Mapping[str, Any] | None = None


@dataclass
class Report:
    """Counts per collection; `state`: previous values, personal, to be kept encrypted by the caller."""

    collections: dict[str, dict[str, Any]] = field(default_factory=dict)
    blocked: str = ""
    state: dict[str, Any] | None = None

    def add(self, collection: str, name: str, count: int) -> None:
        counts = self.collections.setdefault(collection, {"rows": 0, "changed": 0})
        counts[name] = counts.get(name, 0) + count


Change = Callable[[Graph, Session, Store, Job, Holding, Report], None]


def change(
    graph: Graph,
    store: Store,
    jobs: Sequence[Job],
    how: Change,
    *,
    heartbeat: Callable[[], None] = lambda: None,
    before_commit: Callable[[list[Report]], None] = lambda reports: None,
    committing: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> list[Report]:
    """Apply `how` to every job in one transaction. Raises StoreUnavailable or StoreRefused, with nothing done.

    `before_commit` gets the reports while nothing of them is in force yet: what they remember is kept before it is replaced.
    `committing` is held around the commit; what it raises on entry stops it.
    """
    reports = [Report() for _ in jobs]
    with ExitStack() as until_committed, store.write() as session:
        subjects = [subject_of(graph, job.identities, job.plan, job.answers) for job in jobs]
        holdings = locate(graph, {store.key: session}, subjects, heartbeat=heartbeat)
        for job, subject, holding, report in zip(jobs, subjects, holdings, reports, strict=True):
            heartbeat()
            # Lifting puts back what was remembered, by key: whose the rows are now does not matter to it.
            judged = Holding(undisputed=True) if how is lift else holding
            report.blocked = "; ".join(plans.changes(graph, job.plan, judged, subject.identities))
            if not report.blocked:
                how(graph, session, store, job, holding, report)
        before_commit(reports)
        until_committed.enter_context(committing())
    return reports


def _own(holding: Holding, node: Node, job: Job) -> tuple[Values, ...]:
    """The person's groups of a collection but the contested ones, which wait for an answer."""
    return tuple(values for values, member in holding.members.get(node, {}).items() if not member.contested)


def _groups(graph: Graph, node: Node, values: Sequence[Values]) -> Groups:
    return Groups(node[1], graph.group_columns[node], tuple(values))


# -- rectify ------------------------------------------------------------------------------------------------------------


def rectify(now: datetime, *, today: date) -> Change:
    """Compare and set: a row that no longer holds the old value is a mismatch for staff; what a law keeps is not overwritten.

    A contact point that is corrected has changed `now`: it must not pass as one that stood unchanged for long (DESIGN §8).
    """

    def apply(graph: Graph, session: Session, store: Store, job: Job, holding: Holding, report: Report) -> None:
        chosen = Answers.read(graph, job.plan, job.answers)
        (decision,) = decide(graph, session, store.key, [holding], answers=[chosen], today=today)
        for path, wanted in job.values.items():
            collection, _, name = path.rpartition(".")
            node = (store.key, collection)
            if not graph.is_node(node) or name not in graph.table(node).columns:
                report.blocked = f"there is no field {path} in store {store.key}"
                return
            kept = [v for v in _own(holding, node, job) if _frozen(graph, node, name, decision.of(node, v))]
            free = [v for v in _own(holding, node, job) if v not in kept]
            report.add(collection, "kept", sum(holding.members[node][v].count for v in kept))
            report.add(collection, "contested", sum(m.count for m in holding.members.get(node, {}).values() if m.contested))
            _compare_and_set(graph, session, node, name, free, wanted, report, now)

    return apply


def _frozen(graph: Graph, node: Node, name: str, fate: Fate | None) -> bool:
    """Whether a law forbids to overwrite this field: a kept row stands as it is, of a row kept along only what was named."""
    if fate is None or fate.kind != KEEP or fate.until is None:
        return False
    by_its_own_rule = any(keep.basis in fate.basis for keep in graph.collection(node).keeps)
    return by_its_own_rule or fate.fields is None or name in fate.fields


def _compare_and_set(
    graph: Graph,
    session: Session,
    node: Node,
    name: str,
    values: list[Values],
    wanted: Mapping[str, Any],
    report: Report,
    now: datetime,
) -> None:
    column = graph.column(node, name)
    new = None if wanted["new"] in (None, "") and column.nullable else convert(wanted["new"], column)
    if new is NO_MATCH:
        report.blocked = f"the new value of {node[1]}.{name} is no {column.type_name}"
        return
    if isinstance(new, str) and column.length and len(new) > column.length:
        report.blocked = f"the new value of {node[1]}.{name} is longer than {column.length} characters"
        return
    columns = graph.group_columns[node]
    at = columns.index(name) if name in columns else None
    old_values: set[Any] = set()
    rows = already = 0
    for group in values:
        for (current,) in session.rows(_groups(graph, node, [group]), (name,)):
            rows += 1
            already += current == new
            old_values.add(current)
    report.add(node[1], "rows", rows)
    if "old" in wanted:
        old = None if wanted["old"] in (None, "") else convert(wanted["old"], column)
        stray = {value for value in old_values if value not in (old, new) and not (value == "" and old is None)}
        if stray:
            report.blocked = f"{node[1]}.{name} no longer holds what it held when the correction was asked for; decide again"
            return
        old_values &= {old, "" if old is None else old}
    for current in old_values - {new}:
        filtered = _with_value(columns, at, name, values, current)
        changed = session.update(
            Groups(node[1], filtered[0], filtered[1]), {name: Assignment(new)} | _stamped(graph, node, name, now)
        )
        report.add(node[1], "changed", changed)
        _move_links(graph, session, node, name, current, new)
    report.add(node[1], "already", already)


def _stamped(graph: Graph, node: Node, name: str, now: datetime) -> dict[str, Assignment]:
    """The column that says when this field last changed, if the map names one."""
    item = graph.collection(node).fields.get(name)
    beside = item.changed_at if item else None
    if beside is None:
        return {}
    value = convert(now, graph.column(node, beside))
    return {} if value is NO_MATCH else {beside: Assignment(value)}


def _with_value(
    columns: tuple[str, ...], at: int | None, name: str, values: list[Values], current: Any
) -> tuple[tuple[str, ...], tuple[Values, ...]]:
    if at is not None:
        return columns, tuple(group for group in values if group[at] == current)
    return (*columns, name), tuple((*group, current) for group in values)


def _move_links(graph: Graph, session: Session, node: Node, name: str, old: Any, new: Any) -> None:
    """What points at a changed link column moves along in the same transaction."""
    for pointer in graph.pointers:
        if pointer.parent == node and pointer.parent_columns == (name,) and pointer.child[0] == node[0] and old is not None:
            if pointer.enforced and pointer.on_update == "CASCADE":
                continue  # the store has moved it along
            if pointer.enforced:
                raise StoreRefused(
                    f"{node[0]}: {node[1]}.{name} is a key that {pointer.child[1]} points at; correct it in the system itself"
                )
            session.update(
                Groups(pointer.child[1], pointer.child_columns, ((old,),)), {pointer.child_columns[0]: Assignment(new)}
            )


# -- restrict, lift, object ---------------------------------------------------------------------------------------------


def restrict(graph: Graph, session: Session, store: Store, job: Job, holding: Holding, report: Report) -> None:
    """Set what the map declares and remember what was there, to be put back; rows set earlier keep their first memory."""
    state: dict[str, Any] = {name: dict(entry) for name, entry in (job.state or {}).items()}
    for node in holding.in_store(store.key):
        wanted = graph.collection(node).restriction
        if not wanted:
            continue
        own = _own(holding, node, job)
        report.add(node[1], "rows", sum(holding.members[node][values].count for values in own))
        report.add(node[1], "contested", sum(m.count for m in holding.members[node].values() if m.contested))
        columns = _key_columns(graph, node)
        entry = state.setdefault(node[1], {"key": list(columns), "set": {n: to_json(v) for n, v in wanted.items()}, "rows": []})
        known = {_hashable(key) for key, _ in entry["rows"]}
        names = tuple(wanted)
        previous, unset = [], 0
        for row in session.rows(_groups(graph, node, own), (*columns, *names)) if own else ():
            key, values = row[: len(columns)], row[len(columns) :]
            differs = any(not _same(graph, node, n, v, wanted[n]) for n, v in zip(names, values, strict=True))
            unset += differs
            if differs and _hashable([to_json(k) for k in key]) not in known:
                previous.append([[to_json(k) for k in key], {n: to_json(v) for n, v in zip(names, values, strict=True)}])
        entry["rows"] += previous
        if unset:
            assignments = {n: Assignment(_typed(graph, node, n, v)) for n, v in wanted.items()}
            session.update(_groups(graph, node, own), assignments)
        report.add(node[1], "changed", unset)
    report.state = state


def lift(graph: Graph, session: Session, store: Store, job: Job, holding: Holding, report: Report) -> None:
    """Put back what the restriction remembered, where the field still holds what we set (R17)."""
    for name, entry in (job.state or {}).items():
        node = (store.key, name)
        if not graph.is_node(node):
            report.blocked = f"the collection {name} is no longer in the data map"
            return
        columns = tuple(entry["key"])
        report.add(name, "rows", len(entry["rows"]))
        back: dict[str, dict[Any, list[Values]]] = {}
        for key, values in entry["rows"]:
            for column, value in values.items():
                back.setdefault(column, {}).setdefault(_hashable(value), []).append(tuple(from_json(k) for k in key))
        for column, by_value in back.items():
            ours = _typed(graph, node, column, from_json(entry["set"][column]))
            for value, keys in by_value.items():
                previous = from_json(_unhashable(value))
                where = Groups(name, (*columns, column), tuple((*key, ours) for key in keys))
                report.add(name, "changed", session.update(where, {column: Assignment(previous)}))


def stop_marketing(graph: Graph, session: Session, store: Store, job: Job, holding: Holding, report: Report) -> None:
    """Art. 21(2): the declared `objection` values, at once; contested rows too are not for marketing to this person."""
    for node in holding.in_store(store.key):
        wanted = graph.collection(node).objection
        own = _own(holding, node, job)
        if wanted and own:
            report.add(node[1], "rows", sum(holding.members[node][values].count for values in own))
            assignments = {n: Assignment(_typed(graph, node, n, v)) for n, v in wanted.items()}
            report.add(node[1], "changed", session.update(_groups(graph, node, own), assignments))


def _key_columns(graph: Graph, node: Node) -> tuple[str, ...]:
    """What tells the rows apart when values are put back: the primary key, else all that groups know."""
    return graph.table(node).primary_key or graph.group_columns[node]


def _typed(graph: Graph, node: Node, name: str, value: Any) -> Any:
    if value is None:
        return None
    converted = convert(value, graph.column(node, name))
    if converted is NO_MATCH:
        raise StoreRefused(f"{node[0]}: the data map sets {node[1]}.{name} to a value of another type")
    return converted


def _same(graph: Graph, node: Node, name: str, stored: Any, wanted: Any) -> bool:
    return bool(stored == _typed(graph, node, name, wanted))


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return ("dict", tuple(sorted(value.items())))
    return tuple(_hashable(item) for item in value) if isinstance(value, list | tuple) else value


def _unhashable(value: Any) -> Any:
    return dict(value[1]) if isinstance(value, tuple) and value and value[0] == "dict" else value
