"""What was found and what happens to it, as tables for the case's page: per store and collection, counts and no values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.safestring import SafeString
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from privacy.datamap.model import Dataset
from privacy.vocabulary import law_words
from requests_app.case.answers import ends_in_words
from requests_app.desk.contested_form import choice_in_words
from requests_app.desk.due import badge, day
from requests_app.desk.standing import Standing, rows_in_words
from requests_app.desk.words import CATEGORY_NAMES
from requests_app.models import LIFT, Right, RunState, StoreRun
from requests_app.running.runs import forwarded

RUN_TONES = {
    RunState.DONE: "ok",
    RunState.BLOCKED: "bad",
    RunState.FAILED: "warn",
    RunState.RUNNING: "info",
    RunState.QUEUED: "info",
    RunState.LOCATING: "info",
}
DONE_KEYS = (
    "exported",
    "redacted",
    "changed",
    "deleted",
    "anonymized",
    "pinned",
    "waiting",
    "remaining",
    "withheld",
    "mismatched",
)


@dataclass(frozen=True)
class Collection:
    name: str
    rows: int
    categories: list[str]
    contested: int
    others: int
    choice: str
    open: bool
    planned: list[str]
    done: list[str]


@dataclass(frozen=True)
class StorePart:
    run: StoreRun
    state: SafeString
    collections: list[Collection]
    residue: list[str]
    scan: list[str]
    restart: bool


def _state(run: StoreRun) -> SafeString:
    if forwarded(run):
        return badge("info", _("forwarded"))
    return badge(RUN_TONES.get(RunState(run.state), "neutral"), str(run.get_state_display()))


def store_parts(standing: Standing) -> list[StorePart]:
    restartable = {run.pk for run in standing.can_be_restarted}
    return [_part(run, standing, run.pk in restartable) for run in standing.runs]


def _part(run: StoreRun, standing: Standing, restart: bool) -> StorePart:
    finding: Mapping[str, Any] = run.finding or {}
    report: Mapping[str, Any] = (run.report or {}).get("collections") or {}
    names = sorted({*finding, *report})
    erasing = standing.request.right == Right.ERASURE
    return StorePart(
        run=run,
        state=_state(run),
        collections=[
            _collection(name, finding.get(name) or {}, report.get(name) or {}, run, erasing, standing.maps) for name in names
        ],
        residue=[_residue(item) for item in run.residue],
        scan=list(_scan(run)) if erasing and run.state == RunState.DONE else [],
        restart=restart,
    )


def _collection(
    name: str, found: Mapping[str, Any], done: Mapping[str, Any], run: StoreRun, erasing: bool, maps: Sequence[Dataset]
) -> Collection:
    choice, still_open = choice_in_words(run, name, run.right) if found.get("contested") else ("", False)
    return Collection(
        name=name,
        rows=found.get("rows") or 0,
        categories=[
            f"{CATEGORY_NAMES.get(key, key)} ({len(fields)})" for key, fields in (found.get("categories") or {}).items() if fields
        ],
        contested=found.get("contested") or 0,
        others=found.get("others") or 0,
        choice=choice,
        open=still_open,
        planned=_planned(found.get("erase") or {}, maps) if erasing else [],
        done=_done(run.right, done, maps),
    )


def _planned(erase: Mapping[str, Any], maps: Sequence[Dataset]) -> list[str]:
    words = {
        "delete": _("delete %(rows)s"),
        "anonymize": _("anonymize %(rows)s"),
        "pinned": _("anonymize %(rows)s that others' rows point at"),
        "contested": _("wait for a decision on %(rows)s"),
        "undecided": _("undecided in the data map: %(rows)s"),
    }
    lines = [text % {"rows": rows_in_words(erase[key])} for key, text in words.items() if erase.get(key)]
    return lines + [_kept(item, maps) for item in erase.get("kept") or []]


def _kept(kept: Mapping[str, Any], maps: Sequence[Dataset]) -> str:
    if ends := ends_in_words([kept], maps):
        words = _("not yet %(rows)s: %(basis)s; it goes when “%(ends)s” has come")
        return words % {"rows": rows_in_words(kept.get("rows") or 0), "basis": kept.get("basis", ""), "ends": ends}
    until = day(date.fromisoformat(kept["until"])) if kept.get("until") else _("a date that is not known yet")
    return _("keep %(rows)s until %(until)s: %(basis)s") % {
        "rows": rows_in_words(kept.get("rows") or 0),
        "until": until,
        "basis": law_words(kept.get("basis", "")),
    }


def _done(right: str, done: Mapping[str, Any], maps: Sequence[Dataset]) -> list[str]:
    set_as_a_whole = {
        Right.RESTRICTION: _("%(rows)s restricted"),
        LIFT: _("%(rows)s free again"),
        Right.OBJECTION: _("marketing stopped for %(rows)s"),
    }
    if right in set_as_a_whole:  # rows that had the value already are in the state that was asked for, too
        return [set_as_a_whole[right] % {"rows": rows_in_words(done["rows"])}] if done.get("rows") else []
    words = {
        "exported": _("%(rows)s in the package"),
        "redacted": _("%(rows)s of them without other people's fields"),
        "changed": _("%(rows)s corrected"),
        "deleted": _("%(rows)s deleted"),
        "anonymized": _("%(rows)s anonymized"),
        "pinned": _("%(rows)s anonymized, since others' rows point at them"),
        "waiting": _("%(rows)s wait for their last owner"),
        "remaining": _("%(rows)s remaining"),
        "withheld": _("%(rows)s withheld"),
        "fields_withheld": _("fields left out: %(rows)s"),
        "mismatched": _("%(rows)s not changed: they held something else"),
    }
    lines = [words[key] % {"rows": rows_in_words(done[key])} for key in DONE_KEYS if isinstance(done.get(key), int) and done[key]]
    kept = done.get("kept") or []
    if isinstance(kept, int):  # a correction counts them, an erasure says why and until when
        return [*lines, _("%(rows)s not changed: a law keeps them as they are") % {"rows": rows_in_words(kept)}]
    return lines + [_kept(item, maps) for item in kept]


def _scan(run: StoreRun) -> Iterator[str]:
    """How far the look for what is left has come, or that it is outstanding and why (R21)."""
    scan = run.scan
    if scan is None or scan.finished_at is None:
        yield _("The look for what is left in this store is outstanding.")
    else:
        yield _("Looked for what is left on %(day)s; columns read: %(columns)d, tables: %(tables)d.") % {
            "day": day(localdate(scan.finished_at)),
            "columns": scan.columns,
            "tables": len(scan.tables),
        }
    if scan is not None and scan.error:
        yield scan.error
    for table, error in scan.unread if scan is not None else ():
        yield _("%(table)s could not be read: %(error)s") % {"table": table, "error": error}


def _residue(item: Mapping[str, Any]) -> str:
    return _("%(rows)s in %(column)s still name the person") % {
        "rows": rows_in_words(item.get("rows") or 0),
        "column": item.get("column", ""),
    }
