"""Erasing through the whole product, with a worker process: from the requests to stores that are done and verified.

1,000 people: the clock runs while the worker searches and while it erases. Submitting and deciding happen in this process, one
case at a time as people do it, while the worker is held; what they took stands beside. One person: everything is in the time.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from bench import product
from bench.erasing import delete_plainly
from bench.measured import Row, against, counted_statements, grown_memory, timed
from bench.product import Worker


def email(number: int) -> str:
    return f"customer-{number}@example.com"


def measure(url: str, people: Iterator[int], *, many: int, repeats: int, singles: int) -> Iterator[Row]:
    def some(count: int) -> list[int]:
        return [next(people) for _ in range(count)]

    with product.worker() as worker:
        _erase_many(worker, some(20))  # warm
        _plainly(url, some(many))
        runs, plain = [], []
        with grown_memory(*worker.family()) as grown:
            for _ in range(repeats):
                runs.append(_erase_many(worker, some(many)))
                plain.append(_plainly(url, some(many)))
        submitted, found, decided, erased = parts = [statistics.median(part) for part in zip(*runs, strict=True)]
        yield against(
            f"erase {many}, created → done",
            found + erased,
            statistics.median(plain),
            5,
            per_minute=round(60 * many / (found + erased)),
            per_minute_with_deciding=round(60 * many / sum(parts)),
            submit_s=round(submitted, 2),
            find_s=round(found, 2),
            decide_s=round(decided, 2),
            erase_s=round(erased, 2),
            memory_mib=grown[0],
        )
        times = sorted(_erase_one(some(1)) for _ in range(singles))
        p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
    statements = _statements_for(some(2))
    yield {
        "bench": "erase one, created → done",
        "ours_s": round(p50, 4),
        "p95_s": round(p95, 4),
        "target": "p50 ≤ 0.2 s, ≤ 30 statements",
        "met": p50 <= 0.2 and statements <= 30,
        "statements": statements,
    }


def _plainly(url: str, ids: Sequence[int]) -> float:
    return timed(lambda: delete_plainly(url, ids))


def _erase_many(worker: Worker, ids: Sequence[int]) -> tuple[float, float, float, float]:
    """Seconds for submitting, finding, deciding and erasing."""
    requests: list[int] = []
    with worker.held():
        submitted = timed(lambda: requests.extend(product.submit([email(number) for number in ids], "erasure")))
    found = timed(lambda: product.wait(lambda: product.all_found(requests), "finding"))
    product.wait(product.is_idle, "silence")
    with worker.held():
        decided = timed(lambda: product.approve(requests))
    erased = timed(lambda: product.wait(lambda: product.all_carried_out(requests), "erasing"))
    product.wait(product.is_idle, "silence")
    return submitted, found, decided, erased


def _erase_one(ids: Sequence[int]) -> float:
    def everything() -> None:
        requests = product.submit([email(number) for number in ids], "erasure")
        product.wait(lambda: product.all_found(requests), "finding", every=0.003)
        product.approve(requests)
        product.wait(lambda: product.all_carried_out(requests), "erasing", every=0.003)

    taken = timed(everything)
    product.wait(product.is_idle, "silence")
    return taken


def _statements_for(ids: Sequence[int]) -> int:
    """What one person's road asks of the store, counted in this process; the first one only warms."""
    from requests_app.running import workers

    for number in ids:
        with counted_statements() as count:
            requests = product.submit([email(number)], "erasure")
            product.wait(lambda: workers.locate_due() >= 0 and product.all_found(requests), "finding")  # noqa: B023
            product.approve(requests)
            product.wait(lambda: workers.run_due() >= 0 and product.all_carried_out(requests), "erasing")  # noqa: B023
    return count[0]
