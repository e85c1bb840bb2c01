"""Four eyes for an erasure: one proposes, another approves, for exactly the plan that both saw."""

import pytest
from django.db import IntegrityError, transaction

from privacy.actions import RunOutcome
from privacy.models import Restriction, Store
from requests_app import cases
from requests_app.models import OutboxItem, Package, RightsRequest, RunState, Source, State, StoreRun
from requests_app.running.scans import scan_due
from requests_app.running.workers import locate_due, run_due
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def revoked(monkeypatch):
    """Packages that an erasure revoked."""
    delivery = pytest.importorskip("requests_app.delivering.delivery")
    calls = []
    monkeypatch.setattr(delivery, "revoke_packages", lambda **called: calls.append(called))
    return calls


@pytest.fixture
def agent():
    return make_staff("agent")


@pytest.fixture
def approver():
    return make_staff("approver")


@pytest.fixture
def located(engine, clock):
    make_store("billing"), make_store("crm")
    request = make_request(right="erasure", ground="a", now=NOW)
    locate_due(clock=clock)
    return request


@pytest.fixture
def proposed(located, agent):
    cases.propose_erasure(request=located, acting_user=agent, reason="The contract has ended.", now=NOW)
    return located


def approve(request, approver, **changes):
    arguments = {"plan_digest": cases.plan_digest(request), "otp_device_verified": True, "now": NOW, **changes}
    cases.approve_erasure(request=request, acting_user=approver, **arguments)


def test_one_proposes_and_another_approves_and_all_stores_erase(proposed, approver, clock, engine, revoked):
    assert (proposed.state, proposed.plan_digest) == (State.PROPOSED, cases.plan_digest(proposed))
    Package.objects.create(request=proposed, file_name="made.age", created_at=NOW, state=Package.State.READY)
    approve(proposed, approver)
    assert proposed.state == State.APPROVED
    assert run_due(clock=clock) == 1
    proposed.refresh_from_db()
    assert proposed.state == State.RUNNING
    assert run_due(clock=clock) == 1
    proposed.refresh_from_db()
    assert (proposed.state, proposed.answer) == (State.RUNNING, None)  # the answer is final only after the last look
    assert [scan_due(clock=clock) for _ in range(3)] == [1, 1, 0]
    proposed.refresh_from_db()
    assert proposed.state == State.COMPLETED
    assert "3 records erased" in proposed.answer
    assert "On 5 March 2026 we looked for you in all texts of this system: 6 columns in 2 tables." in proposed.answer
    assert [call["store"] for call in engine.executions] == ["billing", "crm"]
    assert [call["customer"] for call in revoked] == [proposed.customer]


def test_what_the_scan_still_found_is_told_and_becomes_somebodys_task(proposed, approver, clock, engine):
    residue = [{"column": "ticket.body", "rows": 2, "mapped": False}]
    engine.residue["crm"] = residue
    approve(proposed, approver)
    while run_due(clock=clock) or scan_due(clock=clock):
        pass
    proposed.refresh_from_db()
    assert proposed.state == State.COMPLETED
    assert "still stands in 2 places here" in proposed.answer
    (task,) = OutboxItem.objects.filter(request=proposed, kind=OutboxItem.Kind.TASK)
    assert "crm: ticket.body (2)" in task.payload["text"]


def test_the_proposer_does_not_approve(located):
    both = make_staff("agent", "approver")
    cases.propose_erasure(request=located, acting_user=both, reason="Done.", now=NOW)
    with pytest.raises(cases.NotAllowed, match="You proposed"):
        approve(located, both)


def test_the_database_says_so_too(proposed, agent, approver):
    rows = RightsRequest.objects.filter(pk=proposed.pk)
    with pytest.raises(IntegrityError, match="proposer_is_not_approver"), transaction.atomic():
        rows.update(approved_by=agent)
    with pytest.raises(IntegrityError, match="erasure_takes_four_eyes"), transaction.atomic():
        rows.update(state=State.APPROVED)
    with pytest.raises(IntegrityError, match="who_entered_does_not_decide"), transaction.atomic():
        rows.update(entered_by=agent)


def test_who_entered_it_neither_proposes_nor_approves(engine, clock):
    make_store("crm")
    both = make_staff("agent", "approver")
    request = make_request(right="erasure", level=0, source=Source.PHONE, entered_by=both, now=NOW)
    cases.record_identity_level(request=request, level=2, acting_user=make_staff("agent"), note="Passport.", now=NOW)
    locate_due(clock=clock)
    with pytest.raises(cases.NotAllowed, match="You entered"):
        cases.propose_erasure(request=request, acting_user=both, reason="Done.", now=NOW)
    cases.propose_erasure(request=request, acting_user=make_staff("agent"), reason="Done.", now=NOW)
    with pytest.raises(cases.NotAllowed, match="You entered"):
        approve(request, both)


def test_it_takes_a_fresh_second_factor(proposed, approver):
    with pytest.raises(cases.NotAllowed, match="authenticator"):
        approve(proposed, approver, otp_device_verified=False)
    proposed.refresh_from_db()
    assert proposed.state == State.PROPOSED


def test_an_erasure_is_not_approved_the_short_way(located, approver):
    with pytest.raises(cases.NotAllowed, match="propose it"):
        cases.approve_request(request=located, acting_user=approver, reason="", now=NOW)


def test_a_digest_of_another_plan_is_refused(proposed, approver):
    with pytest.raises(cases.NotAllowed, match="plan changed; review it again"):
        approve(proposed, approver, plan_digest="0" * 64)


def test_a_plan_that_changed_after_the_proposal_goes_back(proposed, approver, agent):
    StoreRun.objects.filter(request=proposed, store__key="crm").update(digest="d2")
    with pytest.raises(cases.NotAllowed, match="since it was proposed"):
        approve(proposed, approver)
    cases.return_to_triage(request=proposed, acting_user=approver, reason="New rows.", now=NOW)
    assert (proposed.state, proposed.proposed_by, proposed.plan_digest) == (State.TRIAGE, None, "")
    cases.propose_erasure(request=proposed, acting_user=agent, reason="Reviewed.", now=NOW)
    approve(proposed, approver)


def test_what_was_approved_is_what_runs(proposed, approver, clock, engine):
    approve(proposed, approver)
    StoreRun.objects.filter(request=proposed, store__key="billing").update(choices={"invoice": "anonymize"})
    run_due(clock=clock)
    run_due(clock=clock)
    assert engine.executions == []
    assert {run.error for run in StoreRun.objects.filter(request=proposed)} == {"the plan is not the one that was approved"}
    proposed.refresh_from_db()
    assert proposed.state == State.BLOCKED


def test_the_digest_covers_stores_findings_and_choices(located):
    seen = {cases.plan_digest(located)}
    for changes in ({"digest": "d2"}, {"choices": {"invoice": "keep"}}, {"choices": {"invoice": "redact"}}):
        StoreRun.objects.filter(request=located, store__key="crm").update(**changes)
        seen.add(cases.plan_digest(located))
    StoreRun.objects.filter(request=located, store__key="crm").update(store=Store.objects.create(key="other", url="env:X"))
    seen.add(cases.plan_digest(located))
    assert len(seen) == 5


# --- contested and undecided ------------------------------------------------------------------------------------------


def contested_counts(**erase):
    return {"contact": {"rows": 4, "contested": 2, "others": 0, "erase": {"delete": 2, "contested": 2, **erase}}}


def test_contested_rows_are_decided_before_an_erasure_is_proposed(engine, clock, agent):
    make_store("crm")
    engine.counts["crm"] = contested_counts()
    request = make_request(right="erasure", ground="a", now=NOW)
    locate_due(clock=clock)
    run = StoreRun.objects.get(request=request)
    with pytest.raises(cases.NotAllowed, match="contested rows in crm: contact"):
        cases.propose_erasure(request=request, acting_user=agent, reason="Done.", now=NOW)
    with pytest.raises(cases.NotAllowed, match="Choose one of"):
        cases.choose_contested(run=run, choices={"contact": "explode"}, acting_user=agent, now=NOW)
    with pytest.raises(cases.NotAllowed, match="Nothing in invoice"):
        cases.choose_contested(run=run, choices={"invoice": "keep"}, acting_user=agent, now=NOW)
    cases.choose_contested(run=run, choices={"contact": "anonymize"}, acting_user=agent, now=NOW)
    assert run.choices == {"contact": "anonymize"}
    cases.propose_erasure(request=request, acting_user=agent, reason="Done.", now=NOW)
    with pytest.raises(cases.NotAllowed, match="being assessed"):
        cases.choose_contested(run=run, choices={"contact": "keep"}, acting_user=agent, now=NOW)


def test_the_choice_reaches_the_engine(engine, clock, agent, approver):
    make_store("crm")
    engine.counts["crm"] = contested_counts()
    request = make_request(right="erasure", ground="a", now=NOW)
    locate_due(clock=clock)
    cases.choose_contested(run=StoreRun.objects.get(), choices={"contact": "redact"}, acting_user=agent, now=NOW)
    cases.propose_erasure(request=request, acting_user=agent, reason="Done.", now=NOW)
    approve(request, approver)
    run_due(clock=clock)
    assert engine.executions[0]["items"][0].options == {"contested": {"contact": "redact"}}


def test_a_map_that_does_not_say_what_erasing_does_stops_it(engine, clock, agent):
    make_store("crm")
    engine.counts["crm"] = {"note": {"rows": 1, "contested": 0, "others": 0, "erase": {"undecided": 1}}}
    request = make_request(right="erasure", ground="a", now=NOW)
    locate_due(clock=clock)
    with pytest.raises(cases.NotAllowed, match="on_erasure"):
        cases.propose_erasure(request=request, acting_user=agent, reason="Done.", now=NOW)


# --- what comes before an erasure (R30) ---------------------------------------------------------------------------------


def test_it_waits_for_the_persons_open_access_request(proposed, approver):
    access = make_request(proposed.customer, right="access", now=NOW)
    with pytest.raises(cases.NotAllowed, match=access.reference):
        approve(proposed, approver)
    cases.withdraw_request(request=access, customer=access.customer, now=NOW)
    approve(proposed, approver)


def test_the_person_may_waive_the_wait(proposed, approver):
    make_request(proposed.customer, right="access", now=NOW)
    with pytest.raises(cases.NotAllowed, match="Only the person"):
        cases.waive_waiting(request=proposed, customer=make_customer(), now=NOW)
    cases.waive_waiting(request=proposed, customer=proposed.customer, now=NOW)
    approve(proposed, approver)


def test_an_access_request_that_comes_after_the_approval_goes_first(proposed, approver, clock, engine):
    approve(proposed, approver)
    access = make_request(proposed.customer, right="access", now=NOW)
    assert run_due(clock=clock) == 0
    cases.withdraw_request(request=access, customer=access.customer, now=NOW)
    assert run_due(clock=clock) == 1


@pytest.mark.parametrize("ground", ["b", "c"])
def test_a_restriction_to_keep_the_data_stops_it(proposed, approver, ground):
    Restriction.objects.create(
        subject=proposed.customer.public_id, store=Store.objects.get(key="crm"), case="X", ground=ground, set_at=NOW
    )
    with pytest.raises(cases.NotAllowed, match="must withdraw it first"):
        approve(proposed, approver)
    Restriction.objects.update(lifted_at=NOW)
    approve(proposed, approver)


@pytest.mark.parametrize("ground", ["a", "d"])
def test_other_restrictions_end_with_it(located, agent, approver, ground, clock, engine):
    engine.state["crm"] = {"was": "active"}
    restriction = make_request(located.customer, right="restriction", ground=ground, now=NOW)
    locate_due(clock=clock)
    cases.approve_request(request=restriction, acting_user=approver, reason="", now=NOW)
    while run_due(clock=clock):
        pass
    restriction.refresh_from_db()
    assert restriction.state == State.RESTRICTED
    cases.propose_erasure(request=located, acting_user=agent, reason="Done.", now=NOW)
    approve(located, approver)
    while run_due(clock=clock) or scan_due(clock=clock):
        pass
    restriction.refresh_from_db()
    assert (restriction.state, restriction.outcome) == (State.COMPLETED, "erased")
    assert not Restriction.objects.filter(lifted_at=None).exists()


# --- stopped half-way -------------------------------------------------------------------------------------------------


def test_a_stopped_store_stops_the_case_when_nothing_else_is_left(proposed, approver, clock, engine):
    engine.on_execute = lambda store, item: RunOutcome("blocked", reason="new contested rows") if store == "crm" else None
    approve(proposed, approver)
    run_due(clock=clock), run_due(clock=clock)
    proposed.refresh_from_db()
    assert proposed.state == State.BLOCKED
    crm = StoreRun.objects.get(request=proposed, store__key="crm")
    assert (crm.state, crm.error) == (RunState.BLOCKED, "new contested rows")
    engine.on_execute = lambda store, item: None
    cases.resume_run(run=crm, acting_user=make_staff("agent"), now=NOW)
    proposed.refresh_from_db()
    assert proposed.state == State.RUNNING
    while run_due(clock=clock) or scan_due(clock=clock):
        pass
    proposed.refresh_from_db()
    assert proposed.state == State.COMPLETED


def test_it_goes_back_to_assessment_and_what_is_done_stays_done(proposed, approver, agent, clock, engine):
    engine.on_execute = lambda store, item: RunOutcome("blocked", reason="new contested rows") if store == "crm" else None
    approve(proposed, approver)
    run_due(clock=clock), run_due(clock=clock)
    cases.return_to_triage(request=proposed, acting_user=approver, reason="Look at the new rows.", now=NOW)
    engine.digest, engine.on_execute = "d2", lambda store, item: None
    assert locate_due(clock=clock) == 1
    states = {run.store.key: (run.state, run.digest) for run in StoreRun.objects.filter(request=proposed)}
    assert states == {"billing": (RunState.DONE, "d1"), "crm": (RunState.READY, "d2")}
    cases.propose_erasure(request=proposed, acting_user=agent, reason="Reviewed.", now=NOW)
    approve(proposed, approver)
    while run_due(clock=clock) or scan_due(clock=clock):
        pass
    proposed.refresh_from_db()
    assert proposed.state == State.COMPLETED
    assert [call["store"] for call in engine.executions] == ["billing", "crm", "crm"]


def test_what_had_begun_is_never_found_empty(proposed, approver, clock, engine):
    engine.on_execute = lambda store, item: RunOutcome("blocked", reason="a trigger changed") if store == "crm" else None
    approve(proposed, approver)
    run_due(clock=clock), run_due(clock=clock)
    cases.return_to_triage(request=proposed, acting_user=approver, reason="Look.", now=NOW)
    engine.nothing_in = {"crm"}
    locate_due(clock=clock)
    crm = StoreRun.objects.get(request=proposed, store__key="crm")
    assert (crm.state, crm.plan) == (RunState.READY, {"links": [1, 2]})
    assert crm.finding
