"""The admin that demands a second factor on every page, and nothing that our roles do not name.

A session is that of a fully signed-in member of staff only when a confirmed TOTP device opened it; an invitation opens the
enrolment page alone. A sitting ends when it was idle, or lasted, too long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth import logout as end_session
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django_otp import login as otp_login
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.roles import TABLE, has_any_role, may
from accounts.second_factor import device_to_confirm, qr_svg, typed_secret
from accounts.staff import enrol_staff
from accounts.staff_forms import EnrolForm, StaffSignInForm

ENROLLING = "staff_enrolling"  # session key: the account whose invitation opened this session
SITTING = "staff_sitting"  # session key: {"since", "seen"} in Unix time
SEEN_GRAIN = 60  # seconds: no write to the session for every page

# Of the stock admin's own addresses these are of no use here.
UNUSED = {"autocomplete", "jsi18n", "view_on_site", "app_list"}


class StaffSignIn(LoginView):
    """django.contrib.auth changes the session key when somebody signs in, so a planted key is worth nothing."""

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        now = int(timezone.now().timestamp())
        self.request.session[SITTING] = {"since": now, "seen": now}
        if form.enrolling:
            self.request.session[ENROLLING] = form.get_user().pk
            return HttpResponseRedirect(reverse_enrol())
        return response


def reverse_enrol() -> str:
    return reverse("admin:enrol")


class StaffSite(AdminSite):
    site_header = "Insyn"
    site_title = "Insyn"
    index_title = _("What needs you")
    enable_nav_sidebar = False
    login_form = StaffSignInForm
    password_change_template = "admin/password_change.html"  # noqa: S105 - a template
    password_change_done_template = "admin/password_changed.html"  # noqa: S105 - a template
    logout_template = "admin/signed_out.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # Filled by the floor above, which knows the cases: what the first page shows, and the menu for one request.
        self.first_page: Callable[[HttpRequest], dict[str, Any]] = lambda request: {}
        self.menu: Callable[[HttpRequest], list[dict[str, Any]]] = lambda request: []

    def has_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        if not (user.is_authenticated and user.is_active and user.is_staff and has_any_role(user)):
            return False
        # A static token is a device to django_otp too; here only a confirmed app counts.
        return isinstance(getattr(user, "otp_device", None), TOTPDevice)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        guarded = super().admin_view(view, cacheable)

        def within_the_sitting(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and _over(request):
                end_session(request)
            response: HttpResponseBase = guarded(request, *args, **kwargs)
            return response

        return within_the_sitting

    def get_urls(self) -> list[URLPattern | URLResolver]:
        stock = [url for url in super().get_urls() if getattr(url, "name", None) not in UNUSED]
        return [path("enrol/", self.enrol, name="enrol"), *stock]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        allowed = self.has_permission(request)
        return super().each_context(request) | {
            "may": {key.replace(".", "_"): allowed and may(request.user, key) for key in TABLE},
            "menu": self.menu(request) if allowed else [],
        }

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        return []  # our templates have their own menu; the stock list costs a permission check per model and page

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        request.current_app = self.name
        context = self.each_context(request) | {"title": self.index_title} | self.first_page(request) | (extra_context or {})
        return render(request, "admin/index.html", context)

    @method_decorator([never_cache, login_not_required, sensitive_post_parameters()])
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method == "GET" and _may_enrol(request):
            return redirect(reverse_enrol())
        if request.method == "GET" and self.has_permission(request):
            return redirect("admin:index")
        request.current_app = self.name
        context = self.each_context(request) | {"title": _("Sign in"), "has_permission": False} | (extra_context or {})
        view = StaffSignIn.as_view(
            authentication_form=StaffSignInForm, template_name="admin/login.html", next_page="admin:index", extra_context=context
        )
        return view(request)

    @method_decorator([never_cache, login_not_required, csrf_protect, sensitive_post_parameters()])
    def enrol(self, request: HttpRequest) -> HttpResponseBase:
        """Where an invitation leads: scan the app's secret, choose a password. It opens nothing else."""
        if request.user.is_authenticated and _over(request):
            end_session(request)
        staff: Any = request.user
        device = device_to_confirm(staff) if _may_enrol(request) else None
        if device is None:
            return redirect("admin:login")
        form = EnrolForm(staff, request.POST if request.method == "POST" else None, label_suffix="")
        if request.method == "POST" and form.is_valid():
            confirmed = enrol_staff(
                staff=staff,
                code=form.cleaned_data["code"],
                password=form.cleaned_data["new_password1"],
                now=timezone.now(),
            )
            if confirmed is not None:
                del request.session[ENROLLING]
                update_session_auth_hash(request, staff)  # new session key, other sessions end
                otp_login(request, confirmed)
                return redirect("admin:index")
            form.add_error("code", _("The app does not show this code now. Wait for the next one and try again."))
        context = self.each_context(request) | {
            "title": _("Set up your second factor"),
            "has_permission": False,
            "form": form,
            "qr": qr_svg(device.config_url, label=str(_("QR code for your authenticator app"))),
            "secret": typed_secret(device),
        }
        request.current_app = self.name
        return render(request, "admin/enrol.html", context)


def _may_enrol(request: HttpRequest) -> bool:
    return bool(request.user.is_authenticated and request.session.get(ENROLLING) == request.user.pk)


def _over(request: HttpRequest) -> bool:
    """Whether the sitting was idle too long or lasted too long; else this page is noted as its last one."""
    now = int(timezone.now().timestamp())
    sitting = request.session.get(SITTING) or {"since": now, "seen": 0}
    idle = now - (sitting["seen"] or now)
    if idle > settings.INSYN_SESSION_IDLE_MINUTES * 60 or now - sitting["since"] > settings.INSYN_SESSION_HOURS * 3600:
        return True
    if now - sitting["seen"] >= SEEN_GRAIN:
        request.session[SITTING] = sitting | {"seen": now}
    return False


staff_site = StaffSite(name="admin")
