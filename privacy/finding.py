"""Find people in every registered store, and read the few fields a person may see before a request is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Any

from django.utils import timezone

from privacy.crypto import keyed_hash
from privacy.datamap.categories import policy_category, within
from privacy.datamap.graph import Graph, Node
from privacy.engine import plan as plans
from privacy.engine.contested.answers import Answers
from privacy.engine.erasure.decide import decide
from privacy.engine.erasure.erase import subject_of
from privacy.engine.exceptions import kept_among
from privacy.engine.holding import Holding, Keys
from privacy.engine.identity import EMAIL_KINDS, PHONE_KINDS, InvalidIdentity
from privacy.engine.locate.search import locate
from privacy.engine.locate.subject import Subject
from privacy.maps import Maps, open_maps
from privacy.stores.base import Groups, Session, StoreError, Values
from privacy.terms import Contact, Finding, Person, StoreUnavailable

ANSWERED = ("access", "portability", "erasure")  # rights for which contested rows need an answer


Given = Mapping[str, tuple[Mapping[str, Any], Mapping[str, str]]]  # {store key: (plan of before, what was answered for it)}


def find(
    people: Sequence[Person],
    *,
    right: str,
    store_keys: Sequence[str] | None = None,
    given: Mapping[str, Given] = MappingProxyType({}),
) -> dict[str, dict[str, Finding]]:
    """Locate people in every registered store; answers {person ref: {store key: Finding}}.

    `store_keys` narrows the answer, not the search: what hangs below another store is found through it. Stores that we hold for
    others answer only when they are named: what stands there is not ours to show, or to prove anybody's identity by. A person
    whose identity cannot be read is found nowhere. `given`: {person ref: the answers of before}; what is below contested rows
    that were disclosed is found then, too.
    """
    with located(people, given) as (maps, sessions, holdings, down):
        unknown = below(maps.graph, set(down))
        ours = [key for key in maps.versions if maps.graph.datasets[key].role != "processor"]
        wanted = ours if store_keys is None else [key for key in maps.versions if key in store_keys]
        answers: dict[str, dict[str, Finding]] = {}
        keys = Keys(maps.graph)
        for key in wanted:
            try:
                kept = [_kept(maps.graph, key, given.get(person.ref, {})) for person in people]
                effects = _effects(maps.graph, sessions.get(key), key, holdings, kept, right)
            except StoreError as error:
                down[key], effects = str(error), [{} for _ in people]
            for number, (person, holding) in enumerate(zip(people, holdings, strict=True)):
                finding = _finding(maps, keys, key, person.ref, holding, effects[number], down, key in unknown)
                answers.setdefault(person.ref, {})[key] = finding
    return answers


@contextmanager
def located(
    people: Sequence[Person], given: Mapping[str, Given] = MappingProxyType({})
) -> Iterator[tuple[Maps, dict[str, Session], list[Holding], dict[str, str]]]:
    """Open every store that can be read, in one snapshot each, and locate. A store that fails midway is left out and named."""
    maps = open_maps()
    down = dict(maps.down)
    subjects = [_subject(maps.graph, person, given.get(person.ref, {})) for person in people]
    while True:
        with ExitStack() as stack:
            sessions: dict[str, Session] = {}
            for key, store in maps.stores.items():
                if key in down:
                    continue
                try:
                    sessions[key] = stack.enter_context(store.read())
                except StoreError as error:
                    down[key] = str(error)
            try:
                holdings = locate(maps.graph, sessions, subjects)
            except StoreError as error:
                failed = next((key for key in sessions if str(error).startswith(f"{key}:")), None)
                if failed is None:
                    raise
                down[failed] = str(error)
                continue
            yield maps, sessions, holdings, down
            return


def _subject(graph: Graph, person: Person, given: Given) -> Subject:
    try:
        subject = Subject.of((i.kind, i.value) for i in person.identities)
    except InvalidIdentity:
        return Subject({})
    answers = {
        key: Answers.read(graph, plan, chosen, subject.identities)
        for key, (plan, chosen) in given.items()
        if plan and "disclose" in chosen.values()
    }

    def disclosed(node: Node, values: Values, count: int) -> bool:
        return node[0] in answers and answers[node[0]].disclosed(node, values, count)

    return replace(subject, disclosed=disclosed) if answers else subject


def below(graph: Graph, down: set[str]) -> set[str]:
    """The stores in which something hangs below a store that is down: what they hold is unknown, never empty (R13)."""
    out: set[str] = set()
    ask = list(down)
    while ask:
        fed = graph.feeds.get(ask.pop(), frozenset()) - down - out
        out |= fed
        ask += fed
    return out


def _kept(graph: Graph, key: str, given: Given) -> Answers:
    """What was answered before, as far as it keeps something beyond the map's rules."""
    plan, chosen = given.get(key, ({}, {}))
    return Answers.read(graph, plan, kept_among(chosen)) if plan and kept_among(chosen) else Answers(graph)


def _effects(
    graph: Graph, session: Session | None, key: str, holdings: list[Holding], kept: list[Answers], right: str
) -> list[dict[str, dict[str, Any]]]:
    if session is None or right != "erasure":
        return [{} for _ in holdings]
    decisions = decide(graph, session, key, holdings, answers=kept, today=timezone.localdate())
    effects = [plans.effects(decision) for decision in decisions]
    for effect, decision in zip(effects, decisions, strict=True):
        for stop in decision.stops:
            effect.setdefault("stops", {})[stop] = True
    return effects


def _finding(
    maps: Maps,
    keys: Keys,
    key: str,
    ref: str,
    holding: Holding,
    effects: dict[str, Any],
    down: Mapping[str, str],
    unknown: bool,
) -> Finding:
    version = maps.versions[key].version
    if key in down:
        return Finding("unreachable", dataset_version=version, error=down[key])
    counts = {
        node[1]: _counts(maps.graph, node, groups, holding, effects)
        for node, groups in sorted(holding.in_store(key).items())
        if groups
    }
    for node in holding.others:
        if node[0] == key:
            counts.setdefault(node[1], {"rows": 0, "contested": 0, "others": 0})["others"] = sum(holding.others[node].values())
    if unknown:
        missing = ", ".join(sorted(down))
        return Finding(
            "unknown", counts, dataset_version=version, error=f"what hangs below {missing} is unknown until it can be reached"
        )
    salt = keyed_hash(f"{ref}/{key}", purpose="contested group")[1]
    plan = plans.write(maps.graph, keys, key, holding, map_version=version, salt=salt)
    status = "found" if any(c["rows"] for c in counts.values()) else "nothing"
    return Finding(status, counts, plan, plans.digest(plan), version, error="; ".join(effects.get("stops", ())))


def _counts(graph: Graph, node: Node, groups: Mapping[Any, Any], holding: Holding, effects: Mapping[str, Any]) -> dict[str, Any]:
    categories: dict[str, list[str]] = {}
    for item in graph.collection(node).fields.values():
        if item.personal:
            categories.setdefault(policy_category(item.categories), []).append(item.name)
    asked = sum(m.count for m in groups.values() if m.contested and m.standing == "ask")
    reasons = sorted({reason.letter for m in groups.values() for reason in m.reasons})
    out = {
        "rows": sum(m.count for m in groups.values()),
        "contested": sum(m.count for m in groups.values() if m.contested),
        "others": sum(holding.others.get(node, {}).values()),
        "categories": categories,
        "erase": effects.get(node[1], {"contested": asked}),
    }
    return out | {"contested_because": reasons} if reasons else out


# -- what a person may see beforehand -----------------------------------------------------------------------------------


def preview_fields(person: Person, *, plans: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The correctable fields we hold on a person, one entry per fact: the same kind of data with the same value in several
    stores is one entry that names them all under `fields`. Contested rows show nothing. Raises StoreUnavailable.
    """
    facts: dict[tuple[Any, ...], dict[str, Any]] = {}
    for graph, key, node, name, value in _values(person, plans, lambda item: item.correctable):
        item = graph.collection(node).fields[name]
        text = "" if value is None else str(value)
        fact = facts.setdefault(
            (item.categories, item.identity, text),
            {"fields": [], "label": dict(item.label), "value": text, "kind": _kind(item), "stores": set()},
        )
        fact["fields"] = list(dict.fromkeys([*fact["fields"], f"{key}.{node[1]}.{name}"]))
        fact["stores"].add(key)
    return [{**fact, "field": fact["fields"][0], "stores": len(fact["stores"])} for fact in facts.values()]


def contacts(person: Person, *, plans: Mapping[str, Mapping[str, Any]] | None = None, dated: bool = False) -> list[Contact]:
    """E-mail addresses and phone numbers that the stores hold on this person (identity level 2, DESIGN §8).

    `plans` as `find` made them, {store key: plan}, where the person was located before; `dated`: only those of which the data
    map can tell since when they stand. Raises StoreUnavailable.
    """
    if plans is None:
        found = find([person], right="rectification").get(person.ref, {})
        plans = {key: finding.plan for key, finding in found.items() if finding.plan}

    def wanted(item: Any) -> bool:
        return contact_kind(item) is not None and (not dated or bool(item.changed_at))

    return _oldest(person, plans, wanted, lambda item: contact_kind(item) or "")


def held_identities(person: Person, *, kind: str) -> list[Contact]:
    """The identities of one kind that the stores hold on this person and of which they can tell since when they stand.

    For comparing with what somebody else vouches for. Raises StoreUnavailable.
    """
    found = find([person], right="rectification").get(person.ref, {})
    plans = {key: finding.plan for key, finding in found.items() if finding.plan}

    def wanted(item: Any) -> bool:
        return bool(item.changed_at) and kind in (item.identity, contact_kind(item))

    return _oldest(person, plans, wanted, lambda _item: kind)


def _oldest(person: Person, plans: Mapping[str, Mapping[str, Any]], wanted: Any, kind_of: Callable[[Any], str]) -> list[Contact]:
    out: dict[tuple[str, str], Contact] = {}
    for graph, key, node, name, pair in _values(person, plans, wanted, along="changed_at"):
        value, changed = pair
        if value:
            kind = kind_of(graph.collection(node).fields[name])
            contact = Contact(kind, str(value), _instant(changed), key, f"{node[1]}.{name}")
            known = out.get((kind, contact.value))
            # Known for longest counts: one store that says so is enough.
            if known is None or (contact.unchanged_since or _NEVER) < (known.unchanged_since or _NEVER):
                out[kind, contact.value] = contact
    return list(out.values())


_NEVER = datetime.max.replace(tzinfo=UTC)


def contact_kind(item: Any) -> str | None:
    if item.identity in EMAIL_KINDS or any(within(c, "user.contact.email") for c in item.categories):
        return "email"
    if item.identity in PHONE_KINDS or any(within(c, "user.contact.phone_number") for c in item.categories):
        return "phone_number"
    return None


def _instant(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value if value.tzinfo else timezone.make_aware(value)
    return timezone.make_aware(datetime.combine(value, time.min)) if isinstance(value, date) else None


def _kind(item: Any) -> str:
    contact = contact_kind(item)
    if contact:
        return "email" if contact == "email" else "phone"
    return "postcode" if any(within(c, "user.contact.address.postal_code") for c in item.categories) else "text"


def _values(
    person: Person, own: Mapping[str, Any], wanted: Any, *, along: str = ""
) -> Iterator[tuple[Graph, str, Node, str, Any]]:
    """Distinct values of the wanted fields in this person's uncontested rows."""
    maps = open_maps(only=list(own))
    for key, plan in own.items():
        if not _has_any(maps.graph, key, wanted):
            continue
        if key not in maps.stores:
            raise StoreUnavailable(maps.down.get(key, f"{key}: cannot be reached"))
        try:
            yield from _store_values(maps, key, person, plan, wanted, along)
        except StoreError as error:
            raise StoreUnavailable(str(error)) from None


def _has_any(graph: Graph, key: str, wanted: Any) -> bool:
    collections = graph.datasets[key].collections.values() if key in graph.datasets else ()
    return any(wanted(item) for collection in collections for item in collection.fields.values())


def _store_values(
    maps: Maps, key: str, person: Person, plan: Any, wanted: Any, along: str
) -> Iterator[tuple[Graph, str, Node, str, Any]]:
    graph = maps.graph
    identities = tuple((i.kind, i.value) for i in person.identities)
    with maps.reading(key) as session:
        (holding,) = locate(graph, {key: session}, [subject_of(graph, identities, plan, {})])
        for node, groups in sorted(holding.in_store(key).items()):
            own = tuple(values for values, member in groups.items() if not member.contested)
            for item in graph.collection(node).fields.values():
                if own and wanted(item):
                    beside = getattr(item, along) if along else None
                    columns = (item.name, beside) if beside else (item.name,)
                    rows = dict.fromkeys(session.rows(Groups(node[1], graph.group_columns[node], own), columns, limit=200))
                    for row in rows:
                        yield graph, key, node, item.name, (row if beside else (row[0], None)) if along else row[0]
