"""Erase: carry out the decisions of many people in one store, in one transaction, children before parents (R19, R20, R23, R27).

Everything is judged again inside the transaction, from the plan's link values and never from identities. Killed before the commit
nothing happened; killed after it, the next run finds less than was planned and reports the difference as erased earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from privacy.datamap.graph import Graph, Node, Pointer
from privacy.engine import plan as plans
from privacy.engine.contested.answers import Answers
from privacy.engine.erasure import remnant as remnants
from privacy.engine.erasure import triggers
from privacy.engine.erasure.anonymize import assignments, replacement
from privacy.engine.erasure.crowd import Crowd
from privacy.engine.erasure.decide import ANONYMIZE, DELETE, KEEP, PART, UNDECIDED, Decision, decide, forgets, own_columns
from privacy.engine.erasure.report import Report, account, account_crowd
from privacy.engine.erasure.traces import Traces
from privacy.engine.erasure.verify import remaining
from privacy.engine.erasure.waves import apart, waves
from privacy.engine.exceptions import kept_among
from privacy.engine.holding import Holding, Keys, identities_of
from privacy.engine.locate.search import locate, search
from privacy.engine.locate.subject import Frozen, Subject
from privacy.engine.uncollected import uncollected
from privacy.stores.base import Assignment, Groups, Session, Store, StoreUnavailable, Values

ROUNDS = 3  # rows that arrive while we erase are erased too; more rounds than this and somebody keeps writing


@dataclass(frozen=True)
class Job:
    """One person's erasure in this store."""

    identities: tuple[tuple[str, str], ...]
    plan: Mapping[str, Any]
    answers: Mapping[str, str] = field(default_factory=dict)  # {collection or group: keep | redact | anonymize | disclose}
    returning: bool = False  # the plan is a remnant: rows that it does not name stay

    @property
    def exceptions(self) -> dict[str, str]:
        """What staff keep beyond the map's rules; a remnant remembers what was kept of it."""
        return {**self.plan.get("exceptions", {}), **kept_among(self.answers)}


@uncollected()
def erase(
    graph: Graph,
    store: Store,
    jobs: Sequence[Job],
    *,
    today: date,
    heartbeat: Callable[[], None] = lambda: None,
    committing: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> list[Report]:
    """One report per job. A job whose plan no longer holds is blocked and nothing of it done; the others go on.

    `committing` is held around each commit; what it raises on entry stops the run with nothing of the round done.
    Raises StoreUnavailable (nothing done) and StoreRefused (nothing done; one of the jobs cannot be carried out).
    """
    reports = [Report() for _ in jobs]
    subjects = [subject_of(graph, job.identities, job.plan, job.answers) for job in jobs]
    for _ in range(ROUNDS):
        with store.connect() as connection:
            with ExitStack() as until_committed, store.write(connection) as session:
                crowd, decisions = _round(graph, store, session, jobs, subjects, reports, today, heartbeat)
                until_committed.enter_context(committing())
            with store.read(connection) as session:
                left = remaining(graph, session, crowd, decisions, heartbeat=heartbeat)
        for number, report in enumerate(reports):
            for name, counts in report.collections.items() if not report.blocked else ():
                counts["remaining"] = left.get(number, {}).get(name, 0)
        if not any(report.remaining for report in reports if not report.blocked):
            return [_with_left(report) for report in reports]
    raise StoreUnavailable(f"{store.key}: rows keep arriving while they are erased; it is tried again")


def _with_left(report: Report) -> Report:
    """What was left on purpose but by no rule (contested rows) remains too, and says so."""
    for counts in report.collections.values():
        counts["remaining"] += counts.pop("left", 0) if not report.blocked else 0
    return report


def _round(
    graph: Graph,
    store: Store,
    session: Session,
    jobs: Sequence[Job],
    subjects: Sequence[Subject],
    reports: list[Report],
    today: date,
    heartbeat: Callable[[], None],
) -> tuple[Crowd, dict[int, Decision]]:
    """The crowd at once; then of the others those who meet nobody, and wave by wave the rest, each judged on what was left."""

    def judge(numbers: Sequence[int], found: list[Holding]) -> list[tuple[Holding, Decision]]:
        remnant = [(jobs[i].plan, holding) for i, holding in zip(numbers, found, strict=True) if jobs[i].returning]
        remnants.set_apart(graph, session, store.key, remnant)
        answers = [Answers.read(graph, jobs[i].plan, jobs[i].answers, subjects[i].identities) for i in numbers]
        decided = decide(graph, session, store.key, found, answers=answers, today=today)
        return list(zip(found, decided, strict=True))

    located = search(graph, {store.key: session}, subjects, heartbeat=heartbeat)
    schema = graph.digest(store.key)
    able = [i for i, job in enumerate(jobs) if not job.returning and not job.exceptions and job.plan["schema"] == schema]
    crowd = Crowd.among(located, session, store.key, able, heartbeat)
    others = [i for i in range(len(jobs)) if i not in crowd.people]
    judged = dict(zip(others, judge(others, located.holdings(others)), strict=True))
    if crowd.people:
        _delete(graph, session, store.key, crowd.doomed(), heartbeat)
        account_crowd(crowd, [job.plan for job in jobs], reports)
    alone = apart([judged[i][0] for i in others], [judged[i][1] for i in others])
    order = waves(graph, store.key, [judged[i][0] for i in others], alone)
    for number, wave in enumerate([[others[place] for place in places] for places in order]):
        if number or (crowd.people and not alone):  # what others held against them may have gone
            found = locate(graph, {store.key: session}, [subjects[i] for i in wave], heartbeat=heartbeat)
            judged |= zip(wave, judge(wave, found), strict=True)
        holdings = {i: judged[i][0] for i in wave}
        decisions = {i: judged[i][1] for i in wave}
        going = [i for i in wave if not _block(graph, jobs[i], subjects[i], reports[i], holdings[i], decisions[i])]
        ended = [
            remnants.Ended({**jobs[i].plan, "exceptions": jobs[i].exceptions}, _memory(subjects[i]), holdings[i], decisions[i])
            for i in going
        ]
        left = remnants.remember(graph, session, store.key, ended)
        traces = Traces(graph, session, [(decisions[i], subjects[i]) for i in going])
        acting = [decisions[i] for i in going]
        for _ in range(ROUNDS):  # more than one only where triggers keep history
            _update(graph, session, [(decision, subjects[i]) for decision, i in zip(acting, going, strict=True)], heartbeat)
            _delete(graph, session, store.key, _doomed(acting), heartbeat)
            if not (acting := traces.arrived(today)):
                break
        for i in wave:
            account(graph, jobs[i].plan, reports[i], store.key, decisions[i])
        for i, remembered, copies in zip(going, left, traces.removed, strict=True):
            _leave(reports[i], remembered, holdings[i], decisions[i])
            for name, count in copies.items():
                reports[i].collections[name]["deleted"] += count
    return crowd, {i: decision for i, (_, decision) in judged.items() if not reports[i].blocked}


def _memory(subject: Subject) -> Frozen:
    assert subject.frozen is not None  # subject_of reads it from the plan
    return subject.frozen


def _leave(report: Report, remembered: dict[str, Any] | None, holding: Holding, decision: Decision) -> None:
    """What stays for a while: kept by law until a day, or shared until its last owner goes."""
    if report.remnant is None:  # a further round no longer knows what the first one saw
        report.remnant = remembered
        report.due = remnants.due(decision) if remembered else None
    for name, rows in remnants.waiting(holding, decision).items():
        report.collections[name]["waiting"] = rows


def _block(graph: Graph, job: Job, subject: Subject, report: Report, holding: Holding, decision: Decision) -> str:
    report.blocked = "; ".join(_obstacles(graph, job, subject, holding, decision))
    return report.blocked


def subject_of(
    graph: Graph, identities: Sequence[tuple[str, str]], plan: Mapping[str, Any], answers: Mapping[str, str]
) -> Subject:
    subject = Subject.of(identities, frozen=plans.read(graph, plan))
    if "disclose" not in answers.values():
        return subject
    return replace(subject, disclosed=Answers.read(graph, plan, answers, subject.identities).disclosed)


def _obstacles(graph: Graph, job: Job, subject: Subject, holding: Holding, decision: Decision) -> list[str]:
    undecided = sorted({node[1] for node, _, fate in decision if fate.kind == UNDECIDED})
    reasons = plans.changes(graph, job.plan, holding, subject.identities) + decision.stops
    if undecided:
        reasons.append(f"the data map does not say what erasure does to {', '.join(undecided)} (on_erasure)")
    return reasons


# -- acting -------------------------------------------------------------------------------------------------------------


def _update(
    graph: Graph,
    session: Session,
    people: Sequence[tuple[Decision, Subject]],
    heartbeat: Callable[[], None],
) -> None:
    """Anonymize what stays: pinned rows, the rest of kept rows, this person's part of shared ones."""
    people = [(decision, subject) for decision, subject in people if not decision.goes]
    work: dict[tuple[Node, frozenset[str] | None], dict[Values, None]] = {}
    staying: set[Node] = set()
    for decision, _ in people:
        for node, values, fate in decision:
            if fate.stays:
                staying.add(node)
            if fate.kind == ANONYMIZE:
                work.setdefault((node, frozenset()), {})[values] = None
            elif fate.kind == KEEP and fate.fields is not None:
                work.setdefault((node, fate.fields), {})[values] = None
    for (node, keep), groups in work.items():
        heartbeat()
        changes = assignments(graph, node, keep=keep or frozenset(), staying=staying)
        triggers.update(graph, session, node, Groups(node[1], graph.group_columns[node], tuple(groups)), changes)
    for decision, subject in people:
        identities = {(kind, value) for kind, values in subject.identities.items() for value in values}
        for node, values, fate in decision:
            if fate.kind == PART:
                part = _part(graph, node, values, decision, identities)
                triggers.update(graph, session, node, Groups(node[1], graph.group_columns[node], (values,)), part)


def _part(
    graph: Graph, node: Node, values: Values, decision: Decision, identities: set[tuple[str, str]]
) -> dict[str, Assignment]:
    """This person's part of a row that others have a part in: their identities in it, and the links that lead to them."""
    out = {}
    for kind, name, value in identities_of(graph, node, values):
        if (kind, value) in identities:
            out[name] = replacement(graph, node, name)
    keys = Keys(graph)
    for pointer in graph.pointers:
        link = pointer.link
        if link is None or link.child != node or link.parent[0] != node[0] or not link.owns:
            continue
        if pointer.when and not keys.holds(node, pointer.when, values):
            continue
        key = keys.child(link, values)
        if key is not None and any(keys.parent(link, parent) == key for parent in decision.fates.get(link.parent, {})):
            out |= {name: Assignment(None) for name in own_columns(graph, pointer)}
    return out


def _doomed(decisions: Sequence[Decision]) -> dict[Node, dict[Values, Any]]:
    doomed: dict[Node, dict[Values, Any]] = {}
    for node, values, fate in (group for decision in decisions for group in decision):
        if fate.kind == DELETE:
            doomed.setdefault(node, {})[values] = None
    return doomed


def _delete(
    graph: Graph, session: Session, store: str, doomed: dict[Node, dict[Values, Any]], heartbeat: Callable[[], None]
) -> None:
    order, cut = deletion_order(graph, store, set(doomed))
    for pointer in cut:
        heartbeat()
        doomed[pointer.child] = _release(graph, session, pointer, doomed[pointer.child])
    forgetting = [p for p in graph.pointers if p.child[0] == store and forgets(graph, p)]
    for node in order:
        heartbeat()
        for pointer in forgetting:
            if pointer.enforced and pointer.parent == node:  # the doomed among its children are gone, or have let go
                _forget_parent(graph, session, pointer, doomed[node])
        triggers.delete(graph, session, node, _handles(graph, node, doomed[node]))
    for pointer in forgetting:
        if not pointer.enforced and pointer.parent in doomed:
            _forget_parent(graph, session, pointer, doomed[pointer.parent])


def _handles(graph: Graph, node: Node, groups: Mapping[Values, Any]) -> Groups:
    """The rows of the groups, by a unique key where they hold one: what the transaction has seen is what stands there."""
    by = graph.group_columns[node]
    for unique in graph.table(node).uniques:
        if set(unique) < set(by):
            places = [by.index(name) for name in unique]
            handles = [tuple([values[i] for i in places]) for values in groups]
            if not any(None in handle for handle in handles):
                return Groups(node[1], unique, handles)
    return Groups(node[1], by, tuple(groups))


def deletion_order(graph: Graph, store: str, nodes: set[Node]) -> tuple[list[Node], list[Pointer]]:
    """Children before parents by every live foreign key; in a cycle, the nullable keys to be cut first."""
    edges = [p for p in graph.pointers if p.enforced and p.child in nodes and p.parent in nodes]
    cut = [p for p in edges if p.child == p.parent]
    edges = [p for p in edges if p.child != p.parent]
    order: list[Node] = []
    left = set(nodes)
    while left:
        free = sorted(node for node in left if not any(p.parent == node and p.child in left for p in edges))
        if free:
            order += free
            left -= set(free)
            continue
        loose = [p for p in edges if p.child in left and p.parent in left and _nullable(graph, p)]
        if not loose:
            order += sorted(left)  # only deferred constraints let such rows exist; the store checks them at commit
            break
        cut.append(loose[0])
        edges.remove(loose[0])
    return order, [p for p in cut if _nullable(graph, p)]


def _nullable(graph: Graph, pointer: Pointer) -> bool:
    return any(graph.column(pointer.child, name).nullable for name in pointer.child_columns)


def _release(graph: Graph, session: Session, pointer: Pointer, groups: Mapping[Values, Any]) -> dict[Values, Any]:
    """Cut a cycle: doomed rows let go of each other. Their groups are renamed as the rows now stand."""
    columns = graph.group_columns[pointer.child]
    names = [name for name in pointer.child_columns if graph.column(pointer.child, name).nullable]
    places = {columns.index(name) for name in names}
    pointing = tuple(values for values in groups if all(values[i] is not None for i in places))
    session.update(Groups(pointer.child[1], columns, pointing), {name: Assignment(None) for name in names})
    changed = {values: tuple(None if i in places else v for i, v in enumerate(values)) for values in pointing}
    return {changed.get(values, values): None for values in groups}


def _forget_parent(graph: Graph, session: Session, pointer: Pointer, parents: Mapping[Values, Any]) -> None:
    """The only change a bystander's row may see, where the map says so."""
    keys = Keys(graph)
    child = pointer.child_columns
    wanted = [key for values in parents if (key := keys.raw(pointer.parent, pointer.parent_columns, values)) is not None]
    letting_go = own_columns(graph, pointer) or [name for name in child if graph.column(pointer.child, name).nullable]
    groups = Groups(pointer.child[1], (*child, *pointer.when), tuple((*key, *pointer.when.values()) for key in wanted))
    session.update(groups, {name: Assignment(None) for name in letting_go})
