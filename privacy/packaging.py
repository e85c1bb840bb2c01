"""The package of one person: rows of every store, each read in one snapshot, streamed into the ZIP (R15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import Any, BinaryIO

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from privacy import collection_words, package, vocabulary
from privacy import own as own_store
from privacy.datamap.categories import policy_category
from privacy.datamap.graph import Graph, Node
from privacy.datamap.model import Collection
from privacy.datamap.periods import as_date
from privacy.engine.contested.answers import Answers
from privacy.engine.erasure.erase import subject_of
from privacy.engine.exceptions import Withheld, row_key, withheld_in
from privacy.engine.holding import Holding
from privacy.engine.locate.search import locate
from privacy.engine.locate.subject import Subject
from privacy.engine.package.export import Column, Part
from privacy.engine.package.redact import withheld_fields
from privacy.information import information, transfer_problems
from privacy.maps import Maps, open_maps
from privacy.own import Own
from privacy.processing import Held
from privacy.stores import base
from privacy.stores.base import Groups, Session, Values
from privacy.terms import Person, RunOutcome, StoreUnavailable


def write_package(
    sink: BinaryIO,
    *,
    person: Person,
    plans: Mapping[str, dict[str, Any]],
    language: str,
    portability: bool = False,
    options: Mapping[str, Any] | None = None,
    information: Mapping[str, Any] | None = None,
    own: Own | None = None,
    limit: int | None = None,
    heartbeat: Callable[[], None] = lambda: None,
) -> dict[str, RunOutcome]:
    """Stream the person's data into `sink` as a ZIP (R15); answers {store key: RunOutcome}. Raises StoreUnavailable.

    `options`: {"categories": […], "since": ISO date, "until": ISO date, "contested": {store: {collection: answer}}}.
    `information`: {"reference", "requested_at"} of the case, for `information.json`. `own`: what the application itself holds
    (R24). `limit`: no more rows than this of each collection, for a look before the package is made. Where a store may not be
    exported at all (Art. 15(2)), nothing is written and its outcome is `blocked`.
    """
    maps = open_maps(only=list(plans))
    if missing := sorted(set(plans) - set(maps.stores)):
        raise StoreUnavailable(maps.down.get(missing[0], f"{missing[0]}: is no longer registered"))
    try:
        asked = _Asked(plans, language, portability, options or {}, limit)
        return _write(sink, maps, person, asked, information or {}, own or {}, heartbeat)
    except base.StoreUnavailable as error:
        raise StoreUnavailable(str(error)) from None


@dataclass(frozen=True)
class _Asked:
    """What goes into a package."""

    plans: Mapping[str, dict[str, Any]]
    language: str
    portability: bool
    options: Mapping[str, Any]
    limit: int | None

    def answers(self, store: str) -> Mapping[str, str]:
        return self.options.get("contested", {}).get(store, {})


def _write(
    sink: BinaryIO,
    maps: Maps,
    person: Person,
    asked: _Asked,
    about: Mapping[str, Any],
    own: Own,
    heartbeat: Callable[[], None],
) -> dict[str, RunOutcome]:
    now = timezone.now()
    identities = tuple((i.kind, i.value) for i in person.identities)
    plans, language, portability = asked.plans, asked.language, asked.portability
    with ExitStack() as stack:
        held, parts = [], []
        counts: dict[str, dict[str, dict[str, int]]] = {}
        problems: dict[str, str] = {}
        for key, plan in ((key, plans[key]) for key in maps.graph.suppliers_first if key in plans):
            session = stack.enter_context(maps.reading(key))
            subject = subject_of(maps.graph, identities, plan, asked.answers(key))
            (holding,) = locate(maps.graph, {key: session}, [subject], heartbeat=heartbeat)
            item = Held(maps.versions[key].store, maps.graph.datasets[key], frozenset(n[1] for n in holding.in_store(key)))
            if found := transfer_problems(item):
                problems[key] = " ".join(found)
            held.append(item)
            counts[key] = {}
            chosen = Answers.read(maps.graph, plan, asked.answers(key), subject.identities)
            shown = {node: _sorted_out(maps.graph, holding, node, chosen, subject) for node in holding.in_store(key)}
            parts += list(_parts(maps, key, session, holding, shown, asked, counts[key]))
        if problems:
            return {key: RunOutcome("blocked", {}, problems.get(key, "")) for key in plans}
        if own:
            held.append(own_store.held(own))
            parts += own_store.parts(own, language=language, portability=portability, options=asked.options)
        told = information(
            held,
            language=language,
            now=now,
            reference=about.get("reference", ""),
            requested_at=about.get("requested_at"),
            right="portability" if portability else "access",
        )
        written = package.write(sink, parts=parts, information=told, language=language, now=now, heartbeat=heartbeat)
    for key, collections in counts.items():
        for name, entry in collections.items():
            entry["exported"] = written.get(key, {}).get(name, 0)
    return {key: RunOutcome("done", {"collections": collections}) for key, collections in counts.items()}


def _parts(
    maps: Maps,
    key: str,
    session: Session,
    holding: Holding,
    sorted_out: Mapping[Node, Shown],
    asked: _Asked,
    counts: dict[str, dict[str, int]],
) -> Iterator[Part]:
    graph = maps.graph
    dataset = graph.datasets[key]
    others = {node: sum(groups.values()) for node, groups in holding.others.items() if node[0] == key}
    shown = {*holding.in_store(key), *others}
    for collection in dataset.collections.values():
        node = (key, collection.name)
        if node not in shown:
            continue
        wanted = [c for c in collection_words.columns(collection) if _wanted(dataset, collection, c, asked)]
        withheld = withheld_in(asked.answers(key), collection.name, collection.fields)
        columns = [c for c in wanted if c.name not in withheld.columns]
        rows = sorted_out.get(node, NOTHING)
        counts[node[1]] = entry = {
            "rows": sum(m.count for m in holding.members.get(node, {}).values()),
            "contested": rows.withheld,
            "redacted": rows.redacted,
            "others": others.get(node, 0),
        }
        if withheld:
            entry["withheld"], entry["fields_withheld"] = 0, len(wanted) - len(columns)
        if wanted:
            yield Part(
                store=key,
                store_name=dataset.name,
                collection=node[1],
                label=collection_words.label(collection),
                purpose=collection_words.purpose_text(dataset, collection, language=asked.language),
                columns=tuple(columns or wanted),
                dated=clock if (clock := _clock(collection)) and clock not in withheld.columns else "",
                batches=_Rows(graph, session, node, rows, tuple(c.name for c in columns), withheld, asked, entry).batches,
                withheld=rows.withheld,
                others=others.get(node, 0),
                left_out=tuple(_left_out(withheld, wanted, asked.language)),
            )


def _left_out(withheld: Withheld, columns: Sequence[Column], language: str) -> Iterator[str]:
    """What staff left out of a collection and why, in the language of the package."""
    grounds = vocabulary.WITHHOLDING
    names = {c.name: vocabulary.chosen(dict(c.label), language, vocabulary.readable(c.name)) for c in columns}
    with override(language):
        if withheld.everything:
            yield _("All of it is left out: %(ground)s.") % {"ground": grounds[withheld.everything]}
        for ground, words in grounds.items():
            if fields := [f"“{names[name]}”" for name, given in withheld.columns.items() if given == ground and name in names]:
                yield _("%(fields)s is left out: %(ground)s.") % {"fields": ", ".join(fields), "ground": words}
            if rows := sum(given == ground for given in withheld.rows.values()):
                text = ngettext("%(count)d row is left out: %(ground)s.", "%(count)d rows are left out: %(ground)s.", rows)
                yield text % {"count": rows, "ground": words}
            cells = sum(name in names and given == ground for cells in withheld.cells.values() for name, given in cells.items())
            if cells:
                text = ngettext(
                    "%(count)d value is left out and its place is empty: %(ground)s.",
                    "%(count)d values are left out and their places are empty: %(ground)s.",
                    cells,
                )
                yield text % {"count": cells, "ground": words}


def _wanted(dataset: Any, collection: Collection, column: Column, asked: _Asked) -> bool:
    item, options = collection.fields[column.name], asked.options
    if asked.portability and not collection_words.portable(dataset, collection, item):
        return False
    chosen = options.get("categories")
    return not chosen or (item.personal and policy_category(item.categories) in chosen)


@dataclass
class Shown:
    """Groups of one collection by the fields that are left out of their rows; how many rows are cut so, how many withheld."""

    without: dict[frozenset[str], list[Values]] = field(default_factory=dict)
    redacted: int = 0
    withheld: int = 0


NOTHING = Shown()


def _sorted_out(graph: Graph, holding: Holding, node: Node, answers: Answers, subject: Subject) -> Shown:
    out = Shown()
    whole: frozenset[str] = frozenset()
    for values, member in holding.members.get(node, {}).items():
        answer = answers.of(node, values, member) if member.contested else "disclose"
        if answer == "disclose":
            out.without.setdefault(whole, []).append(values)
        elif answer == "redact":
            hidden = withheld_fields(graph, node, values, member, subject.identities)
            out.without.setdefault(hidden, []).append(values)
            out.redacted += member.count
        else:
            out.withheld += member.count
    return out


@dataclass
class _Rows:
    """The rows of one collection as they go into the package; `entry` counts what staff left out of it."""

    graph: Graph
    session: Session
    node: Node
    shown: Shown
    names: tuple[str, ...]
    withheld: Withheld
    asked: _Asked
    entry: dict[str, int]

    def batches(self) -> Iterator[Sequence[Sequence[Any]]]:
        options, clock = self.asked.options, _clock(self.graph.collection(self.node))
        since, until = (date.fromisoformat(options[k]) if options.get(k) else None for k in ("since", "until"))
        timed = (clock,) if clock and (since or until) else ()
        keys = self.graph.table(self.node).primary_key if self.withheld.names_rows else ()
        if self.withheld.everything or not self.names:
            self.entry["withheld"] = self.entry["rows"] - self.entry["contested"]
            return
        width, left = len(self.names), self.asked.limit
        sought = left if not timed and not keys else None  # what is passed over is not counted
        for without, groups in self.shown.without.items():
            hidden = {i for i, name in enumerate(self.names) if name in without}
            chosen = Groups(self.node[1], self.graph.group_columns[self.node], tuple(groups))
            for batch in self.session.batches(chosen, [*self.names, *keys, *timed], sought):
                rows: Sequence[Sequence[Any]] = batch
                if timed:
                    rows = [row for row in rows if _within(as_date(row[-1]), since, until)]
                if keys:
                    rows = list(self._without_named(rows, width, len(keys)))
                elif timed:
                    rows = [row[:width] for row in rows]
                if hidden:
                    rows = [tuple(None if i in hidden else v for i, v in enumerate(row)) for row in rows]
                if left is None:
                    yield rows
                    continue
                yield rows[:left]
                left -= len(rows)
                if left <= 0:
                    return

    def _without_named(self, rows: Sequence[Sequence[Any]], width: int, keys: int) -> Iterator[Sequence[Any]]:
        """The rows without those that staff named, and without the cells."""
        plan, collection = self.asked.plans[self.node[0]], self.node[1]
        for row in rows:
            name = row_key(plan, collection, row[width : width + keys])
            if name in self.withheld.rows:
                self.entry["withheld"] += 1
                continue
            cells = self.withheld.cells.get(name, {})
            yield (
                tuple(None if self.names[i] in cells else value for i, value in enumerate(row[:width])) if cells else row[:width]
            )


def _within(day: date | None, since: date | None, until: date | None) -> bool:
    return not (day and ((since and day < since) or (until and day > until)))


def _clock(collection: Collection) -> str | None:
    """The column that dates a collection's rows: the one its retention or its keep rule runs from."""
    paths = [collection.retention.start] if collection.retention else []
    return next((path for path in (*paths, *(keep.start for keep in collection.keeps)) if path in collection.fields), None)
