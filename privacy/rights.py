"""Which rights a legal basis gives: the one table. Access, correction and restriction need no basis and stand in every row."""

from __future__ import annotations

from collections.abc import Iterable

ALWAYS = frozenset({"access", "rectification", "restriction"})
# Erasure: Art. 17(1), 17(3)(b). Portability: Art. 20(1)(a). Objection: Art. 21(1); to direct marketing it is always open (21(2)).
BY_BASIS: dict[str, frozenset[str]] = {
    "6-1-a": ALWAYS | {"erasure", "portability", "withdrawal"},
    "6-1-b": ALWAYS | {"erasure", "portability"},
    "6-1-c": ALWAYS,
    "6-1-d": ALWAYS | {"erasure"},
    "6-1-e": ALWAYS | {"objection"},
    "6-1-f": ALWAYS | {"erasure", "objection"},
}
UNSTATED = ALWAYS | {"erasure", "portability", "objection"}  # where no basis is recorded, nobody loses a right by that


def gives(basis: str, right: str) -> bool:
    """Whether data processed on this basis are under this right."""
    return right in BY_BASIS.get(basis, UNSTATED)


def rights_under(bases: Iterable[str]) -> frozenset[str]:
    """The rights that some of these bases give."""
    return ALWAYS.union(*(BY_BASIS.get(basis, UNSTATED) for basis in bases))
