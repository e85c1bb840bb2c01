"""The receipt of an erasure: its person's file, and the page on which anybody checks one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts.signin import ask_for_second_proof, customer_required
from privacy import signing
from requests_app.cases import NEEDED_LEVEL
from requests_app.delivering import receipt_checks, receipts
from requests_app.delivering.receipt_checks import LONGEST_CODE, LONGEST_FILE, NotGenuine, Summary
from requests_app.errors import NotAllowed
from requests_app.models import Right
from requests_app.portal.form_base import PortalForm, posted
from requests_app.portal.mine import by_whom, level_in, my_request


@customer_required()
@require_GET
def receipt(request: HttpRequest, reference: str) -> HttpResponse:
    case = my_request(request, reference)
    if level_in(request, case) < NEEDED_LEVEL[Right.ERASURE]:
        return ask_for_second_proof(request)
    try:
        pdf = receipts.issue_receipt(request=case, customer=case.customer, by_whom=by_whom(request, case), now=timezone.now())
    except NotAllowed as error:
        messages.warning(request, str(error))
        return redirect("portal:request", case.reference)
    response = HttpResponse(pdf, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{_("receipt")}-{case.reference}.pdf"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


class CheckForm(PortalForm):
    title = gettext_lazy("Check a receipt")
    lead = gettext_lazy("Choose the file, or write the code that stands on it. One of them is enough.")
    one_of_them = True
    file = forms.FileField(
        label=gettext_lazy("The receipt as a PDF file"),
        required=False,
        widget=forms.FileInput(attrs={"class": "input input--file", "accept": ".pdf,application/pdf"}),
    )
    code = forms.CharField(
        label=gettext_lazy("Or the code on it"),
        required=False,
        max_length=LONGEST_CODE,
        help_text=gettext_lazy("It begins with INSYN1. Line breaks do not matter. The QR code holds the same."),
        widget=forms.Textarea(attrs={"class": "input input--area", "rows": 4, "spellcheck": "false", "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("file") and not data.get("code") and not self.errors:
            raise forms.ValidationError(_("Choose the file, or write the code."))
        if data.get("file") and data["file"].size > LONGEST_FILE:
            self.add_error("file", _("The file is too large to be one of our receipts."))
        return data

    def verdict(self) -> Summary | None:
        """What the receipt states if it is genuine; both are checked where both were given."""
        keys = list(signing.trusted_keys().values())
        file, code = self.cleaned_data.get("file"), self.cleaned_data.get("code")
        try:
            found = [receipt_checks.check_pdf(file.read(LONGEST_FILE + 1), keys=keys)] if file else []
            found += [receipt_checks.check_code(code, keys=keys)] if code else []
        except NotGenuine:
            return None
        return found[0] if all(one == found[0] for one in found) else None


@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest) -> HttpResponse:
    """For anybody: it asks no database, remembers nothing, and only says what the receipt itself says."""
    data = posted(request)
    form = CheckForm(data, request.FILES if data is not None else None)
    context: dict[str, Any] = {"form": form, "public_keys": list(signing.trusted_keys())}
    if form.is_bound and form.is_valid():
        context |= {"checked": True, "found": form.verdict()}
    status = 422 if form.errors else 200
    response = render(request, "portal/receipt.html", context, status=status)
    response.headers["Cache-Control"] = "private, no-store"
    return response
