"""What one person costs in a small store and in one ten times as large: it should be the same.

Beside it stands the same ratio of handwritten DELETEs, which look up the same rows in the same deeper, colder indexes.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench import shop
from bench.erasing import by_engine, delete_plainly
from bench.measured import Row, alternating, timed


def measure(*, small: int, large: int, people: int, repeats: int) -> Iterator[Row]:
    (ours, plain), (ours_large, plain_large) = (_per_person(size, people, repeats) for size in (small, large))
    ratio = ours_large / ours
    yield {
        "bench": f"a person of {small:,} and of {large:,}",
        "ours_s": round(ours_large, 6),
        "plain_s": round(ours, 6),
        "ratio": round(ratio, 2),
        "target": "within 20 %",
        "met": ratio <= 1.2,
        "deletes_ratio": round(plain_large / plain, 2),
    }


def _per_person(customers: int, people: int, repeats: int) -> tuple[float, float]:
    """Seconds, ours and plain, in a store of so many customers."""
    url = shop.fill(customers, 20)
    graph, store = shop.opened(url)
    ids = iter(range(1, customers, customers // (2 * people * (repeats + 1))))  # people from all over the store

    def some() -> list[int]:
        return [next(ids) for _ in range(people)]

    def ours() -> float:
        batch = some()
        return timed(lambda: by_engine(graph, store, batch))

    def plainly() -> float:
        batch = some()
        return timed(lambda: delete_plainly(url, batch))

    mine, theirs = alternating(ours, plainly, repeats)
    return mine / people, theirs / people
