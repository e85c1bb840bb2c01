"""Which planned rows those that stand now may be: the same, or what an erasure made of them (R19, R29).

A row that somebody else changed since is a new one to whoever decided: what was answered for Bo's is no answer for Dan's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from privacy.datamap.graph import Graph, Node
from privacy.engine.identity import EMAIL_KINDS, NOBODY, InvalidIdentity, canonical
from privacy.stores.base import Values
from privacy.stores.values import from_json


@dataclass(frozen=True)
class Contested:
    """The contested groups of one collection in a plan. `own`: the person's identities by kind; `vague`: the plan is a remnant,
    which does not hold what an erasure replaced."""

    graph: Graph
    node: Node
    counts: Mapping[Values, int]
    own: Mapping[str, Collection[str]]
    vague: bool = False

    @classmethod
    def read(cls, graph: Graph, plan: Mapping[str, Any], node: Node, own: Mapping[str, Collection[str]]) -> Contested:
        counts: dict[Values, int] = {}
        for raw, count, _role, reasons in plan["groups"].get(node[1], ()):
            if reasons:
                values = values_of(graph, plan, node, raw)
                counts[values] = counts.get(values, 0) + count
        return cls(graph, node, counts, own, vague="rows" in plan)

    def may_be(self, values: Values) -> list[Values]:
        """The planned groups of which these rows may be."""
        return [planned for planned in self._by_anchor.get(self._anchor(values), ()) if self._became(planned, values)]

    def unplanned(self, now: Iterable[tuple[Values, int]]) -> int:
        """How many of these rows are none of the planned: each planned row is one of them at most."""
        left = dict(self.counts)
        more: list[tuple[Values, int]] = []
        for values, count in now:
            same = min(count, left.get(values, 0))
            if same:
                left[values] -= same
            more.append((values, count - same))
        new = 0
        for values, rest in more:
            for planned in self.may_be(values) if rest else ():
                same = min(rest, left[planned])
                left[planned] -= same
                rest -= same  # noqa: PLW2901
            new += rest
        return new

    @cached_property
    def _by_anchor(self) -> dict[Values, list[Values]]:
        found: dict[Values, list[Values]] = {}
        for values in self.counts:
            found.setdefault(self._anchor(values), []).append(values)
        return found

    def _anchor(self, values: Values) -> Values:
        return tuple(values[i] for i in self._anchored)

    @cached_property
    def _key(self) -> tuple[str, ...]:
        """A unique key that no erasure changes, where the groups hold one."""
        by = {name for name in self.graph.group_columns[self.node] if not self._personal(name)}
        return next((unique for unique in self.graph.table(self.node).uniques if set(unique) <= by), ())

    @cached_property
    def _anchored(self) -> tuple[int, ...]:
        by = self.graph.group_columns[self.node]
        fixed = [n for n in by if not self._personal(n) and not self.graph.column(self.node, n).nullable]
        return tuple(by.index(name) for name in self._key or fixed)

    @cached_property
    def _telling(self) -> tuple[tuple[int, str], ...]:
        """The columns that tell whose a row is. Where no key tells the rows apart, every one does."""
        by = self.graph.group_columns[self.node]
        told = {name for name in by if self._leads(name) or self._identity(name)} if self._key else set(by)
        return tuple((i, name) for i, name in enumerate(by) if name in told)

    def _became(self, planned: Values, now: Values) -> bool:
        return all(
            planned[i] == now[i] or (self.vague and planned[i] is None) or self._replaced(name, planned[i], now[i])
            for i, name in self._telling
        )

    def _replaced(self, name: str, planned: Any, now: Any) -> bool:
        """Whether an erasure may have written what stands there now."""
        if now is None:
            return self._personal(name) or self._leads(name)
        if planned is None or not self._personal(name) or self.graph.column(self.node, name).nullable:
            return False
        return str(now).endswith(NOBODY) or (self._identity(name) not in EMAIL_KINDS and self._own(name, planned))

    def _own(self, name: str, value: Any) -> bool:
        kind = self._identity(name) or ""
        try:
            return canonical(kind, value) in self.own.get(kind, ())
        except InvalidIdentity:
            return False

    def _personal(self, name: str) -> bool:
        field = self.graph.collection(self.node).fields.get(name)
        return field is not None and field.personal

    def _identity(self, name: str) -> str | None:
        field = self.graph.collection(self.node).fields.get(name)
        return field.identity if field else None

    def _leads(self, name: str) -> bool:
        return name in self._leading

    @cached_property
    def _leading(self) -> frozenset[str]:
        own = (p for p in self.graph.pointers if p.child == self.node)
        return frozenset(name for pointer in own for name in (*pointer.child_columns, *pointer.when))


def values_of(graph: Graph, plan: Mapping[str, Any], node: Node, raw: Iterable[Any]) -> Values:
    """A group's values as the plan holds them, in today's column order."""
    by_name = dict(zip(plan["columns"][node[1]], raw, strict=True))
    return tuple(from_json(by_name.get(name)) for name in graph.group_columns[node])
