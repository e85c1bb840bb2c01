"""The addresses of the whole house."""

from importlib.util import find_spec

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path

from accounts.staff_site import staff_site


def icon(_request: HttpRequest) -> HttpResponse:
    """Browsers ask for this one by themselves where no page names an icon: beside a download, or the API."""
    return HttpResponseRedirect(static("portal/mark.svg"))


urlpatterns: list[URLPattern | URLResolver] = [
    path("favicon.ico", icon),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", staff_site.urls),
]
urlpatterns += [path("", include(module)) for module in ("accounts.urls", "requests_app.urls") if find_spec(module)]
if settings.DEMO:
    urlpatterns.append(path("", include("demo.urls")))

handler400 = "requests_app.portal.errors.bad_request"
handler403 = "requests_app.portal.errors.permission_denied"
handler404 = "requests_app.portal.errors.not_found"
handler500 = "requests_app.portal.errors.server_error"
