"""An erasure whose worker is killed at every boundary there is ends exactly once, with a true report."""

import pytest

from requests_app.models import State
from tests.failures.worlds import approved, assert_ended_once, assert_erased_truly, assert_gone, letters_to, run, state, stop

BOUNDARIES = {
    "claimed": ("before", "requests_app.workers:begin"),
    "begun": ("after", "requests_app.workers:begin"),
    "in the store's transaction, nothing changed yet": ("before", "privacy.engine.erase:_delete"),
    "in the store's transaction, all of it done": ("after", "privacy.engine.erase:_delete"),
    "committed, not verified": ("before", "privacy.engine.erase:remaining"),
    "verified, not in the ledger": ("before", "privacy.executing:ledger.record_many"),
    "in the ledger's database, not in its file": ("before", "privacy.ledger:_append"),
    "in the ledger, the outcome not written": ("before", "requests_app.workers:write_outcomes"),
    "outcome written, the case not closed": ("before", "requests_app.outcomes:settle"),
    "closed, not committed": ("after", "requests_app.outcomes:settle"),
    "committed, before the bell rings again": ("after", "requests_app.workers:write_outcomes"),
}


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_it_ends_once(shop, workers, boundary):
    shop.load()
    request = approved("erasure")
    others = shop.rows(of="K2")
    moment, place = BOUNDARIES[boundary]
    victim = workers.start(stop(moment, place, call=2))  # the first call is for the other store
    workers.ring("run_batch")
    victim.has_died()

    workers.start()
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    workers.until(lambda: letters_to("sven@example.se", about="answered"), "the letter")
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)
    assert shop.rows(of="K2") == others
    assert len(letters_to("sven@example.se", about="answered")) == 1
    assert (run(request, "support").attempt, run(request, "shop").attempt) in ((2, 2), (2, 3))
