"""Whom a search is for: a person's verified identities, or what the plan of an earlier search remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from privacy.datamap.graph import Node
from privacy.engine.holding import OWNED, REFERRED, ROOT, Reason
from privacy.engine.identity import canonical
from privacy.stores.base import Values

_UNDISPUTED: dict[str, tuple[str, tuple[Reason, ...]]] = {role: (role, ()) for role in (ROOT, OWNED, REFERRED)}


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
    planned: Mapping[Node, Sequence[Values]] = field(default_factory=dict)
    written: Mapping[Node, Sequence[Any]] = field(default_factory=dict)  # what the plan says of each of them

    @cached_property
    def known(self) -> Mapping[Node, Mapping[Values, tuple[str, tuple[Reason, ...]]]]:
        """Role and reasons of every planned group."""
        return {
            node: {
                values: (role, tuple(Reason(*reason) for reason in reasons)) if reasons else _UNDISPUTED[role]
                for values, (_raw, _count, role, reasons) in zip(planned, self.written[node], strict=True)
            }
            for node, planned in self.planned.items()
        }

    @cached_property
    def disputed(self) -> bool:
        return any(group[3] for groups in self.written.values() for group in groups)

    def reasons(self, node: Node, values: Values) -> tuple[Reason, ...] | None:
        """Why a planned group was contested; None: it was not planned."""
        known = self.known.get(node, {}).get(values)
        return known[1] if known else None
