"""Asking for somebody else: who one is to them, who they are, which right, in whose words. One question per page, then check.

Every answer leads to the same pages: nothing here looks whether the person is known.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import IdentityKind
from accounts.signin import customer_required
from privacy.engine.identity import InvalidIdentity, canonical
from requests_app import cases
from requests_app.case.representing import Claim
from requests_app.errors import NotAllowed
from requests_app.models import Right, Source
from requests_app.models.representation import Representation
from requests_app.portal import ask_forms, drafts, grounds
from requests_app.portal.ask_forms import StepForm
from requests_app.portal.drafts import Draft
from requests_app.portal.form_base import posted
from requests_app.portal.grounds import Option
from requests_app.portal.mine import signed_in
from requests_app.portal.rights import FOR_ANOTHER, RIGHTS

KEY = "another"  # of the draft


class RoleForm(StepForm):
    role = forms.ChoiceField(
        label=_("How do you act for the person?"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how you act for the person.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [  # type: ignore[attr-defined]
            (Representation.Role.GUARDIAN, Option(_("I am the parent or guardian of a child under 18"))),
            (Representation.Role.TRUSTEE, Option(_("I am a trustee or administrator (god man or förvaltare)"))),
            (Representation.Role.LAWYER, Option(_("I am the person's lawyer"))),
            (Representation.Role.AGENT, Option(_("I have a power of attorney from the person"))),
        ]


class PersonForm(StepForm):
    title = _("Who is the person?")
    name = forms.CharField(
        label=_("The person's name"),
        max_length=200,
        widget=forms.TextInput({"class": "input input--wide", "autocomplete": "off"}),
        error_messages={"required": _("Write the person's name.")},
    )
    known_by = forms.CharField(
        label=_("The person's e-mail address or customer number"),
        help_text=_("As it stands with us: the address they log in with, or the number on an invoice. Not yours."),
        max_length=254,
        widget=forms.TextInput({"class": "input input--wide", "autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": _("Write the person's e-mail address or customer number.")},
    )

    def clean_known_by(self) -> str:
        text = str(self.cleaned_data["known_by"]).strip()
        try:
            canonical(*identity_of(text))
        except InvalidIdentity:
            raise ValidationError(_("Write the person's e-mail address or customer number."), code="invalid") from None
        return text


class RightForm(StepForm):
    right = forms.ChoiceField(
        label=_("What do you ask for on their behalf?"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what you ask for.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(right.value, Option(FOR_ANOTHER[right])) for right in Right]
        self.fields["right"].choices = choices  # type: ignore[attr-defined]


class GroundForm(ask_forms.RestrictionGroundForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ground"].label = _("Why should we stop using the person's data?")
        self.fields["ground"].choices = grounds.restriction_options(for_another=True)  # type: ignore[attr-defined]


class WordsForm(StepForm):
    words = forms.CharField(
        label=_("What do you want us to do, in your own words?"),
        help_text=_("For a correction: what is wrong, and what it should be."),
        max_length=5000,
        required=False,
        widget=forms.Textarea({"class": "input input--area", "rows": 6}),
    )

    def __init__(self, *args: Any, must_write: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["words"].required = must_write
        self.fields["words"].error_messages["required"] = _("Write what is to be corrected, and to what.")


STEPS: dict[str, type[StepForm]] = {
    "role": RoleForm,
    "person": PersonForm,
    "right": RightForm,
    "ground": GroundForm,
    "words": WordsForm,
}


def identity_of(text: str) -> tuple[str, str]:
    """What has an @ is an e-mail address, anything else a customer number."""
    return (IdentityKind.EMAIL.value if "@" in text else IdentityKind.CUSTOMER_NUMBER.value), text


@customer_required()
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    return _go_on(drafts.load(request, KEY))


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, step: str) -> HttpResponse:
    if step not in STEPS:
        raise Http404
    draft = drafts.load(request, KEY)
    asked = _asked(draft)
    if step not in asked:
        return _go_on(draft)
    more = {"must_write": _right(draft) == Right.RECTIFICATION} if step == "words" else {}
    form = STEPS[step](posted(request), initial=draft.answers.get(step, {}), **more)
    if request.method == "POST" and form.is_valid():
        draft.answers[step] = form.draft_answers()
        drafts.save(request, KEY, draft)
        return _go_on(draft)
    before = asked[: asked.index(step)]
    back = reverse("portal:for_another_step", args=[before[-1]]) if before else reverse("portal:contact")
    return render(request, "portal/another/step.html", {"form": form, "back": back})


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest) -> HttpResponse:
    token = request.POST.get("token", "")
    if reference := drafts.submitted_as(request, token):
        return redirect("portal:role", reference)  # the same form once more: nothing is done twice
    draft = drafts.load(request, KEY)
    if any(name not in draft.answers for name in _asked(draft)):
        return _go_on(draft)
    problem = ""
    if request.method == "POST" and token == draft.token:
        try:
            sent = _send(request, draft)
        except NotAllowed as error:
            problem = str(error)
        else:
            drafts.remember_submission(request, draft.token, sent.reference)
            drafts.drop(request, KEY)
            return redirect("portal:role", sent.reference)
    drafts.save(request, KEY, draft)
    context = {"rows": _rows(draft), "token": draft.token, "problem": problem, "right": RIGHTS[_right(draft)]}
    back = reverse("portal:for_another_step", args=["words"])
    return render(request, "portal/another/check.html", context | {"back": back}, status=409 if problem else 200)


def _send(request: HttpRequest, draft: Draft) -> Any:
    answers = draft.answers
    return cases.submit_for_another(
        claim=Claim(
            representative=signed_in(request).customer,
            role=answers["role"]["role"],
            name=answers["person"]["name"],
            identities=dict([identity_of(answers["person"]["known_by"])]),
        ),
        right=_right(draft),
        language=get_language() or "sv",
        ground=answers["ground"]["ground"] if "ground" in _asked(draft) else "",
        reason=answers["words"]["words"],
        source=Source.PORTAL,
        now=timezone.now(),
    )


def _right(draft: Draft) -> str:
    return str(draft.answers.get("right", {}).get("right", ""))


def _asked(draft: Draft) -> list[str]:
    return [name for name in STEPS if name != "ground" or _right(draft) == Right.RESTRICTION]


def _go_on(draft: Draft) -> HttpResponse:
    following = next((name for name in _asked(draft) if name not in draft.answers), None)
    return redirect("portal:for_another_step", following) if following else redirect("portal:for_another_check")


def _rows(draft: Draft) -> list[dict[str, Any]]:
    """(question, answer, step) of the check page."""
    found = []
    for name in _asked(draft):
        form = STEPS[name](initial=draft.answers[name])
        for bound in form.visible_fields():
            value = draft.answers[name].get(bound.name, "")
            choices = dict(getattr(bound.field, "choices", ()))
            found.append({"question": bound.label, "answer": choices.get(value, value), "step": name})
    return found
