"""Erasing 1, 10, 100 and 1,000 people: the engine against six handwritten DELETEs.

Both leave the same rows, on the same server with the same commit settings, warm, in turn, each on people of its own; medians.
The DELETEs know the customers' numbers, so what they are held against is the run, which knows the plan: it looks for
everything again in its transaction, judges who has a part in it, erases, counts and verifies. Finding the people and writing the
plan stands beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from datetime import date

import psycopg

from bench.measured import Row, against, alternating, counted_statements, grown_memory, timed
from bench.shop import KEY, opened, put_back_heavy
from privacy.datamap.graph import Graph
from privacy.engine import plan as plans
from privacy.engine.erasure.erase import Job, erase
from privacy.engine.holding import Keys
from privacy.engine.locate.search import locate
from privacy.engine.locate.subject import Subject
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


def measure(url: str, people: Iterator[int], *, sizes: Sequence[int], repeats: int) -> Iterator[Row]:
    graph, store = opened(url)

    def some(count: int) -> list[int]:
        return [next(people) for _ in range(count)]

    for count in sizes:
        found: list[float] = []

        def ours(count: int = count, found: list[float] = found) -> float:
            identities = [(("email", f"customer-{number}@example.com"),) for number in some(count)]
            jobs: list[Job] = []
            found.append(timed(lambda: jobs.extend(find(graph, store, identities))))
            return timed(lambda: carry_out(graph, store, jobs, 63 * count))

        def plain(count: int = count) -> float:
            ids = some(count)
            return timed(lambda: delete_plainly(url, ids))

        with grown_memory() as grown:
            mine, theirs = alternating(ours, plain, repeats)
        with counted_statements() as statements:
            ours()
        rate = round(60 * count / mine)
        finding = round(statistics.median(found[1:-1]), 4)  # neither the first, which warms, nor the last, which counts
        more = {"finding_s": finding, "per_minute": rate, "statements": statements[0], "memory_mib": grown[0]}
        yield against(f"erase {count}, engine", mine, theirs, 2, **more)


def measure_heavy(url: str, *, customers: int, rows: int, repeats: int) -> Iterator[Row]:
    """The customer with very many rows, who comes back after each time."""
    graph, store = opened(url)

    def ours() -> float:
        jobs = find(graph, store, [(("email", "heavy@example.com"),)])
        taken = timed(lambda: carry_out(graph, store, jobs, rows + 43))
        put_back_heavy(url, customers, rows)
        return taken

    def plain() -> float:
        taken = timed(lambda: delete_plainly(url, [customers + 1]))
        put_back_heavy(url, customers, rows)
        return taken

    with grown_memory() as grown:
        mine, theirs = alternating(ours, plain, repeats)
    yield against(f"erase {rows:,} rows of one", mine, theirs, 2, memory_mib=grown[0])


def by_engine(graph: Graph, store: Store, ids: Sequence[int]) -> None:
    identities = [(("email", f"customer-{number}@example.com"),) for number in ids]
    carry_out(graph, store, find(graph, store, identities), 63 * len(ids))


def find(graph: Graph, store: Store, identities: Sequence[tuple[tuple[str, str], ...]]) -> list[Job]:
    """What an approval would be given to."""
    with store.read() as session:
        holdings = locate(graph, {KEY: session}, [Subject.of(pairs) for pairs in identities])
    keys = Keys(graph)
    return [Job(pairs, plans.write(graph, keys, KEY, holding)) for pairs, holding in zip(identities, holdings, strict=True)]


def carry_out(graph: Graph, store: Store, jobs: Sequence[Job], expected: int) -> None:
    reports = erase(graph, store, jobs, today=TODAY)
    gone = sum(counts["deleted"] for report in reports for counts in report.collections.values())
    if gone != expected:
        raise AssertionError(f"{gone} rows went instead of {expected}")


def delete_plainly(url: str, ids: Sequence[int]) -> None:
    with psycopg.connect(url) as connection:
        for statement in PLAIN:
            connection.execute(statement, {"ids": list(ids)})


def explain(url: str, ids: Sequence[int]) -> Iterator[str]:
    """The plans of the handwritten statements, for so many people; nothing is changed."""
    with psycopg.connect(url) as connection:
        for statement in PLAIN:
            yield statement
            plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, SUMMARY OFF) {statement}", {"ids": list(ids)}).fetchall()
            yield from (f"    {line}" for (line,) in plan)
        connection.rollback()
