"""The package of one person: rows of every store, each read in one snapshot, streamed into the ZIP (R15)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import Any, BinaryIO

from django.utils import timezone

from privacy import collection_words, package
from privacy import own as own_store
from privacy.datamap.categories import policy_category
from privacy.datamap.graph import Graph, Node
from privacy.datamap.model import Collection
from privacy.datamap.periods import as_date
from privacy.engine.contested.answers import Answers
from privacy.engine.erasure.erase import subject_of
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
    heartbeat: Callable[[], None] = lambda: None,
) -> dict[str, RunOutcome]:
    """Stream the person's data into `sink` as a ZIP (R15); answers {store key: RunOutcome}. Raises StoreUnavailable.

    `options`: {"categories": […], "since": ISO date, "until": ISO date, "contested": {store: {collection: answer}}}.
    `information`: {"reference", "requested_at"} of the case, for `information.json`. `own`: what the application itself holds
    (R24). Where a store may not be exported at all
    (Art. 15(2)), nothing is written and its outcome is `blocked`.
    """
    maps = open_maps(only=list(plans))
    if missing := sorted(set(plans) - set(maps.stores)):
        raise StoreUnavailable(maps.down.get(missing[0], f"{missing[0]}: is no longer registered"))
    try:
        return _write(sink, maps, person, plans, language, portability, options or {}, information or {}, own or {}, heartbeat)
    except base.StoreUnavailable as error:
        raise StoreUnavailable(str(error)) from None


def _write(
    sink: BinaryIO,
    maps: Maps,
    person: Person,
    plans: Mapping[str, dict[str, Any]],
    language: str,
    portability: bool,
    options: Mapping[str, Any],
    about: Mapping[str, Any],
    own: Own,
    heartbeat: Callable[[], None],
) -> dict[str, RunOutcome]:
    now = timezone.now()
    identities = tuple((i.kind, i.value) for i in person.identities)
    answers = options.get("contested", {})
    with ExitStack() as stack:
        held, parts = [], []
        counts: dict[str, dict[str, dict[str, int]]] = {}
        problems: dict[str, str] = {}
        for key, plan in ((key, plans[key]) for key in maps.graph.suppliers_first if key in plans):
            session = stack.enter_context(maps.reading(key))
            subject = subject_of(maps.graph, identities, plan, answers.get(key, {}))
            (holding,) = locate(maps.graph, {key: session}, [subject], heartbeat=heartbeat)
            item = Held(maps.versions[key].store, maps.graph.datasets[key], frozenset(n[1] for n in holding.in_store(key)))
            if found := transfer_problems(item):
                problems[key] = " ".join(found)
            held.append(item)
            counts[key] = {}
            chosen = Answers.read(maps.graph, plan, answers.get(key, {}), subject.identities)
            shown = {node: _sorted_out(maps.graph, holding, node, chosen, subject) for node in holding.in_store(key)}
            parts += list(_parts(maps, key, session, holding, shown, language, portability, options, counts[key]))
        if problems:
            return {key: RunOutcome("blocked", {}, problems.get(key, "")) for key in plans}
        if own:
            held.append(own_store.held(own))
            parts += own_store.parts(own, language=language, portability=portability, options=options)
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
    language: str,
    portability: bool,
    options: Mapping[str, Any],
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
        columns = [c for c in collection_words.columns(collection) if _wanted(dataset, collection, c, portability, options)]
        rows = sorted_out.get(node, NOTHING)
        counts[node[1]] = {
            "rows": sum(m.count for m in holding.members.get(node, {}).values()),
            "contested": rows.withheld,
            "redacted": rows.redacted,
            "others": others.get(node, 0),
        }
        if columns:
            yield Part(
                store=key,
                store_name=dataset.name,
                collection=node[1],
                label=collection_words.label(collection),
                purpose=collection_words.purpose_text(dataset, collection, language=language),
                columns=tuple(columns),
                dated=_clock(collection) or "",
                batches=_reader(graph, session, node, rows, columns, options),
                withheld=rows.withheld,
                others=others.get(node, 0),
            )


def _wanted(dataset: Any, collection: Collection, column: Column, portability: bool, options: Mapping[str, Any]) -> bool:
    item = collection.fields[column.name]
    if portability and not collection_words.portable(dataset, collection, item):
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


def _reader(
    graph: Graph,
    session: Session,
    node: Node,
    shown: Shown,
    columns: Sequence[Column],
    options: Mapping[str, Any],
) -> Callable[[], Iterable[Sequence[Sequence[Any]]]]:
    names = [column.name for column in columns]
    by = graph.group_columns[node]
    clock = _clock(graph.collection(node))
    since, until = (date.fromisoformat(options[k]) if options.get(k) else None for k in ("since", "until"))
    timed = clock if clock and (since or until) else None

    def within(row: Sequence[Any]) -> bool:
        day = as_date(row[-1])
        return not (day and ((since and day < since) or (until and day > until)))

    def batches() -> Iterator[Sequence[Sequence[Any]]]:
        selected = [*names, timed] if timed else names
        for without, groups in shown.without.items():
            hidden = {i for i, name in enumerate(names) if name in without}
            for batch in session.batches(Groups(node[1], by, tuple(groups)), selected):
                if timed:
                    batch = [row[:-1] for row in batch if within(row)]  # noqa: PLW2901
                if hidden:
                    batch = [tuple(None if i in hidden else v for i, v in enumerate(row)) for row in batch]  # noqa: PLW2901
                yield batch

    return batches


def _clock(collection: Collection) -> str | None:
    """The column that dates a collection's rows: the one its retention or its keep rule runs from."""
    paths = [collection.retention.start] if collection.retention else []
    return next((path for path in (*paths, *(keep.start for keep in collection.keeps)) if path in collection.fields), None)
