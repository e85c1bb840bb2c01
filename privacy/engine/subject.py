"""Whom a search is for: a person's verified identities, or what the plan of an earlier search remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from privacy.datamap.graph import Node
from privacy.engine.holding import Reason
from privacy.engine.identity import canonical
from privacy.stores.base import Values


@dataclass(frozen=True)
class Subject:
    """A person of the batch: canonical identities by kind, or what a plan remembered of an earlier search."""

    identities: Mapping[str, frozenset[str]]
    frozen: Frozen | None = None
    disclosed: Callable[[Node, Values, int], bool] | None = None  # whether staff gave so many contested rows to this person

    @classmethod
    def of(cls, identities: Iterable[tuple[str, str]], **more: Any) -> Subject:
        """Raises InvalidIdentity."""
        found: dict[str, set[str]] = {}
        for kind, value in identities:
            found.setdefault(kind, set()).add(canonical(kind, value))
        return cls({kind: frozenset(values) for kind, values in found.items()}, **more)


@dataclass(frozen=True)
class Frozen:
    """What one store's plan remembers: its groups, the keys that led in from elsewhere, and what other stores said."""

    store: str
    roots: Mapping[Node, Sequence[Values]] = field(default_factory=dict)
    inbound: Mapping[tuple[str, bool], Sequence[Values]] = field(default_factory=dict)  # (link id, downwards) → keys
    foreign: Mapping[str, frozenset[Values]] = field(default_factory=dict)  # link id → keys of the person's rows elsewhere
    known: Mapping[Node, Mapping[Values, tuple[str, tuple[Reason, ...]]]] = field(default_factory=dict)  # → role, reasons

    @cached_property
    def disputed(self) -> bool:
        return any(reasons for groups in self.known.values() for _, reasons in groups.values())

    def reasons(self, node: Node, values: Values) -> tuple[Reason, ...] | None:
        """Why a planned group was contested; None: it was not planned."""
        known = self.known.get(node, {}).get(values)
        return known[1] if known else None
