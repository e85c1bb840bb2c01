"""Signing in: an e-mail address, a code. Nothing here differs between somebody we know and somebody we do not."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import codes, people, signin
from accounts.address import client_address
from accounts.messaging import EMAIL, DeliveryFailed
from accounts.models import VerificationCode
from requests_app import policy
from requests_app.portal.code_errors import sending_failed, why_refused
from requests_app.portal.entry_forms import CodeForm, EmailForm
from requests_app.portal.form_base import posted
from requests_app.portal.identity import record_on_waiting_requests
from requests_app.portal.navigation import safe_path

PENDING_KEY = "sign_in_code"  # {"code": public id, "next": path} of the sign-in that waits for its code


@require_http_methods(["GET", "HEAD", "POST"])
def ask_email(request: HttpRequest) -> HttpResponse:
    way_on = safe_path(request, request.POST.get("next") or request.GET.get("next", ""), default="portal:requests")
    if request.method != "POST" and signin.current(request):
        return HttpResponseRedirect(way_on)
    form = EmailForm(posted(request))
    if form.is_valid() and _send(request, form, form.cleaned_data["email"], way_on):
        return redirect("portal:sign_in_code")
    return _page(request, "portal/entry/email.html", form=form, next=way_on, timed_out=signin.timed_out(request))


@require_http_methods(["GET", "HEAD", "POST"])
def ask_code(request: HttpRequest) -> HttpResponse:
    """Check the code, or with `again` send a new one to the same mailbox."""
    pending = request.session.get(PENDING_KEY)
    code = VerificationCode.objects.filter(public_id=pending["code"]).first() if pending else None
    if pending is None or code is None:
        return redirect("portal:sign_in")
    if "again" in request.POST:
        form = CodeForm(sent_to=code.target)
        if _send(request, form, code.target, pending["next"]):
            messages.success(request, _("We have sent a new code. The older one no longer works."))
            return redirect("portal:sign_in_code")
    else:
        form = CodeForm(posted(request), sent_to=code.target)
        if form.is_valid() and _proved(request, form, code):
            return HttpResponseRedirect(safe_path(request, pending["next"], default="portal:requests"))
    return _page(request, "portal/entry/code.html", form=form)


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    signin.sign_out(request)
    messages.success(request, _("You are signed out."))
    return redirect("portal:start")


def _send(request: HttpRequest, form: EmailForm | CodeForm, email: str, way_on: str) -> bool:
    try:
        code = codes.send_code(
            channel=EMAIL, target=email, address=client_address(request), language=get_language() or "sv", now=timezone.now()
        )
    except (codes.TooManyCodes, DeliveryFailed) as error:
        sending_failed(form, error)
        return False
    request.session[PENDING_KEY] = {"code": code.public_id, "next": way_on}
    return True


def _proved(request: HttpRequest, form: CodeForm, code: VerificationCode) -> bool:
    now = timezone.now()
    try:
        proved = codes.check_code(public_id=code.public_id, digits=form.cleaned_data["code"], now=now)
    except codes.CodeRefused as error:
        form.add_error("code", why_refused(error))
        return False
    customer = people.find_or_create_customer(email=proved.target, language=get_language() or "sv", now=now)
    policy.seen_by_newcomer(customer)
    request.session.pop(PENDING_KEY, None)
    signin.sign_in(request, customer, 1)
    record_on_waiting_requests(customer, level=1, now=now)
    return True


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    response = render(request, template, context)
    patch_cache_control(response, private=True, no_store=True)
    return response
