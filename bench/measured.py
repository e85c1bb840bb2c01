"""How everything is measured: ours and the plain alternative in turn, medians, memory and statements beside the times."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def alternating(ours: Callable[[], float], plain: Callable[[], float], repeats: int) -> tuple[float, float]:
    """Medians of both, each answering seconds and called once before it counts."""
    ours(), plain()
    pairs = [(ours(), plain()) for _ in range(repeats)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def against(name: str, seconds: float, plain: float, target: float, **more: Any) -> Row:
    ratio = seconds / plain
    times = {"ours_s": round(seconds, 4), "plain_s": round(plain, 4), "ratio": round(ratio, 2)}
    return {"bench": name, **times, "target": f"≤ {target:g}×", "met": ratio <= target, **more}


@contextmanager
def counted_statements() -> Iterator[list[int]]:
    """Counts what this process sends to stores in the block, transactions' own BEGIN and COMMIT left out."""
    import sqlalchemy as sa

    count = [0]

    def one_more(*_args: Any) -> None:
        count[0] += 1

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", one_more)
    try:
        yield count
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", one_more)


# --- memory -------------------------------------------------------------------------------------------------------------


def kib(pid: int, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


@contextmanager
def grown_memory(*pids: int) -> Iterator[list[float]]:
    """By how many MiB the processes' high-water marks rose in the block, together."""
    watched, grown = pids or (os.getpid(),), [0.0]
    for pid in watched:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the mark sinks to what is held now
    before = sum(kib(pid, "VmRSS") for pid in watched)
    yield grown
    grown[0] = round((sum(kib(pid, "VmHWM") for pid in watched) - before) / 1024, 1)
