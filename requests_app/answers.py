"""What each store answered, in words for the person: kept until when and by which law, not row counts of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from privacy.maps import dataset_of
from privacy.models import DatasetVersion
from requests_app.models import LIFT, Right, RightsRequest, RunState, StoreRun

Labels = Mapping[str, str]


@dataclass(frozen=True)
class StoreAnswer:
    store: str
    lines: tuple[str, ...]


def human_answers(request: RightsRequest) -> list[StoreAnswer]:
    """One answer per store in the active language, by name; a store that was not asked has none."""
    runs = StoreRun.objects.filter(request=request).exclude(state=RunState.CANCELLED).select_related("store").defer("plan")
    runs = runs.order_by("store__key")
    labels = _labels(run.store_id for run in runs)
    return [StoreAnswer(run.store.name or run.store.key, tuple(_lines(run, labels.get(run.store_id, {})))) for run in runs]


def _labels(stores: Iterable[int]) -> dict[int, Labels]:
    """{store: {collection: its name in the active language}}, as far as the current data maps give one."""
    language = (get_language() or "sv")[:2]
    versions = DatasetVersion.objects.filter(store__in=list(stores), is_current=True)
    return {
        version.store_id: {
            name: item.label[language] for name, item in dataset_of(version).collections.items() if language in item.label
        }
        for version in versions
    }


def _lines(run: StoreRun, labels: Labels) -> Iterator[str]:
    if run.state == RunState.LOCATING or (run.state == RunState.FAILED and run.located_at is None):
        yield _("We are looking for your data here.")
    elif run.finding == {}:
        yield _("Nothing about you was found here.")
    elif run.state == RunState.DONE:
        yield from _done(run, labels)
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


def _done(run: StoreRun, labels: Labels) -> Iterator[str]:
    collections = (run.report or {}).get("collections", {})
    lines = [line for name, counts in collections.items() for line in _collection(run.right, labels, name, counts)]
    yield from lines or [_done_without_details(run.right)]


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
    "contested": lambda n: ngettext(
        "%(count)d record withheld, since it is about somebody else too",
        "%(count)d records withheld, since they are about somebody else too",
        n,
    ),
}
COUNTED: dict[str, dict[str, Say]] = {
    Right.ACCESS: _IN_PACKAGE,
    Right.PORTABILITY: _IN_PACKAGE,
    Right.RECTIFICATION: {
        "changed": lambda n: ngettext("%(count)d record corrected", "%(count)d records corrected", n),
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
    },
}


def _collection(right: str, labels: Labels, name: str, counts: Mapping[str, Any]) -> Iterator[str]:
    for key, say in COUNTED[right].items():
        count = counts.get(key)
        if isinstance(count, int) and count > 0:
            yield _named(labels, name, say(count) % {"count": count})
    kept = counts.get("kept")
    for rule in kept if isinstance(kept, list) else ():
        yield _named(labels, name, _kept(rule))


def _kept(kept: Mapping[str, Any]) -> str:
    if kept.get("until"):
        until = date_format(date.fromisoformat(kept["until"]), "DATE_FORMAT")
        return _("kept until %(until)s: %(basis)s") % {"until": until, "basis": kept["basis"]}
    return _("kept, and we will tell you until when: %(basis)s") % {"basis": kept["basis"]}


def _named(labels: Labels, collection: str, words: str) -> str:
    return f"{labels.get(collection) or collection.replace('_', ' ').capitalize()}: {words}"
