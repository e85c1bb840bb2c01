"""How long to wait before trying again: exponential, capped, with jitter so that a recovered store is not stormed."""

from __future__ import annotations

import random
from datetime import timedelta


def backoff(tries: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """The wait after `tries` failures: first, twice that, … up to `longest`, each up to a quarter longer by chance."""
    wait = min(longest, first * 2 ** min(max(tries - 1, 0), 20))
    return wait * (1 + random.random() / 4)  # noqa: S311 - jitter, no secret
