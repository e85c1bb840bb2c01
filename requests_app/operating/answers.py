"""What a command answers: counts and keys per store and collection, and what was left, in the form DESIGN §7 gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from privacy.actions import Person, RunOutcome
from privacy.finding import find as find_people
from privacy.finding import located
from privacy.keys import keys_of
from requests_app.case.answers import unexplained
from requests_app.operating.asked import RIGHTS, Asked, Say


@dataclass
class Answer:
    found: bool = False
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    # {store in which nothing was done: "failed", to go on by its plan, or "blocked", to be planned anew}
    undone: dict[str, str] = field(default_factory=dict)
    reports: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # what each store's run told, whole
    scanned: dict[str, dict[str, Any]] = field(default_factory=dict)  # how far an erasure looked for what it left (R21)

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"found": self.found, "stores": self.stores}
        if self.scanned:
            out["scanned"] = self.scanned
        if self.left or not self.found:
            out["left"] = self.left or ["nothing found under these identities"]
        return out

    def failed(self, store: str, error: str, *, status: str = "failed") -> None:
        self.stores[store] = {"error": error}
        self.left.append(error)
        self.undone[store] = status


def look(asked: Asked, people: Sequence[Person], answers: list[Answer], progress: Say) -> None:
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


def _dry(answer: Answer, store: str, counts: Mapping[str, Any], stops: str) -> None:
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


def merge(answer: Answer, store: str, report: Mapping[str, Any], outcome: RunOutcome | None) -> None:
    shown = answer.stores.setdefault(store, {})
    answer.reports[store] = report
    for name, counts in report.items():
        entry = {key: value for key, value in counts.items() if key != "undecided_contested"}
        if "kept" in entry and isinstance(entry["kept"], list):
            entry["kept"] = _kept(entry["kept"])
        shown[name] = {**shown.get(name, {"rows": 0, "contested": 0, "others": 0}), **entry}
        answer.found |= bool(counts.get("rows"))
    if outcome is not None and outcome.status != "done":
        answer.left.append(f"{store}: {outcome.reason}")
        if not any(counts.get("deleted") or counts.get("anonymized") or counts.get("contested") for counts in report.values()):
            answer.undone[store] = outcome.status


def tell_residue(answer: Answer, store: str, residue: Sequence[Mapping[str, Any]]) -> None:
    if not residue:
        return
    shown = answer.stores.setdefault(store, {})
    shown["residue"] = list(residue)
    if left := [item["column"] for item in unexplained(answer.reports.get(store, {}), residue)]:
        answer.left.append(f"{store}: the identities still stand in {', '.join(left)}")
