"""Recipients: to whom data are disclosed (Art. 15(1)(c), 19). Administrators keep the list, the data map refers to it by key."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.desk import DeskAdmin, refuse_unless
from accounts.models import Staff
from accounts.roles import may
from accounts.staff_site import staff_site
from privacy import audit
from privacy.models import Recipient

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Recipient]
else:
    _ModelForm = forms.ModelForm  # generic in the stubs only


class RecipientForm(_ModelForm):
    class Meta:
        model = Recipient
        fields: tuple[str, ...] = ("name", "role", "country", "agreement", "safeguard", "contact")
        labels = {
            "name": _("Name"),
            "role": _("Role"),
            "country": _("Country"),
            "agreement": _("Agreement"),
            "safeguard": _("Safeguard"),
            "contact": _("Contact"),
        }
        help_texts = {
            "country": _("Two letters, such as SE. Outside the EEA a safeguard must be named."),
            "agreement": _("Where the data processing agreement is found."),
            "safeguard": _("For transfers outside the EEA, such as standard contractual clauses (Art. 15(2))."),
            "contact": _("An address of the organisation, not of a person."),
        }

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).upper()
        if not (len(country) == 2 and country.isascii() and country.isalpha()):
            raise forms.ValidationError(_("Write the country as two letters, such as SE."))
        return country


class NewRecipientForm(RecipientForm):
    class Meta(RecipientForm.Meta):
        fields = ("key", *RecipientForm.Meta.fields)
        labels = {"key": _("Key"), **RecipientForm.Meta.labels}
        help_texts = {
            "key": _("The short name that data maps use, such as bookkeeper. It cannot be changed later."),
            **RecipientForm.Meta.help_texts,
        }


def save_recipient(*, recipient: Recipient, acting_user: Staff, changed: list[str], now: datetime) -> None:
    """Add or change a recipient; `changed` names the fields for the audit log."""
    with transaction.atomic():
        new = recipient.pk is None
        recipient.save()
        payload = {"recipient": recipient.key, "fields": changed}
        action = "recipient.added" if new else "recipient.changed"
        audit.record(chain=audit.SYSTEM, actor=f"staff:{acting_user.pk}", action=action, payload=payload, now=now)


@admin.register(Recipient, site=staff_site)
class RecipientAdmin(DeskAdmin):
    see = "store.see"
    intro = _("Organisations that receive personal data. They are named in every answer about what is held.")
    change_list_template = "admin/recipient_list.html"
    page_template = "admin/recipient.html"
    list_display = ("name", "key", "role", "country", "agreement", "safeguard")
    list_filter = ("role",)
    labels = {"key": _("key"), **RecipientForm.Meta.labels}
    sortable = ("name", "country")
    page_fields = ("name", "key", "role", "country", "agreement", "safeguard", "contact")

    def more_urls(self) -> list[URLPattern]:
        return [
            path("new/", self.view(self.new_view), name=self.url_name("new")),
            path("<int:object_id>/edit/", self.view(self.edit_view), name=self.url_name("edit")),
        ]

    def page_context(self, request: HttpRequest, record: Recipient) -> dict[str, Any]:
        return {"title": record.name, "may_edit": may(request.user, "recipient.change")}

    def new_view(self, request: HttpRequest) -> HttpResponse:
        return self._edit(request, NewRecipientForm, Recipient(), _("Add a recipient"))

    def edit_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._edit(request, RecipientForm, self.found(request, object_id), _("Change a recipient"))

    def _edit(self, request: HttpRequest, form_class: type[RecipientForm], recipient: Recipient, title: Any) -> HttpResponse:
        refuse_unless(request, "recipient.change")
        form = form_class(request.POST if request.method == "POST" else None, instance=recipient)
        if request.method == "POST" and form.is_valid():
            user: Any = request.user
            save_recipient(recipient=form.save(commit=False), acting_user=user, changed=form.changed_data, now=timezone.now())
            messages.success(request, _("The recipient was saved."))
            return redirect(self.url("change", form.instance.pk))
        back = self.url("change", recipient.pk) if recipient.pk else self.url("changelist")
        context = {"title": title, "form": form, "button": _("Save"), "back": back, "back_label": _("Recipients")}
        return self.page(request, "admin/edit.html", context)
