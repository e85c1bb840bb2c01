"""What each store answered, in words for the person: kept until when and by which law, not row counts of tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localdate
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from privacy.datamap.model import Dataset
from privacy.maps import dataset_of
from privacy.models import DatasetVersion
from privacy.outlook import what_ends
from privacy.vocabulary import law_words
from requests_app.models import LIFT, ResidueScan, Right, RightsRequest, RunState, StoreRun
from requests_app.running.runs import forwarded

Labels = Mapping[str, str]


@dataclass(frozen=True)
class StoreAnswer:
    store: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """How the runs of some cases stand: {case: its runs by store}, and the current data maps of their stores."""

    runs: Mapping[int, Sequence[StoreRun]]
    maps: Mapping[int, Dataset]


def standing_of(requests: Iterable[int]) -> Standing:
    """What stores answered in these cases, in two queries."""
    runs: dict[int, list[StoreRun]] = {pk: [] for pk in requests}
    for run in StoreRun.objects.filter(request__in=runs).select_related("store", "scan").defer("plan").order_by("store__key"):
        runs[run.request_id].append(run)
    stores = {run.store_id for own in runs.values() for run in own}
    versions = DatasetVersion.objects.filter(store__in=stores, is_current=True).defer("shape") if stores else ()
    return Standing(runs, {version.store_id: dataset_of(version) for version in versions})


def human_answers(request: RightsRequest, standing: Standing | None = None) -> list[StoreAnswer]:
    """One answer per store in the active language, by name; a store that was not asked has none."""
    standing = standing or standing_of([request.pk])
    return [
        StoreAnswer(
            run.store.name or run.store.key,
            tuple(_lines(run, labels_of(standing.maps.get(run.store_id)), standing.maps.values())),
        )
        for run in standing.runs[request.pk]
        if run.state != RunState.CANCELLED or forwarded(run)
    ]


def labels_of(dataset: Dataset | None) -> Labels:
    """{collection: its name in the active language}, as far as the current data map gives one."""
    language = (get_language() or "sv")[:2]
    collections = dataset.collections.items() if dataset else ()
    return {name: item.label[language] for name, item in collections if language in item.label}


def _lines(run: StoreRun, labels: Labels, maps: Collection[Dataset]) -> Iterator[str]:
    if count := forwarded(run):
        yield ngettext(
            "What stands here belongs to a customer of ours, who decides over it. We have forwarded your request to them.",
            "What stands here belongs to %(count)d customers of ours, who decide over it. "
            "We have forwarded your request to them.",
            count,
        ) % {"count": count}
    elif run.state == RunState.LOCATING or (run.state == RunState.FAILED and run.located_at is None):
        yield _("We are looking for your data here.")
    elif run.finding == {}:
        yield _("Nothing about you was found here.")
        yield from _looked_again(run)
    elif run.state == RunState.DONE:
        yield from _done(run, labels, maps)
    elif run.state == RunState.BLOCKED:
        yield _("A member of staff is looking into this part.")
    elif run.state == RunState.READY:
        yield from _found(run.finding or {}, labels)
    else:
        yield _("This part is being carried out.")


def _found(finding: Mapping[str, Any], labels: Labels) -> Iterator[str]:
    for name, counts in finding.items():
        rows = counts.get("rows", 0) - counts.get("contested", 0)
        if rows > 0:
            yield _named(
                labels, name, ngettext("%(count)d record about you", "%(count)d records about you", rows) % {"count": rows}
            )


def _done(run: StoreRun, labels: Labels, maps: Collection[Dataset]) -> Iterator[str]:
    collections = (run.report or {}).get("collections", {})
    lines = [line for name, counts in collections.items() for line in _collection(run.right, labels, name, counts, maps)]
    after = list(_looked_again(run))
    if not lines and not left_behind(run):
        lines.append(_done_without_details(run.right))
    yield from (*lines, *after)


def _looked_again(run: StoreRun) -> Iterator[str]:
    """What the look at all texts of the store found, and how far it went (R21)."""
    if left := sum(item["rows"] for item in left_behind(run)):
        yield _left_behind(left)
    if run.scan is not None and run.scan.finished_at is not None:
        yield _scope(run.scan)


def _scope(scan: ResidueScan) -> str:
    words = ngettext(
        "On %(day)s we looked for you in all texts of this system: %(columns)s in one table.",
        "On %(day)s we looked for you in all texts of this system: %(columns)s in %(tables)d tables.",
        len(scan.tables),
    )
    columns = ngettext("%(count)d column", "%(count)d columns", scan.columns) % {"count": scan.columns}
    assert scan.finished_at is not None
    day = date_format(localdate(scan.finished_at), "DATE_FORMAT")
    return words % {"day": day, "columns": columns, "tables": len(scan.tables)}


def left_behind(run: StoreRun) -> list[Mapping[str, Any]]:
    """Columns in which an erasure's scan still found the person, in more rows than the report says why they stay."""
    return unexplained((run.report or {}).get("collections", {}), run.residue)


def unexplained(collections: Mapping[str, Any], residue: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What is left of a scan's findings without the rows that the counts tell of: a law keeps them with this very column, or
    they were left as they are since they are somebody else's too. A shared row from which the person's part was taken out should
    not hold the person any more.
    """
    left = ((item, item["rows"] - _told(collections, item)) for item in residue)
    return [{**item, "rows": rows} for item, rows in left if rows > 0]


def _told(collections: Mapping[str, Any], item: Mapping[str, Any]) -> int:
    collection, _, column = item["column"].rpartition(".")
    counts = collections.get(collection, {}) if item["mapped"] else {}
    kept = counts.get("kept")
    readable = [rule for rule in kept if not rule.get("fields") or column in rule["fields"]] if isinstance(kept, list) else []
    return sum(rule.get("rows", 0) for rule in readable) + (counts.get("remaining", 0) if counts.get("contested") else 0)


def _left_behind(places: int) -> str:
    return ngettext(
        "Your e-mail address, phone number or customer number still stands in %(count)d place here. A person here looks at it.",
        "Your e-mail address, phone number or customer number still stands in %(count)d places here. A person here looks at it.",
        places,
    ) % {"count": places}


def _done_without_details(right: str) -> str:
    return {
        Right.ACCESS: _("Your data from here are in your package."),
        Right.PORTABILITY: _("Your data from here are in your package."),
        Right.RECTIFICATION: _("Nothing had to be corrected here."),
        Right.RESTRICTION: _("Your data here are restricted: we store them and do nothing else with them."),
        Right.ERASURE: _("Nothing of yours is left here."),
        Right.OBJECTION: _("You get no more marketing from here."),
        LIFT: _("The restriction is lifted here."),
    }[right]


def _left_alone(n: int) -> str:
    return ngettext(
        "%(count)d record left as it is, since it is about somebody else too",
        "%(count)d records left as they are, since they are about somebody else too",
        n,
    )


# What a report counts per collection, and how that is said, by right; the order is the order of the lines.
Say = Callable[[int], str]
_IN_PACKAGE: dict[str, Say] = {
    "exported": lambda n: ngettext("%(count)d record is in your package", "%(count)d records are in your package", n),
    "redacted": lambda n: ngettext(
        "%(count)d of them without what is about somebody else",
        "%(count)d of them without what is about somebody else",
        n,
    ),
    "contested": lambda n: ngettext(
        "%(count)d record withheld, since it is about somebody else too",
        "%(count)d records withheld, since they are about somebody else too",
        n,
    ),
    "withheld": lambda n: ngettext(
        "%(count)d record left out; your package says why", "%(count)d records left out; your package says why", n
    ),
    "fields_withheld": lambda n: ngettext(
        "%(count)d field left out; your package says why", "%(count)d fields left out; your package says why", n
    ),
}
COUNTED: dict[str, dict[str, Say]] = {
    Right.ACCESS: _IN_PACKAGE,
    Right.PORTABILITY: _IN_PACKAGE,
    Right.RECTIFICATION: {
        "changed": lambda n: ngettext("%(count)d record corrected", "%(count)d records corrected", n),
        "already": lambda n: ngettext(
            "%(count)d record held the right value already", "%(count)d records held the right value already", n
        ),
        "kept": lambda n: ngettext(
            "%(count)d record not changed, since a law forbids it", "%(count)d records not changed, since a law forbids it", n
        ),
        "contested": _left_alone,
    },
    Right.RESTRICTION: {
        "rows": lambda n: ngettext("%(count)d record restricted", "%(count)d records restricted", n),
        "contested": _left_alone,
    },
    LIFT: {"rows": lambda n: ngettext("%(count)d record free again", "%(count)d records free again", n)},
    Right.OBJECTION: {
        "rows": lambda n: ngettext("marketing stopped for %(count)d record", "marketing stopped for %(count)d records", n)
    },
    Right.ERASURE: {
        "deleted": lambda n: ngettext("%(count)d record erased", "%(count)d records erased", n),
        "erased_earlier": lambda n: ngettext("%(count)d record erased before", "%(count)d records erased before", n),
        "anonymized": lambda n: ngettext("%(count)d record made anonymous", "%(count)d records made anonymous", n),
        "pinned": lambda n: ngettext(
            "%(count)d of them kept without your data, since others' records hang on it",
            "%(count)d of them kept without your data, since others' records hang on them",
            n,
        ),
        "undecided_contested": _left_alone,
        "waiting": lambda n: ngettext(
            "%(count)d record is somebody else's too; it is erased when they no longer need it either",
            "%(count)d records are somebody else's too; they are erased when nobody else needs them either",
            n,
        ),
    },
}


def _collection(right: str, labels: Labels, name: str, counts: Mapping[str, Any], maps: Collection[Dataset]) -> Iterator[str]:
    for key, say in COUNTED[right].items():
        count = counts.get(key)
        if isinstance(count, int) and count > 0:
            yield _named(labels, name, say(count) % {"count": count})
    kept = counts.get("kept")
    rules: dict[tuple[str, bool], list[Mapping[str, Any]]] = {}
    for rule in kept if isinstance(kept, list) else ():
        rules.setdefault((rule["basis"], bool(rule.get("until"))), []).append(rule)
    for (basis, _dated), together in rules.items():
        yield _named(labels, name, kept_words(basis, together, ends=ends_in_words(together, maps)))


def ends_in_words(rules: Sequence[Mapping[str, Any]], maps: Collection[Dataset]) -> str:
    """What these rows wait for, where they are needed until something ends, such as a contract (R30); else empty."""
    if not all(rule.get("start_missing") and not rule.get("until") for rule in rules):
        return ""
    ends = what_ends(rules[0].get("basis", ""), maps) or {}
    return ends.get((get_language() or "sv")[:2], "")


def kept_words(basis: str, rules: Sequence[Mapping[str, Any]], *, ends: str = "") -> str:
    """The rows that one law keeps, as one line, whatever the day of each: seven years of invoices are no list to read."""
    rows, basis = sum(rule.get("rows", 0) for rule in rules), law_words(basis)
    days = sorted({date.fromisoformat(rule["until"]) for rule in rules if rule.get("until")})
    if ends:
        words = ngettext(
            "%(count)d record not erased yet: %(basis)s. It goes when “%(ends)s” has come",
            "%(count)d records not erased yet: %(basis)s. They go when “%(ends)s” has come",
            rows,
        )
        return words % {"count": rows, "basis": basis, "ends": ends}
    if not days:
        words = ngettext(
            "%(count)d record kept, and we will tell you until when: %(basis)s",
            "%(count)d records kept, and we will tell you until when: %(basis)s",
            rows,
        )
        return words % {"count": rows, "basis": basis}
    first, last = (date_format(day, "DATE_FORMAT") for day in (days[0], days[-1]))
    if len(days) == 1:
        words = ngettext(
            "%(count)d record kept until %(until)s: %(basis)s", "%(count)d records kept until %(until)s: %(basis)s", rows
        )
        return words % {"count": rows, "until": last, "basis": basis}
    return _("%(count)d records kept, the first of them until %(first)s and the last until %(last)s: %(basis)s") % {
        "count": rows,
        "first": first,
        "last": last,
        "basis": basis,
    }


def _named(labels: Labels, collection: str, words: str) -> str:
    return f"{labels.get(collection) or collection.replace('_', ' ').capitalize()}: {words}"
