"""Staff in the admin: who works here, with which roles; invited, given roles, reset and deactivated by an administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import staff as business
from accounts.desk import DeskAdmin, refuse_unless
from accounts.invitations import send_invitation
from accounts.messaging import DeliveryFailed
from accounts.models import Role, Staff
from accounts.roles import may
from accounts.second_factor import without_second_factor
from accounts.staff_site import staff_site


class RolesForm(forms.Form):
    roles = forms.MultipleChoiceField(label=_("Roles"), choices=Role.choices, widget=forms.CheckboxSelectMultiple)


class InviteForm(RolesForm):
    name = forms.CharField(label=_("Name"), max_length=150)
    email = forms.EmailField(label=_("E-mail address"), help_text=_("The invitation is sent here."))
    field_order = ["name", "email", "roles"]

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if Staff.objects.filter(email=email).exists():
            raise ValidationError(_("There is an account with this address. Open it in the list of staff to change it."))
        return email


class EnrolledFilter(admin.SimpleListFilter):
    title = _("second factor")
    parameter_name = "enrolled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("Not enrolled yet"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return without_second_factor(queryset.filter(is_active=True)) if self.value() == "no" else queryset


@admin.register(Staff, site=staff_site)
class StaffAdmin(DeskAdmin):
    see = "staff.see"
    change_list_template = "admin/staff_list.html"
    page_template = "admin/staff.html"
    list_display = ("full_name", "email", "role_names", "enrolled", "is_active", "last_login")
    list_filter = ("is_active", EnrolledFilter)
    sortable = ("email", "last_login")
    labels = {
        "email": _("e-mail address"),
        "is_active": _("active"),
        "last_login": _("last signed in"),
        "date_joined": _("account made"),
    }
    ordering = ("-is_active", "first_name", "last_name", "email")
    page_fields = ("full_name", "email", "role_names", "enrolled", "is_active", "last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        app = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
        return super().get_queryset(request).filter(is_staff=True).prefetch_related("groups").annotate(has_app=Exists(app))

    def more_urls(self) -> list[URLPattern]:
        return [
            path("invite/", self.view(self.invite_view), name=self.url_name("invite")),
            path("<int:object_id>/<slug:change>/confirm/", self.view(self.change_view_of), name=self.url_name("confirm")),
        ]

    @admin.display(description=_("name"), ordering="first_name")
    def full_name(self, staff: Staff) -> str:
        return staff.get_full_name() or staff.email

    @admin.display(description=_("roles"))
    def role_names(self, staff: Staff) -> str:
        held = {group.name for group in staff.groups.all()}
        return ", ".join(str(role.label) for role in Role if role in held) or "–"

    @admin.display(description=_("second factor"))
    def enrolled(self, staff: Any) -> Any:
        return _("set up") if staff.has_app else _("not yet")

    def page_context(self, request: HttpRequest, record: Staff) -> dict[str, Any]:
        changes = []
        if may(request.user, "staff.manage") and record.pk != request.user.pk:
            names = ["roles", "reset", "deactivate"] if record.is_active else ["reactivate"]
            changes = [(self.url("confirm", record.pk, name), CHANGES[name]) for name in names]
        return {"title": self.full_name(record), "changes": changes}

    def invite_view(self, request: HttpRequest) -> HttpResponse:
        refuse_unless(request, "staff.manage")
        form = InviteForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            staff, invitation = business.invite_staff(
                email=form.cleaned_data["email"],
                roles=form.cleaned_data["roles"],
                name=form.cleaned_data["name"],
                actor=f"staff:{request.user.pk}",
                now=timezone.now(),
            )
            _send(request, invitation)
            return redirect(self.url("change", staff.pk))
        context = {
            "title": _("Invite a colleague"),
            "form": form,
            "button": _("Send the invitation"),
            "back": self.url("changelist"),
            "back_label": _("Staff"),
            "will_happen": [
                _("An account is made with these roles."),
                _("A one-time password and a one-time code are sent to the address. They work for seven days."),
                _("With them your colleague chooses a password and sets up an authenticator app. Until then the desk is closed."),
            ],
        }
        return self.page(request, "admin/confirm.html", context)

    def change_view_of(self, request: HttpRequest, object_id: int, change: str) -> HttpResponse:
        refuse_unless(request, "staff.manage")
        staff = self.found(request, object_id)
        step = CHANGES.get(change)
        if step is None:
            raise Http404
        if staff.pk == request.user.pk:
            raise PermissionDenied
        form = step.form(
            request.POST if request.method == "POST" else None, initial={"roles": [group.name for group in staff.groups.all()]}
        )
        if request.method == "POST" and form.is_valid():
            try:
                invitation = step.perform(staff, request.user, form.cleaned_data)
            except business.NotAllowed as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, step.done)
                _send(request, invitation)
                return redirect(self.url("change", staff.pk))
        context = {
            "title": f"{step.label}: {self.full_name(staff)}",
            "form": form,
            "button": step.label,
            "tone": step.tone,
            "will_happen": step.will_happen,
            "back": self.url("change", staff.pk),
            "back_label": self.full_name(staff),
        }
        return self.page(request, "admin/confirm.html", context)


class Change:
    """One change of an account: what it is called, what it does in words, and the function that does it."""

    def __init__(
        self,
        label: Any,
        will_happen: list[Any],
        done: Any,
        perform: Callable[..., Any],
        form: type[forms.Form] = forms.Form,
        tone: str = "primary",
    ) -> None:
        self.label, self.will_happen, self.done, self.form, self.tone = label, will_happen, done, form, tone
        self.perform = perform


CHANGES = {
    "roles": Change(
        _("Change roles"),
        [_("From the next page on, this colleague may do what the ticked roles allow, and nothing else.")],
        _("The roles were changed."),
        lambda staff, user, data: business.set_roles(staff=staff, roles=data["roles"], acting_user=user, now=timezone.now()),
        form=RolesForm,
    ),
    "reset": Change(
        _("Reset the second factor"),
        [
            _("The authenticator app and the password stop working, and every session of this colleague ends."),
            _("A new invitation is sent to the colleague's own address."),
            _("Make sure that it is your colleague who asks: call them, or look at them."),
        ],
        _("The second factor was reset."),
        lambda staff, user, data: business.reset_second_factor(staff=staff, acting_user=user, now=timezone.now()),
        tone="danger",
    ),
    "deactivate": Change(
        _("Deactivate the account"),
        [
            _("Nobody can sign in with this account, and its sessions end at once."),
            _("The account stays, as the name behind past decisions. Cases assigned to it stay so until somebody takes them."),
        ],
        _("The account was deactivated."),
        lambda staff, user, data: business.deactivate_staff(staff=staff, acting_user=user, now=timezone.now()),
        tone="danger",
    ),
    "reactivate": Change(
        _("Let in again"),
        [_("The account opens again with its roles. A new invitation is sent; what the colleague used before does not work.")],
        _("The account is open again."),
        lambda staff, user, data: business.reactivate_staff(staff=staff, acting_user=user, now=timezone.now()),
    ),
}


def _send(request: HttpRequest, invitation: business.Invitation | None) -> None:
    if invitation is None:
        return
    try:
        send_invitation(invitation, sign_in_url=request.build_absolute_uri(reverse("admin:login")))
    except DeliveryFailed:
        messages.error(
            request,
            _("The invitation did not leave: the mail server did not take it. Reset the second factor to send a new one."),
        )
    else:
        messages.success(request, _("The invitation was sent."))
