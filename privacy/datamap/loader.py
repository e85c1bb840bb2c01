"""Dataset files in, typed datasets out. The format is Fides dataset YAML; ours stands under `meta.privacy` (DESIGN §3).

The standard part is parsed by `fideslang`; what it would pass over in silence (a misspelt `references` is a lost link) becomes a
warning. Under `meta.privacy` every unknown key or value is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import yaml
from fideslang import DEFAULT_TAXONOMY
from fideslang.models import CollectionMeta, DatasetCollection, DatasetField, DatasetMetadata, FidesDatasetReference, FidesMeta
from fideslang.models import Dataset as FidesDataset
from pydantic import BaseModel, ValidationError

from privacy.datamap.extension import read_extension
from privacy.datamap.model import Collection, DataMapError, Dataset, Field, Reference

MAX_BYTES = 5_000_000


class _Loader(yaml.SafeLoader):
    """YAML without aliases that blow up and without keys written twice, of which the first would be lost."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(None, None, "YAML aliases are not allowed in dataset files", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, list | dict):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(text: str, *, file: str) -> Any:
    if len(text) > MAX_BYTES:
        raise DataMapError([f"{file}: larger than {MAX_BYTES} bytes; a dataset file describes columns, it holds no data"])
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not readable as YAML"
        raise DataMapError([f"{file}{where}: {problem}"]) from None
    except ValueError as error:  # a date that no calendar has, a number of thousands of digits
        raise DataMapError([f"{file}: a value cannot be read ({error}); put it in quotes if it is text"]) from None
    except RecursionError:
        raise DataMapError([f"{file}: nested too deeply"]) from None


def parse(text: str, *, file: str) -> list[Dataset]:
    """Every dataset of one file. Raises DataMapError with all problems found."""
    document = read_yaml(text, file=file)
    if not isinstance(document, dict) or not isinstance(document.get("dataset"), list) or not document["dataset"]:
        raise DataMapError([f"{file}: starts with no `dataset:` list"])
    datasets: list[Dataset] = []
    problems: list[str] = []
    for number, raw in enumerate(document["dataset"], 1):
        where = f"{file}: dataset {raw.get('fides_key', number) if isinstance(raw, dict) else number}"
        try:
            datasets.append(_parse_dataset(raw, where))
        except DataMapError as error:
            problems += error.problems
    if problems:
        raise DataMapError(problems)
    return datasets


def _parse_dataset(raw: Any, where: str) -> Dataset:
    if not isinstance(raw, dict):
        raise DataMapError([f"{where}: is no mapping"])
    try:
        parsed = FidesDataset.model_validate(raw)
    except ValidationError as error:
        raise DataMapError([f"{where}: {_location(raw, item['loc'])}: {item['msg']}" for item in error.errors()]) from None
    except (TypeError, AttributeError, KeyError):
        raise DataMapError([f"{where}: `collections` and `fields` are lists of mappings, each with a `name`"]) from None
    _reject_doubles(raw, where)
    warnings = [f"{where}: {text}" for text in (*_unknown_keys(raw), *_unknown_categories(raw))]
    # fideslang sorts by name; people read a form in the order its author wrote it.
    by_name = {item.name: item for item in parsed.collections}
    ordered = [(by_name[c["name"]], [f["name"] for f in c.get("fields", ())]) for c in raw["collections"]]
    collections = {item.name: _collection(parsed, item, order, warnings, where) for item, order in ordered}
    namespace = (parsed.fides_meta.namespace if parsed.fides_meta else None) or {}
    dataset = Dataset(
        key=parsed.fides_key,
        name=parsed.name or parsed.fides_key,
        collections=collections,
        schema=namespace.get("schema") or namespace.get("database_schema"),
        warnings=tuple(warnings),
        digest=digest_of(raw),
    )
    privacy = (raw.get("meta") or {}).get("privacy") if isinstance(raw.get("meta"), dict) else None
    if privacy is None:
        return dataset
    try:
        return read_extension(dataset, privacy, where)
    except TypeError:
        raise DataMapError([f"{where}: meta.privacy: a list or a mapping stands where a name or a text belongs"]) from None


def digest_of(raw: Mapping[str, Any]) -> str:
    return hashlib.sha256(yaml.safe_dump(raw, sort_keys=True).encode()).hexdigest()


def _collection(dataset: FidesDataset, item: DatasetCollection, order: list[str], warnings: list[str], where: str) -> Collection:
    inherited = (*(dataset.data_categories or ()), *(item.data_categories or ()))
    by_name = {f.name: f for f in item.fields}
    key = dataset.fides_key
    fields = {name: _field(by_name[name], inherited, key, warnings, f"{where}: {item.name}.{name}") for name in order}
    skip = bool(item.fides_meta and item.fides_meta.skip_processing)
    return Collection(name=item.name, fields=fields, description=item.description or "", skip=skip)


def _field(item: DatasetField, inherited: tuple[str, ...], own_key: str, warnings: list[str], where: str) -> Field:
    meta = item.fides_meta or FidesMeta()
    references = []
    for reference in meta.references or ():
        collection, _, name = reference.field.partition(".")
        if not name:
            raise DataMapError([f"{where}: the reference `{reference.field}` is no collection.field"])
        references.append(Reference(reference.dataset, collection, name, reference.direction))
    nested = tuple(_nested(item))
    warnings += [
        f"{where}: an identity or a link inside a nested field ({part.name}) is not walked"
        for part in nested
        if part.fides_meta and (part.fides_meta.identity or part.fides_meta.references)
    ]
    # What a JSON column holds inside makes the column personal.
    categories = (*(item.data_categories or inherited), *(c for part in nested for c in part.data_categories or ()))
    return Field(
        name=item.name,
        categories=tuple(dict.fromkeys(categories)),
        identity=meta.identity,
        primary_key=bool(meta.primary_key),
        data_type=meta.data_type,
        references=tuple(references),
        description=item.description or "",
    )


def _nested(item: DatasetField) -> Iterator[DatasetField]:
    for part in item.fields or ():
        yield part
        yield from _nested(part)


def _reject_doubles(raw: dict[str, Any], where: str) -> None:
    """fideslang keeps both of two collections or fields of one name; the second would silently win."""
    problems = []
    for names, place in (
        ([c.get("name") for c in raw["collections"]], "collection"),
        *(([f.get("name") for f in c.get("fields", [])], f"field of {c.get('name')}") for c in raw["collections"]),
    ):
        problems += [f"{where}: the {place} `{name}` stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if problems:
        raise DataMapError(problems)


def _location(raw: dict[str, Any], loc: tuple[Any, ...]) -> str:
    """Names instead of list positions: `customer.email.fides_meta.data_type`."""
    parts: list[str] = []
    here: Any = raw
    for step in loc:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
        if isinstance(step, int):
            parts.append(str(here.get("name", step)) if isinstance(here, dict) else str(step))
        elif step not in ("collections", "fields"):
            parts.append(str(step))
    return ".".join(parts) or "dataset"


_BACKWARDS = {"fidesops_meta"}  # the older spelling of fides_meta, which fideslang still reads


def _unknown_keys(raw: dict[str, Any]) -> Iterator[str]:
    yield from _extra(raw, FidesDataset, "", {"meta"})
    yield from _extra(raw.get("fides_meta"), DatasetMetadata, "fides_meta")
    for collection in raw["collections"]:
        name = collection["name"]
        yield from _extra(collection, DatasetCollection, name)
        yield from _extra(collection.get("fides_meta"), CollectionMeta, f"{name}.fides_meta")
        for item in collection.get("fields", ()):
            yield from _unknown_field_keys(item, f"{name}.{item['name']}")


def _unknown_field_keys(item: dict[str, Any], place: str) -> Iterator[str]:
    yield from _extra(item, DatasetField, place)
    meta = item.get("fides_meta") or item.get("fidesops_meta")
    yield from _extra(meta, FidesMeta, f"{place}.fides_meta")
    for reference in (meta or {}).get("references") or ():
        yield from _extra(reference, FidesDatasetReference, f"{place}.fides_meta.references")
    for part in item.get("fields") or ():
        yield from _unknown_field_keys(part, f"{place}.{part['name']}")


def _extra(raw: Any, model: type[BaseModel], place: str, allowed: set[str] = frozenset()) -> Iterator[str]:  # type: ignore[assignment]
    if isinstance(raw, dict):
        for key in raw:
            if key not in model.model_fields and key not in allowed and key not in _BACKWARDS:
                yield f"{place + ': ' if place else ''}unknown key `{key}`, passed over"


@lru_cache(maxsize=1)
def _taxonomy() -> frozenset[str]:
    return frozenset(str(category.fides_key) for category in DEFAULT_TAXONOMY.data_category or ())


def _unknown_categories(raw: dict[str, Any]) -> Iterator[str]:
    def walk(item: dict[str, Any], place: str) -> Iterator[str]:
        for category in item.get("data_categories") or ():
            if category not in _taxonomy():
                yield f"{place}: unknown data category `{category}`"
        for part in item.get("fields") or ():
            yield from walk(part, f"{place}.{part.get('name')}")

    yield from walk({"data_categories": raw.get("data_categories")}, "dataset")
    for collection in raw["collections"]:
        yield from walk(collection, collection["name"])
