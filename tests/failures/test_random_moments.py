"""A worker that dies at any statement it sends to any database; INSYN_RANDOM_KILLS says at how many."""

import os
import random

import pytest

from requests_app.models import State
from tests.failures.conftest import wait_until
from tests.failures.worlds import approved, assert_ended_once, assert_erased_truly, assert_gone, state

MOMENTS = random.Random(20261122).sample(range(1, 120), int(os.environ.get("INSYN_RANDOM_KILLS", "5")) % 119)


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_erasure_ends_once(shop, workers, moment):
    shop.load()
    request = approved("erasure")
    others = shop.rows(of="K2")
    victim = workers.start({"what": "stop at statement", "number": moment})
    workers.ring("run_batch")
    # Whoever needs fewer statements lives.
    wait_until(lambda: not victim.lives or state(request) == State.COMPLETED, "the death")
    workers.start()
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)
    assert shop.rows(of="K2") == others
