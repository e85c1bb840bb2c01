"""Sending papers with a request: what shows who somebody is, one file at a time, taken back as easily as sent."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.signin import customer_required
from privacy import audit
from requests_app import uploads
from requests_app.models import RightsRequest, State, Upload
from requests_app.portal.form_base import PortalForm, UploadField
from requests_app.portal.mine import my_request
from requests_app.portal.rights import RIGHTS
from requests_app.steps import CUSTOMER
from requests_app.uploads import UploadRefused


class PaperForm(PortalForm):
    title = gettext_lazy("Send a paper that shows who you are")
    button = gettext_lazy("Send the file")
    file = UploadField(label=gettext_lazy("Choose a file or take a photo"))


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def evidence(request: HttpRequest, reference: str) -> HttpResponse:
    """Proof of identity for a request that waits for it, and for no other (Art. 12(6))."""
    case = my_request(request, reference)
    if case.state != State.IDENTIFYING:
        messages.info(request, _("This request does not wait for any proof from you."))
        return redirect("portal:request", case.reference)
    if not uploads.are_open():
        return redirect("portal:identity_other")
    form = PaperForm()
    if request.method == "POST" and "remove" in request.POST:
        _take_back(request, case)
        return redirect("portal:evidence", case.reference)
    if request.method == "POST":
        form = PaperForm(request.POST, request.FILES)
        if form.is_valid() and _sent(form, case):
            messages.success(request, _("We have your file. Send another one, or you are done."))
            return redirect("portal:evidence", case.reference)
    return render(request, "portal/identity/evidence.html", _about(case) | {"form": form})


def _about(case: RightsRequest) -> dict[str, Any]:
    return {
        "case": case,
        "right": RIGHTS[case.right],
        "files": uploads.kept(case, Upload.Purpose.EVIDENCE),
        "days": settings.INSYN_EVIDENCE_DAYS,
        "doubt": _doubt(case),
    }


def _doubt(case: RightsRequest) -> str:
    """Why staff asked for more, while that is what they said last: the same note holds what they accepted."""
    spoken = audit.events(case.reference).filter(action__in=("request.ask_identity", "identity.recorded")).last()
    return case.identity_note or "" if spoken and spoken.action == "request.ask_identity" else ""


def _sent(form: PaperForm, case: RightsRequest) -> bool:
    file = form.cleaned_data["file"]
    try:
        uploads.receive(request=case, purpose=Upload.Purpose.EVIDENCE, file=file, now=timezone.now())
    except UploadRefused as error:
        form.add_error("file", str(error))
        return False
    return True


def _take_back(request: HttpRequest, case: RightsRequest) -> None:
    chosen = request.POST["remove"]
    if chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
        mine = uploads.kept(case, Upload.Purpose.EVIDENCE).filter(pk=chosen)
        if uploads.delete(uploads=mine, reason="taken_back", actor=CUSTOMER, now=timezone.now()):
            messages.success(request, _("The file is deleted."))
