"""Access through the whole product, with a worker process: from the request to a package that is ready.

The plain alternative of the customer with very many rows: COPY of each table as CSV and as `row_to_json`, deflated at the same
level into a file, in this process. Ours also searches, judges what is others', draws the page, encrypts and writes the case.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator, Sequence

import psycopg

from bench import product
from bench.measured import Row, against, alternating, counted_statements, grown_memory, timed
from bench.product import Worker
from bench.road import email

HEAVY = "heavy@example.com"
OWN = (
    "SELECT * FROM customer t WHERE id = %(id)s",
    "SELECT * FROM address t WHERE id = %(id)s",
    "SELECT * FROM payment_card t WHERE customer_id = %(id)s",
    "SELECT * FROM orders t WHERE customer_id = %(id)s",
    "SELECT t.* FROM order_item t JOIN orders o ON o.id = t.order_id WHERE o.customer_id = %(id)s",
    "SELECT * FROM login t WHERE customer_id = %(id)s",
)


def measure_small(people: Iterator[int], *, many: int, singles: int) -> Iterator[Row]:
    def some(count: int) -> list[str]:
        return [email(next(people)) for _ in range(count)]

    with product.worker() as worker:
        _together(worker, some(5))  # warm
        times = sorted(_one(address) for address in some(singles))
        with grown_memory(*worker.family()) as grown:
            taken = _together(worker, some(many))
    p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    yield {
        "bench": "access one, created → ready",
        "ours_s": round(p50, 4),
        "p95_s": round(p95, 4),
        "target": "p50 ≤ 0.2 s",
        "met": p50 <= 0.2,
        "statements": _statements_for(some(2)),
    }
    rate = round(60 * many / taken)
    yield {
        "bench": f"access {many}, created → ready",
        "ours_s": round(taken, 3),
        "target": "≥ 3,000 a minute",
        "met": rate >= 3000,
        "per_minute": rate,
        "memory_mib": grown[0],
    }


def measure_heavy(url: str, *, customer: int, rows: int, repeats: int) -> Iterator[Row]:
    with product.worker(processes=1) as worker:
        _one(email(customer - 1))  # what every first package brings into memory
        grown: list[float] = []

        def ours() -> float:
            with grown_memory(*worker.family()) as now:
                taken = _one(HEAVY)
            grown.append(now[0])
            return taken

        seconds, plain = alternating(ours, lambda: timed(lambda: copy_plainly(url, customer)), repeats)
    row = against(f"access with {rows:,} rows", seconds, plain, 2, memory_mib=max(grown))
    yield row | {"target": "≤ 2×, ≤ 40 MiB", "met": row["met"] and max(grown) <= 40}


def copy_plainly(url: str, customer: int) -> None:
    with psycopg.connect(url) as connection, tempfile.TemporaryFile() as file:
        for query in OWN:
            for sql in (
                f"COPY ({query}) TO STDOUT WITH (FORMAT csv, HEADER)",
                f"COPY (SELECT row_to_json(r) FROM ({query}) r) TO STDOUT",
            ):
                deflate = zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)
                with connection.cursor().copy(sql % {"id": int(customer)}) as data:
                    for chunk in data:
                        file.write(deflate.compress(chunk))
                file.write(deflate.flush())


def _one(address: str) -> float:
    def everything() -> None:
        requests = product.submit([address], "access")
        product.wait(lambda: product.all_found(requests), "finding", every=0.003)
        product.approve(requests)
        product.wait(lambda: product.all_packed(requests), "packing", every=0.003)

    taken = timed(everything)
    product.wait(product.is_idle, "silence")
    return taken


def _together(worker: Worker, addresses: Sequence[str]) -> float:
    """Seconds for finding and packing, the decisions left out as in `bench.road`."""
    with worker.held():
        requests = product.submit(addresses, "access")
    found = timed(lambda: product.wait(lambda: product.all_found(requests), "finding"))
    product.wait(product.is_idle, "silence")
    with worker.held():
        product.approve(requests)
    packed = timed(lambda: product.wait(lambda: product.all_packed(requests), "packing"))
    product.wait(product.is_idle, "silence")
    return found + packed


def _statements_for(addresses: Sequence[str]) -> int:
    from requests_app.running import workers

    for address in addresses:
        with counted_statements() as count:
            requests = product.submit([address], "access")
            product.wait(lambda: workers.locate_due() >= 0 and product.all_found(requests), "finding")  # noqa: B023
            product.approve(requests)
            product.wait(lambda: workers.build_some() >= 0 and product.all_packed(requests), "packing")  # noqa: B023
    return count[0]
