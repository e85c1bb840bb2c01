"""Requests forwarded to a customer who is the controller of data that we hold for them: to be read, and told back about."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import IdentityKind
from accounts.signin import customer_required
from privacy import collection_words, vocabulary
from privacy.maps import dataset_of
from privacy.models import DatasetVersion
from requests_app.desk.words import RIGHT_NAMES
from requests_app.errors import NotAllowed
from requests_app.models import Forwarding
from requests_app.portal import grounds
from requests_app.portal.form_base import PortalForm, posted
from requests_app.portal.mine import REFERENCE, signed_in
from requests_app.registers import forwarding as register


class DoneForm(PortalForm):
    note = forms.CharField(
        label=gettext_lazy("What have you done?"),
        help_text=gettext_lazy("Only we read this. The person sees that it is dealt with; answer them yourself."),
        required=False,
        max_length=register.LONGEST_NOTE,
        widget=forms.Textarea({"class": "input input--wide", "rows": 5}),
    )
    button = gettext_lazy("It is dealt with")


@customer_required()
@require_safe
def forwarded(request: HttpRequest) -> HttpResponse:
    """What there is, without who asks: that takes a second proof."""
    rows = register.forwarded_to(signed_in(request).customer).order_by("-created_at", "-pk")[:100]
    cards = [{"row": row, "right": RIGHT_NAMES[row.request.right]} for row in rows]
    return render(request, "portal/forwarded/list.html", {"cards": cards})


@customer_required(level=register.LEVEL_TO_READ)
@require_http_methods(["GET", "HEAD", "POST"])
def one(request: HttpRequest, reference: str) -> HttpResponse:
    row = _mine(request, reference)
    sitting, now = signed_in(request), timezone.now()
    form = DoneForm(posted(request))
    if form.is_valid():
        try:
            register.tell_back(
                forwarding=row, customer=sitting.customer, level=sitting.level, note=form.cleaned_data["note"], now=now
            )
        except NotAllowed as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Thank you. We have noted that it is dealt with."))
            return redirect("portal:forwarded")
    register.read_by_controller(forwarding=row, now=now)
    return render(request, "portal/forwarded/one.html", _about(row) | {"form": form})


def _mine(request: HttpRequest, reference: str) -> Forwarding:
    """Another customer's and one that never was are told apart by nobody."""
    if not REFERENCE.fullmatch(reference.upper()):
        raise Http404
    row = register.forwarded_to(signed_in(request).customer).filter(reference=reference.upper()).first()
    if row is None:
        raise Http404
    return row


def _about(row: Forwarding) -> dict[str, Any]:
    labels = dict(IdentityKind.choices)
    return {
        "row": row,
        "right": RIGHT_NAMES[row.request.right],
        "person": [(labels.get(kind, kind), value) for kind, value in row.person or ()],
        "collections": _collections(row),
        "ground": _ground(row),
        "is_done": row.state == Forwarding.State.DONE,
    }


def _ground(row: Forwarding) -> str:
    right, ground = row.request.right, row.request.ground
    return str(grounds.words(right, ground)) if ground and right in grounds.BY_RIGHT else ""


def _collections(row: Forwarding) -> list[str]:
    version = DatasetVersion.objects.filter(store=row.store_id, is_current=True).first()
    known = dataset_of(version).collections if version else {}
    language = (get_language() or "sv")[:2]
    return [
        vocabulary.chosen(collection_words.label(known[name]), language, name) if name in known else name
        for name in row.collections
    ]
