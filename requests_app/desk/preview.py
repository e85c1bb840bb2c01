"""The package as the person will get it, before it is approved: the first rows of its tables, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from csp.constants import NONE
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Staff
from accounts.roles import may
from privacy import vocabulary
from privacy.engine.exceptions import MARK, WITHHELD, row_key
from privacy.maps import open_maps
from requests_app.case import withholding
from requests_app.case.withholding import Seen
from requests_app.delivering.package_tables import Table
from requests_app.desk.standing import Standing
from requests_app.models import RightsRequest, RunState, State, StoreRun
from requests_app.running.runs import PACKAGED

# What came from stores is shown in a page that could run nothing, as the person's own page of the package is.
CONTENT_POLICY = {"sandbox": ["allow-forms", "allow-same-origin"], "script-src": [NONE], "connect-src": [NONE]}


@dataclass(frozen=True)
class Line:
    """One row: its name where staff can leave it out, and its cells (None: too long to be shown)."""

    name: str
    cells: list[tuple[str, str]] | None


@dataclass(frozen=True)
class Shown:
    """One table with its first rows, and what is left out of it."""

    table: Table
    kinds: list[str]
    lines: list[Line]
    more: int
    columns: list[tuple[str, str]]  # name and heading
    left_out: list[tuple[str, str]] = field(default_factory=list)  # key and words


def is_possible(standing: Standing) -> bool:
    """Whether this person may look now: once it is proved who asks, and every store was searched."""
    case = standing.request
    return (
        may(standing.user, "request.preview")
        and case.right in PACKAGED
        and case.state in (State.TRIAGE, State.BLOCKED)
        and not standing.entered_by_me
        and case.identity_level >= standing.needed_level
        and not any(run.state == RunState.LOCATING for run in standing.runs)
    )


def change(*, request: HttpRequest, case: RightsRequest, acting_user: Staff) -> None:
    """Do what the form above a table asks for, if it asks for anything. Raises NotAllowed."""
    asked, now = request.POST, timezone.now()
    about: dict[str, Any] = {"request": case, "store": asked.get("store", ""), "acting_user": acting_user, "now": now}
    if asked.get("do") == "withhold":
        withholding.withhold(
            collection=asked.get("collection", ""),
            columns=asked.getlist("column"),
            rows=asked.getlist("row"),
            ground=asked.get("ground", ""),
            **about,
        )
    elif asked.get("do") == "show":
        withholding.show_again(keys=asked.getlist("key"), **about)


def shown(seen: Seen, case: RightsRequest) -> dict[str, Any]:
    """What the page shows of it."""
    runs = {run.store.key: run for run in StoreRun.objects.filter(request=case).select_related("store")}
    return {"tables": list(_tables(seen, runs)), "grounds": vocabulary.WITHHOLDING.items(), "rows_at_most": withholding.ROWS}


def _tables(seen: Seen, runs: dict[str, StoreRun]) -> Iterator[Shown]:
    graph = open_maps(only=()).graph
    for table in seen.tables.all:
        store, collection = table.place
        run = runs.get(store)
        found = seen.tables.rows(table)
        names = [column.name for column in table.columns]
        node = (store, collection)
        keys = graph.table(node).primary_key if run and graph.is_node(node) else ()
        places = [names.index(key) for key in keys if key in names] if keys and set(keys) <= set(names) else []
        raw = seen.tables.plain_rows(table, len(found.rows)) if places else [None] * len(found.rows)
        lines = [
            Line(
                row_key(run.plan or {}, collection, [values[place] for place in places]) if run and values else "",
                None if cells is None else list(zip(table.headings, cells, strict=True)),
            )
            for values, (_number, cells) in zip(raw, found.rows, strict=True)
        ]
        total = ((run.finding or {}).get(collection, {}).get("rows", 0) if run else table.rows) - table.withheld
        yield Shown(
            table=table,
            kinds=[str(vocabulary.POLICY_CATEGORIES.get(kind, vocabulary.readable(kind))) for kind in table.kinds],
            lines=lines,
            more=max(0, total - len(lines)) if len(lines) >= withholding.ROWS else 0,
            columns=list(zip(names, table.headings, strict=True)) if run else [],
            left_out=list(_left_out(run, collection)) if run else [],
        )


def _left_out(run: StoreRun, collection: str) -> Iterator[tuple[str, str]]:
    for key, ground in withholding.left_out_of(run).items():
        place, _mark, row = key.removeprefix(WITHHELD).partition(MARK)
        if place != collection and not place.startswith(collection + "."):
            continue
        name = place[len(collection) + 1 :]
        yield key, f"{_what(name, row)}: {vocabulary.WITHHOLDING[ground]}"


def _what(name: str, row: str) -> str:
    if name:
        return _("%(field)s in one row") % {"field": name} if row else name
    return _("one row") if row else _("all of it")
