"""Writing about a request: the person's side of the conversation. What is read and how, stands on the page of the request."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from accounts.signin import ask_for_second_proof, customer_required
from requests_app.case import conversation, representing
from requests_app.errors import NotAllowed
from requests_app.files import uploads
from requests_app.models import RightsRequest, Upload
from requests_app.portal.form_base import PortalForm, UploadField, posted
from requests_app.portal.mine import level_in, my_request, signed_in


class MessageForm(PortalForm):
    single = False  # one question, but below a heading of its own
    text = forms.CharField(
        label=gettext_lazy("Your message"),
        max_length=conversation.LONGEST_MESSAGE,
        widget=forms.Textarea(attrs={"class": "input input--area", "rows": 5}),
        error_messages={"required": gettext_lazy("Write a message.")},
    )
    file = UploadField(label=gettext_lazy("Attach a file"), required=False)
    form = forms.CharField(widget=forms.HiddenInput, max_length=32)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not uploads.are_open():
            del self.fields["file"]


def messages_of(request: HttpRequest, case: RightsRequest) -> dict[str, Any]:
    """What the page of a request shows of its conversation, and the form to go on with it."""
    messages_so_far = conversation.messages_about(case)
    shown = conversation.shown_to(signed_in(request).customer, case, messages_so_far, level=level_in(request, case))
    return {
        "represents": representing.is_representative(case, signed_in(request).customer),
        "thread": shown,
        "thread_hidden": any(item.text is None for item in shown),
        "question_open": any(item.message.is_question and item.message.answered_at is None for item in shown),
        "message_form": MessageForm(initial={"form": secrets.token_urlsafe(16)}),
    }


@sensitive_post_parameters("text")
@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
def write(request: HttpRequest, reference: str) -> HttpResponse:
    case = my_request(request, reference)
    about = messages_of(request, case)
    data = posted(request)
    form = MessageForm(data, request.FILES if data is not None else None, initial=about["message_form"].initial)
    if request.method == "POST" and form.is_valid():
        try:
            conversation.write_to_staff(
                request=case,
                customer=signed_in(request).customer,
                level=level_in(request, case),
                text=form.cleaned_data["text"],
                form=form.cleaned_data["form"],
                file=form.cleaned_data.get("file"),
                now=timezone.now(),
            )
        except NotAllowed as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Your message is with us. You get an e-mail when we have written back."))
            return redirect(f"{reverse('portal:request', args=[case.reference])}#messages-title")
    context = about | {"case": case, "message_form": form}
    return render(request, "portal/requests/write.html", context, status=422 if form.errors else 200)


@customer_required()
@require_GET
def file(request: HttpRequest, reference: str, upload: int) -> HttpResponseBase:
    """A file that came with a message, for whoever may read the message."""
    case = my_request(request, reference)
    found = case.uploads.filter(pk=upload, message__isnull=False).select_related("request", "message").first()
    is_representative = representing.is_representative(case, signed_in(request).customer)
    if found is not None and found.message is not None and is_representative and conversation.is_the_persons_own(found.message):
        found = None
    if found is not None and found.message is not None and level_in(request, case) < found.message.needed_level:
        return ask_for_second_proof(request)
    try:
        if found is None:
            raise Upload.DoesNotExist
        return uploads.attachment(upload=found, now=timezone.now())
    except Upload.DoesNotExist:
        messages.warning(request, _("This file is not here any more."))
        return redirect("portal:request", case.reference)
