"""Which questions each right asks, in which order: one table. What is asked depends only on what was answered before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from privacy.engine.identity import canonical
from requests_app.models import Right
from requests_app.portal import ask_forms, correction_forms, grounds
from requests_app.portal.ask_forms import StepForm
from requests_app.portal.drafts import Draft


@dataclass(frozen=True)
class Context:
    """What a step may depend on beside the draft."""

    draft: Draft
    level: int
    mailboxes: frozenset[str] = frozenset()  # that the person proved before


@dataclass(frozen=True)
class Step:
    name: str
    form: type[StepForm]
    asked: Callable[[Context], bool] = lambda context: True
    arguments: Callable[[Context], dict[str, Any]] = lambda context: {}  # further arguments of the form
    complete: Callable[[Context], bool] = lambda context: True  # whether an answer given earlier still answers it

    def answered(self, context: Context) -> bool:
        return self.name in context.draft.answers and self.complete(context)


def answer(draft: Draft, step: str, field: str) -> Any:
    return draft.answers.get(step, {}).get(field)


def chosen_holdings(draft: Draft) -> list[dict[str, Any]]:
    """The things the person wants corrected, as the stores answered them."""
    wrong = set(answer(draft, "fields", "fields_wrong") or ())
    return [holding for holding in (draft.holdings or {}).get("fields", ()) if holding["field"] in wrong]


def new_mailboxes(draft: Draft) -> list[str]:
    """The new e-mail addresses in the answers, in their canonical form, each once."""
    new = draft.answers.get("values", {})
    chosen = [holding["field"] for holding in chosen_holdings(draft) if holding["kind"] == "email"]
    return list(dict.fromkeys(canonical("email", new[name]) for name in chosen if name in new))


def waiting_mailboxes(context: Context) -> list[str]:
    """Those whose code has not come back yet."""
    known = {*context.mailboxes, *context.draft.mailbox.get("proved", ())}
    return [mailbox for mailbox in new_mailboxes(context.draft) if mailbox not in known]


def _something_else(context: Context) -> bool:
    return correction_forms.SOMETHING_ELSE in (answer(context.draft, "fields", "fields_wrong") or ())


def _holdings(context: Context) -> dict[str, Any]:
    return {"holdings": (context.draft.holdings or {}).get("fields", []), "level": context.level}


NEW_MAILBOX = "mailbox"
_SCOPE_STEPS = (
    Step("categories", ask_forms.CategoriesForm, lambda c: answer(c.draft, "scope", "scope") in ("categories", "both")),
    Step("period", ask_forms.PeriodForm, lambda c: answer(c.draft, "scope", "scope") in ("period", "both")),
)
_REASON = Step("reason", ask_forms.ReasonForm)

STEPS: dict[str, tuple[Step, ...]] = {
    Right.ACCESS: (Step("scope", ask_forms.ScopeForm), *_SCOPE_STEPS, _REASON),
    Right.PORTABILITY: (Step("scope", ask_forms.PortabilityScopeForm), *_SCOPE_STEPS),
    Right.RECTIFICATION: (
        Step("fields", correction_forms.FieldsForm, arguments=_holdings),
        Step(
            "values",
            correction_forms.ValuesForm,
            asked=lambda c: bool(chosen_holdings(c.draft)),
            arguments=lambda c: {
                "holdings": chosen_holdings(c.draft),
                "level": c.level,
                "known": c.draft.answers.get("values", {}),
            },
            complete=lambda c: all(holding["field"] in c.draft.answers["values"] for holding in chosen_holdings(c.draft)),
        ),
        Step(
            NEW_MAILBOX,
            StepForm,  # drawn by new_mailbox.py
            asked=lambda c: bool(waiting_mailboxes(c)),
            complete=lambda c: False,
        ),
        Step(
            "reason",
            ask_forms.ReasonForm,
            arguments=lambda c: {"must_write": _something_else(c)},
            complete=lambda c: bool(answer(c.draft, "reason", "reason")) or not _something_else(c),
        ),
    ),
    Right.RESTRICTION: (
        Step("ground", ask_forms.RestrictionGroundForm),
        Step(
            "consequence", ask_forms.ConsequenceForm, lambda c: grounds.services_stop(answer(c.draft, "ground", "ground") or "")
        ),
        _REASON,
    ),
    Right.ERASURE: (
        Step("ground", ask_forms.ErasureGroundForm),
        Step("reason", ask_forms.ReasonForm),
    ),
    Right.OBJECTION: (),  # one click: the check page is the whole form
}


def asked_steps(right: str, context: Context) -> list[Step]:
    return [step for step in STEPS[right] if step.asked(context)]


def find_step(right: str, name: str, context: Context) -> Step | None:
    return next((step for step in asked_steps(right, context) if step.name == name), None)


def next_step(right: str, context: Context) -> Step | None:
    """The first question without an answer; None when all are answered."""
    return next((step for step in asked_steps(right, context) if not step.answered(context)), None)


def previous_step(right: str, name: str, context: Context) -> Step | None:
    before = None
    for step in asked_steps(right, context):
        if step.name == name:
            return before
        before = step
    return before


def submission(right: str, draft: Draft, context: Context) -> dict[str, Any]:
    """What `submit_request` is told: ground, reason and details, from the steps that were asked and no others."""
    asked = {step.name for step in asked_steps(right, context)}
    answers = {name: values for name, values in draft.answers.items() if name in asked}
    details: dict[str, Any] = {}
    if "categories" in answers:
        details["categories"] = answers["categories"]["categories"]
    if "period" in answers:
        details |= {key: value for key, value in answers["period"].items() if value}
    if right == Right.RECTIFICATION:
        new, waiting = answers.get("values", {}), waiting_mailboxes(context)
        details["corrections"] = [
            {key: holding[key] for key in ("field", "fields", "label", "kind") if key in holding}
            | {"old": holding["value"], "new": new[holding["field"]]}
            | ({"confirmed": canonical("email", new[holding["field"]]) not in waiting} if holding["kind"] == "email" else {})
            for holding in chosen_holdings(draft)
            if holding["field"] in new
        ]
    ground = answers.get("ground", {}).get("ground", "")
    return {
        "ground": "" if ground == "other" else ground,
        "reason": answers.get("reason", {}).get("reason", ""),
        "details": details or None,
    }
