"""A new e-mail address counts when its own mailbox answered: a code goes there, and comes back before the request is sent.

A slip of the pen would otherwise send everything we write to a stranger, and somebody else's address could be planted here.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import codes
from accounts.address import client_address
from accounts.messaging import EMAIL, DeliveryFailed
from accounts.models import Customer, IdentityKind, VerificationCode
from requests_app.portal import drafts, flow
from requests_app.portal.code_errors import sending_failed, why_refused
from requests_app.portal.drafts import Draft
from requests_app.portal.entry_forms import CodeForm
from requests_app.portal.flow import Context, waiting_mailboxes
from requests_app.portal.form_base import PortalForm, posted

STEP = flow.NEW_MAILBOX


def proved_mailboxes(customer: Customer) -> frozenset[str]:
    """Mailboxes that this person proved before: they need no code again."""
    mine = customer.identities.filter(kind=IdentityKind.EMAIL, verified_at__isnull=False)
    return frozenset(row.value for row in mine)


def send_first(request: HttpRequest, draft: Draft, context: Context, customer: Customer) -> None:
    """The code to the first new mailbox that waits for one, unless it was sent; what goes wrong is told on the page."""
    waiting = waiting_mailboxes(context)
    if waiting and draft.mailbox.get("to") != waiting[0]:
        _send(request, draft, PortalForm(), waiting[0], customer)


def page(request: HttpRequest, right: str, draft: Draft, context: Context, customer: Customer, back: str) -> HttpResponse:
    """Ask for the code, or send one; answers the way on when no new mailbox waits any more."""
    to = waiting_mailboxes(context)[0]
    sent = draft.mailbox.get("to") == to
    form: Any = CodeForm(posted(request) if sent and "again" not in request.POST else None, sent_to=to) if sent else PortalForm()
    if "again" in request.POST:
        if _send(request, draft, form, to, customer):
            drafts.save(request, right, draft)
            messages.success(request, _("We have sent a new code. The older one no longer works."))
            return redirect("portal:ask_step", right, STEP)
    elif sent and form.is_valid() and _proved(form, draft, to, customer):
        send_first(request, draft, context, customer)  # there may be another new one
        drafts.save(request, right, draft)
        return redirect("portal:ask", right)
    return render(request, "portal/ask/mailbox.html", {"form": form, "to": to, "sent": sent, "back": back})


def _send(request: HttpRequest, draft: Draft, form: Any, to: str, customer: Customer) -> bool:
    try:
        code = codes.send_code(
            channel=EMAIL,
            target=to,
            address=client_address(request),
            language=get_language() or "sv",
            now=timezone.now(),
            customer=customer,
        )
    except (codes.TooManyCodes, DeliveryFailed) as error:
        sending_failed(form, error)
        return False
    draft.mailbox = {**draft.mailbox, "to": to, "code": code.public_id}
    return True


def _proved(form: CodeForm, draft: Draft, to: str, customer: Customer) -> bool:
    try:
        proved: VerificationCode = codes.check_code(
            public_id=draft.mailbox["code"], digits=form.cleaned_data["code"], now=timezone.now(), customer=customer
        )
    except codes.CodeRefused as error:
        form.add_error("code", why_refused(error))
        return False
    if proved.target != to:
        return False  # another tab changed the address meanwhile: the page asks for that one
    draft.mailbox = {"proved": [*draft.mailbox.get("proved", ()), to]}
    draft.answers[STEP] = {"proved": draft.mailbox["proved"]}
    return True
