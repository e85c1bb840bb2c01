"""What one person costs in a small store and in one ten times as large: it should be the same."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from bench import shop
from bench.erasing import by_engine
from bench.measured import Row, timed


def measure(*, small: int, large: int, people: int, repeats: int) -> Iterator[Row]:
    medians = []
    for customers in (small, large):
        graph, store = shop.opened(shop.fill(customers, 20))
        step = customers // (people * (repeats + 1))  # people from all over the store
        ids = iter(range(1, customers, step))

        def some(ids: Iterator[int] = ids) -> Sequence[int]:
            return [next(ids) for _ in range(people)]

        by_engine(graph, store, some())  # warm
        times = []
        for _ in range(repeats):
            batch = some()
            times.append(timed(lambda: by_engine(graph, store, batch)))  # noqa: B023 - called at once
        medians.append(statistics.median(times) / people)
    ratio = medians[1] / medians[0]
    yield {
        "bench": f"a person of {small:,} and of {large:,}",
        "ours_s": round(medians[1], 6),
        "plain_s": round(medians[0], 6),
        "ratio": round(ratio, 2),
        "target": "within 20 %",
        "met": ratio <= 1.2,
    }
