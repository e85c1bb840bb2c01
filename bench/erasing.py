"""Erasing 1, 10, 100 and 1,000 people: the engine (locate, judge, plan, erase, verify) against six handwritten DELETEs.

Both leave the same rows, on the same server with the same commit settings, warm, in turn, each on people of its own; medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import psycopg

from bench.shop import KEY, opened
from privacy.datamap.graph import Graph
from privacy.engine import plan as plans
from privacy.engine.erase import Job, erase
from privacy.engine.holding import Keys
from privacy.engine.locate import Subject, locate
from privacy.stores.base import Store

TODAY = date(2026, 1, 1)  # the shop has no keep rules: any day does
PLAIN = (
    "DELETE FROM login WHERE customer_id = ANY(%(ids)s)",
    "DELETE FROM order_item WHERE order_id IN (SELECT id FROM orders WHERE customer_id = ANY(%(ids)s))",
    "DELETE FROM orders WHERE customer_id = ANY(%(ids)s)",
    "DELETE FROM payment_card WHERE customer_id = ANY(%(ids)s)",
    "DELETE FROM customer WHERE id = ANY(%(ids)s)",
    "DELETE FROM address WHERE id = ANY(%(ids)s)",  # one each, with the customer's number
)


def measure(url: str, sizes: tuple[int, ...], repeats: int) -> Iterator[dict[str, Any]]:
    graph, store = opened(url)
    people = iter(range(1, 10**9))

    def some(count: int) -> list[int]:
        return [next(people) for _ in range(count)]

    for count in sizes:
        _engine(graph, store, some(count))  # warm
        _plain(url, some(count))
        ours, plain = [], []
        for _ in range(repeats):
            ours.append(_timed(lambda ids: _engine(graph, store, ids), some(count)))
            plain.append(_timed(lambda ids: _plain(url, ids), some(count)))
        mine, theirs = statistics.median(ours), statistics.median(plain)
        yield {
            "bench": f"erase {count}, engine",
            "ours_s": round(mine, 4),
            "plain_s": round(theirs, 4),
            "ratio": round(mine / theirs, 2),
            "people_per_minute": round(60 * count / mine),
        }


def _timed(work: Callable[[list[int]], None], ids: list[int]) -> float:
    began = time.perf_counter()
    work(ids)
    return time.perf_counter() - began


def _engine(graph: Graph, store: Store, ids: list[int]) -> None:
    identities = [(("email", f"customer-{number}@example.com"),) for number in ids]
    with store.read() as session:
        holdings = locate(graph, {KEY: session}, [Subject.of(pairs) for pairs in identities])
    keys = Keys(graph)
    jobs = [Job(pairs, plans.write(graph, keys, KEY, holding)) for pairs, holding in zip(identities, holdings, strict=True)]
    reports = erase(graph, store, jobs, today=TODAY)
    gone = sum(counts["deleted"] for report in reports for counts in report.collections.values())
    if gone != 63 * len(ids):
        raise AssertionError(f"{gone} rows went instead of {63 * len(ids)}")


def _plain(url: str, ids: list[int]) -> None:
    with psycopg.connect(url) as connection:
        for statement in PLAIN:
            connection.execute(statement, {"ids": ids})
