"""What a step asks for before it is taken. Every form knows the case's standing; reasons are for the person or for the file."""

from __future__ import annotations

import re
import secrets
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, Staff
from accounts.people import person_of
from accounts.roles import TABLE
from privacy import actions
from requests_app.case.conversation import LONGEST_MESSAGE, level_to_read
from requests_app.case.intake import HIGHEST_LEVEL
from requests_app.case.notes import LONGEST_NOTE, mentioned_in
from requests_app.cases import claims_to_accept
from requests_app.desk.queue import name_of
from requests_app.desk.standing import Standing, short_code
from requests_app.errors import NotAllowed
from requests_app.files import uploads
from requests_app.models import Excess
from requests_app.models.breach import BreachCase
from requests_app.portal.correction_forms import LONGEST_VALUE, label_of
from requests_app.portal.form_base import UploadField
from requests_app.portal.masks import mask

WORDS = forms.Textarea(attrs={"rows": 5})


class StepForm(forms.Form):
    """Nothing to fill in but the confirmation itself."""

    def __init__(self, *args: Any, standing: Standing, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.standing = standing
        self.prepare()

    def prepare(self) -> None:
        """Fit the fields to the case."""


class MessageForm(StepForm):
    text = forms.CharField(
        label=_("Message"),
        max_length=LONGEST_MESSAGE,
        widget=WORDS,
        help_text=_("The person reads it when signed in. Write nothing here that the person would not get as an answer."),
    )
    is_question = forms.BooleanField(label=_("I wait for an answer"), required=False)
    file = UploadField(label=_("Attach a file"), required=False)
    form = forms.CharField(widget=forms.HiddenInput, max_length=32)

    def prepare(self) -> None:
        self.fields["form"].initial = secrets.token_urlsafe(16)
        if not uploads.are_open():
            del self.fields["file"]
        if level_to_read(self.standing.request) < HIGHEST_LEVEL:
            self.fields["text"].help_text = _(
                "Whoever reads this person's mailbox can read it: nothing more is proved or needed here. Write no personal data."
            )

    def clean(self) -> dict[str, Any]:
        return {"file": None, **(super().clean() or {})}


class AssigneeForm(forms.Form):
    assignee = forms.ChoiceField(label=_("Assign to"), required=False)

    def offer_colleagues(self, me: Staff) -> None:
        roles = [role.value for role in Role if role in TABLE["request.assign"].roles]
        staff = (
            Staff.objects.filter(is_active=True, groups__name__in=roles).distinct().order_by("first_name", "last_name", "email")
        )
        self.colleagues = {str(person.pk): person for person in staff}
        names = [
            (key, _("%(name)s (you)") % {"name": name_of(p)} if p == me else name_of(p)) for key, p in self.colleagues.items()
        ]
        self.fields["assignee"].choices = [*names, ("", _("nobody"))]  # type: ignore[attr-defined]
        self.fields["assignee"].initial = str(me.pk)

    def person(self) -> Staff | None:
        return self.colleagues.get(self.cleaned_data["assignee"])


class AssignForm(StepForm, AssigneeForm):
    def prepare(self) -> None:
        self.offer_colleagues(self.standing.user)


class NoteForm(StepForm):
    text = forms.CharField(
        label=_("Note"),
        max_length=LONGEST_NOTE,
        widget=WORDS,
        help_text=_("For your colleagues alone. Write @ and a colleague's name as in their e-mail address to mention them."),
    )
    form = forms.CharField(widget=forms.HiddenInput, max_length=32)

    def prepare(self) -> None:
        self.fields["form"].initial = secrets.token_urlsafe(16)

    def clean_text(self) -> str:
        text = str(self.cleaned_data["text"])
        try:
            mentioned_in(text)
        except NotAllowed as error:
            raise forms.ValidationError(str(error)) from None
        return text


class IdentityForm(StepForm):
    proved = forms.TypedMultipleChoiceField(
        label=_("What it proves"),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "Somebody gave these when a request was entered. Tick those that your proof speaks for; the others stay unproved."
        ),
    )
    level = forms.TypedChoiceField(
        label=_("Identity level"),
        coerce=int,
        choices=[(1, _("1 – the mailbox or telephone is this person's")), (2, _("2 – a second proof: this is the person"))],
        widget=forms.RadioSelect,
    )
    note = forms.CharField(
        label=_("What you accepted as proof"),
        widget=WORDS,
        help_text=_(
            "Write what you saw and how you checked it, such as a call back to a number in our records. Do not copy numbers of "
            "identity documents here."
        ),
    )

    field_order = ["level", "proved", "note"]

    def prepare(self) -> None:
        self.fields["level"].initial = min(HIGHEST_LEVEL, max(1, self.standing.needed_level))
        claims = claims_to_accept(self.standing.request, self.standing.user)
        choices = [(row.pk, f"{row.get_kind_display()}: {mask(row.kind, row.value)}") for row in claims]
        self.fields["proved"].choices = choices  # type: ignore[attr-defined]
        if not choices:
            del self.fields["proved"]

    def clean(self) -> dict[str, Any]:
        return {"proved": [], **(super().clean() or {})}


class AcceptRoleForm(StepForm):
    note = forms.CharField(
        label=_("What proof of the role you accepted"),
        widget=WORDS,
        help_text=_(
            "Such as a court's decision, a register of births or a power of attorney, and how you checked it. A guardian may act "
            "until the child is 18; the older the child, the more its own wishes count."
        ),
    )
    contact_is_theirs = forms.CharField(
        label=_("How you know that the contact is the person's"),
        widget=WORDS,
        help_text=_(
            "The proof is about a person with a name; the request opens the data behind a contact. Write how you made sure that "
            "both are the same person, such as an invoice that was shown or a call to a number in our records."
        ),
    )
    not_told_reason = forms.CharField(
        label=_("Why the person is not told"),
        required=False,
        widget=WORDS,
        help_text=_(
            "Leave it empty, and the person is told at the contacts in our stores when you accept their identity. Fill it in "
            "only for protected identity or a small child. Neither the person nor the representative reads it."
        ),
    )

    def prepare(self) -> None:
        if self.standing.name_beside == "yes":
            del self.fields["contact_is_theirs"]

    def clean(self) -> dict[str, Any]:
        return {"contact_is_theirs": "", **(super().clean() or {})}


class RefuseRoleForm(StepForm):
    reason = forms.CharField(
        label=_("What is missing"),
        widget=WORDS,
        help_text=_("The representative reads it when signed in. It is not sent by mail."),
    )


class DoubtForm(StepForm):
    doubt = forms.CharField(
        label=_("Why you doubt who this is"),
        widget=WORDS,
        help_text=_(
            "Art. 12(6): more proof may be asked for only on reasonable doubt, and the doubt must be written down. The person "
            "reads it when signed in: say what was wrong with the proof, if any was sent."
        ),
    )


class WordsToPersonForm(StepForm):
    reason = forms.CharField(
        label=_("Words for the person"), widget=WORDS, required=False, help_text=_("Optional. They stand in the answer.")
    )


class ReasonForm(StepForm):
    reason = forms.CharField(label=_("Reason"), widget=WORDS)


class ReturnForm(ReasonForm):
    def prepare(self) -> None:
        self.fields["reason"].help_text = _("For your colleagues and the file; it is not sent.")


class RefuseForm(ReasonForm):
    def prepare(self) -> None:
        self.fields["reason"].help_text = _(
            "These words are sent to the person. The letter adds the authority and the court by itself (Art. 12(4))."
        )


class ClaimExcessForm(StepForm):
    answer = forms.ChoiceField(label=_("What you propose"), choices=Excess.Answer.choices, widget=forms.RadioSelect)
    fee = forms.IntegerField(
        label=_("Fee in kronor"), required=False, min_value=1, help_text=_("What the answer costs us, and no more.")
    )
    reason = forms.CharField(
        label=_("Reason"),
        widget=WORDS,
        help_text=_("These words are sent to the person, with the authority and the court."),
    )
    evidence = forms.CharField(
        label=_("Evidence"),
        widget=WORDS,
        help_text=_("For the file: earlier requests with their days, what has changed since, what this one costs (Art. 12(5))."),
    )


class DecideExcessForm(StepForm):
    decision = forms.ChoiceField(
        label=_("Your decision"),
        choices=[("accept", _("It is excessive: do as proposed")), ("reject", _("It is not: the request goes on"))],
        widget=forms.RadioSelect,
    )


class ExtendForm(ReasonForm):
    def prepare(self) -> None:
        self.fields["reason"].help_text = _(
            "How complex the request is, or how many there are. These words are sent to the person (Art. 12(3))."
        )


class CorrectionsForm(StepForm):
    """A request in free words, turned into fields: what the stores hold (masked) and what it is to be."""

    def prepare(self) -> None:
        plans = {run.store.key: run.plan for run in self.standing.request.runs.select_related("store") if run.plan}
        self.holdings: dict[str, dict[str, Any]] = {}
        for number, holding in enumerate(actions.preview_fields(person_of(self.standing.request.customer), plans=plans)):
            name = f"new{number}"
            self.holdings[name] = holding
            current = mask(str(holding.get("kind", "")), str(holding["value"] or ""))
            self.fields[name] = forms.CharField(
                label=label_of(holding),
                required=False,
                max_length=LONGEST_VALUE,
                help_text=_("%(field)s, now: %(value)s") % {"field": holding["field"], "value": current or "–"},
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not any(data.get(name) for name in self.holdings):
            raise forms.ValidationError(_("Write the new value of at least one field."))
        return data

    def corrections(self) -> list[dict[str, Any]]:
        """What the workers compare and set: the value that stands there now, and the new one."""
        kept = ("field", "fields", "label", "kind")
        return [
            {key: holding[key] for key in kept if key in holding} | {"old": holding["value"], "new": self.cleaned_data[name]}
            for name, holding in self.holdings.items()
            if self.cleaned_data.get(name)
        ]


class ApproveErasureForm(StepForm):
    """Bound to one plan: the digest that was on the page goes along, and its code is typed by hand."""

    digest = forms.CharField(widget=forms.HiddenInput)
    plan_code = forms.CharField(
        label=_("The plan's code"),
        max_length=16,
        help_text=_("Type the code that stands below the plan, to show that this is the plan you read."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "characters"}),
    )
    otp_token = forms.CharField(
        label=_("A fresh code from your authenticator app"),
        max_length=12,
        help_text=_("Not the one you signed in with: each code works once."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def prepare(self) -> None:
        self.fields["digest"].initial = self.standing.digest

    def clean_plan_code(self) -> str:
        typed = re.sub(r"[^0-9A-Z]", "", str(self.cleaned_data["plan_code"]).upper())
        if typed != short_code(self.standing.digest).replace("-", ""):
            raise forms.ValidationError(_("This is not the code of the plan on this page. Read the plan and type its code."))
        return typed


class BreachForm(StepForm):
    kind = forms.ChoiceField(label=_("What happened"), choices=BreachCase.Kind.choices, widget=forms.RadioSelect)
    aware_at = forms.DateTimeField(
        label=_("When we became aware of it"),
        initial=timezone.localtime,
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M"],
        help_text=_("The moment anybody here knew. The 72 hours run from it."),
    )
    nature = forms.CharField(label=_("In words"), widget=WORDS, help_text=_("Name nobody here."))
