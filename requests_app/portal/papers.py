"""Sending papers with a request: what shows who somebody is, or that they may act for another; one file at a time."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.signin import customer_required, notes
from privacy import audit
from requests_app.case import representing
from requests_app.case.steps import CUSTOMER
from requests_app.files import uploads
from requests_app.files.uploads import UploadRefused
from requests_app.models import RightsRequest, State, Upload
from requests_app.portal.form_base import PortalForm, UploadField
from requests_app.portal.mine import acting, my_request, signed_in
from requests_app.portal.rights import right_of

SENT_NOTE = "papers_sent"
LEVEL_TO_TAKE_BACK = 2  # for a file of another sitting: who only reads the mailbox must not undo what its owner sent


class PaperForm(PortalForm):
    title = gettext_lazy("Send a paper that shows who you are")
    button = gettext_lazy("Send the file")
    file = UploadField(label=gettext_lazy("Choose a file or take a photo"))


class RolePaperForm(PaperForm):
    title = gettext_lazy("Show that you may act for the person")


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def evidence(request: HttpRequest, reference: str) -> HttpResponse:
    """Proof of identity for a request that waits for it, and for no other (Art. 12(6)); of the person, where another asks."""
    case = my_request(request, reference)
    waits = case.state == State.IDENTIFYING
    if representing.of(case) is not None:
        waits = waits and representing.is_representative(case, signed_in(request).customer)
    if not waits:
        return _not_wanted(request, case)
    return _page(request, case, Upload.Purpose.EVIDENCE, PaperForm, _doubt(case))


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def role(request: HttpRequest, reference: str) -> HttpResponse:
    """Proof of the right to act for somebody else."""
    case = my_request(request, reference)
    acting = representing.of(case)
    if (
        acting is None
        or not representing.takes_proof(case)
        or not representing.is_representative(case, signed_in(request).customer)
    ):
        return _not_wanted(request, case)
    return _page(request, case, Upload.Purpose.ROLE, RolePaperForm, acting.note or "")


def _not_wanted(request: HttpRequest, case: RightsRequest) -> HttpResponse:
    messages.info(request, _("This request does not wait for any proof from you."))
    return redirect("portal:request", case.reference)


def _page(request: HttpRequest, case: RightsRequest, purpose: str, kind: type[PaperForm], doubt: str) -> HttpResponse:
    form = kind()
    if request.method == "POST" and "remove" in request.POST:
        _take_back(request, case, purpose)
        return redirect(request.path)
    if request.method == "POST" and uploads.are_open():
        form = kind(request.POST, request.FILES)
        if form.is_valid() and _sent(request, form, case, purpose):
            messages.success(request, _("We have your file. Send another one, or you are done."))
            return redirect(request.path)
    context = {
        "form": form,
        "case": case,
        "right": right_of(case, signed_in(request).customer),
        "acting": representing.of(case),
        "files": [(file, _may_take_back(request, file)) for file in uploads.kept(case, purpose)],
        "open": uploads.are_open(),
        "days": settings.INSYN_EVIDENCE_DAYS,
        "doubt": doubt,
        "about_role": purpose == Upload.Purpose.ROLE,
    }
    return render(request, "portal/identity/papers.html", context)


def _doubt(case: RightsRequest) -> str:
    """Why staff asked for more, while that is what they said last: the same note holds what they accepted."""
    spoken = audit.events(case.reference).filter(action__in=("request.ask_identity", "identity.recorded")).last()
    return case.identity_note or "" if spoken and spoken.action == "request.ask_identity" else ""


def _sent(request: HttpRequest, form: PaperForm, case: RightsRequest, purpose: str) -> bool:
    try:
        upload = uploads.receive(
            request=case, purpose=purpose, file=form.cleaned_data["file"], by_whom=acting(request, case), now=timezone.now()
        )
    except UploadRefused as error:
        form.add_error("file", str(error))
        return False
    notes(request).setdefault(SENT_NOTE, []).append(upload.pk)
    request.session.modified = True
    return True


def _may_take_back(request: HttpRequest, file: Upload) -> bool:
    """Whoever sent it in this sitting, or proved more than the mailbox."""
    return signed_in(request).level >= LEVEL_TO_TAKE_BACK or file.pk in notes(request).get(SENT_NOTE, ())


def _take_back(request: HttpRequest, case: RightsRequest, purpose: str) -> None:
    chosen = request.POST["remove"]
    if chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
        mine = [file for file in uploads.kept(case, purpose).filter(pk=chosen) if _may_take_back(request, file)]
        whose = acting(request, case)
        if uploads.delete(uploads=mine, reason="taken_back", actor=CUSTOMER, by_whom=whose, now=timezone.now()):
            messages.success(request, _("The file is deleted."))
