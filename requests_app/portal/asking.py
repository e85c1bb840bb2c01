"""Asking for a right: one question per page, check the answers, send. The questions are in flow.py, the rule in cases.py."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.people import email_of
from accounts.signin import SignedIn, customer_required
from requests_app import cases, policy
from requests_app.case import representing
from requests_app.errors import AlreadyOpen, NotAllowed
from requests_app.models import OPEN_STATES, Right, Source
from requests_app.portal import drafts, erasing, flow, grounds, holdings, new_mailbox
from requests_app.portal.drafts import Draft
from requests_app.portal.flow import Context
from requests_app.portal.form_base import posted
from requests_app.portal.rights import NEEDS_LEVEL_2, RIGHTS
from requests_app.portal.summary import answered_rows


@customer_required()
@require_safe
def begin(request: HttpRequest, right: str) -> HttpResponse:
    """The first question that has no answer yet; or the open request, where there is one."""
    if already := _already_open(request, right):
        return already
    return _go_on(right, _draft(request, right)[1])


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, right: str, step: str) -> HttpResponse:
    if already := _already_open(request, right):
        return already
    draft, context = _draft(request, right)
    question = flow.find_step(right, step, context)
    if question is None:
        if step not in {known.name for known in flow.STEPS[right]}:
            raise Http404
        return _go_on(right, context)  # an old tab: the answers no longer lead here
    if step == flow.NEW_MAILBOX:
        return new_mailbox.page(request, right, draft, context, _customer(request), _back_from(right, step, context))
    form = question.form(posted(request), initial=draft.answers.get(step, {}), **question.arguments(context))
    if request.method == "POST" and form.is_valid():
        draft.answer(step, form.draft_answers())
        if step == "values":
            new_mailbox.send_first(request, draft, context, _customer(request))
        drafts.save(request, right, draft)
        return _go_on(right, context)
    return render(
        request,
        "portal/ask/step.html",
        {
            "form": form,
            "right": RIGHTS[right],
            "step": step,
            "back": _back_from(right, step, context),
            "incomplete": bool(draft.holdings and draft.holdings["incomplete"]),
            "level": context.level,
        },
    )


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest, right: str) -> HttpResponse:
    """All answers on one page, each with a way to change it; sending is the one POST that does something."""
    token = request.POST.get("token", "")
    if reference := drafts.submitted_as(request, token):
        return redirect("portal:sent", reference)  # the same form once more: it was sent, and nothing is done twice
    if already := _already_open(request, right):
        return already
    draft, context = _draft(request, right)
    if flow.next_step(right, context) is not None:
        return _go_on(right, context)
    if request.method == "POST" and token == draft.token:
        return _send(request, right, draft, context)
    if request.method == "POST":
        messages.warning(request, _("Your answers were changed in another tab. Check them again before you send."))
        return redirect("portal:ask_check", right)
    draft.identity_offered = True
    if right == Right.ERASURE:
        erasing.look_up(draft, _customer(request), level=context.level, now=timezone.now())
    drafts.save(request, right, draft)  # a right without questions has its token from here
    return _check_page(request, right, draft, context)


def _check_page(request: HttpRequest, right: str, draft: Draft, context: Context, *, problem: str = "") -> HttpResponse:
    sending = flow.submission(right, draft, context)
    return render(
        request,
        "portal/ask/check.html",
        {
            "right": RIGHTS[right],
            "rows": answered_rows(right, sending, level=context.level),
            "email": email_of(_customer(request)),
            "token": draft.token,
            "back": _back_from(right, "", context),
            "waits_for_identity": right in NEEDS_LEVEL_2 and context.level < 2,
            "services_stop": right == Right.RESTRICTION and grounds.services_stop(sending["ground"]),
            "notice_version": policy.current_version(),
            "outlook": erasing.shown(draft, level=context.level) if right == Right.ERASURE else None,
            "problem": problem,
        },
        status=409 if problem else 200,
    )


def _send(request: HttpRequest, right: str, draft: Draft, context: Context) -> HttpResponse:
    try:
        sent = cases.submit_request(
            customer=_customer(request),
            right=right,
            source=Source.PORTAL,
            language=get_language() or "sv",
            identity_level=context.level,
            now=timezone.now(),
            **flow.submission(right, draft, context),
        )
    except AlreadyOpen as error:
        if not representing.visible_to(_customer(request)).filter(pk=error.request.pk).exists():
            problem = _("We cannot take this request here just now. Call or write to us instead.")
            return _check_page(request, right, draft, context, problem=problem)
        drafts.drop(request, right)
        return redirect("portal:ask", error.request.right)
    except NotAllowed as error:
        return _check_page(request, right, draft, context, problem=str(error))
    drafts.remember_submission(request, draft.token, sent.reference)
    drafts.drop(request, right)
    return redirect("portal:sent", sent.reference)


def _draft(request: HttpRequest, right: str) -> tuple[Draft, Context]:
    """The draft as it stands, with what the stores hold where the right asks for it."""
    signed_in: SignedIn = request.signed_in  # type: ignore[attr-defined]
    draft = drafts.load(request, right)
    if right == Right.RECTIFICATION:
        before = draft.holdings
        holdings.look_up(draft, signed_in.customer, now=timezone.now())
        if draft.holdings is not before:
            drafts.save(request, right, draft)
        return draft, Context(draft, signed_in.level, new_mailbox.proved_mailboxes(signed_in.customer))
    return draft, Context(draft, signed_in.level)


def _customer(request: HttpRequest) -> Any:
    return request.signed_in.customer  # type: ignore[attr-defined]


def _already_open(request: HttpRequest, right: str) -> HttpResponse | None:
    """The page that leads to the open request instead, if there is one. Raises Http404 for no right of ours."""
    if right not in RIGHTS:
        raise Http404
    mine = representing.visible_to(_customer(request)).filter(customer=_customer(request))
    existing = mine.filter(right=right, state__in=OPEN_STATES).first()
    if existing is None:
        return None
    return render(request, "portal/ask/already.html", {"case": existing, "right": RIGHTS[right]})


def _go_on(right: str, context: Context) -> HttpResponse:
    following = flow.next_step(right, context)
    if following is not None:
        return redirect("portal:ask_step", right, following.name)
    check_page = reverse("portal:ask_check", args=[right])
    if right in NEEDS_LEVEL_2 and context.level < 2 and not context.draft.identity_offered:
        # Who cannot prove more comes back from there to the same page, and the request waits (DESIGN §8).
        return redirect(f"{reverse('portal:identity')}?{urlencode({'next': check_page})}")
    return redirect(check_page)


def _back_from(right: str, step: str, context: Context) -> str:
    """Where the back link leads: the question before, else the explanation of the right."""
    steps = flow.asked_steps(right, context)
    before = flow.previous_step(right, step, context) if step else (steps[-1] if steps else None)
    if before is None:
        return f"{reverse('portal:start')}#{right}"
    return reverse("portal:ask_step", args=[right, before.name])
