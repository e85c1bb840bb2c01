"""Finding people's data, a batch at a time; what cannot be reached is tried again and never looks empty."""

from datetime import timedelta

import pytest

from privacy import audit
from privacy.actions import StoreUnavailable
from requests_app import cases
from requests_app.models import RightsRequest, RunState, Source, State, StoreRun
from requests_app.running.leases import BATCH
from requests_app.running.workers import locate_due, sweep
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_(engine):
    make_store("billing"), make_store("crm")
    return make_request(right="access", level=2, now=NOW)


def runs(request):
    return {run.store.key: run for run in StoreRun.objects.filter(request=request).select_related("store")}


def test_what_is_found_waits_for_a_decision(request_, engine, clock):
    assert locate_due(clock=clock) == 2
    crm = runs(request_)["crm"]
    assert (crm.state, crm.digest, crm.dataset_version, crm.located_at) == (RunState.READY, "d1", 1, NOW)
    assert crm.finding == {"customer": {"rows": 3, "contested": 0, "others": 0, "erase": {"delete": 3}}}
    assert crm.plan == {"links": [1, 2]}
    assert engine.finds == [{"people": [request_.customer.public_id], "right": "access", "stores": ["billing", "crm"]}]
    event = audit.events(request_.reference).last()
    assert event.action == "data.located"
    assert event.payload["stores"]["crm"] == {"status": "found", "rows": 3}
    assert locate_due(clock=clock) == 0


def test_nothing_found_is_an_answer(request_, engine, clock):
    engine.nothing_in = {"crm"}
    locate_due(clock=clock)
    crm = runs(request_)["crm"]
    assert (crm.state, crm.finding, crm.error) == (RunState.READY, {}, "")


def test_a_store_that_is_down_is_tried_again_and_the_others_go_on(request_, engine, clock):
    engine.down = {"crm"}
    locate_due(clock=clock)
    crm, billing = runs(request_)["crm"], runs(request_)["billing"]
    assert billing.state == RunState.READY
    assert (crm.state, crm.finding, crm.error, crm.retries) == (RunState.FAILED, None, "crm cannot be reached", 1)
    assert timedelta(seconds=30) <= crm.due_at - NOW <= timedelta(seconds=38)
    assert locate_due(clock=clock) == 0
    engine.down = set()
    clock.forward(minutes=1)
    assert locate_due(clock=clock) == 1
    assert runs(request_)["crm"].state == RunState.READY
    assert engine.finds[-1]["stores"] == ["crm"]


def test_the_wait_doubles_up_to_an_hour(request_, engine, clock):
    engine.down = {"crm", "billing"}
    waits = []
    for _ in range(10):
        locate_due(clock=clock)
        crm = runs(request_)["crm"]
        waits.append((crm.due_at - clock.now).total_seconds())
        clock.now = max(run.due_at for run in runs(request_).values())
    assert 30 <= waits[0] <= 38
    assert 60 <= waits[1] <= 75
    assert 3600 <= waits[-1] <= 4500


def test_when_no_store_can_be_asked_all_wait(request_, engine, clock):
    engine.find_error = lambda person: StoreUnavailable("crm cannot be reached")
    locate_due(clock=clock)
    assert {run.state for run in runs(request_).values()} == {RunState.FAILED}


def test_one_person_whose_data_break_the_search_does_not_stop_the_others(engine, clock):
    make_store("crm")
    requests = [make_request(right="restriction", now=NOW) for _ in range(7)]
    poisoned = requests[3].customer.public_id
    engine.find_error = lambda person: ValueError("Sven Svensson, Storgatan 1") if person.ref == poisoned else None
    locate_due(clock=clock)
    states = {request.pk: runs(request)["crm"] for request in requests}
    assert states.pop(requests[3].pk).state == RunState.BLOCKED
    assert {run.state for run in states.values()} == {RunState.READY}
    assert runs(requests[3])["crm"].error == "ValueError"


def test_a_stopped_search_is_started_again_by_staff(engine, clock):
    make_store("crm")
    request = make_request(right="restriction", now=NOW)
    engine.find_error = lambda person: ValueError()
    locate_due(clock=clock)
    run = runs(request)["crm"]
    engine.find_error = lambda person: None
    with pytest.raises(cases.NotAllowed, match="role"):
        cases.resume_run(run=run, acting_user=make_staff("engineer"), now=clock())
    cases.resume_run(run=run, acting_user=make_staff("agent"), now=clock())
    locate_due(clock=clock)
    assert runs(request)["crm"].state == RunState.READY


def test_nobody_is_looked_for_who_has_proved_nothing(engine, clock):
    make_store("crm")
    customer = make_customer()
    customer.identities.update(verified_at=None)
    make_request(customer, level=0, source=Source.POST, entered_by=make_staff("agent"), now=NOW)
    assert locate_due(clock=clock) == 0


def test_at_level_1_data_are_found_while_the_second_proof_is_awaited(engine, clock):
    make_store("crm")
    request = make_request(right="erasure", level=1, now=NOW)
    assert locate_due(clock=clock) == 1
    assert (RightsRequest.objects.get().state, runs(request)["crm"].state) == (State.IDENTIFYING, RunState.READY)


def test_many_people_are_found_by_one_question(engine, clock, django_assert_max_num_queries):
    make_store("crm")
    for _ in range(60):
        make_request(right="restriction", now=NOW)
    with django_assert_max_num_queries(40):  # whoever they are: nobody costs a statement of their own
        assert locate_due(clock=clock) == 60
    assert len(engine.finds) == 1
    assert len(engine.finds[0]["people"]) == 60
    assert BATCH >= 200


def test_different_rights_are_different_questions(engine, clock):
    make_store("crm")
    make_request(right="restriction", now=NOW)
    make_request(right="access", now=NOW)
    assert locate_due(clock=clock) == 1
    assert locate_due(clock=clock) == 1
    assert [find["right"] for find in engine.finds] == ["restriction", "access"]


def test_a_search_whose_worker_died_is_claimed_again_after_its_lease(engine, clock):
    make_store("crm")
    request = make_request(right="restriction", now=NOW)

    def die(person):
        raise SystemExit

    engine.find_error = die
    with pytest.raises(SystemExit):
        locate_due(clock=clock)
    engine.find_error = lambda person: None
    assert locate_due(clock=clock) == 0
    clock.forward(seconds=61)
    assert sweep(now=clock()) == ["locate", "deliver_outbox"]
    assert locate_due(clock=clock) == 1
    assert (runs(request)["crm"].state, runs(request)["crm"].lost) == (RunState.READY, 0)


def test_a_search_that_ends_late_writes_nothing(engine, clock):
    make_store("crm")
    request = make_request(right="restriction", now=NOW)

    def overtaken(person):
        StoreRun.objects.update(attempt=7)

    engine.find_error = overtaken
    locate_due(clock=clock)
    run = runs(request)["crm"]
    assert (run.state, run.finding) == (RunState.LOCATING, None)


def test_a_search_that_kills_its_workers_stops_after_five(engine, clock):
    make_store("crm")
    request = make_request(right="restriction", now=NOW)

    def die(person):
        raise SystemExit

    engine.find_error = die
    for _ in range(5):
        with pytest.raises(SystemExit):
            locate_due(clock=clock)
        clock.forward(hours=2)
        sweep(now=clock())
    run = runs(request)["crm"]
    assert run.state == RunState.BLOCKED
    assert "5 times" in run.error
    assert locate_due(clock=clock) == 0


def test_a_search_that_killed_two_workers_is_made_alone(engine, clock):
    make_store("crm")
    requests = [make_request(right="restriction", now=NOW) for _ in range(3)]
    StoreRun.objects.filter(request=requests[1]).update(lost=2)
    taken = [locate_due(clock=clock) for _ in range(3)]
    assert sorted(taken) == [0, 1, 2]
