"""A store whose rows lead into others loses its own last, and no resumed run looks for identities again (R19)."""

import pytest

from privacy.models import Store
from requests_app import cases
from requests_app.models import Outcome, RunState, State
from requests_app.operating.act import act
from requests_app.operating.asked import Asked
from tests.factories import make_staff
from tests.failures.worlds import (
    PLANNED,
    approved,
    assert_ended_once,
    assert_erased_truly,
    assert_gone,
    count_of,
    run,
    state,
    stop,
)

REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'; END$$;
CREATE TRIGGER refuse BEFORE DELETE ON ticket FOR EACH ROW WHEN (OLD.id = 2) EXECUTE FUNCTION refuse();
"""


def test_the_store_that_leads_into_another_goes_last(shop, workers):
    """Its worker dies when the other store is empty but not yet written down: nothing of the first may be gone then."""
    shop.load()
    request = approved("erasure")
    before = shop.rows(of="K1")
    victim = workers.start(stop("before", "privacy.engine.erasure.erase:remaining"))
    workers.ring("run_batch")
    victim.has_died()
    left = shop.rows(of="K1")
    assert left == before | {"support.ticket": [], "support.message": []}
    assert run(request, "shop").attempt == 1  # it was located, and nobody has begun

    workers.start()
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert run(request, "support").finished_at < run(request, "shop").started_at
    assert run(request, "support").report["collections"]["ticket"]["erased_earlier"] == 4
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)


def test_a_resumed_run_needs_no_identity(shop, workers):
    """What led to the rows is gone when the next worker comes: they are found by what the plan remembers."""
    shop.load()
    request = approved("erasure")
    victim = workers.start(stop("before", "privacy.engine.erasure.erase:_delete"))
    workers.ring("run_batch")
    victim.has_died()
    for sql in (
        "DELETE FROM item USING orders o WHERE o.id = order_id AND o.number = 'K1'",
        "DELETE FROM orders WHERE number = 'K1'",
        "DELETE FROM invoice WHERE number = 'K1'",
        "DELETE FROM customer WHERE number = 'K1'",
    ):
        shop.execute("shop", sql)

    workers.start()
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    request.refresh_from_db()
    assert request.outcome == Outcome.FULFILLED
    assert {name: rows for name, rows in shop.rows(of="K1").items() if rows} == {}
    told = {name: counts.get("erased_earlier") for name, counts in run(request).report["collections"].items()}
    assert told == PLANNED["shop"]
    assert count_of("data.located", request) == 1
    assert_ended_once(request)


def test_while_the_other_store_is_stopped_the_first_waits_and_the_case_says_so(shop, workers):
    shop.execute("support", REFUSE)
    shop.load()
    request = approved("erasure")
    before = shop.rows(of="K1")
    workers.start()
    workers.until(lambda: state(request) == State.BLOCKED, "the stop")
    assert (run(request, "support").state, run(request, "shop").state) == (RunState.BLOCKED, RunState.QUEUED)
    assert shop.rows(of="K1") == before

    shop.execute("support", "ALTER TABLE ticket DISABLE TRIGGER refuse")
    cases.resume_run(run=run(request, "support"), acting_user=make_staff("agent"), now=run(request).due_at)
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert_ended_once(request)
    assert_erased_truly(request)
    assert_gone(shop)


def erase_by_command():
    (answer,) = act(Asked(action="erase", people=[{"email": ["sven@example.se"]}]))
    return answer


@pytest.mark.parametrize("code", ["check_violation", "disk_full"])
def test_an_operator_s_command_keeps_the_order_too(shop, code):
    """What cannot be done in the other store, for good or for now, leaves the rows by which its rows are found."""
    shop.execute("support", REFUSE.replace("check_violation", code))
    shop.load()
    before = shop.rows(of="K1")
    answer = erase_by_command()
    assert any("shop: is erased after support" in line for line in answer["left"])
    assert shop.rows(of="K1") == before

    shop.execute("support", "ALTER TABLE ticket DISABLE TRIGGER refuse")
    answer = erase_by_command()
    assert (answer["found"], "left" in answer) == (True, False)
    assert_gone(shop)


def test_an_operator_s_command_waits_for_a_store_that_is_away(shop):
    shop.load()
    Store.objects.filter(key="support").update(url=shop.urls["support"].replace("/throwaway", "/nowhere"))
    before = shop.rows(of="K1")
    answer = erase_by_command()
    assert any("shop: is erased after support" in line for line in answer["left"])
    assert shop.rows(of="K1") == before

    shop.load()
    assert "left" not in erase_by_command()
    assert_gone(shop)
