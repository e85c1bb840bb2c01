"""Following a request: the list, one request, its progress, withdrawing. Another person's reference is not found."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Customer
from accounts.people import email_of
from accounts.signin import customer_required
from requests_app import cases
from requests_app.case import representing
from requests_app.case.answers import human_answers
from requests_app.case.lifecycle import TRANSITIONS
from requests_app.case.timeline import timeline
from requests_app.delivering.receipts import has_receipt
from requests_app.errors import NotAllowed
from requests_app.models import OPEN_STATES, Package, Right, RightsRequest, State
from requests_app.portal.mine import acting, level_in, my_request, package_of, signed_in
from requests_app.portal.recipients import recipients_of
from requests_app.portal.rights import right_of
from requests_app.portal.states import STAGES, state_text
from requests_app.portal.summary import answered_rows
from requests_app.portal.writing import messages_of
from requests_app.registers.forwarding import forwarded_to

PAGE_SIZE = 20
# While one of these holds, something may change without the person: the page asks again by itself.
MOVING = (State.RECEIVED, State.TRIAGE, State.PROPOSED, State.APPROVED, State.RUNNING)


@customer_required()
@require_safe
def my_requests(request: HttpRequest) -> HttpResponse:
    reader = signed_in(request).customer
    mine = representing.with_proof_sent(representing.visible_to(reader)).select_related("representation")
    page = Paginator(mine.order_by("-received_at", "-pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    cards = [{"case": case, "state": state_text(case, reader), "right": right_of(case, reader)} for case in page]
    forwarded = forwarded_to(signed_in(request).customer).exists()
    return render(request, "portal/requests/list.html", {"page": page, "cards": cards, "forwarded": forwarded})


@customer_required()
@require_safe
def sent(request: HttpRequest, reference: str) -> HttpResponse:
    """The confirmation: the reference, what happens next and when."""
    case = my_request(request, reference)
    return render(request, "portal/requests/sent.html", _about(request, case) | {"email": email_of(signed_in(request).customer)})


@customer_required()
@require_safe
def one_request(request: HttpRequest, reference: str) -> HttpResponse:
    case = my_request(request, reference)
    level = level_in(request, case)
    sending = {"ground": case.ground, "reason": case.reason or "", "details": case.details}
    about = _about(request, case) | _moving_parts(request, case) | messages_of(request, case)
    about["rows"] = answered_rows(case.right, sending, level=level, own_words=level >= 2, for_another=about["represents"])
    about["recipients"] = recipients_of(case) if cases.may_be_told(case, level=level) else []
    about["hidden"] = any(row.hidden for row in about["rows"])
    return render(request, "portal/requests/one.html", about)


@customer_required()
@require_safe
def progress(request: HttpRequest, reference: str) -> HttpResponse:
    """The part of the page that changes: 204 while nothing has, 286 (htmx: stop asking) when nothing will by itself."""
    case = my_request(request, reference)
    about = _about(request, case) | _moving_parts(request, case)
    if request.GET.get("seen") == about["seen"] and about["moving"]:
        return HttpResponse(status=204)
    return render(request, "portal/requests/_moving.html", about, status=200 if about["moving"] else 286)


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, reference: str) -> HttpResponse:
    case = my_request(request, reference)
    if case.state == State.WITHDRAWN:
        return redirect("portal:request", reference)  # done already: once more changes nothing
    problem = ""
    if request.method == "POST":
        try:
            cases.withdraw_request(request=case, customer=case.customer, by_whom=acting(request, case), now=timezone.now())
        except NotAllowed as error:
            problem = str(error)
            case.refresh_from_db()
        else:
            messages.success(request, _("You have withdrawn your request. Nothing more is done about it."))
            return redirect("portal:request", reference)
    context = _about(request, case) | {"problem": problem}
    return render(request, "portal/requests/withdraw.html", context, status=409 if problem else 200)


@customer_required(level=2)
@require_http_methods(["GET", "HEAD", "POST"])
def waive(request: HttpRequest, reference: str) -> HttpResponse:
    """Let an erasure go ahead of the person's other open requests (R30)."""
    case = my_request(request, reference)
    about = _about(request, case)
    if not about["waits_for_others"]:
        return redirect("portal:request", reference)
    if request.method == "POST":
        try:
            cases.waive_waiting(
                request=case, customer=signed_in(request).customer, by_whom=acting(request, case), now=timezone.now()
            )
        except NotAllowed as error:
            return render(request, "portal/requests/waive.html", about | {"problem": str(error)}, status=409)
        messages.success(request, _("The erasure no longer waits for your other requests."))
        return redirect("portal:request", reference)
    return render(request, "portal/requests/waive.html", about)


def _about(request: HttpRequest, case: RightsRequest) -> dict[str, Any]:
    level, reader = level_in(request, case), signed_in(request).customer
    return {
        "case": case,
        "right": right_of(case, reader),
        "state": state_text(case, reader),
        "stages": STAGES,
        "level": level,
        "is_open": case.state in OPEN_STATES,
        "may_read_letter": cases.may_read_letter(case, level=level),
        "can_withdraw": case.state == State.RESTRICTED or case.state in TRANSITIONS["withdraw"].sources,
        "must_identify": case.state == State.IDENTIFYING and representing.of(case) is None,
        "acts_for": representing.of(case),
        "represents": representing.is_representative(case, reader),
        "has_child": representing.child_of(case, reader) is not None,
        "must_show_role": representing.takes_proof(case),
        "package": package_of(case),
        "has_receipt": has_receipt(case),
        "waits_for_others": _goes_after(case, reader),
    }


def _goes_after(case: RightsRequest, reader: Customer) -> list[dict[str, Any]]:
    """What this erasure waits for, of the person's other open requests; nothing, where this reader may not know of all."""
    if case.right != Right.ERASURE or case.state not in OPEN_STATES or case.waived_at is not None:
        return []
    others = list(cases.goes_before(case).order_by("received_at"))
    known = set(representing.visible_to(reader).filter(pk__in=[other.pk for other in others]).values_list("pk", flat=True))
    return [{"case": other, "right": right_of(other, reader)} for other in others] if len(known) == len(others) else []


def _moving_parts(request: HttpRequest, case: RightsRequest) -> dict[str, Any]:
    entries = timeline(case, for_representative=representing.is_representative(case, signed_in(request).customer))
    answers = human_answers(case) if cases.may_be_told(case, level=level_in(request, case)) else []
    package = package_of(case)
    moving = case.state in MOVING or (package is not None and package.state == Package.State.BUILDING)
    # Everything the fragment shows, as one digest: equal means that there is nothing new to swap in.
    shown = repr((case.state, case.due_on, package and (package.state, package.size), entries, answers, get_language()))
    return {
        "timeline": entries,
        "answers": answers,
        "show_stores": bool(answers),
        "moving": moving,
        "seen": sha256(shown.encode()).hexdigest()[:16],
    }
