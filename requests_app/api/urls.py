from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter

from requests_app.api.views import CorrectableFieldsView, RequestViewSet, TokensView

app_name = "api"

router = SimpleRouter()
router.register("requests", RequestViewSet, basename="request")

urlpatterns = [
    path("", include(router.urls)),
    path("correctable-fields/", CorrectableFieldsView.as_view(), name="correctable-fields"),
    path("tokens/", TokensView.as_view(), name="tokens"),
    path("schema/", SpectacularJSONAPIView.as_view(permission_classes=[AllowAny]), name="schema"),
]
