"""The steps of a case as staff take them: who may, when it is legal now, what exactly will happen, and the one call that does it.

A step is offered only where its business function would take it; a test tries every step in every state against that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.roles import may
from accounts.second_factor import check_totp
from requests_app import cases
from requests_app.case import conversation
from requests_app.case.excess import OPEN_TO_CLAIMS, claim_excess, decide_excess
from requests_app.case.keeping_back import keep_back
from requests_app.case.lifecycle import TRANSITIONS
from requests_app.desk import step_forms as forms
from requests_app.desk import will_happen as will
from requests_app.desk.contested_form import ContestedForm
from requests_app.desk.keep_back_form import KeepBackForm
from requests_app.desk.standing import Standing
from requests_app.models import Excess, Right, State
from requests_app.models.representation import Representation
from requests_app.registers import breaches
from requests_app.running import outbox

NO_TARGET = 0


class WrongCode(Exception):
    """The second factor was not accepted."""


@dataclass(frozen=True)
class Step:
    key: str
    label: Any
    action: str  # of accounts.roles.TABLE
    legal: Callable[[Standing], bool]
    will_happen: Callable[[Standing, int], list[Any]]
    perform: Callable[[Standing, Any, int, datetime], None]
    done: Any
    form: type[forms.StepForm] = forms.StepForm
    tone: str = "primary"
    targets: Callable[[Standing], Iterable[int]] | None = None  # runs or tasks, where the step is about one of them
    before: Callable[[Standing], Iterable[str]] = field(default=lambda standing: ())  # what is still missing, in words

    def offered(self, standing: Standing) -> bool:
        """Whether this person could take the step now, were nothing missing."""
        return may(standing.user, self.action) and self.legal(standing)

    def possible(self, standing: Standing, target: int = NO_TARGET) -> bool:
        if not self.offered(standing) or any(True for _missing in self.before(standing)):
            return False
        return target in self.targets(standing) if self.targets else target == NO_TARGET


def _stands(standing: Standing, transition: str) -> bool:
    return standing.request.state in TRANSITIONS[transition].sources


def _others(standing: Standing, transition: str) -> bool:
    """The case stands where `transition` may start, and this person did not enter it (R31)."""
    return _stands(standing, transition) and not standing.entered_by_me


def _is(standing: Standing, right: Right) -> bool:
    return standing.request.right == right


def _run(standing: Standing, pk: int) -> Any:
    return next(run for run in standing.runs if run.pk == pk)


def _choose(standing: Standing, form: Any, target: int, now: datetime) -> None:
    with transaction.atomic():  # all stores or none
        for run, answers in form.answers():
            cases.choose_contested(run=run, choices=answers, acting_user=standing.user, now=now)


def _approve_erasure(standing: Standing, form: Any, target: int, now: datetime) -> None:
    if form.cleaned_data["digest"] != standing.digest:
        raise cases.NotAllowed(str(_("The plan changed since you opened this page. Read it again.")))
    if check_totp(staff=standing.user, code=form.cleaned_data["otp_token"]) is None:
        raise WrongCode
    cases.approve_erasure(
        request=standing.request,
        acting_user=standing.user,
        plan_digest=form.cleaned_data["digest"],
        otp_device_verified=True,
        now=now,
    )


def _with(function: Callable[..., Any], **names: str) -> Callable[[Standing, Any, int, datetime], None]:
    """A business function of the case, called with these fields of the form."""

    def perform(standing: Standing, form: Any, target: int, now: datetime) -> None:
        data: Mapping[str, Any] = {name: form.cleaned_data[source] for name, source in names.items()}
        function(request=standing.request, acting_user=standing.user, now=now, **data)

    return perform


STEPS: dict[str, Step] = {
    step.key: step
    for step in (
        Step(
            "assign",
            _("Assign"),
            "request.assign",
            legal=lambda s: s.request.is_open,
            will_happen=will.assign,
            perform=lambda s, form, target, now: cases.assign_request(
                request=s.request, assignee=form.person(), acting_user=s.user, now=now
            ),
            form=forms.AssignForm,
            tone="plain",
            done=_("The case is assigned."),
        ),
        Step(
            "identity",
            _("Accept proof of identity"),
            "request.record_identity",
            legal=lambda s: s.request.is_open and not s.entered_by_me and s.request.identity_level < 2 and s.can_be_identified,
            will_happen=will.identity,
            perform=_with(cases.record_identity_level, level="level", note="note", proved="proved"),
            form=forms.IdentityForm,
            done=_("The identity level is recorded."),
        ),
        Step(
            "accept-role",
            _("Accept the proof of the role"),
            "request.decide_role",
            legal=lambda s: s.request.is_open and not s.entered_by_me and s.role_is == Representation.State.CLAIMED,
            will_happen=will.accept_role,
            perform=_with(
                cases.accept_role, note="note", contact_is_theirs="contact_is_theirs", not_told_reason="not_told_reason"
            ),
            form=forms.AcceptRoleForm,
            done=_("The role is accepted. Now accept the person's identity."),
        ),
        Step(
            "refuse-role",
            _("The proof of the role is not enough"),
            "request.decide_role",
            legal=lambda s: s.request.is_open and not s.entered_by_me and s.role_is == Representation.State.CLAIMED,
            will_happen=will.refuse_role,
            perform=_with(cases.refuse_role, reason="reason"),
            form=forms.RefuseRoleForm,
            tone="plain",
            done=_("The representative is asked for better proof."),
        ),
        Step(
            "end-role",
            _("End the role"),
            "request.decide_role",
            legal=lambda s: s.role_is in (Representation.State.CLAIMED, Representation.State.ACCEPTED),
            will_happen=will.end_role,
            perform=_with(cases.end_role, reason="reason"),
            form=forms.ReturnForm,
            tone="danger",
            done=_("The representative no longer sees the request."),
        ),
        Step(
            "ask-identity",
            _("Ask for more proof of identity"),
            "request.ask_identity",
            legal=lambda s: _stands(s, "ask_identity") and s.request.identity_level < 2,
            will_happen=will.ask_identity,
            perform=_with(cases.ask_identity, doubt="doubt"),
            form=forms.DoubtForm,
            tone="plain",
            done=_("The person is asked for more proof, and the clock stands still."),
        ),
        Step(
            "contested",
            _("Decide on contested rows"),
            "request.choose_contested",
            legal=lambda s: (
                bool(s.contested_runs)
                and not s.entered_by_me
                and (s.request.state == State.TRIAGE or (s.request.state == State.BLOCKED and not _is(s, Right.ERASURE)))
            ),
            will_happen=will.contested,
            perform=_choose,
            form=ContestedForm,
            done=_("The choice is recorded."),
        ),
        Step(
            "note",
            _("Write a note"),
            "request.note",
            legal=lambda s: s.request.is_open or bool(s.identities),
            will_happen=will.note,
            perform=_with(cases.write_note, text="text", form="form"),
            form=forms.NoteForm,
            tone="plain",
            done=_("The note stands in the case."),
        ),
        Step(
            "message",
            _("Write to the person"),
            "request.write",
            legal=lambda s: bool(s.identities),
            will_happen=will.message,
            perform=_with(conversation.write_to_person, text="text", is_question="is_question", form="form", file="file"),
            form=forms.MessageForm,
            tone="plain",
            done=_("The message is there for the person to read."),
        ),
        Step(
            "message-noted",
            _("The messages need no answer"),
            "request.write",
            legal=lambda s: any(item.staff_id is None and item.answered_at is None for item in s.messages),
            will_happen=will.note_message,
            perform=_with(conversation.leave_unanswered),
            tone="plain",
            done=_("The messages no longer wait for an answer."),
        ),
        Step(
            "corrections",
            _("Write down the corrections"),
            "request.choose_contested",
            legal=lambda s: (
                _is(s, Right.RECTIFICATION)
                and not s.entered_by_me
                and s.request.state == State.TRIAGE
                and any(run.located_at and run.finding for run in s.runs)
            ),
            will_happen=will.corrections,
            perform=lambda s, form, target, now: cases.record_corrections(
                request=s.request, corrections=form.corrections(), acting_user=s.user, now=now
            ),
            form=forms.CorrectionsForm,
            tone="plain",
            done=_("The corrections are written down."),
        ),
        Step(
            "keep-back",
            _("Keep fields from the erasure"),
            "request.keep_back",
            legal=lambda s: (
                _is(s, Right.ERASURE)
                and not s.entered_by_me
                and s.request.state == State.TRIAGE
                and any(run.located_at and run.finding for run in s.runs)
            ),
            will_happen=will.keep_back,
            perform=lambda s, form, target, now: keep_back(request=s.request, acting_user=s.user, now=now, **form.asked()),
            form=KeepBackForm,
            tone="plain",
            done=_("The choice is recorded. The stores are searched again, since the plan is another."),
        ),
        Step(
            "approve",
            _("Approve"),
            "request.approve",
            legal=lambda s: _others(s, "approve") and not _is(s, Right.ERASURE),
            before=Standing.before_decision,
            will_happen=will.approve,
            perform=_with(cases.approve_request, reason="reason"),
            form=forms.WordsToPersonForm,
            done=_("The request is approved and handed to the workers."),
        ),
        Step(
            "propose",
            _("Propose the erasure"),
            "request.propose_erasure",
            legal=lambda s: _others(s, "propose") and _is(s, Right.ERASURE),
            before=Standing.before_decision,
            will_happen=will.propose,
            perform=_with(cases.propose_erasure, reason="reason"),
            form=forms.WordsToPersonForm,
            done=_("The erasure is proposed. A colleague has to approve it."),
        ),
        Step(
            "approve-erasure",
            _("Approve the erasure"),
            "request.approve_erasure",
            legal=lambda s: _others(s, "approve_erasure") and _is(s, Right.ERASURE) and s.request.proposed_by_id != s.user.pk,
            before=Standing.before_erasing,
            will_happen=will.approve_erasure,
            perform=_approve_erasure,
            form=forms.ApproveErasureForm,
            tone="danger",
            done=_("The erasure is approved and handed to the workers."),
        ),
        Step(
            "extend",
            _("Extend the deadline"),
            "request.extend",
            legal=lambda s: s.may_be_extended,
            will_happen=will.extend,
            perform=_with(cases.extend_deadline, reason="reason"),
            form=forms.ExtendForm,
            tone="plain",
            done=_("The deadline is extended and the person is told."),
        ),
        Step(
            "return",
            _("Send back to assessment"),
            "request.return",
            legal=lambda s: _stands(s, "return"),
            will_happen=will.send_back,
            perform=_with(cases.return_to_triage, reason="reason"),
            form=forms.ReturnForm,
            tone="plain",
            done=_("The case is being assessed again."),
        ),
        Step(
            "refuse",
            _("Refuse"),
            "request.refuse",
            legal=lambda s: _others(s, "refuse") and not _is(s, Right.OBJECTION),
            will_happen=will.refuse,
            perform=_with(cases.refuse_request, reason="reason"),
            form=forms.RefuseForm,
            tone="danger",
            done=_("The request is refused and the person is told."),
        ),
        Step(
            "claim-excess",
            _("Propose: excessive"),
            "request.claim_excess",
            legal=lambda s: (
                s.request.state in OPEN_TO_CLAIMS
                and not s.entered_by_me
                and not _is(s, Right.OBJECTION)
                and (s.excess is None or s.excess.state == Excess.State.REJECTED)
            ),
            will_happen=will.claim_excess,
            perform=_with(claim_excess, answer="answer", fee="fee", reason="reason", evidence="evidence"),
            form=forms.ClaimExcessForm,
            tone="plain",
            done=_("It is proposed. A colleague has to decide on it."),
        ),
        Step(
            "decide-excess",
            _("Decide: excessive or not"),
            "request.decide_excess",
            legal=lambda s: (
                s.request.state in OPEN_TO_CLAIMS
                and not s.entered_by_me
                and s.excess is not None
                and s.excess.state == Excess.State.PROPOSED
                and s.excess.proposed_by_id != s.user.pk
            ),
            will_happen=will.decide_excess,
            perform=lambda s, form, target, now: decide_excess(
                request=s.request, accept=form.cleaned_data["decision"] == "accept", acting_user=s.user, now=now
            ),
            form=forms.DecideExcessForm,
            tone="plain",
            done=_("Your decision is recorded, and where you agreed the person is told."),
        ),
        Step(
            "resume",
            _("Start again"),
            "request.resume",
            legal=lambda s: bool(s.can_be_restarted),
            targets=lambda s: [run.pk for run in s.can_be_restarted],
            will_happen=will.resume,
            perform=lambda s, form, target, now: cases.resume_run(run=_run(s, target), acting_user=s.user, now=now),
            done=_("The store will be tried again at once."),
        ),
        Step(
            "tell-before-lifting",
            _("Tell the person that the restriction will be lifted"),
            "request.tell_before_lifting",
            legal=lambda s: _stands(s, "end_restriction") and not s.is_lifting and not s.told_before_lifting,
            will_happen=will.tell,
            perform=_with(cases.tell_before_lifting),
            done=_("The notice is on its way. Lift the restriction once it is delivered."),
        ),
        Step(
            "lift",
            _("Lift the restriction"),
            "request.lift",
            legal=lambda s: _others(s, "end_restriction") and not s.is_lifting and s.told_before_lifting,
            will_happen=will.lift,
            perform=_with(cases.lift_restriction),
            done=_("The restriction is being lifted in every store."),
        ),
        Step(
            "breach",
            _("It reached the wrong person"),
            "breach.open",
            legal=lambda s: breaches.can_be_misdelivered(s.request),
            will_happen=will.breach,
            perform=_with(breaches.open_breach, kind="kind", nature="nature", aware_at="aware_at"),
            form=forms.BreachForm,
            tone="danger",
            done=_("A breach is opened. Write down what is known; a colleague decides who is told."),
        ),
        Step(
            "task",
            _("Report the task as done"),
            "request.report_task",
            legal=lambda s: True,
            targets=lambda s: [task.pk for task in s.tasks],
            will_happen=will.task,
            perform=lambda s, form, target, now: _report(s, target, now),
            done=_("The task is reported as done."),
        ),
    )
}


def _report(standing: Standing, target: int, now: datetime) -> None:
    item = standing.tasks.get(pk=target)
    if not outbox.report_done(item=item, acting_user=standing.user, now=now):
        raise cases.SomebodyElseGotThereFirst(str(_("Somebody else reported it first.")))


def possible_steps(standing: Standing) -> list[Step]:
    """The steps this person can take now on the case as a whole; those about one run or task stand beside it."""
    return [step for step in STEPS.values() if step.targets is None and step.possible(standing)]


def missing_before(standing: Standing) -> list[tuple[Step, list[str]]]:
    """Decisions that this person could take but for something that is still missing, with what it is."""
    waiting = [(step, list(step.before(standing))) for step in STEPS.values() if step.offered(standing)]
    return [(step, missing) for step, missing in waiting if missing]
