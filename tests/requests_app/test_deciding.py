"""Approve, refuse, extend, assign, withdraw: who may, when, and what stands in the letter."""

from datetime import UTC, date, datetime, timedelta

import pytest

from privacy import audit
from requests_app import cases
from requests_app.case import letters
from requests_app.models import OutboxItem, Outcome, RightsRequest, RunState, Source, State, StoreRun
from requests_app.running.workers import locate_due, run_due
from tests.factories import NOW, make_customer, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def approver():
    return make_staff("approver")


@pytest.fixture
def located(engine, clock):
    """A rectification whose data are found."""
    make_store("billing"), make_store("crm")
    request = make_request(right="rectification", level=1, now=NOW)
    locate_due(clock=clock)
    return request


def test_an_approval_sets_the_workers_to_work(located, approver, engine, clock):
    cases.approve_request(request=located, acting_user=approver, reason="Correct.", now=NOW)
    assert (located.state, located.approved_by, located.decided_at) == (State.APPROVED, approver, NOW)
    assert located.plan_digest == cases.plan_digest(located)
    states = {run.store.key: run.state for run in StoreRun.objects.filter(request=located)}
    assert states == {"crm": RunState.QUEUED, "billing": RunState.DONE}  # nothing is to be corrected in billing
    run_due(clock=clock)
    located.refresh_from_db()
    assert (located.state, located.outcome, located.closed_at) == (State.COMPLETED, Outcome.FULFILLED, NOW)
    item = engine.executions[0]["items"][0]
    assert item.options["set"] == {"customer.city": {"old": "Lund", "new": "Malmö"}}


def test_only_an_approver_approves_and_refuses(located):
    for role in ("agent", "engineer", "officer", "administrator"):
        user = make_staff(role)
        with pytest.raises(cases.NotAllowed, match="role"):
            cases.approve_request(request=located, acting_user=user, reason="", now=NOW)
        with pytest.raises(cases.NotAllowed, match="role"):
            cases.refuse_request(request=located, acting_user=user, reason="No.", now=NOW)
    located.refresh_from_db()
    assert located.state == State.TRIAGE


def test_who_entered_a_request_does_not_decide_it(engine, clock):
    make_store("crm")
    both = make_staff("agent", "approver")
    request = make_request(right="restriction", level=0, source=Source.PHONE, entered_by=both, now=NOW)
    cases.record_identity_level(request=request, level=1, acting_user=make_staff("agent"), note="Called back.", now=NOW)
    locate_due(clock=clock)
    for decide in (cases.approve_request, cases.refuse_request):
        with pytest.raises(cases.NotAllowed, match="You entered"):
            decide(request=request, acting_user=both, reason="Mine.", now=NOW)


def test_nothing_is_approved_before_every_store_was_searched(engine, clock, approver):
    make_store("billing"), make_store("crm")
    engine.down = {"billing"}
    request = make_request(right="restriction", now=NOW)
    with pytest.raises(cases.NotAllowed, match="billing, crm"):
        cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
    locate_due(clock=clock)
    with pytest.raises(cases.NotAllowed, match="searched yet: billing"):
        cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)


def test_nothing_is_approved_below_its_identity_level(located, approver):
    RightsRequest.objects.filter(pk=located.pk).update(identity_level=0)
    with pytest.raises(cases.NotAllowed, match="takes identity level 1"):
        cases.approve_request(request=located, acting_user=approver, reason="", now=NOW)


def test_a_colleague_who_was_faster_is_told_apart_from_a_wrong_step(located, approver):
    stale = RightsRequest.objects.get(pk=located.pk)
    cases.refuse_request(request=located, acting_user=approver, reason="No contract.", now=NOW)
    with pytest.raises(cases.SomebodyElseGotThereFirst):
        cases.approve_request(request=stale, acting_user=approver, reason="", now=NOW)
    with pytest.raises(cases.NotAllowed) as caught:
        cases.approve_request(request=located, acting_user=approver, reason="", now=NOW)
    assert not isinstance(caught.value, cases.SomebodyElseGotThereFirst)


def test_a_wish_in_free_words_is_written_down_before_it_is_approved(engine, clock, approver):
    make_store("crm")
    request = make_request(right="rectification", level=1, details=None, reason="My name is spelt wrong.", now=NOW)
    locate_due(clock=clock)
    with pytest.raises(cases.NotAllowed, match="which fields"):
        cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
    with pytest.raises(cases.NotAllowed, match=r"store\.collection\.column"):
        cases.record_corrections(request=request, corrections=[{"field": "name", "new": "Åsa"}], acting_user=approver, now=NOW)
    corrections = [{"field": "crm.customer.name", "old": "Asa", "new": "Åsa"}]
    cases.record_corrections(request=request, corrections=corrections, acting_user=approver, now=NOW)
    cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
    assert "Åsa" not in str([event.payload for event in audit.events(request.reference)])


# --- nothing found ----------------------------------------------------------------------------------------------------


def test_nothing_found_anywhere_is_an_outcome_of_its_own(engine, clock, approver):
    make_store("billing"), make_store("crm")
    engine.nothing_in = {"billing", "crm"}
    request = make_request(right="access", now=NOW)
    locate_due(clock=clock)
    cases.approve_request(request=request, acting_user=approver, reason="", now=NOW)
    assert (request.state, request.outcome) == (State.COMPLETED, Outcome.NOTHING)
    assert "found nothing under the identities" in request.answer
    assert engine.executions == []


# --- refusal ----------------------------------------------------------------------------------------------------------


def test_a_refusal_names_reasons_authority_and_court(located, approver):
    cases.refuse_request(request=located, acting_user=approver, reason="The invoice was sent.", now=NOW)
    assert located.state == State.REFUSED
    for part in ("The invoice was sent.", "Integritetsskyddsmyndigheten", "court", located.reference):
        assert part in located.answer
    assert set(StoreRun.objects.filter(request=located).values_list("state", flat=True)) == {RunState.CANCELLED}
    notice = OutboxItem.objects.get(request=located, key__contains=":answered:")
    assert "invoice" not in notice.payload["text"]


def test_it_is_written_in_the_persons_language(engine, clock, approver):
    request = make_request(right="restriction", language="sv", now=NOW)
    cases.refuse_request(request=request, acting_user=approver, reason="Avtalet gäller.", now=NOW)
    assert "tingsrätt" in request.answer


@pytest.mark.parametrize(
    ("template", "lacking"),
    [
        ("{{ authority }} {{ court }}", "the reasons"),
        ("{{ reason }} {{ court }}", "IMY"),
        ("{{ reason }} {{ authority }}", "remedy"),
    ],
)
def test_a_letter_that_lacks_a_part_cannot_be_sent(located, approver, template, lacking, settings, tmp_path):
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "refusal.txt").write_text(template)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    with pytest.raises(cases.NotAllowed, match=lacking):
        cases.refuse_request(request=located, acting_user=approver, reason="No.", now=NOW)
    located.refresh_from_db()
    assert (located.state, located.answer) == (State.TRIAGE, None)
    assert not OutboxItem.objects.filter(request=located, key__contains=":answered:").exists()


def test_a_refusal_without_reasons_is_none(located, approver):
    with pytest.raises(cases.NotAllowed, match="reasons"):
        cases.refuse_request(request=located, acting_user=approver, reason=" \n", now=NOW)


def test_an_objection_to_marketing_is_never_refused(engine, approver):
    make_store("crm")
    request = make_request(right="objection", level=0, source=Source.PHONE, entered_by=make_staff("agent"))
    with pytest.raises(cases.NotAllowed, match=r"21\(3\)"):
        cases.refuse_request(request=request, acting_user=approver, reason="We like him.", now=NOW)


def test_every_closing_letter_names_the_authority(located):
    for outcome in Outcome:
        assert "Integritetsskyddsmyndigheten" in letters.closing(request=located, outcome=outcome)


# --- extension --------------------------------------------------------------------------------------------------------


def test_an_extension_is_told_with_reasons_within_the_first_month(approver):
    request = make_request(right="restriction", now=datetime(2026, 1, 31, 12, tzinfo=UTC))
    last_moment = datetime(2026, 3, 2, 22, 59, tzinfo=UTC)
    with pytest.raises(cases.NotAllowed, match="Say why"):
        cases.extend_deadline(request=request, acting_user=approver, reason="", now=last_moment)
    cases.extend_deadline(request=request, acting_user=approver, reason="Eleven systems.", now=last_moment)
    assert (request.due_on, request.notice_due_on) == (date(2026, 4, 30), date(2026, 3, 2))
    letter = cases.extension_letter(request)
    assert "Eleven systems." in letter
    assert "30 April 2026" in letter or "April 30, 2026" in letter
    with pytest.raises(cases.NotAllowed, match="once"):
        cases.extend_deadline(request=request, acting_user=approver, reason="More.", now=last_moment)


@pytest.mark.parametrize("language", ["sv", "en"])
def test_an_extension_names_reasons_authority_and_court(approver, language):
    request = make_request(right="restriction", language=language, now=NOW)
    cases.extend_deadline(request=request, acting_user=approver, reason="Eleven systems.", now=NOW)
    letter = cases.extension_letter(request)
    for part in ("Eleven systems.", "Integritetsskyddsmyndigheten", {"sv": "tingsrätt", "en": "court"}[language]):
        assert part in letter


@pytest.mark.parametrize(
    ("template", "lacking"),
    [
        ("{{ authority }} {{ court }} {{ due_on }}", "the reasons"),
        ("{{ reason }} {{ court }} {{ due_on }}", "IMY"),
        ("{{ reason }} {{ authority }} {{ due_on }}", "remedy"),
    ],
)
def test_an_extension_that_lacks_a_part_is_none(approver, template, lacking, settings, tmp_path):
    request = make_request(right="restriction", now=NOW)
    due_on = request.due_on
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "extension.txt").write_text(template)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    with pytest.raises(cases.NotAllowed, match=lacking):
        cases.extend_deadline(request=request, acting_user=approver, reason="Eleven systems.", now=NOW)
    request.refresh_from_db()
    assert (request.extended_at, request.due_on) == (None, due_on)
    assert not OutboxItem.objects.filter(request=request, key__contains=":extended:").exists()


def test_an_extension_after_the_unextended_deadline_is_refused(approver):
    request = make_request(right="restriction", now=datetime(2026, 1, 31, 12, tzinfo=UTC))
    with pytest.raises(cases.NotAllowed, match="2026-03-02"):
        cases.extend_deadline(request=request, acting_user=approver, reason="Late.", now=datetime(2026, 3, 2, 23, 1, tzinfo=UTC))
    assert request.extended_at is None


def test_a_pause_that_lasts_moves_the_last_day_for_the_notice(approver):
    request = make_request(right="access", level=1, now=datetime(2026, 1, 31, 12, tzinfo=UTC))
    cases.extend_deadline(request=request, acting_user=approver, reason="Slow post.", now=datetime(2026, 3, 20, 12, tzinfo=UTC))
    cases.record_identity_level(request=request, level=2, now=datetime(2026, 3, 20, 12, tzinfo=UTC))
    assert (request.paused_days, request.due_on) == (48, date(2026, 6, 17))


# --- assignment, withdrawal -------------------------------------------------------------------------------------------


def test_a_case_is_given_to_a_colleague_whose_role_handles_cases(located):
    agent, other = make_staff("agent"), make_staff("agent")
    cases.assign_request(request=located, assignee=other, acting_user=agent, now=NOW)
    assert located.assignee == other
    with pytest.raises(cases.NotAllowed, match="does not handle"):
        cases.assign_request(request=located, assignee=make_staff("engineer"), acting_user=agent, now=NOW)
    cases.assign_request(request=located, assignee=None, acting_user=agent, now=NOW)
    assert located.assignee is None


def test_the_person_takes_a_request_back(located):
    cases.withdraw_request(request=located, customer=located.customer, now=NOW)
    assert (located.state, located.closed_at) == (State.WITHDRAWN, NOW)
    assert set(StoreRun.objects.filter(request=located).values_list("state", flat=True)) == {RunState.CANCELLED}


def test_nobody_else_does(located):
    with pytest.raises(cases.NotAllowed, match="not your request"):
        cases.withdraw_request(request=located, customer=make_customer(), now=NOW)


def test_approved_and_not_begun_can_be_taken_back(located, approver, clock):
    cases.approve_request(request=located, acting_user=approver, reason="", now=NOW)
    cases.withdraw_request(request=located, customer=located.customer, now=NOW)
    assert located.state == State.WITHDRAWN
    assert run_due(clock=clock) == 0


def test_what_has_begun_cannot_be_taken_back(located, approver):
    cases.approve_request(request=located, acting_user=approver, reason="", now=NOW)
    StoreRun.objects.filter(request=located, state=RunState.QUEUED).update(state=RunState.RUNNING, started_at=NOW)
    with pytest.raises(cases.NotAllowed, match="already being carried out"):
        cases.withdraw_request(request=located, customer=located.customer, now=NOW + timedelta(minutes=1))
    assert StoreRun.objects.filter(request=located, state=RunState.CANCELLED).count() == 0
