"""The person's consents: one page, one button each way. The rules are in requests_app/consents.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.signin import SignedIn, customer_required
from requests_app import consents
from requests_app.case import representing
from requests_app.consents import LONGEST_RECIPIENT, Standing
from requests_app.errors import NotAllowed
from requests_app.portal.ask_forms import CATEGORIES
from requests_app.portal.form_base import PortalForm, posted
from requests_app.portal.mine import my_request
from requests_app.registers import disclosures as register


class DisclosureForm(PortalForm):
    title = gettext_lazy("Let somebody else have your data")
    recipient = forms.CharField(
        label=gettext_lazy("Who may have it?"),
        help_text=gettext_lazy("The name of the company, authority or person. One at a time."),
        max_length=LONGEST_RECIPIENT,
        widget=forms.TextInput({"class": "input input--wide", "autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Write who may have your data.")},
    )
    categories = forms.MultipleChoiceField(
        label=gettext_lazy("Which data?"),
        widget=forms.CheckboxSelectMultiple,
        choices=list(CATEGORIES.items()),
        error_messages={"required": gettext_lazy("Choose at least one kind of data.")},
    )
    of_age = forms.BooleanField(label=gettext_lazy("I am at least 13 years old"), error_messages={"required": consents.TOO_YOUNG})
    button = gettext_lazy("I agree")


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def my_consents(request: HttpRequest) -> HttpResponse:
    """What the person agreed to, with a button to agree or to take it back."""
    signed_in = _signed_in(request)
    if request.method == "POST":
        try:
            said = _act(request, signed_in)
        except NotAllowed as error:
            return _page(request, signed_in, problem=str(error), at=request.POST.get("about", ""))
        messages.success(request, said)
        return redirect("portal:consents")
    return _page(request, signed_in)


@customer_required(level=consents.DISCLOSURE_LEVEL)
@require_http_methods(["GET", "HEAD", "POST"])
def name_recipient(request: HttpRequest) -> HttpResponse:
    """Agree that one recipient gets some kinds of data."""
    signed_in = _signed_in(request)
    form = DisclosureForm(posted(request))
    if form.is_valid():
        try:
            consents.give_disclosure(
                customer=signed_in.customer, identity_level=signed_in.level, now=timezone.now(), **form.cleaned_data
            )
        except NotAllowed as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("We have noted that you agree. You can take it back here at any time."))
            return redirect("portal:consents")
    return render(request, "portal/consents/recipient.html", {"form": form})


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def of_child(request: HttpRequest, reference: str) -> HttpResponse:
    """The purposes alone, for the guardian of a child: whom the child let have its data is the child's to name."""
    case, guardian = my_request(request, reference), _signed_in(request).customer
    child = representing.child_of(case, guardian)
    if child is None:
        raise Http404
    problem = ""
    if request.method == "POST":
        about, now = request.POST.get("about", "").replace("\x00", ""), timezone.now()
        try:
            if request.POST.get("act") == "give":
                young = "of_age" in request.POST
                consents.give_for_child(request=case, guardian=guardian, about=about, child_is_under_13=young, now=now)
                said = _("We have noted that you agree for the child. You can take it back here at any time.")
            else:
                language = get_language() or "sv"
                consents.withdraw_for_child(request=case, guardian=guardian, about=about, language=language, now=now)
                said = _("The consent is taken back. We stop what rests on it.")
        except NotAllowed as error:
            problem = str(error)
        else:
            messages.success(request, said)
            return redirect(request.path)
    purposes = [
        replace(item, text=consents.as_guardian(item.text), history=())
        for item in consents.standing_of(child)
        if item.kind == "purpose"
    ]
    context = {"case": case, "purposes": purposes, "problem": problem}
    return render(request, "portal/consents/child.html", context, status=409 if problem else 200)


def _act(request: HttpRequest, signed_in: SignedIn) -> str:
    about, now = request.POST.get("about", "").replace("\x00", ""), timezone.now()
    if request.POST.get("act") == "give":
        consents.give(customer=signed_in.customer, about=about, of_age="of_age" in request.POST, now=now)
        return _("We have noted that you agree. You can take it back here at any time.")
    consents.withdraw(
        customer=signed_in.customer, about=about, language=get_language() or "sv", identity_level=signed_in.level, now=now
    )
    return _("You have taken your consent back. We stop what rests on it.")


def _page(request: HttpRequest, signed_in: SignedIn, *, problem: str = "", at: str = "") -> HttpResponse:
    standing = consents.standing_of(signed_in.customer)
    # Whom they let have their data says a lot about somebody: who only reads the mailbox takes it back without seeing it.
    hidden = signed_in.level < consents.DISCLOSURE_LEVEL
    disclosures = [item for item in standing if item.kind == "disclosure"]
    context: dict[str, Any] = {
        "purposes": [item for item in standing if item.kind == "purpose"],
        "disclosures": [_unnamed(item) for item in disclosures] if hidden else disclosures,
        "hidden": hidden and bool(disclosures),
        "given": None if hidden else register.shown_to(signed_in.customer),
        "problem": problem,
        "at": at,
    }
    return render(request, "portal/consents/list.html", context, status=409 if problem else 200)


def _unnamed(item: Standing) -> Standing:
    day = date_format(localtime(item.history[-1].at), "j F Y")
    return replace(item, title=_("Somebody you named on %(day)s") % {"day": day}, text="", history=())


def _signed_in(request: HttpRequest) -> SignedIn:
    found: SignedIn = request.signed_in  # type: ignore[attr-defined]
    return found
