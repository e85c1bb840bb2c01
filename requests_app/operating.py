"""An operator's command on people's data: the same engine as the workers', with answers for a person or a program to read.

In demo mode a command acts at once, and every store's part is remembered first, so that a command killed anywhere is resumed by
the next. Elsewhere it only carries out a case that was approved.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyrage
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from privacy import actions, audit
from privacy.actions import Identity, Person, RunItem, RunOutcome
from privacy.crypto import keyed_hash
from privacy.engine import residue
from privacy.engine.identity import InvalidIdentity, canonical
from privacy.finding import find as find_people
from privacy.finding import located
from privacy.keys import keys_of
from privacy.maps import open_maps
from privacy.models import DatasetVersion, OperatorRun, Store
from privacy.stores.base import StoreError
from requests_app import package_files
from requests_app.carrying import NotApproved, carry_out

ACTIONS = ("locate", "export", "erase", "restrict", "lift", "rectify")
RIGHTS = {
    "erase": "erasure",
    "restrict": "restriction",
    "lift": "lift",
    "rectify": "rectification",
    "export": "access",
    "locate": "access",
}
Say = Callable[[str], None]


class Refused(Exception):
    """The command cannot be carried out as it stands. `status` is the exit status: 2 for wrong usage, 1 for the rest."""

    def __init__(self, text: str, status: int = 2) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Asked:
    """One command. `people`: {identity kind: [values]} per person."""

    action: str
    people: Sequence[Mapping[str, Sequence[str]]]
    stores: tuple[str, ...] = ()
    dry_run: bool = False
    out: Path | None = None
    recipient: str | None = None
    changes: Mapping[str, str] = field(default_factory=dict)
    ground: str = "a"
    contested: str | None = None
    reference: str | None = None
    actor: str = "operator"
    reason: str = ""


def act(asked: Asked, *, progress: Say = lambda text: None) -> list[dict[str, Any]]:
    """One answer per person, in the form DESIGN §7 gives. Raises Refused before anything was done."""
    people = [_person(number, identities) for number, identities in enumerate(asked.people)]
    _require_sensible(asked)
    if not settings.DEMO and asked.action != "locate" and not asked.dry_run:
        try:
            return [
                carry_out(reference=asked.reference, action=asked.action, person=people[0], out=asked.out, now=timezone.now())
            ]
        except NotApproved as error:
            raise Refused(str(error)) from None
    if asked.action == "export" and not asked.dry_run:
        return [_export(asked, people[0], progress)]
    answers = [_Answer() for _ in people]
    if asked.action in ("locate", "export") or asked.dry_run:
        _look(asked, people, answers, progress)
    else:
        _carry_out(asked, people, answers, progress)
    return [answer.to_json() for answer in answers]


def left_over(action: str, answer: Mapping[str, Any]) -> bool:
    """Whether something that was asked was not done (exit status 1)."""
    return bool(answer.get("left")) or not answer["found"]


def _person(number: int, identities: Mapping[str, Sequence[str]]) -> Person:
    for kind, values in identities.items():
        for value in values:
            try:
                canonical(kind, value)
            except InvalidIdentity as error:
                raise Refused(str(error)) from None
    return Person(str(number), tuple(Identity(kind, value) for kind, values in identities.items() for value in values))


def _require_sensible(asked: Asked) -> None:
    known = set(DatasetVersion.objects.filter(is_current=True, store__is_active=True).values_list("store__key", flat=True))
    if not known:
        raise Refused("no store is registered yet; load its dataset file with `datamap load`", 1)
    if unknown := sorted(set(asked.stores) - known):
        raise Refused(f"no store has the key {unknown[0]}; registered are {', '.join(sorted(known))}")
    if asked.action == "rectify" and not asked.changes:
        raise Refused("say what to correct: --set store.collection.field=value")
    for path in asked.changes:
        if path.split(".")[0] not in known:
            raise Refused(f"--set {path}: no store has the key {path.split('.')[0]}")
    if asked.action == "export" and not asked.dry_run:
        if asked.out is None:
            raise Refused("say where the package goes: --out FILE.zip")
        if len(asked.people) > 1:
            raise Refused("export takes one person at a time")


# -- answers ------------------------------------------------------------------------------------------------------------


@dataclass
class _Answer:
    found: bool = False
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"found": self.found, "stores": self.stores}
        if self.left or not self.found:
            out["left"] = self.left or ["nothing found under these identities"]
        return out

    def failed(self, store: str, error: str) -> None:
        self.stores[store] = {"error": error}
        self.left.append(error)


def _look(asked: Asked, people: Sequence[Person], answers: list[_Answer], progress: Say) -> None:
    """Counts and keys per store and collection; for a dry run of an erasure, what it would do."""
    progress("looking …")
    right = RIGHTS[asked.action]
    findings = find_people(people, right=right)
    keys = _keys(people)
    for number, (person, answer) in enumerate(zip(people, answers, strict=True)):
        for store, finding in findings.get(person.ref, {}).items():
            if asked.stores and store not in asked.stores:
                continue
            if finding.status == "unreachable":
                answer.failed(store, finding.error)
                continue
            collections: dict[str, Any] = {
                name: _plain_counts(counts, keys.get((number, store), {}).get(name)) for name, counts in finding.counts.items()
            }
            if finding.status == "unknown":
                answer.left.append(f"{store}: {finding.error}")
                collections = {name: {**counts, "incomplete": True} for name, counts in collections.items()} or {
                    "error": finding.error
                }
            answer.stores[store] = collections
            answer.found |= any(counts["rows"] for counts in finding.counts.values())
            if asked.action == "erase":
                _dry(answer, store, finding.counts, finding.error)


def _dry(answer: _Answer, store: str, counts: Mapping[str, Any], stops: str) -> None:
    if stops:
        answer.left.append(f"{store}: {stops}")
    for name, entry in counts.items():
        effect = entry.get("erase", {})
        shown = answer.stores[store][name]
        shown |= {"deleted": 0, "anonymized": 0, "pinned": 0, "remaining": entry["rows"], "kept": _kept(effect.get("kept", ()))}
        shown["would"] = {k: effect.get(k, 0) for k in ("delete", "anonymize", "pinned", "contested", "undecided")}
        if effect.get("contested"):
            answer.left.append(f"{store}.{name}: {effect['contested']} contested rows wait for an answer (--contested)")
        if effect.get("undecided"):
            answer.left.append(f"{store}.{name}: the data map does not say what erasure does to it (on_erasure)")


def _plain_counts(counts: Mapping[str, Any], keys: list[Any] | None) -> dict[str, Any]:
    out = {name: counts[name] for name in ("rows", "contested", "others")}
    return out if keys is None else {**out, "keys": keys}


def _kept(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in entry.items() if k != "fields"} for entry in entries]


def _keys(people: Sequence[Person]) -> dict[tuple[int, str], dict[str, list[Any]]]:
    out = {}
    with located(people) as (maps, sessions, holdings, _down):
        for store, session in sessions.items():
            for number, holding in enumerate(holdings):
                out[number, store] = keys_of(maps.graph, session, store, holding)
    return out


# -- acting -------------------------------------------------------------------------------------------------------------


def _carry_out(asked: Asked, people: Sequence[Person], answers: list[_Answer], progress: Say) -> None:
    now = timezone.now()
    runs = _pending(asked, people) or _remember(asked, people, answers, progress, now)
    by_store: dict[str, list[tuple[int, OperatorRun]]] = {}
    for number, run in runs:
        by_store.setdefault(run.store.key, []).append((number, run))
    # A store from which links lead into others goes after them (R19).
    for store in (key for key in reversed(open_maps(only=()).graph.suppliers_first) if key in by_store):
        progress(f"{store} …")
        _one_store(asked, store, by_store[store], answers)
    if asked.action == "erase":
        _residue(people, answers, sorted(by_store))


def _pending(asked: Asked, people: Sequence[Person]) -> list[tuple[int, OperatorRun]]:
    """What an earlier call of the same command left undone; its plan stands, identities are not looked for again."""
    hashes = {_who(asked, person): number for number, person in enumerate(people)}
    rows = OperatorRun.objects.filter(who__in=hashes, done_at=None).select_related("store")
    cases = {row.case for row in rows}
    siblings = OperatorRun.objects.filter(case__in=cases, who__in=hashes).select_related("store").order_by("pk")
    return [(hashes[row.who], row) for row in siblings]


def _remember(
    asked: Asked, people: Sequence[Person], answers: list[_Answer], progress: Say, now: datetime
) -> list[tuple[int, OperatorRun]]:
    _look(asked, people, answers, progress)
    findings = find_people(people, right=RIGHTS[asked.action])
    stores = {store.key: store for store in Store.objects.filter(is_active=True)}
    case = f"OP-{secrets.token_hex(6).upper()}"
    runs: list[tuple[int, OperatorRun]] = []
    for number, person in enumerate(people):
        answers[number].left.clear()
        for store, finding in findings.get(person.ref, {}).items():
            if asked.stores and store not in asked.stores:
                continue
            if finding.status in ("unreachable", "unknown"):
                answers[number].failed(store, finding.error)
            elif finding.plan and (finding.status == "found" or asked.action == "lift"):
                runs.append((number, _run(asked, person, stores[store], finding, case, now)))
    with transaction.atomic():
        OperatorRun.objects.bulk_create(run for _, run in runs)
        payload = {
            "action": asked.action,
            "people": len(people),
            "stores": sorted({run.store.key for _, run in runs}),
            "case": case,
        }
        audit.record(chain="system", actor=f"operator:{asked.actor}"[:64], action="operator.began", payload=payload, now=now)
    return runs


def _run(asked: Asked, person: Person, store: Store, finding: actions.Finding, case: str, now: datetime) -> OperatorRun:
    return OperatorRun(
        who=_who(asked, person),
        case=case,
        action=asked.action,
        store=store,
        identities=[[i.kind, i.value] for i in person.identities],
        plan=finding.plan,
        options=_options(asked, store, person, finding.counts),
        actor=f"operator:{asked.actor}"[:64],
        created_at=now,
    )


def _options(asked: Asked, store: Store, person: Person, counts: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if asked.contested:
        options["contested"] = {name: asked.contested for name, entry in counts.items() if entry["contested"]}
    if asked.action == "rectify":
        mine = {path.split(".", 1)[1]: value for path, value in asked.changes.items() if path.startswith(f"{store.key}.")}
        options["set"] = {path: {"new": value} for path, value in mine.items()}
    if asked.action in ("restrict", "lift"):
        options["ground"] = asked.ground
        earlier = OperatorRun.objects.filter(who=_who(asked, person, "restrict"), store=store, action="restrict").exclude(
            done_at=None
        )
        last = earlier.order_by("-pk").first()
        options["state"] = last.state if last else None
    return options


def _who(asked: Asked, person: Person, action: str | None = None) -> str:
    spelled = sorted(f"{i.kind}={canonical(i.kind, i.value)}" for i in person.identities)
    return keyed_hash("\n".join([action or asked.action, *spelled]), purpose="operator")[1]


def _one_store(asked: Asked, store: str, runs: Sequence[tuple[int, OperatorRun]], answers: list[_Answer]) -> None:
    waiting = [(number, run) for number, run in runs if run.done_at is None]
    items = [
        RunItem(f"{run.case}-{number}", str(number), tuple(Identity(*i) for i in run.identities), run.plan, run.options or {})
        for number, run in waiting
    ]
    try:
        outcomes = (
            actions.execute(
                store_key=store, right=RIGHTS[asked.action], items=items, remember=lambda states: _remember_state(waiting, states)
            )
            if items
            else {}
        )
    except (actions.StoreUnavailable, StoreError) as error:
        for number, _run in waiting:
            answers[number].failed(store, str(error))
        return
    for number, run in runs:
        outcome = outcomes.get(f"{run.case}-{number}")
        if outcome is not None:
            _note(run, outcome)
        _merge(answers[number], store, run.report or {}, outcome)


def _remember_state(runs: Sequence[tuple[int, OperatorRun]], states: Mapping[str, Any]) -> None:
    for number, run in runs:
        if f"{run.case}-{number}" in states:
            run.state = states[f"{run.case}-{number}"]
            run.options = {**(run.options or {}), "state": run.state}  # what a resumed run must not remember anew
            run.save(update_fields=["state", "options"])


def _note(run: OperatorRun, outcome: RunOutcome) -> None:
    run.report = outcome.report.get("collections", {})
    run.state = outcome.state
    # A blocked run is over too: what stopped it is said, and the next call makes a new plan.
    run.done_at = timezone.now() if outcome.status != "failed" else None
    with transaction.atomic():
        run.save(update_fields=["report", "state", "done_at"])
        counts = {name: {k: v for k, v in c.items() if isinstance(v, int)} for name, c in run.report.items()}
        payload = {"case": run.case, "store": run.store.key, "status": outcome.status, "collections": counts}
        audit.record(chain="system", actor=run.actor, action=f"operator.{run.action}", payload=payload, now=timezone.now())


def _merge(answer: _Answer, store: str, report: Mapping[str, Any], outcome: RunOutcome | None) -> None:
    shown = answer.stores.setdefault(store, {})
    for name, counts in report.items():
        entry = {key: value for key, value in counts.items() if key != "undecided_contested"}
        if "kept" in entry and isinstance(entry["kept"], list):
            entry["kept"] = _kept(entry["kept"])
        shown[name] = {**shown.get(name, {"rows": 0, "contested": 0, "others": 0}), **entry}
        answer.found |= bool(counts.get("rows"))
    if outcome is not None and outcome.status != "done":
        answer.left.append(f"{store}: {outcome.reason}")


def _residue(people: Sequence[Person], answers: list[_Answer], stores: Sequence[str]) -> None:
    """Where the identities still stand. Rows that the answer already names as kept or contested may be among them."""
    maps = open_maps(only=stores)
    for store in stores:
        if store not in maps.stores:
            continue
        for person, answer in zip(people, answers, strict=True):
            if "error" in answer.stores.get(store, {}):
                continue
            try:
                with maps.stores[store].read() as session:
                    found = residue.scan(maps.graph, session, store, [(i.kind, i.value) for i in person.identities])
            except StoreError as error:
                answer.left.append(f"{store}: the residue scan failed: {error}")
                continue
            if found:
                answer.stores.setdefault(store, {})["residue"] = [
                    {"column": item.column, "rows": item.rows, "mapped": item.mapped} for item in found
                ]
                answer.left.append(f"{store}: the identities still stand in {', '.join(item.column for item in found)}")


# -- export -------------------------------------------------------------------------------------------------------------


def _export(asked: Asked, person: Person, progress: Say) -> dict[str, Any]:
    answer = _Answer()
    _look(asked, [person], [answer], progress)
    findings = find_people([person], right="access")[person.ref]
    plans = {k: f.plan for k, f in findings.items() if f.status == "found" and f.plan and (not asked.stores or k in asked.stores)}
    if not answer.found:
        return answer.to_json()
    contested = {
        key: {name: asked.contested for name, entry in findings[key].counts.items() if entry["contested"]}
        for key in plans
        if asked.contested
    }
    assert asked.out is not None
    try:
        with _written(asked.out, asked.recipient) as sink:
            outcomes = actions.write_package(sink, person=person, plans=plans, language="sv", options={"contested": contested})
    except (actions.StoreUnavailable, StoreError) as error:
        raise Refused(str(error), 1) from None
    for store, outcome in outcomes.items():
        if outcome.status != "done":
            answer.left.append(f"{store}: {outcome.reason}")
        for name, counts in outcome.report.get("collections", {}).items():
            answer.stores[store].setdefault(name, {}).update(counts)
            if counts["contested"] and asked.contested != "keep":
                answer.left.append(f"{store}.{name}: {counts['contested']} contested rows were withheld (--contested)")
    with transaction.atomic():
        payload = {"stores": sorted(plans), "complete": not answer.left}
        audit.record(
            chain="system", actor=f"operator:{asked.actor}"[:64], action="operator.export", payload=payload, now=timezone.now()
        )
    return answer.to_json()


@contextmanager
def _written(out: Path, recipient: str | None) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is whole; encrypted on its way to the disk where a recipient is named."""
    partial = out.with_name(f".{out.name}.partial")
    try:
        handle = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    except OSError as error:
        raise Refused(f"--out cannot be written ({error.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as file:
            if recipient:
                with package_files.encrypted(file, _age_key(recipient)) as sink:
                    yield cast("BinaryIO", sink)
            else:
                yield file
        partial.replace(out)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _age_key(text: str) -> pyrage.x25519.Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise Refused("--recipient is no age public key (age1…)") from None
