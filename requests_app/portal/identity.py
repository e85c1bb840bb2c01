"""Identity level 2: a code to a phone number that we had long before anybody asked (DESIGN §8).

The page never learns the numbers: it shows the last two digits and a keyed hash that only this person's session can use.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import codes, eid, people, signin
from accounts.address import client_address
from accounts.messaging import SMS, DeliveryFailed
from accounts.models import Customer, IdentityKind, VerificationCode, VerificationMethod
from accounts.signin import SignedIn, customer_required
from privacy import actions
from privacy.crypto import keyed_hash
from privacy.engine.identity import InvalidIdentity, canonical
from requests_app import cases
from requests_app.errors import NotAllowed
from requests_app.files import uploads
from requests_app.models import RightsRequest, State
from requests_app.portal.code_errors import sending_failed, why_refused
from requests_app.portal.entry_forms import NONE_OF_THESE, CodeForm, NumberForm
from requests_app.portal.form_base import posted
from requests_app.portal.kept_numbers import kept_numbers
from requests_app.portal.masks import mask_phone
from requests_app.portal.navigation import safe_path

PENDING = "identity_code"


def usable_numbers(customer: Customer, *, now: datetime) -> dict[str, str]:
    """{opaque key: number in E.164}: numbers a store holds, unchanged for long enough, and those that staff accepted.

    Raises privacy.actions.StoreUnavailable. A number that somebody entered yesterday proves nothing about today.
    """
    oldest_change = now - timedelta(days=settings.INSYN_IDENTITY_UNCHANGED_DAYS)
    with actions.patience(seconds=8, per_store=3):
        contacts = actions.contacts(people.person_of(customer))
    found = [
        contact.value
        for contact in contacts
        if contact.kind == IdentityKind.PHONE and contact.unchanged_since is not None and contact.unchanged_since <= oldest_change
    ]
    accepted = customer.identities.filter(kind=IdentityKind.PHONE, method=VerificationMethod.STAFF, verified_at__isnull=False)
    found += [row.value for row in accepted]
    numbers: dict[str, str] = {}
    for value in found:
        try:
            number = canonical(IdentityKind.PHONE, value)
        except InvalidIdentity:
            continue  # what a store holds need not be a number
        numbers[keyed_hash(f"{customer.public_id}:{number}", purpose="number-choice")[1][:24]] = number
    return numbers


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def choose_number(request: HttpRequest) -> HttpResponse:
    signed_in: SignedIn = request.signed_in  # type: ignore[attr-defined]
    way_on = safe_path(request, request.POST.get("next") or request.GET.get("next", ""), default="portal:requests")
    if signed_in.level >= 2:
        record_on_waiting_requests(signed_in.customer, level=2, now=timezone.now())  # asked for after it was proved
        return HttpResponseRedirect(way_on)
    try:
        numbers = kept_numbers(request, signed_in.customer, usable_numbers, now=timezone.now())
    except actions.StoreUnavailable:
        return show_other_ways(request, way_on, reason="unavailable")
    if not numbers:
        return show_other_ways(request, way_on, reason="none")
    form = NumberForm(posted(request), numbers={key: mask_phone(number) for key, number in numbers.items()})
    if form.is_valid():
        choice = form.cleaned_data["number"]
        if choice == NONE_OF_THESE:
            return redirect(f"{reverse('portal:identity_other')}?{urlencode({'next': way_on})}")
        if _send(request, form, numbers[choice], way_on):
            return redirect("portal:identity_code")
    return render(request, "portal/identity/number.html", {"form": form, "next": way_on, "eid": eid.is_on()})


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def ask_code(request: HttpRequest) -> HttpResponse:
    """Check the code, or with `again` send a new one to the same phone."""
    signed_in: SignedIn = request.signed_in  # type: ignore[attr-defined]
    pending = signin.notes(request).get(PENDING)
    code = VerificationCode.objects.filter(public_id=pending["code"], customer=signed_in.customer).first() if pending else None
    if pending is None or code is None:
        return redirect("portal:identity")
    if "again" in request.POST:
        form = CodeForm(sent_to=mask_phone(code.target))
        if _send(request, form, code.target, pending["next"]):
            messages.success(request, _("We have sent a new code. The older one no longer works."))
            return redirect("portal:identity_code")
    else:
        form = CodeForm(posted(request), sent_to=mask_phone(code.target))
        if form.is_valid() and _proved(request, form, code, signed_in.customer):
            messages.success(request, _("Thank you. We now know that it is you."))
            return HttpResponseRedirect(safe_path(request, pending["next"], default="portal:requests"))
    return render(request, "portal/identity/code.html", {"form": form, "next": pending["next"]})


@customer_required()
@require_safe
def other_ways(request: HttpRequest) -> HttpResponse:
    return show_other_ways(request, safe_path(request, request.GET.get("next", ""), default="portal:requests"), reason="chosen")


def show_other_ways(request: HttpRequest, way_on: str, *, reason: str) -> HttpResponse:
    """The ways that are left, below what `reason` says of the one that did not work."""
    context = {
        "next": way_on,
        "reason": reason,
        "unchanged_days": settings.INSYN_IDENTITY_UNCHANGED_DAYS,
        "asking": way_on.startswith("/ask/"),
        "eid": eid.is_on(),
        "waiting": _waiting_for_papers(request),
    }
    return render(request, "portal/identity/other.html", context)


def _waiting_for_papers(request: HttpRequest) -> list[RightsRequest]:
    """The person's requests for which papers may be sent now."""
    signed_in: SignedIn = request.signed_in  # type: ignore[attr-defined]
    return list(_own_waiting(signed_in.customer).only("reference")) if uploads.are_open() else []


def _own_waiting(customer: Customer) -> QuerySet[RightsRequest]:
    """What waits for this person's own proof; where somebody acts for them, staff accept who they are."""
    return RightsRequest.objects.filter(customer=customer, state=State.IDENTIFYING, representation=None).order_by("pk")


def _send(request: HttpRequest, form: NumberForm | CodeForm, number: str, way_on: str) -> bool:
    signed_in: SignedIn = request.signed_in  # type: ignore[attr-defined]
    try:
        code = codes.send_code(
            channel=SMS,
            target=number,
            address=client_address(request),
            language=get_language() or "sv",
            now=timezone.now(),
            customer=signed_in.customer,
            host=request.get_host(),
        )
    except (codes.TooManyCodes, DeliveryFailed) as error:
        sending_failed(form, error)
        return False
    signin.notes(request)[PENDING] = {"code": code.public_id, "next": way_on}
    request.session.modified = True
    return True


def _proved(request: HttpRequest, form: CodeForm, code: VerificationCode, customer: Customer) -> bool:
    now = timezone.now()
    try:
        proved = codes.check_code(public_id=code.public_id, digits=form.cleaned_data["code"], now=now, customer=customer)
    except codes.CodeRefused as error:
        form.add_error("code", why_refused(error))
        return False
    people.add_identity(
        customer=customer, kind=IdentityKind.PHONE, value=proved.target, method=VerificationMethod.SMS_CODE, now=now
    )
    signin.notes(request).pop(PENDING, None)
    signin.sign_in(request, customer, 2)
    record_on_waiting_requests(customer, level=2, now=now)
    return True


def record_on_waiting_requests(customer: Customer, *, level: int, now: datetime, by: str = "") -> None:
    """Whoever sent a request first and proves who they are later has proved it for that request, too."""
    for waiting in _own_waiting(customer).filter(identity_level__lt=level):
        try:
            cases.record_identity_level(request=waiting, level=level, by=by, now=now)
        except NotAllowed:
            continue  # staff moved it on meanwhile: nothing is lost, it no longer waits for this
