"""Records that staff take further step by step: who may, when, what exactly will happen, and the one call that does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.desk import DeskAdmin, refuse_unless
from accounts.models import Staff
from accounts.roles import may
from requests_app.errors import NotAllowed


@dataclass(frozen=True)
class RecordStep:
    key: str
    label: Any
    action: str  # of accounts.roles.TABLE
    legal: Callable[[Any, Staff], bool]
    will_happen: Callable[[Any], list[Any]]
    perform: Callable[[Any, Staff, dict[str, Any], datetime], None]
    done: Any
    form: Callable[..., forms.Form] = forms.Form
    tone: str = "primary"


class StepsAdmin(DeskAdmin):
    """A list and a page for each record, with the steps that are possible for its reader now."""

    steps: tuple[RecordStep, ...] = ()
    page_template = "admin/record_steps.html"

    def more_urls(self) -> list[URLPattern]:
        return [path("<int:object_id>/<slug:step>/", self.view(self.step_view), name=self.url_name("step"))]

    def page_context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        user: Any = request.user
        possible = [step for step in self.steps if may(user, step.action) and step.legal(record, user)]
        return {"steps": [(step, self.url("step", record.pk, step.key)) for step in possible]}

    def step_view(self, request: HttpRequest, object_id: int, step: str) -> HttpResponse:
        chosen = next((item for item in self.steps if item.key == step), None)
        if chosen is None:
            raise Http404
        refuse_unless(request, chosen.action)
        record, user = self.found(request, object_id), request.user
        if not chosen.legal(record, user):  # type: ignore[arg-type]
            messages.warning(request, _("“%(step)s” is not possible here now, or not for you.") % {"step": chosen.label})
            return redirect(self.url("change", object_id))
        form = self._form(request, chosen, record)
        if request.method == "POST" and form.is_valid() and self._taken(request, chosen, record, form):
            return redirect(self.url("change", object_id))
        context = {
            "title": f"{chosen.label}: {self.name_of(record)}",
            "form": form,
            "button": chosen.label,
            "tone": chosen.tone,
            "will_happen": chosen.will_happen(record),
            "back": self.url("change", object_id),
            "back_label": self.name_of(record),
        }
        return self.page(request, "admin/confirm.html", context)

    def name_of(self, record: Any) -> str:
        return str(record)

    def _form(self, request: HttpRequest, step: RecordStep, record: Any) -> forms.Form:
        data = request.POST if request.method == "POST" else None
        return step.form(data, record=record) if issubclass(step.form, RecordForm) else step.form(data)  # type: ignore[arg-type]

    def _taken(self, request: HttpRequest, step: RecordStep, record: Any, form: forms.Form) -> bool:
        user: Any = request.user
        try:
            step.perform(record, user, form.cleaned_data, timezone.now())
        except NotAllowed as error:
            form.add_error(None, str(error))
            return False
        messages.success(request, step.done)
        return True


class RecordForm(forms.Form):
    """A form that knows the record it is about."""

    def __init__(self, *args: Any, record: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.record = record
        self.prepare()

    def prepare(self) -> None:
        """Fit the fields to the record."""
