"""Carry out a right in one store for many people at once (R27), and leave the traces that outlive the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from privacy import ledger, returning
from privacy.crypto import keyed_hash
from privacy.datamap.graph import Graph, Node
from privacy.engine import change as changes
from privacy.engine import plan as plans
from privacy.engine.contested.answers import Answers
from privacy.engine.erasure import erase as erasing
from privacy.engine.erasure.decide import KEEP, STAY, decide
from privacy.engine.holding import REFERRED, ROOT
from privacy.engine.identity import InvalidIdentity, canonical
from privacy.engine.locate.search import locate
from privacy.hooks import HookFailed, post
from privacy.maps import Maps, open_maps
from privacy.models import Suppression
from privacy.stores import base
from privacy.stores.base import Values
from privacy.terms import RunItem, RunOutcome, StoreUnavailable, UnknownStore


def execute(
    *,
    store_key: str,
    right: str,
    items: Sequence[RunItem],
    heartbeat: Callable[[], None] = lambda: None,
    remember: Callable[[Mapping[str, Any]], None] = lambda states: None,
    committing: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> dict[str, RunOutcome]:
    """Carry out `right` in one store; answers {case: RunOutcome}.

    Rights: "rectification", "restriction", "lift", "erasure", "objection". Idempotent: the same items again give the same end
    and a true report. `heartbeat` is called between statements; `remember` gets {case: what a restriction is about to replace}
    before the store commits, to be kept before it is gone; `committing` is held around every commit of the store.
    Raises StoreUnavailable (nothing of this batch was done, or it is safe to repeat), UnknownStore, StoreRefused where the store
    refused one of the batch, and what `committing` raises.
    """
    maps = open_maps(only=[store_key])
    if store_key not in maps.versions:
        raise UnknownStore(f"no active store with a data map has the key {store_key}")
    if store_key not in maps.stores:
        raise StoreUnavailable(maps.down[store_key])
    if maps.graph.datasets[store_key].role == "processor":  # not ours to decide (Art. 28): it goes to the controllers
        return {item.case: RunOutcome("blocked", reason=f"{store_key} is held for others, who decide") for item in items}
    now = timezone.now()
    try:
        if right == "erasure":
            return _erase(maps, store_key, items, now, heartbeat, committing)
        return _change(maps, store_key, right, items, now, heartbeat, remember, committing)
    except base.StoreUnavailable as error:
        raise StoreUnavailable(str(error)) from None
    except base.StoreRefused as error:
        if len(items) > 1:
            raise  # one of them cannot be done; the caller finds out which
        return {items[0].case: RunOutcome("blocked", reason=str(error))}


# -- erasure ------------------------------------------------------------------------------------------------------------


def _erase(
    maps: Maps,
    key: str,
    items: Sequence[RunItem],
    now: datetime,
    heartbeat: Callable[[], None],
    committing: Callable[[], AbstractContextManager[object]],
) -> dict[str, RunOutcome]:
    version = maps.versions[key].version
    stale = {item.case for item in items if item.plan["map_version"] != version}
    stale -= _erased_already(maps, key, [item for item in items if item.case in stale], timezone.localdate(now))
    outdated = RunOutcome("blocked", reason="the data map changed since the plan was made; look for the data again")
    items = [item for item in items if item.case not in stale]
    jobs = [erasing.Job(_pairs(item), item.plan, item.options.get("contested", {})) for item in items]
    today = timezone.localdate(now)
    reports = erasing.erase(maps.graph, maps.stores[key], jobs, today=today, heartbeat=heartbeat, committing=committing)
    done = [item for item, report in zip(items, reports, strict=True) if not report.blocked]
    staying = [(item.case, item.ref, version, report) for item, report in zip(items, reports, strict=True) if not report.blocked]
    returning.keep(store_key=key, reports=staying, now=now)
    ledger.record_many([(item.case, ledger_entries(maps.graph, key, item)) for item in done], store_key=key, now=now)
    outcomes = dict.fromkeys(stale, outdated)
    for item, report in zip(items, reports, strict=True):
        body: dict[str, Any] = {"collections": report.collections}
        if report.blocked:
            outcomes[item.case] = RunOutcome("blocked", body, report.blocked)
            continue
        if report.contested:
            left = ", ".join(sorted(n for n, c in report.collections.items() if c["undecided_contested"]))
            outcomes[item.case] = RunOutcome("blocked", body, f"contested rows of {left} were left as they are; decide on them")
        else:
            outcomes[item.case] = RunOutcome("done", body)
    return outcomes


def _erased_already(maps: Maps, key: str, items: Sequence[RunItem], today: date) -> set[str]:
    """Those of whose planned rows nothing is left to erase: a run that committed and was cut before it was written down.

    The map may have changed since then; nothing is done under it that nobody approved, but what was done is remembered (R22).
    """
    if not items:
        return set()
    graph = maps.graph
    chosen = [item.options.get("contested", {}) for item in items]
    subjects = [erasing.subject_of(graph, _pairs(item), item.plan, own) for item, own in zip(items, chosen, strict=True)]
    with maps.stores[key].read() as session:
        holdings = locate(graph, {key: session}, subjects)
        answers = [
            Answers.read(graph, item.plan, own, subject.identities)
            for item, own, subject in zip(items, chosen, subjects, strict=True)
        ]
        decisions = decide(graph, session, key, holdings, answers=answers, today=today)
    return {
        item.case
        for item, holding, decision in zip(items, holdings, decisions, strict=True)
        if sum(member.count for _, _, member in holding) < sum(plans.planned_counts(item.plan).values())
        and all(fate.kind in (KEEP, STAY) for _, _, fate in decision)
    }


def ledger_entries(graph: Graph, key: str, item: RunItem) -> list[tuple[str, str, str]]:
    """(kind, field, canonical value): identities, the spellings found, and the values by which links led on (R22)."""
    frozen = plans.read(graph, item.plan)
    entries = dict.fromkeys(("identity", kind, canonical(kind, value)) for kind, value in _pairs(item))
    for node, known in frozen.known.items():
        for values, (role, reasons) in known.items():
            if not reasons:
                entries |= dict.fromkeys(_marks(graph, node, values, role))
    links = {link.id: link for link in graph.links if link.child[0] == key}
    for (link_id, _), keys in frozen.inbound.items():
        if (link := links.get(link_id)) is not None:
            for values in keys:
                ends = zip(link.child_columns, values, strict=True)
                entries |= dict.fromkeys(("link", f"{link.child[1]}.{name}", str(value)) for name, value in ends)
    return list(entries)


def _marks(graph: Graph, node: Node, values: Values, role: str) -> Iterator[tuple[str, str, str]]:
    fields = graph.collection(node).fields
    below = [link for link in graph.links if link.parent == node]
    leading = {column for link in below for column in link.parent_columns}
    owned = [link for link in below if link.owns and link.child[0] == node[0] and role != REFERRED]
    for name, value in zip(graph.group_columns[node], values, strict=True):
        if value is not None and role == ROOT and name in fields and fields[name].identity:
            yield "spelling", f"{node[1]}.{name}", str(value)
        if value is not None and name in leading:
            yield "link", f"{node[1]}.{name}", str(value)
    for link in owned:
        for name, place in zip(
            link.child_columns, (graph.group_columns[node].index(c) for c in link.parent_columns), strict=True
        ):
            if values[place] is not None:
                yield "link", f"{link.child[1]}.{name}", str(values[place])


# -- changes ------------------------------------------------------------------------------------------------------------


def _change(
    maps: Maps,
    key: str,
    right: str,
    items: Sequence[RunItem],
    now: datetime,
    heartbeat: Callable[[], None],
    remember: Callable[[Mapping[str, Any]], None],
    committing: Callable[[], AbstractContextManager[object]],
) -> dict[str, RunOutcome]:
    def before_commit(reports: Sequence[changes.Report]) -> None:
        remember({item.case: report.state for item, report in zip(items, reports, strict=True) if report.state is not None})

    how: dict[str, changes.Change] = {
        "rectification": changes.rectify(now, today=timezone.localdate(now)),
        "restriction": changes.restrict,
        "lift": changes.lift,
        "objection": changes.stop_marketing,
    }
    jobs = [_job(item) for item in items]
    reports = changes.change(
        maps.graph, maps.stores[key], jobs, how[right], heartbeat=heartbeat, before_commit=before_commit, committing=committing
    )
    outcomes = {}
    for item, report in zip(items, reports, strict=True):
        outcome = RunOutcome(
            "blocked" if report.blocked else "done", {"collections": report.collections}, report.blocked, report.state
        )
        if outcome.status == "done":
            outcome = _after(maps, key, right, item, report, outcome, now)
        outcomes[item.case] = outcome
    return outcomes


def _after(
    maps: Maps, key: str, right: str, item: RunItem, report: changes.Report, outcome: RunOutcome, now: datetime
) -> RunOutcome:
    """What goes with a change beyond the rows: the services' own hook, the suppression list."""
    if right == "objection":
        suppress(_pairs(item), now=now)
    hook = maps.graph.datasets[key].hooks.get({"restriction": "suspend", "lift": "resume"}.get(right, ""))
    if hook and any(counts.get("rows") for counts in report.collections.values()):
        body = {"case": item.case, "action": right, "store": key, "keys": _root_keys(maps.graph, item.plan)}
        try:
            post(hook, body, key=f"{item.case}:{key}:{right}", now=now)
        except HookFailed as error:
            # The rows are set; what they remembered must not be lost, so the state goes along with the failure.
            return RunOutcome("failed", outcome.report, str(error), outcome.state)
    return outcome


def _root_keys(graph: Graph, plan: Mapping[str, Any]) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for name, groups in plan["groups"].items():
        node = (plan["store"], name)
        if graph.is_node(node):
            places = [plan["columns"][name].index(c) for c in graph.table(node).primary_key if c in plan["columns"][name]]
            out |= {name: [[g[0][i] for i in places] for g in groups if g[2] == ROOT and not g[3]]} if places else {}
    return {name: keys for name, keys in out.items() if keys}


def suppress(identities: Sequence[tuple[str, str]], *, now: datetime) -> None:
    """Keep a keyed hash, so that no later campaign finds the person again (Art. 21(3))."""
    for kind, value in identities:
        version, lookup = keyed_hash(canonical(kind, value), purpose=f"identity:{kind}")
        Suppression.objects.get_or_create(kind=kind, lookup=lookup, defaults={"lookup_key": version, "since": now})


def _job(item: RunItem) -> changes.Job:
    options = item.options
    return changes.Job(_pairs(item), item.plan, options.get("contested", {}), options.get("set", {}), options.get("state"))


def _pairs(item: RunItem) -> tuple[tuple[str, str], ...]:
    out = []
    for identity in item.identities:
        try:
            canonical(identity.kind, identity.value)
        except InvalidIdentity:
            continue
        out.append((identity.kind, identity.value))
    return tuple(out)
