"""What is done on the queue as a whole: a view saved or forgotten, several cases given to a colleague."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.desk import refuse_unless
from accounts.roles import may
from requests_app import cases
from requests_app.desk import saved_views
from requests_app.desk.due import due_badge
from requests_app.desk.queue import COLUMNS, Queue, name_of, state_badge
from requests_app.desk.step_forms import AssigneeForm
from requests_app.desk.words import RIGHT_NAMES
from requests_app.models import RightsRequest

MOST_AT_ONCE = 100


class QueueDesk(Queue):
    def more_urls(self) -> list[URLPattern]:
        return [
            path("assign/", self.view(self.assign_view), name=self.url_name("assign")),
            path("views/save/", self.view(self.save_view_view), name=self.url_name("saveview")),
            path("views/<int:view_id>/forget/", self.view(self.forget_view_view), name=self.url_name("forgetview")),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        user: Any = request.user
        views = saved_views.views_for(user, request.GET.urlencode()) if may(user, self.see) else []
        more = {
            "views": views,
            "is_view": any(view.here for view in views),
            "view_query": saved_views.clean_query(request.GET.urlencode()),
            "own_views": [view for view in views if view.own],
        }
        return super().changelist_view(request, more | (extra_context or {}))

    # --- views ---

    def save_view_view(self, request: HttpRequest) -> HttpResponse:
        refuse_unless(request, self.see)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        user: Any = request.user
        query = saved_views.clean_query(request.POST.get("query", ""))
        try:
            saved_views.save_view(
                owner=user, name=request.POST.get("name", ""), query=query, is_shared="is_shared" in request.POST
            )
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, _("The view is saved."))
        return redirect(f"{self.url('changelist')}?{query}")

    def forget_view_view(self, request: HttpRequest, view_id: int) -> HttpResponse:
        refuse_unless(request, self.see)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        user: Any = request.user
        if saved_views.drop_view(owner=user, view=view_id):
            messages.success(request, _("The view is deleted."))
        else:
            messages.warning(request, _("This view is not yours, or it is gone already."))
        return redirect(self.url("changelist"))

    # --- several cases at once ---

    def assign_view(self, request: HttpRequest) -> HttpResponse:
        """GET shows what will happen, POST does it to the cases that still stand as they were shown."""
        refuse_unless(request, "request.assign")
        user: Any = request.user
        form = AssigneeForm(request.POST if request.method == "POST" else None)
        form.offer_colleagues(user)
        if request.method == "POST" and form.is_valid():
            seen = _seen(request.POST.getlist("case"))
            given, lost = cases.assign_requests(seen=seen, assignee=form.person(), acting_user=user, now=timezone.now())
            if given:
                messages.success(
                    request,
                    ngettext("%(count)d request is assigned.", "%(count)d requests are assigned.", given) % {"count": given},
                )
            if lost:
                messages.error(
                    request,
                    ngettext(
                        "Somebody else got there first: %(count)d request was assigned or closed meanwhile. Look at it again.",
                        "Somebody else got there first: %(count)d requests were assigned or closed meanwhile. Look again.",
                        lost,
                    )
                    % {"count": lost},
                )
            return redirect(self.url("changelist"))
        chosen = _chosen(request)
        if not chosen:
            messages.warning(request, _("Choose the requests first."))
            return redirect(self.url("changelist"))
        today = timezone.localdate()
        context = {
            "title": _("Assign several requests"),
            "form": form,
            "chosen": [
                {
                    "case": case,
                    "right": RIGHT_NAMES[case.right],
                    "state": state_badge(case),
                    "due": due_badge(case, today),
                    "now_with": name_of(case.assignee),
                    "seen": f"{case.pk}.{case.assignee_id or 0}",
                }
                for case in chosen
            ],
            "will_happen": [
                _("The requests stand in that colleague's part of the queue. Nothing is sent to anybody."),
                _("What somebody else assigns or closes meanwhile is left as it is, and you are told."),
            ],
            "button": _("Assign"),
            "back": self.url("changelist"),
            "back_label": _("Requests"),
        }
        return self.page(request, "admin/assign_many.html", context)


def _chosen(request: HttpRequest) -> list[RightsRequest]:
    numbers = [*_seen(request.POST.getlist("case"))] or [int(text) for text in request.GET.getlist("case") if text.isdecimal()]
    numbers = [number for number in numbers if number < 2**63][:MOST_AT_ONCE]
    found = RightsRequest.objects.filter(pk__in=numbers, closed_at=None).select_related("assignee").only(*COLUMNS)
    return list(found.order_by("due_on", "pk"))


def _seen(texts: list[str]) -> dict[int, int | None]:
    """{case: whose it was} as the page showed it: `12.5`, or `12.0` for nobody's."""
    pairs = (text.partition(".") for text in texts[:MOST_AT_ONCE])
    return {
        int(case): int(whose) or None
        for case, _dot, whose in pairs
        if case.isdecimal() and whose.isdecimal() and max(int(case), int(whose)) < 2**63
    }
