"""What may follow what: the one table of a case's states, and the one function that moves cases along it (R28).

`docs/lifecycle.md` is printed from the table by `manage.py lifecycle --markdown`; a test fails when the two differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Coalesce

from privacy import audit
from requests_app.models import ANSWERED_STATES, OPEN_STATES, RightsRequest, State


@dataclass(frozen=True)
class Transition:
    sources: frozenset[State]
    target: State
    meaning: str


def _from(*sources: State, to: State, meaning: str) -> Transition:
    return Transition(frozenset(sources), to, meaning)


TRANSITIONS: dict[str, Transition] = {
    # identity
    "wait_for_identity": _from(State.RECEIVED, to=State.IDENTIFYING, meaning="the identity level is too low for this right"),
    "identified": _from(State.RECEIVED, State.IDENTIFYING, to=State.TRIAGE, meaning="the identity level is high enough"),
    "ask_identity": _from(
        State.RECEIVED, State.IDENTIFYING, State.TRIAGE, to=State.IDENTIFYING, meaning="staff doubt the identity and say why"
    ),
    # decision
    "propose": _from(State.TRIAGE, to=State.PROPOSED, meaning="staff propose an erasure"),
    "return": _from(
        State.PROPOSED, State.BLOCKED, State.APPROVED, to=State.TRIAGE, meaning="staff send it back to be assessed anew"
    ),
    "approve": _from(State.TRIAGE, to=State.APPROVED, meaning="staff approve (all rights but erasure)"),
    "approve_erasure": _from(State.PROPOSED, to=State.APPROVED, meaning="a second person approves the erasure"),
    "fulfil": _from(State.RECEIVED, State.TRIAGE, to=State.APPROVED, meaning="an objection to marketing is followed at once"),
    "refuse": _from(State.IDENTIFYING, State.TRIAGE, State.PROPOSED, to=State.REFUSED, meaning="staff refuse, with reasons"),
    "withdraw": _from(
        State.RECEIVED,
        State.IDENTIFYING,
        State.TRIAGE,
        State.PROPOSED,
        State.APPROVED,
        to=State.WITHDRAWN,
        meaning="the person takes it back before anything was done",
    ),
    # execution
    "start": _from(State.APPROVED, to=State.RUNNING, meaning="a worker claims the first run"),
    "block": _from(
        State.APPROVED, State.RUNNING, to=State.BLOCKED, meaning="a run waits for staff and nothing else is left to run"
    ),
    "resume": _from(State.BLOCKED, to=State.RUNNING, meaning="staff start a stopped run again"),
    "complete": _from(State.RUNNING, to=State.COMPLETED, meaning="every store is done"),
    "restrict": _from(State.RUNNING, to=State.RESTRICTED, meaning="every store holds the restriction"),
    "end_restriction": _from(State.RESTRICTED, to=State.COMPLETED, meaning="lifted in every store, or ended by an erasure"),
}


def transition(
    *,
    requests: Iterable[int],
    action: str,
    actor: str,
    now: datetime,
    payload: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> set[int]:
    """Move those of the cases that stand where `action` may start, each with its audit event; answers the ids that moved.

    `changes` are further columns of the same statement, so that the database's own rules see state and decision together.
    """
    rule = TRANSITIONS[action]
    columns: dict[str, Any] = {"closed_at": None if rule.target in OPEN_STATES else now, **(changes or {}), "state": rule.target}
    if rule.target in ANSWERED_STATES:
        columns["answered_at"] = Coalesce("answered_at", Value(now))  # a restriction that ends was answered when it came in force
    with transaction.atomic():
        standing = RightsRequest.objects.select_for_update().filter(pk__in=list(requests), state__in=rule.sources).order_by("pk")
        moved = dict(standing.values_list("pk", "reference"))
        if moved:
            RightsRequest.objects.filter(pk__in=moved).update(**columns)
        told = [audit.Entry(reference, f"request.{action}", payload or {}) for reference in moved.values()]
        audit.record_many(told, actor=actor, now=now)
    return set(moved)


def as_markdown() -> str:
    """The page docs/lifecycle.md."""
    return "\n".join(_markdown_lines()) + "\n"


def _markdown_lines() -> Iterator[str]:
    yield "# The life of a case"
    yield ""
    yield "Made from `requests_app/case/lifecycle.py` by `manage.py lifecycle --markdown`; a test fails when the two differ."
    yield ""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {State.RECEIVED}"
    for action, rule in TRANSITIONS.items():
        for source in State:
            if source in rule.sources:
                yield f"    {source} --> {rule.target}: {action}"
    for state in State:
        if not any(state in rule.sources for rule in TRANSITIONS.values()):
            yield f"    {state} --> [*]"
    yield "```"
    yield ""
    yield "| action | from | to | when |"
    yield "|---|---|---|---|"
    for action, rule in TRANSITIONS.items():
        sources = ", ".join(state for state in State if state in rule.sources)
        yield f"| `{action}` | {sources} | {rule.target} | {rule.meaning} |"
