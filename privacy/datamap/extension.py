"""`meta.privacy` of a dataset file: what the Fides format lacks. Strict: an unknown key or value is an error (R2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from privacy.datamap.model import Collection, DataMapError, Dataset, Field, Keep, LinkRule, Purpose, Retention
from privacy.datamap.periods import ALIGNMENTS, Period, YearEnd

BASES = ("6-1-a", "6-1-b", "6-1-c", "6-1-d", "6-1-e", "6-1-f")
SOURCES = ("provided", "observed", "derived", "third_party")
SUBJECTS = (  # the data subjects that the Fides taxonomy names
    "anonymous_user", "citizen_voter", "commuter", "consultant", "customer", "employee", "job_applicant", "next_of_kin",
    "passenger", "patient", "prospect", "shareholder", "supplier_vendor", "trainee", "visitor",
)  # fmt: skip
NATURES = ("owns", "refers", "joint")


class _Reader:
    """Takes known keys out of mappings and remembers every problem, so that one run names them all."""

    def __init__(self, dataset: Dataset, where: str) -> None:
        self.dataset = dataset
        self.where = where
        self.problems: list[str] = []

    def problem(self, place: str, text: str) -> None:
        self.problems.append(f"{self.where}: {place}: {text}")

    def mapping(self, value: Any, place: str, allowed: tuple[str, ...] | None = None) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problem(place, "must be a mapping")
            return {}
        if allowed is not None:
            for key in value:
                if key not in allowed:
                    self.problem(place, f"unknown key `{key}`; known are {', '.join(allowed)}")
        return value

    def sequence(self, value: Any, place: str) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.problem(place, "must be a list")
            return []
        return value

    def choice(self, value: Any, place: str, allowed: tuple[str, ...]) -> Any:
        if value is not None and value not in allowed:
            self.problem(place, f"`{value}` is none of {', '.join(allowed)}")
            return None
        return value

    def parsed(self, parse: Callable[[Any], Any], value: Any, place: str, default: Any = None) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            self.problem(place, str(error))
            return default

    def flag(self, value: Any, place: str) -> bool:
        if value not in (None, True, False):
            self.problem(place, "must be true or false")
        return bool(value)

    def label(self, value: Any, place: str) -> dict[str, str]:
        found = self.mapping(value, place)
        for key, text in found.items():
            if not isinstance(text, str):
                self.problem(f"{place}.{key}", "must be text")
        return {str(k): str(v) for k, v in found.items()}

    def collection(self, name: Any, place: str) -> Collection | None:
        found = self.dataset.collections.get(str(name))
        if found is None:
            self.problem(place, f"there is no collection `{name}` in this dataset")
        return found

    def column(self, path: Any, place: str) -> tuple[str, str] | None:
        """`collection.field` of this dataset. Collection names may hold dots, so the longest match wins."""
        text = str(path)
        collection, dot, name = text.rpartition(".")
        if not dot:
            self.problem(place, f"`{text}` is no collection.field")
            return None
        if collection not in self.dataset.collections:
            self.problem(place, f"there is no collection `{collection}` in this dataset")
            return None
        if name not in self.dataset.collections[collection].fields:
            self.problem(place, f"there is no field `{name}` in collection `{collection}`")
            return None
        return collection, name


def read_extension(dataset: Dataset, raw: Any, where: str) -> Dataset:
    """The dataset with everything `meta.privacy` says. Raises DataMapError."""
    reader = _Reader(dataset, f"{where}: meta.privacy")
    known = ("role", "purposes", "collections", "links", "keys", "fields", "hooks", "fiscal_year_ends", "security", "location")
    top = reader.mapping(raw, "meta.privacy", known)
    role, controller_link = _role(reader, top.get("role"))
    purposes = _purposes(reader, top.get("purposes"))
    collections = dict(dataset.collections)
    for name, item in reader.mapping(top.get("collections"), "collections").items():
        if reader.collection(name, f"collections.{name}"):
            collections[name] = _collection(reader, collections[name], item, purposes)
    for path, item in reader.mapping(top.get("fields"), "fields").items():
        if (found := reader.column(path, f"fields.{path}")) is not None:
            collection, name = found
            fields = dict(collections[collection].fields)
            fields[name] = _field(reader, collections[collection], fields[name], item, f"fields.{path}", purposes)
            collections[collection] = replace(collections[collection], fields=fields)
    location = reader.mapping(top.get("location"), "location", ("country", "safeguard"))
    result = replace(
        dataset,
        role=role,
        controller_link=controller_link,
        purposes=purposes,
        collections=collections,
        links=tuple(_links(reader, top.get("links"))),
        keys=tuple(_keys(reader, top.get("keys"))),
        hooks=_hooks(reader, top.get("hooks")),
        year_end=reader.parsed(YearEnd.parse, top.get("fiscal_year_ends", "12-31"), "fiscal_year_ends", YearEnd()),
        security=reader.label(top.get("security"), "security"),
        country=_country(reader, location.get("country")),
        safeguard=str(location.get("safeguard", "")),
    )
    if reader.problems:
        raise DataMapError(reader.problems)
    return result


def _role(reader: _Reader, raw: Any) -> tuple[str, str | None]:
    if raw is None or raw in ("controller", "processor"):
        return raw or "controller", None
    if isinstance(raw, dict) and set(raw) == {"processor"}:
        link = reader.column(raw["processor"], "role.processor")
        return "processor", ".".join(link) if link else None
    reader.problem("role", "must be `controller` or {processor: collection.field}")
    return "controller", None


def _country(reader: _Reader, raw: Any) -> str:
    # YAML reads a bare NO as false.
    text = "NO" if raw is False else str(raw or "").upper()
    if text and not (len(text) == 2 and text.isascii() and text.isalpha()):
        reader.problem("location.country", "write the country as two letters, such as SE")
    return text


def _purposes(reader: _Reader, raw: Any) -> dict[str, Purpose]:
    found: dict[str, Purpose] = {}
    for number, entry in enumerate(reader.sequence(raw, "purposes"), 1):
        place = f"purposes[{number}]"
        item = reader.mapping(entry, place, ("key", "basis", "label", "recipients", "transfer", "automated_decision", "subjects"))
        if not item.get("key") or not item.get("basis"):
            reader.problem(place, "a purpose has a `key` and a `basis`")
            continue
        if item["key"] in found:
            reader.problem(place, f"the purpose `{item['key']}` stands twice")
        reader.choice(item["basis"], f"{place}.basis", BASES)
        found[str(item["key"])] = Purpose(
            key=str(item["key"]),
            basis=str(item["basis"]),
            label=reader.label(item.get("label"), f"{place}.label"),
            recipients=tuple(str(r) for r in reader.sequence(item.get("recipients"), f"{place}.recipients")),
            transfer=str(item.get("transfer", "none")),
            automated_decision=reader.flag(item.get("automated_decision"), f"{place}.automated_decision"),
            subjects=tuple(
                str(reader.choice(subject, f"{place}.subjects", SUBJECTS))
                for subject in reader.sequence(item.get("subjects"), f"{place}.subjects")
            ),
        )
    return found


def _collection(reader: _Reader, collection: Collection, raw: Any, purposes: Mapping[str, Purpose]) -> Collection:
    place = f"collections.{collection.name}"
    known = ("label", "purpose", "source", "on_erasure", "keep", "retention", "restriction", "objection")
    item = reader.mapping(raw, place, known)
    return replace(
        collection,
        label=reader.label(item.get("label"), f"{place}.label"),
        purpose=_purpose(reader, item.get("purpose"), f"{place}.purpose", purposes),
        source=reader.choice(item.get("source"), f"{place}.source", SOURCES),
        on_erasure=reader.choice(item.get("on_erasure"), f"{place}.on_erasure", ("delete", "anonymize", "keep")),
        keeps=tuple(
            keep
            for number, rule in enumerate(reader.sequence(item.get("keep"), f"{place}.keep"), 1)
            if (keep := _keep(reader, collection, rule, f"{place}.keep[{number}]")) is not None
        ),
        retention=_retention(reader, collection, item.get("retention"), f"{place}.retention"),
        restriction=_set(reader, collection, item.get("restriction"), f"{place}.restriction"),
        objection=_set(reader, collection, item.get("objection"), f"{place}.objection"),
    )


def _purpose(reader: _Reader, key: Any, place: str, purposes: Mapping[str, Purpose]) -> str | None:
    if key is not None and key not in purposes:
        reader.problem(place, f"there is no purpose `{key}` under purposes")
    return key


def _start(reader: _Reader, collection: Collection, raw: Any, place: str) -> str:
    text = str(raw or "")
    if text in collection.fields:
        return text
    if "." in text:
        reader.column(text, place)
    elif text:
        reader.problem(place, f"there is no field `{text}` in collection `{collection.name}`")
    else:
        reader.problem(place, "say from which field the period runs")
    return text


def _keep(reader: _Reader, collection: Collection, raw: Any, place: str) -> Keep | None:
    item = reader.mapping(raw, place, ("basis", "from", "for", "align", "fields", "with"))
    if not item.get("basis"):
        reader.problem(place, "name the law under `basis`")
    period = reader.parsed(Period.parse, item.get("for"), f"{place}.for")
    start = _start(reader, collection, item.get("from"), f"{place}.from")
    fields = tuple(str(name) for name in reader.sequence(item.get("fields"), f"{place}.fields"))
    for name in fields:
        if name not in collection.fields:
            reader.problem(f"{place}.fields", f"there is no field `{name}` in collection `{collection.name}`")
    needs: list[tuple[str, str | None]] = []
    for path in reader.sequence(item.get("with"), f"{place}.with"):
        if path in reader.dataset.collections:
            needs.append((path, None))
        elif (found := reader.column(path, f"{place}.with")) is not None:
            needs.append(found)
    align = reader.choice(item.get("align", "none"), f"{place}.align", ALIGNMENTS) or "none"
    return Keep(str(item.get("basis")), start, period, align, fields, tuple(needs)) if period else None


def _retention(reader: _Reader, collection: Collection, raw: Any, place: str) -> Retention | None:
    if raw is None:
        return None
    item = reader.mapping(raw, place, ("from", "for", "align", "then", "basis"))
    period = reader.parsed(Period.parse, item.get("for"), f"{place}.for")
    start = _start(reader, collection, item.get("from"), f"{place}.from")
    align = reader.choice(item.get("align", "none"), f"{place}.align", ALIGNMENTS) or "none"
    then = reader.choice(item.get("then", "delete"), f"{place}.then", ("delete", "anonymize")) or "delete"
    return Retention(start, period, align, then, str(item.get("basis", ""))) if period else None


def _set(reader: _Reader, collection: Collection, raw: Any, place: str) -> dict[str, Any]:
    if raw is None:
        return {}
    item = reader.mapping(raw, place, ("set",))
    values = reader.mapping(item.get("set"), f"{place}.set")
    if not values:
        reader.problem(place, "needs a `set` of fields and values")
    for name, value in values.items():
        if name not in collection.fields:
            reader.problem(f"{place}.set", f"there is no field `{name}` in collection `{collection.name}`")
        if isinstance(value, list | dict):
            reader.problem(f"{place}.set.{name}", "must be a single value")
    return values


def _links(reader: _Reader, raw: Any) -> list[LinkRule]:
    rules = []
    for path, items in reader.mapping(raw, "links").items():
        found = reader.column(path, f"links.{path}")
        if found:  # a list: one target per `when`
            rules += [_link(reader, found[0], str(path), item) for item in (items if isinstance(items, list) else [items])]
    return rules


def _link(reader: _Reader, collection: str, path: str, raw: Any) -> LinkRule:
    place = f"links.{path}"
    if isinstance(raw, str):
        return LinkRule(path, nature=reader.choice(raw, place, NATURES))
    item = reader.mapping(raw, place, ("nature", "contested", "to", "when", "on_parent_erased"))
    target = reader.column(item["to"], f"{place}.to") if "to" in item else None
    when = reader.mapping(item.get("when"), f"{place}.when")
    if ("to" in item) != bool(when):
        reader.problem(place, "a polymorphic link has both `to` and `when` (R7)")
    for name in when:
        if name not in reader.dataset.collections[collection].fields:
            reader.problem(f"{place}.when", f"there is no field `{name}` in collection `{collection}`")
    return LinkRule(
        path=path,
        nature=reader.choice(item.get("nature"), f"{place}.nature", NATURES),
        to=target,
        when=when,
        contested=reader.choice(item.get("contested", "ask"), f"{place}.contested", ("keep", "redact", "ask")) or "ask",
        on_parent_erased=reader.choice(item.get("on_parent_erased"), f"{place}.on_parent_erased", ("set_null",)),
    )


def _keys(reader: _Reader, raw: Any) -> list[tuple[tuple[str, str], ...]]:
    keys = []
    for number, item in enumerate(reader.sequence(raw, "keys"), 1):
        place = f"keys[{number}]"
        paths = reader.sequence(item, place)
        if not paths or len(paths) % 2:
            reader.problem(place, "lists the child's fields, then as many of the parent's")
            continue
        columns = [found for path in paths if (found := reader.column(path, place)) is not None]
        if len(columns) != len(paths):
            continue
        half = len(columns) // 2
        if len({c for c, _ in columns[:half]}) > 1 or len({c for c, _ in columns[half:]}) > 1:
            reader.problem(place, "the first half names one collection, the second half one collection")
            continue
        keys.append(tuple(columns))
    return keys


def _hooks(reader: _Reader, raw: Any) -> dict[str, str]:
    hooks = reader.mapping(raw, "hooks", ("suspend", "resume"))
    for name, url in hooks.items():
        if not str(url).startswith(("https://", "http://127.0.0.1", "http://localhost")):
            reader.problem(f"hooks.{name}", "must be an https address")
    return {str(k): str(v) for k, v in hooks.items()}


def _field(reader: _Reader, collection: Collection, field: Field, raw: Any, place: str, purposes: Mapping[str, Purpose]) -> Field:
    item = reader.mapping(raw, place, ("label", "correctable", "identity", "changed_at", "purpose", "source"))
    reader.choice(item.get("identity"), f"{place}.identity", ("mine",))
    changed_at = item.get("changed_at")
    if changed_at is not None and changed_at not in collection.fields:
        reader.problem(f"{place}.changed_at", f"there is no field `{changed_at}` in collection `{collection.name}`")
    return replace(
        field,
        label=reader.label(item.get("label"), f"{place}.label"),
        correctable=reader.flag(item.get("correctable"), f"{place}.correctable"),
        identity_mine=item.get("identity") == "mine",
        changed_at=changed_at,
        purpose=_purpose(reader, item.get("purpose"), f"{place}.purpose", purposes),
        source=reader.choice(item.get("source"), f"{place}.source", SOURCES),
    )
