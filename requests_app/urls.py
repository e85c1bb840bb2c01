from django.urls import include, path

urlpatterns = [
    path("", include("requests_app.portal.urls")),
]
