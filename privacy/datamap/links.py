"""Which columns of which collections form links: what the files say, decided by the keys of the live schemas (R6, R7)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from privacy.datamap.graph import Graph, Link, Node, Pair, Pointer, nodes_of
from privacy.datamap.model import Dataset, LinkRule
from privacy.stores.base import ForeignKey, Schema, Table


@dataclass
class _Walk:
    out: bool = False  # from the field's end to the target
    back: bool = False


def resolve(
    datasets: Mapping[str, Dataset], live: Mapping[str, Dataset], schemas: Mapping[str, Schema], problems: list[str]
) -> Iterator[Link]:
    nodes = set(nodes_of(live, schemas))
    pairs = _pairs(datasets, live, schemas, nodes, problems)
    tables = {node: schemas[node[0]].tables[node[1]] for node in nodes}
    keys = {
        (here, there): list(_keys(live[here[0]], here, there, found, schemas, tables, problems))
        for (here, there), found in pairs.items()
    }
    for (here, there), found in keys.items():
        back = keys.get((there, here), []) if here != there else []
        for columns in found:
            straight, turned = _walks(pairs, here, there, columns, [*found, *map(_turned, back)])
            if _turned(columns) in back and (not straight or (turned and there < here)):
                continue  # resolved from there: one link, though its parts are stated at both ends
            walks = [*straight, *(_Walk(walk.back, walk.out) for walk in turned)]
            yield _link(live, here, there, columns, walks, tables)
    for store, dataset in live.items():
        for rule in dataset.links:
            here = (store, rule.path.rpartition(".")[0])
            if rule.to and here in nodes and (store, rule.to[0]) in nodes:
                yield _polymorphic_link(store, rule, tables)


def _pairs(
    datasets: Mapping[str, Dataset],
    live: Mapping[str, Dataset],
    schemas: Mapping[str, Schema],
    nodes: set[Node],
    problems: list[str],
) -> dict[tuple[Node, Node], dict[Pair, _Walk]]:
    """Every pair of columns that the files join, and which way it may be walked."""
    pairs: dict[tuple[Node, Node], dict[Pair, _Walk]] = {}
    for store, dataset in live.items():
        ruled = {(rule.path, f"{rule.to[0]}.{rule.to[1]}") for rule in dataset.links if rule.to}
        for collection, item in dataset.fields():
            if (store, collection.name) not in nodes:
                continue
            targets = _targets(dataset, collection.name, item, datasets, live, problems)
            _polymorphic(dataset, collection.name, item.name, targets, schemas[store], ruled, problems)
            for target_store, target, name, direction in targets:
                if (f"{collection.name}.{item.name}", f"{target}.{name}") in ruled or (target_store, target) not in nodes:
                    continue
                _add(pairs, ((store, collection.name), item.name), ((target_store, target), name), direction)
    for store, dataset in live.items():
        for key in dataset.keys:  # listed, though no field mentions it: a link all the same
            ends = (store, key[0][0]), (store, key[-1][0])
            if set(ends) <= nodes and not any(_mentioned(key, ends, pairs)):
                pairs.setdefault(ends, {})
    return pairs


def _targets(
    dataset: Dataset,
    collection: str,
    item: Any,
    datasets: Mapping[str, Dataset],
    live: Mapping[str, Dataset],
    problems: list[str],
) -> list[tuple[str, str, str, str | None]]:
    found = []
    for reference in item.references:
        place = (
            f"{dataset.key}: {collection}.{item.name}: references {reference.dataset}.{reference.collection}.{reference.field}"
        )
        store = next((key for key, other in datasets.items() if other.key == reference.dataset), None)
        if store is None:
            problems.append(f"{place}: no dataset `{reference.dataset}` is loaded; load it first or in the same command")
            continue
        target, name = _meant(datasets[store], f"{reference.collection}.{reference.field}")
        if target not in datasets[store].collections:
            problems.append(f"{place}: that dataset has no collection `{target}`")
        elif name not in datasets[store].collections[target].fields:
            problems.append(f"{place}: that collection has no field `{name}`")
        elif store in live:
            found.append((store, target, name, reference.direction))
    return found


def _meant(dataset: Dataset, path: str) -> Pair:
    """Collection and field of `collection.field`. Both may hold dots: the longest collection that has such a field."""
    parts = path.split(".")
    for size in range(len(parts) - 1, 0, -1):
        collection, name = ".".join(parts[:size]), ".".join(parts[size:])
        if collection in dataset.collections and name in dataset.collections[collection].fields:
            return collection, name
    return parts[0], ".".join(parts[1:])


def _polymorphic(
    dataset: Dataset,
    collection: str,
    name: str,
    targets: list[tuple[str, str, str, str | None]],
    schema: Schema,
    ruled: set[tuple[str, str]],
    problems: list[str],
) -> None:
    """A field that points into several collections of its dataset tells which by another field, or by real foreign keys (R7)."""
    parts = _composite_parts(dataset, schema, collection, name)
    own = {(c, f) for key, c, f, _ in targets if key == dataset.key}
    pointing = {(c, f) for c, f in own - parts if c != collection}
    if len({c for c, _ in pointing}) < 2:
        return
    table = schema.tables[collection]
    if table.is_unique([name]):
        return  # this end is the parent: several collections hang below one row
    enforced = {
        (fk.parent, fk.parent_columns[0]) for fk in schema.foreign_keys if fk.child == collection and fk.child_columns == (name,)
    }
    open_ends = [
        f"{c}.{f}" for c, f in sorted(pointing) if (c, f) not in enforced and (f"{collection}.{name}", f"{c}.{f}") not in ruled
    ]
    if open_ends:
        problems.append(
            f"{dataset.key}: {collection}.{name}: points into several collections ({', '.join(open_ends)}); "
            f"say which row means which under meta.privacy.links, with `to` and `when` (R7)"
        )


def _composite_parts(dataset: Dataset, schema: Schema, collection: str, name: str) -> set[tuple[str, str]]:
    """What a field is matched with as a part of composite keys, listed or live: keys may share columns (R6)."""
    keys = [(key[: len(key) // 2], key[len(key) // 2 :]) for key in dataset.keys]
    keys += [
        (tuple((fk.child, c) for c in fk.child_columns), tuple((fk.parent, c) for c in fk.parent_columns))
        for fk in schema.foreign_keys
    ]
    pairs = [pair for child, parent in keys if len(child) > 1 for pair in zip(child, parent, strict=True)]
    here = (collection, name)
    return {b if a == here else a for a, b in pairs if here in (a, b)}


def _add(pairs: dict[Any, Any], here: tuple[Node, str], there: tuple[Node, str], direction: str | None) -> None:
    """Files often state a link at both of its ends: one link, which may be walked every way that either end allows."""
    back = pairs.get((there[0], here[0]), {}).get((there[1], here[1]))
    walk = back or pairs.setdefault((here[0], there[0]), {}).setdefault((here[1], there[1]), _Walk())
    out = direction in (None, "to")
    into = direction in (None, "from")
    if back:
        out, into = into, out
    walk.out |= out
    walk.back |= into


def _walks(
    pairs: Mapping[tuple[Node, Node], Mapping[Pair, _Walk]],
    here: Node,
    there: Node,
    columns: tuple[Pair, ...],
    keys: list[tuple[Pair, ...]],
) -> tuple[list[_Walk], list[_Walk]]:
    """How a key may be walked, as stated at this end and at the other. A column that several keys share (a tenant) speaks for
    none of them where a column of its own does."""
    straight, turned = pairs[here, there], pairs.get((there, here), {}) if here != there else {}
    told = [pair for pair in columns if pair in straight or pair[::-1] in turned]
    shared = {pair for key in keys if key != columns for pair in key}
    telling = [pair for pair in told if pair not in shared] or told
    return [straight[p] for p in telling if p in straight], [turned[p[::-1]] for p in telling if p[::-1] in turned]


def _turned(columns: tuple[Pair, ...]) -> tuple[Pair, ...]:
    return tuple((there, here) for here, there in columns)


def _keys(
    dataset: Dataset,
    here: Node,
    there: Node,
    found: Mapping[Pair, _Walk],
    schemas: Mapping[str, Schema],
    tables: Mapping[Node, Table],
    problems: list[str],
) -> Iterator[tuple[Pair, ...]]:
    """Which of the pairs between two collections form one key, and which are keys of their own (R6)."""
    listed = list(_listed_keys(dataset, here, there, found))
    live = list(_live_keys(here, there, found, schemas, tables))
    # What is mentioned as a part of one key does not mention another that only shares the column.
    whole = [ends for ends in (*listed, *live) if found.keys() >= {*ends}]
    explained = {pair for ends in whole for pair in ends}
    composites = [*listed, *(ends for ends in live if ends in whole or not found.keys() & {*ends} <= explained)]
    left = [pair for pair in found if not any(pair in ends for ends in composites)]
    alone = [pair for pair in left if tables[there].is_unique([pair[1]]) or tables[here].is_unique([pair[0]])]
    vague = [pair for pair in left if pair not in alone]
    for table, side in ((tables[there], 1), (tables[here], 0)):
        for unique in table.uniques:
            made = _unique_keys(unique, side, vague)
            composites += made
            vague = [pair for pair in vague if not any(pair in ends for ends in made)]
    if vague and len(found) > 1:
        names = ", ".join(f"{here[1]}.{a} with {there[1]}.{b}" for a, b in sorted(vague))
        problems.append(
            f"{dataset.key}: {here[1]}: cannot tell which fields form one key to `{there[1]}` ({names}); "
            f"list the key under meta.privacy.keys (R6)"
        )
        vague = []
    yield from dict.fromkeys(composites)
    for pair in (*sorted(alone), *vague):
        yield (pair,)


def _listed_keys(dataset: Dataset, here: Node, there: Node, found: Mapping[Pair, _Walk]) -> Iterator[tuple[Pair, ...]]:
    """The keys that `meta.privacy.keys` lists between two collections of one store, where these references mention them.

    References the other way are resolved by themselves: a key that both resolved would be two links.
    """
    for key in dataset.keys if here[0] == there[0] else ():
        ends = (here[0], key[0][0]), (here[0], key[-1][0])
        straight, turned = _mentioned(key, ends, {(here, there): found})
        if straight or (ends == (here, there) and not found):
            yield _columns(key)
        elif turned:
            yield tuple((b, a) for a, b in _columns(key))


def _columns(key: tuple[tuple[str, str], ...]) -> tuple[Pair, ...]:
    """A listed key as pairs of the child's column and the parent's."""
    half = len(key) // 2
    return tuple((child, parent) for (_, child), (_, parent) in zip(key[:half], key[half:], strict=True))


def _mentioned(
    key: tuple[tuple[str, str], ...], ends: tuple[Node, Node], pairs: Mapping[tuple[Node, Node], Mapping[Pair, _Walk]]
) -> tuple[bool, bool]:
    """Whether references from child to parent, or from parent to child, mention a part of a listed key."""
    straight, turned = pairs.get(ends, {}), pairs.get((ends[1], ends[0]), {})
    return any(pair in straight for pair in _columns(key)), any((b, a) in turned for a, b in _columns(key))


def _live_keys(
    here: Node, there: Node, found: Mapping[Pair, _Walk], schemas: Mapping[str, Schema], tables: Mapping[Node, Table]
) -> Iterator[tuple[Pair, ...]]:
    """The composite foreign keys between two collections of which the file mentions a part."""
    for fk in schemas[here[0]].foreign_keys if here[0] == there[0] else ():
        if len(fk.child_columns) == 1:
            continue
        ends = tuple(zip(fk.child_columns, fk.parent_columns, strict=True))
        if (fk.child, fk.parent) == (here[1], there[1]) and _used(ends, found, tables[there]):
            yield ends
        turned = tuple((b, a) for a, b in ends)
        if (fk.parent, fk.child) == (here[1], there[1]) and _used(turned, found, tables[there]):
            yield turned


def _unique_keys(unique: tuple[str, ...], side: int, vague: list[Pair]) -> list[tuple[Pair, ...]]:
    """The keys that pairs form over a unique key on exactly their columns; none where two columns have a choice."""
    choices = [[pair for pair in vague if pair[side] == name] for name in unique]
    if len(unique) < 2 or not all(choices) or sum(len(choice) > 1 for choice in choices) > 1:
        return []
    return [tuple(combination) for combination in itertools.product(*choices)]


def _used(ends: tuple[Pair, ...], left: Mapping[Pair, Any], target: Table) -> bool:
    """A live composite key counts where the file mentions a part of it that is no key by itself."""
    return any(pair in left and not target.is_unique([pair[1]]) for pair in ends) or all(pair in left for pair in ends)


def _link(
    live: Mapping[str, Dataset],
    here: Node,
    there: Node,
    columns: tuple[Pair, ...],
    walks: list[_Walk],
    tables: Mapping[Node, Table],
) -> Link:
    own = tuple(a for a, _ in columns)
    target = tuple(b for _, b in columns)
    out, back = (any(w.out for w in walks), any(w.back for w in walks)) if walks else (True, True)
    rule = _rule(live, here, own, there, target)
    target_is_parent = tables[there].is_unique(target) or not tables[here].is_unique(own)
    if rule and rule.nature in ("owns", "refers", "joint"):
        # The rule speaks of the field: it owns, refers to or jointly owns what it points at.
        points_there = rule.path.rpartition(".")[0] == here[1] and rule.path.rpartition(".")[2] in own
        target_is_parent = points_there if rule.nature != "owns" else not points_there
    rule = rule or LinkRule("")
    if target_is_parent:
        link = Link(here, own, there, target, owns=back, refers=out)
    else:
        link = Link(there, target, here, own, owns=out, refers=back)
    return replace(link, joint=rule.nature == "joint", contested=rule.contested, on_parent_erased=rule.on_parent_erased)


def _rule(live: Mapping[str, Dataset], here: Node, own: tuple[str, ...], there: Node, target: tuple[str, ...]) -> LinkRule | None:
    for (store, collection), names in ((here, own), (there, target)):
        for rule in live[store].links:
            place, _, name = rule.path.rpartition(".")
            if place == collection and name in names and rule.to is None:
                return rule
    return None


def _polymorphic_link(store: str, rule: LinkRule, tables: Mapping[Node, Table]) -> Link:
    assert rule.to is not None
    collection, _, name = rule.path.rpartition(".")
    here, there = (store, collection), (store, rule.to[0])
    joint = rule.nature == "joint"
    common: dict[str, Any] = {
        "joint": joint,
        "when": rule.when,
        "when_node": here,
        "contested": rule.contested,
        "on_parent_erased": rule.on_parent_erased,
        "owns": True,
        "refers": True,
    }
    target_is_parent = rule.nature != "owns" and (tables[there].is_unique([rule.to[1]]) or not tables[here].is_unique([name]))
    if target_is_parent or rule.nature in ("refers", "joint"):
        return Link(here, (name,), there, (rule.to[1],), **common)
    return Link(there, (rule.to[1],), here, (name,), **common)


def pointers_of(graph: Graph) -> Iterator[Pointer]:
    enforced: dict[tuple[Node, frozenset[Pair], Node], ForeignKey] = {}
    for store, schema in graph.schemas.items():
        for fk in schema.foreign_keys:
            if graph.is_node((store, fk.parent)):
                pairs = frozenset(zip(fk.child_columns, fk.parent_columns, strict=True))
                enforced[(store, fk.child), pairs, (store, fk.parent)] = fk
    for link in graph.links:
        pairs = frozenset(zip(link.child_columns, link.parent_columns, strict=True))
        live = enforced.pop((link.child, pairs, link.parent), None)
        pointer = Pointer(link.child, link.child_columns, link.parent, link.parent_columns, True, live is not None, link=link)
        yield replace(pointer, on_delete=live.on_delete, on_update=live.on_update) if live else pointer
    for (child, _, parent), fk in enforced.items():
        mapped = graph.is_node(child)
        yield Pointer(child, fk.child_columns, parent, fk.parent_columns, mapped, True, fk.on_delete, fk.on_update)
