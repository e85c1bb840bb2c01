"""In a batch of hundreds what one person's data provoke concerns that person; trouble of the machine divides nobody (R27)."""

from math import ceil, log2

import pytest
from django.utils import timezone

from requests_app import cases
from requests_app.models import RightsRequest, RunState, State, StoreRun
from requests_app.running.runs import plan_digests
from requests_app.running.workers import locate_due
from tests.factories import make_customer, make_staff
from tests.failures.conftest import wait_until
from tests.failures.worlds import ask, assert_ended_once, state

MANY, FEW = 200, 30
# Counts transactions that got so far, those that were rolled back too: a sequence is not.
TRIES = """
CREATE SEQUENCE tries;
CREATE TABLE trouble (id integer, code text);
CREATE FUNCTION count_and_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE refusal text;
BEGIN
    IF TG_LEVEL = 'STATEMENT' THEN PERFORM nextval('tries'); RETURN NULL; END IF;
    SELECT code INTO refusal FROM trouble WHERE id = OLD.id OR id IS NULL;
    IF refusal IS NOT NULL THEN RAISE EXCEPTION 'it is %', OLD.body USING ERRCODE = refusal; END IF;
    RETURN OLD;
END$$;
CREATE TRIGGER tries BEFORE DELETE ON ticket FOR EACH STATEMENT EXECUTE FUNCTION count_and_refuse();
CREATE TRIGGER trouble BEFORE DELETE ON ticket FOR EACH ROW EXECUTE FUNCTION count_and_refuse();
"""


@pytest.fixture
def crowd(shop, workers):
    """Makes that many approved erasures of people with an order and a ticket each."""

    def make(count):
        shop.add_people(count)
        shop.execute("support", TRIES)
        shop.load()
        people = make_staff("agent"), make_staff("approver")
        requests = [ask("erasure", customer=make_customer(f"p{n}@example.se"), ground="a") for n in range(1, count + 1)]
        while locate_due():
            pass
        # The decision of two people, for all at once: what staff do one by one is tested elsewhere.
        digests = plan_digests(request.pk for request in requests)
        for request in requests:
            request.state, request.plan_digest = State.APPROVED, digests[request.pk]
            request.proposed_by, request.approved_by = people
        RightsRequest.objects.bulk_update(requests, ["state", "plan_digest", "proposed_by", "approved_by"])
        StoreRun.objects.update(state=RunState.QUEUED, due_at=timezone.now())
        return requests

    return make


def tries(shop):
    ((value, called),) = shop.execute("support", "SELECT last_value, is_called FROM tries")
    return value if called else 0


def states():
    return set(RightsRequest.objects.values_list("state", flat=True))


def test_a_poisoned_request_among_hundreds_fails_alone(shop, workers, crowd):
    requests = crowd(MANY)
    poisoned = requests[76]
    shop.execute("support", "INSERT INTO trouble VALUES (1077, '23514')")
    workers.start()
    workers.ring("run_batch")
    wait_until(lambda: states() == {State.COMPLETED, State.BLOCKED}, "the end of all")
    assert [request for request in requests if state(request) != State.COMPLETED] == [poisoned]
    assert tries(shop) <= 1 + 2 * ceil(log2(MANY))  # both halves of what failed, down to the one
    stopped = StoreRun.objects.get(request=poisoned, store__key="support")
    assert (stopped.state, "23514" in stopped.error) == (RunState.BLOCKED, True)
    assert "it is" not in stopped.error + workers.log()
    assert shop.execute("support", "SELECT id, customer FROM ticket WHERE id > 1000") == [(1077, "P77")]
    assert shop.execute("shop", "SELECT number FROM customer WHERE number LIKE 'P%%' ") == [("P77",)]
    for request in (requests[75], requests[77]):
        assert_ended_once(request)

    shop.execute("support", "DELETE FROM trouble")
    cases.resume_run(run=stopped, acting_user=make_staff("agent"), now=timezone.now())
    workers.until(lambda: states() == {State.COMPLETED}, "the end of the last")
    assert_ended_once(poisoned)


def test_trouble_of_the_machine_does_not_divide_a_batch(shop, workers, crowd):
    """A full disk, no memory, a server that starts, a conflict, a deadlock, a lock that is not given: all wait, together."""
    requests = crowd(FEW)
    workers.start()
    runs = StoreRun.objects.filter(store__key="support")
    for number, code in enumerate(("53100", "53200", "57P03", "40001", "40P01", "55P03"), 1):
        shop.execute("support", "DELETE FROM trouble")
        shop.execute("support", "INSERT INTO trouble VALUES (NULL, %s)", code)
        runs.update(due_at=timezone.now())
        workers.ring("run_batch")
        wait_until(lambda n=number: set(runs.values_list("state", "retries")) == {(RunState.FAILED, n)}, f"the failure by {code}")
        assert tries(shop) == number
        assert all(code in run.error for run in runs)

    shop.execute("support", "DELETE FROM trouble")
    workers.until(lambda: states() == {State.COMPLETED}, "the end of all")
    assert tries(shop) == 7
    assert_ended_once(requests[-1])
