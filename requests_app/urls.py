from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("requests_app.api.urls")),
    path("", include("requests_app.portal.urls")),
]
