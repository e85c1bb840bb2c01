"""Steps of a case: offered exactly where legal, confirmed with what will happen, done once, refused in plain words."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from privacy.models import AuditEvent, Restriction
from requests_app import cases
from requests_app.desk.standing import Standing
from requests_app.desk.steps import STEPS, possible_steps
from requests_app.models import OutboxItem, RightsRequest, RunState, State, StoreRun
from requests_app.running import outbox
from tests.factories import make_staff
from tests.staff.conftest import CONTESTED, FOUND, fresh, make_case

pytestmark = pytest.mark.django_db


def step_url(case, step, target=None):
    if target is None:
        return reverse("admin:requests_app_rightsrequest_step", args=[case.pk, step])
    return reverse("admin:requests_app_rightsrequest_target", args=[case.pk, step, target])


def take(desk, who, case, step, target=None, **data):
    """Open the confirmation and send it back, as a person does."""
    browser = desk.browser(who)
    url = step_url(case, step, target)
    page = browser.get(url)
    assert page.status_code == 200, page.get("Location")
    return browser.post(url, {"seen": page.context["seen"], **data})


def told(answer, desk, who):
    return desk.browser(who).get(answer["Location"]).content.decode()


def offered(desk, who, case):
    return {step.key for step in possible_steps(Standing(fresh(case), desk.person(who)))}


# --- each step does what it says --------------------------------------------------------------------------------------


def test_taking_a_case(desk):
    case = make_case()
    take(desk, "alice", case, "assign", assignee=desk.person("alice").pk)
    assert fresh(case).assignee == desk.person("alice")


def test_giving_a_case_to_a_colleague_and_to_nobody(desk):
    case = make_case()
    take(desk, "alice", case, "assign", assignee=desk.person("arne").pk)
    assert fresh(case).assignee == desk.person("arne")
    take(desk, "alice", case, "assign", assignee="")
    assert fresh(case).assignee is None


def test_a_case_is_given_only_to_those_who_handle_cases(desk):
    case = make_case()
    answer = take(desk, "alice", case, "assign", assignee=desk.person("eva").pk)
    assert "assignee" in answer.context["form"].errors


def test_accepting_proof_of_identity(desk):
    case = make_case(level=1)
    take(desk, "arne", case, "identity", level=2, note="Called back to the number in our records.")
    assert fresh(case).identity_level == 2
    assert fresh(case).state == State.TRIAGE
    assert fresh(case).identity_note == "Called back to the number in our records."


def test_proof_without_a_note_is_no_proof(desk):
    case = make_case(level=1)
    assert "note" in take(desk, "arne", case, "identity", level=2).context["form"].errors
    assert fresh(case).identity_level == 1


def test_asking_for_more_proof_pauses_the_clock(desk):
    case = make_case("restriction", level=1, ground="a")
    take(desk, "alice", case, "ask-identity", doubt="The voice was not the one we know.")
    assert fresh(case).paused_at
    assert fresh(case).state == State.IDENTIFYING


def test_approving(desk):
    case = make_case()
    answer = take(desk, "bea", case, "approve", reason="Here you are.")
    assert fresh(case).state == State.APPROVED
    assert fresh(case).approved_by == desk.person("bea")
    assert "approved and handed to the workers" in told(answer, desk, "bea")


def test_refusing_takes_reasons_and_sends_them_with_authority_and_court(desk):
    case = make_case()
    assert "reason" in take(desk, "bea", case, "refuse", reason="  ").context["form"].errors
    assert fresh(case).is_open
    take(desk, "bea", case, "refuse", reason="The request is somebody else's.")
    closed = fresh(case)
    assert closed.state == State.REFUSED
    assert "The request is somebody else's." in closed.answer
    assert "Integritetsskyddsmyndigheten" in closed.answer


def test_extending_says_until_when(desk):
    case = make_case()
    before = case.due_on
    page = desk.browser("alice").get(step_url(case, "extend")).content.decode()
    take(desk, "alice", case, "extend", reason="Eleven systems.")
    assert fresh(case).due_on > before + timedelta(days=50)
    assert f"{fresh(case).due_on.day} " in page


def test_sending_a_proposal_back(desk):
    case = make_case("erasure")
    take(desk, "alice", case, "propose", reason="")
    take(desk, "bea", case, "return", reason="The invoice of May is disputed.")
    assert fresh(case).state == State.TRIAGE
    assert fresh(case).proposed_by is None


def test_choosing_for_contested_rows_is_done_for_all_stores_at_once(desk):
    case = make_case("erasure", findings=(CONTESTED, CONTESTED))
    page = desk.browser("alice").get(step_url(case, "contested"))
    names = list(page.context["form"].questions)
    assert len(names) == 2
    take(desk, "alice", case, "contested", **dict.fromkeys(names, "anonymize"))
    assert [run.choices for run in case.runs.all()] == [{"ticket": "anonymize"}] * 2


def test_an_unanswered_question_about_contested_rows_leaves_all_of_them_open(desk):
    case = make_case("erasure", findings=(CONTESTED, CONTESTED))
    names = list(desk.browser("alice").get(step_url(case, "contested")).context["form"].questions)
    answer = take(desk, "alice", case, "contested", **{names[0]: "keep"})
    assert answer.context["form"].errors
    assert not any(run.choices for run in case.runs.all())


@pytest.mark.parametrize(
    ("right", "answers"), [("access", {"keep", "redact", "disclose"}), ("erasure", {"keep", "anonymize", "disclose"})]
)
def test_what_can_be_chosen_depends_on_the_right(desk, right, answers):
    form = (
        desk.browser("alice")
        .get(step_url(make_case(right, findings=(CONTESTED,), ground="a" if right == "restriction" else ""), "contested"))
        .context["form"]
    )
    (field,) = form.fields.values()
    assert {key for key, _words in field.choices} == answers


def test_starting_a_stopped_store_again(desk):
    case = make_case()
    take(desk, "bea", case, "approve", reason="")
    run = case.runs.first()
    StoreRun.objects.filter(pk=run.pk).update(state=RunState.BLOCKED, error="The schema changed.")
    take(desk, "alice", case, "resume", target=run.pk)
    assert case.runs.get(pk=run.pk).state == RunState.QUEUED


def test_a_store_can_be_searched_again_while_the_case_is_assessed(desk):
    case = make_case()
    run = case.runs.first()
    page = desk.browser("alice").get(step_url(case, "resume", run.pk)).content.decode()
    assert "is searched again" in page
    take(desk, "alice", case, "resume", target=run.pk)
    assert case.runs.get(pk=run.pk).state == RunState.LOCATING


def test_writing_down_corrections(desk, monkeypatch):
    from privacy import actions

    holding = {
        "field": "store0.customer.street",
        "label": {"en": "Street", "sv": "Gata"},
        "value": "Storgatan 1",
        "kind": "text",
        "stores": 1,
    }
    monkeypatch.setattr(actions, "preview_fields", lambda person, *, plans: [holding] if plans else [])
    case = make_case("rectification")
    page = desk.browser("alice").get(step_url(case, "corrections")).content.decode()
    assert "Storgatan 1" not in page
    assert "Write the new value" in take(desk, "alice", case, "corrections", new0="").content.decode()
    take(desk, "alice", case, "corrections", new0="Lillgatan 2")
    (correction,) = fresh(case).details["corrections"]
    assert correction["field"] == "store0.customer.street"
    assert (correction["old"], correction["new"]) == ("Storgatan 1", "Lillgatan 2")


def restricted_case(told_at=None):
    case = make_case("restriction", ground="a")
    RightsRequest.objects.filter(pk=case.pk).update(state=State.RESTRICTED, closed_at=timezone.now())
    case.runs.update(state=RunState.DONE)
    for run in case.runs.all():
        Restriction.objects.create(
            subject=run.subject, store=run.store, case=case.reference, ground="a", set_at=timezone.now(), told_at=told_at
        )
    return fresh(case)


def test_the_person_is_told_before_a_restriction_is_lifted(desk):
    case = restricted_case()
    assert "lift" not in offered(desk, "bea", case)
    take(desk, "alice", case, "tell-before-lifting")
    assert OutboxItem.objects.filter(request=case, key__contains="lifting").exists()
    Restriction.objects.filter(case=case.reference).update(told_at=timezone.now())
    take(desk, "bea", case, "lift")
    assert set(case.runs.values_list("right", flat=True)) == {"lift"}
    assert offered(desk, "bea", case) == {"message", "note"}


def test_reporting_a_task_as_done(desk):
    case = make_case()
    outbox.enqueue(
        kind="task", key="letter-1", to=None, payload={"text": "Tell the person by letter"}, request=case, now=timezone.now()
    )
    task = OutboxItem.objects.get(key="letter-1")
    page = desk.browser("alice").get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()
    assert "Tell the person by letter" in page
    take(desk, "alice", case, "task", target=task.pk)
    task.refresh_from_db()
    assert task.delivered_at


# --- offered exactly where legal --------------------------------------------------------------------------------------

INPUT = {
    "assign": {},
    "identity": {"level": 2, "note": "seen"},
    "ask-identity": {"doubt": "why"},
    "approve": {"reason": ""},
    "propose": {"reason": ""},
    "extend": {"reason": "much"},
    "return": {"reason": "look again"},
    "refuse": {"reason": "no"},
    "tell-before-lifting": {},
    "lift": {},
}
FUNCTIONS = {
    "assign": lambda s, d: cases.assign_request(request=s.request, assignee=s.user, acting_user=s.user, now=timezone.now()),
    "identity": lambda s, d: cases.record_identity_level(request=s.request, acting_user=s.user, now=timezone.now(), **d),
    "ask-identity": lambda s, d: cases.ask_identity(request=s.request, acting_user=s.user, now=timezone.now(), **d),
    "approve": lambda s, d: cases.approve_request(request=s.request, acting_user=s.user, now=timezone.now(), **d),
    "propose": lambda s, d: cases.propose_erasure(request=s.request, acting_user=s.user, now=timezone.now(), **d),
    "approve-erasure": lambda s, d: cases.approve_erasure(
        request=s.request, acting_user=s.user, plan_digest=s.digest, otp_device_verified=True, now=timezone.now()
    ),
    "extend": lambda s, d: cases.extend_deadline(request=s.request, acting_user=s.user, now=timezone.now(), **d),
    "return": lambda s, d: cases.return_to_triage(request=s.request, acting_user=s.user, now=timezone.now(), **d),
    "refuse": lambda s, d: cases.refuse_request(request=s.request, acting_user=s.user, now=timezone.now(), **d),
    "tell-before-lifting": lambda s, d: cases.tell_before_lifting(request=s.request, acting_user=s.user, now=timezone.now()),
    "lift": lambda s, d: cases.lift_restriction(request=s.request, acting_user=s.user, now=timezone.now()),
}


def in_state(right, state):
    """A case of this right, put into this state by hand: whatever the rules say of how it gets there."""
    case = make_case(right, level=2 if state != State.IDENTIFYING else 1, **({"ground": "a"} if right == "restriction" else {}))
    columns = {"state": state}
    if state in (State.RESTRICTED, State.COMPLETED, State.REFUSED, State.WITHDRAWN):
        columns["closed_at"] = timezone.now()
    if state in (State.PROPOSED, State.APPROVED, State.RUNNING, State.BLOCKED):
        columns |= {"proposed_by": make_staff(Role.AGENT), "plan_digest": cases.plan_digest(case)}
    if state in (State.APPROVED, State.RUNNING, State.BLOCKED):
        columns |= {"approved_by": make_staff(Role.APPROVER)}
    RightsRequest.objects.filter(pk=case.pk).update(**columns)
    return case


@pytest.mark.parametrize("entered", [False, True], ids=["", "entered by me"])
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("right", ["access", "rectification", "restriction", "erasure", "objection"])
def test_a_step_is_offered_exactly_where_its_function_takes_it(desk, right, state, entered):
    case = in_state(right, state)
    everything = make_staff(Role.AGENT, Role.APPROVER)
    if entered:
        RightsRequest.objects.filter(pk=case.pk).update(entered_by=everything)
    for key, function in FUNCTIONS.items():
        standing = Standing(fresh(case), everything)
        possible = STEPS[key].possible(standing)
        refusal = refusal_of(function, Standing(fresh(case), everything), INPUT.get(key, {}))
        if possible:
            assert refusal is None, f"{key} is offered for {right} {state}"
        else:
            # Telling twice or proving what is proved is harmless, so the functions take it; offering it would only confuse.
            assert refusal or key in ("tell-before-lifting", "identity"), f"{key} works for {right} {state}, but is not offered"


def refusal_of(function, standing, data):
    """What the business function answers, leaving everything as it was."""
    with transaction.atomic():
        try:
            function(standing, data)
        except cases.NotAllowed as error:
            return str(error)
        finally:
            transaction.set_rollback(True)
    return None


@pytest.mark.parametrize("who", ["olof"])
def test_the_officer_is_offered_nothing(desk, who):
    assert offered(desk, who, make_case("erasure", findings=(CONTESTED,))) == set()


def test_what_is_missing_is_said_beside_the_steps(desk):
    case = make_case("erasure", findings=(FOUND, CONTESTED))
    case.runs.filter(pk=case.runs.first().pk).update(state=RunState.LOCATING)
    page = desk.browser("alice").get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()
    assert "Not every store has been searched yet: store0." in page
    assert "Contested rows are not decided on in store1: ticket." in page
    answer = desk.browser("alice").get(step_url(case, "propose"))
    assert answer.status_code == 302
    assert "Not every store has been searched yet" in told(answer, desk, "alice")


# --- two at once ------------------------------------------------------------------------------------------------------


def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told(desk):
    case = make_case()
    first = desk.browser("bea").get(step_url(case, "approve")).context["seen"]
    second = desk.browser("bo").get(step_url(case, "refuse")).context["seen"]
    desk.browser("bea").post(step_url(case, "approve"), {"seen": first, "reason": ""})
    answer = desk.browser("bo").post(step_url(case, "refuse"), {"seen": second, "reason": "No."})
    assert "Somebody else got there first: the request is now “Approved”" in told(answer, desk, "bo")
    assert fresh(case).state == State.APPROVED
    assert AuditEvent.objects.filter(chain=case.reference, action="request.refuse").count() == 0


def test_of_two_who_take_a_case_at_once_one_wins_and_the_other_is_told(desk):
    case = make_case()
    seen = desk.browser("alice").get(step_url(case, "assign")).context["seen"]
    take(desk, "arne", case, "assign", assignee=desk.person("arne").pk)
    answer = desk.browser("alice").post(step_url(case, "assign"), {"seen": seen, "assignee": desk.person("alice").pk})
    assert "Somebody else got there first" in told(answer, desk, "alice")
    assert fresh(case).assignee == desk.person("arne")


def test_pressing_twice_does_it_once(desk):
    case = make_case()
    url = step_url(case, "approve")
    seen = desk.browser("bea").get(url).context["seen"]
    for _press in range(2):
        desk.browser("bea").post(url, {"seen": seen, "reason": ""})
    assert AuditEvent.objects.filter(chain=case.reference, action="request.approve").count() == 1


def test_a_form_from_nowhere_changes_nothing(desk):
    case = make_case()
    desk.browser("bea").post(step_url(case, "refuse"), {"reason": "No."})
    assert fresh(case).state == State.TRIAGE


@pytest.mark.parametrize("url", ["invent/", "resume/", "assign/5/", "resume/999999/", "identity/999999/"])
def test_a_step_that_does_not_exist_is_not_found(desk, url):
    case = make_case()
    base = reverse("admin:requests_app_rightsrequest_changelist")
    answer = desk.browser("alice").get(f"{base}{case.pk}/{url}")
    assert answer.status_code in (302, 404, 405)
    assert desk.browser("alice").get(f"{base}999999/refuse/").status_code in (403, 404)


def test_every_step_says_what_will_happen(desk):
    case = make_case("erasure", findings=(FOUND, CONTESTED))
    everybody = make_staff(Role.AGENT, Role.APPROVER)
    run = case.runs.first()
    for key, step in STEPS.items():
        lines = step.will_happen(Standing(fresh(case), everybody), run.pk)
        assert lines, key
        assert all(str(line).strip().endswith(".") for line in lines), key
