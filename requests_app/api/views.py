"""The customer's own requests by API: check the input, make one call. Somebody else's request does not exist here."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy.actions import StoreUnavailable
from requests_app import cases
from requests_app.api import tokens
from requests_app.api.auth import BySession, Caller, InScope, PerCustomer, SittingAuthentication, TokenAuthentication
from requests_app.api.serializers import (
    AlreadyOpenSerializer,
    CorrectableFieldSerializer,
    ProblemSerializer,
    RequestDetailSerializer,
    RequestSerializer,
    SubmitSerializer,
    TokenRequestSerializer,
    TokenSerializer,
)
from requests_app.case import corrections, representing
from requests_app.delivering import handing_out
from requests_app.delivering.ranges import answer_with
from requests_app.models import Right, RightsRequest, Source

DOWNLOAD_LEVEL = 2


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Unavailable(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"


class NewestFirst(CursorPagination):
    page_size = 50
    ordering = ("-received_at", "-id")


class CustomerView(APIView):
    """What every view of this API shares: who may call it, how often, and that no cache keeps the answer."""

    authentication_classes = [TokenAuthentication, SittingAuthentication]
    permission_classes = [IsAuthenticated, InScope]
    throttle_classes = [PerCustomer]
    read_scope, write_scope = "api_read", "api_write"

    def throttle_scope_of(self, request: Request) -> str:
        return self.read_scope if request.method in SAFE_METHODS else self.write_scope

    @property
    def caller(self) -> Caller:
        return self.request.user  # type: ignore[return-value]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Cache-Control"] = "private, no-store"
        return response


class RequestViewSet(CustomerView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[RightsRequest]):
    """Your requests."""

    queryset = RightsRequest.objects.none()
    serializer_class = RequestSerializer
    pagination_class = NewestFirst
    lookup_field = "reference"
    lookup_value_regex = "[0-9A-Za-z-]{1,20}"

    def get_queryset(self) -> QuerySet[RightsRequest]:
        if getattr(self, "swagger_fake_view", False):
            return RightsRequest.objects.none()
        # What somebody brings for another goes by the portal, where staff have accepted the role.
        return RightsRequest.objects.filter(customer=self.caller.customer, representation=None)

    def get_object(self) -> RightsRequest:
        request = self.get_queryset().filter(reference=self.kwargs["reference"].upper()).first()
        if request is None:
            raise NotFound(_("You have no request with this reference."))
        return request

    def get_serializer_class(self) -> Any:
        return RequestDetailSerializer if self.action == "retrieve" else RequestSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        schema = getattr(self, "swagger_fake_view", False)
        return {**super().get_serializer_context(), "level": 0 if schema else self.caller.level}

    def _detail(self, request: RightsRequest) -> Any:
        return RequestDetailSerializer(request, context=self.get_serializer_context()).data

    @extend_schema(
        request=SubmitSerializer,
        responses={
            201: RequestDetailSerializer,
            400: ProblemSerializer,
            409: OpenApiResponse(AlreadyOpenSerializer, "You already have an open request for the same right."),
            503: ProblemSerializer,
        },
    )
    def create(self, request: Request) -> Response:
        """Ask for a right. A second open request for the same right is answered with the reference of the first."""
        asked = SubmitSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            submitted = cases.submit_request(
                customer=self.caller.customer,
                right=asked.validated_data["right"],
                source=Source.API,
                language=asked.validated_data["language"],
                identity_level=self.caller.level,
                ground=asked.validated_data["ground"],
                reason=asked.validated_data["reason"],
                details=self._details(asked.validated_data),
                now=timezone.now(),
            )
        except cases.AlreadyOpen as error:
            if not representing.visible_to(self.caller.customer).filter(pk=error.request.pk).exists():
                raise Conflict(_("We cannot take this request here just now. Call or write to us instead.")) from None
            problem = {"detail": str(error), "reference": error.request.reference}
            return Response(problem, status=status.HTTP_409_CONFLICT)
        except cases.NotAllowed as error:
            raise ValidationError({"detail": str(error)}) from None
        return Response(self._detail(submitted), status=status.HTTP_201_CREATED)

    def _details(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        details: dict[str, Any] = {}
        if asked["right"] in (Right.ACCESS, Right.PORTABILITY):
            details |= {"categories": asked["categories"]} if asked.get("categories") else {}
            details |= {name: asked[name].isoformat() for name in ("since", "until") if asked.get(name)}
        elif asked.get("corrections"):
            try:
                details["corrections"] = corrections.resolve_corrections(self.caller.customer, asked["corrections"])
            except cases.NotAllowed as error:
                raise ValidationError({"corrections": str(error)}) from None
            except StoreUnavailable:
                raise Unavailable(_("One of our systems cannot be reached just now. Try again in a while.")) from None
        return details or None

    @extend_schema(request=None, responses={200: RequestDetailSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, reference: str) -> Response:
        """Take a request back, as long as it has not begun."""
        mine = self.get_object()
        try:
            cases.withdraw_request(request=mine, customer=self.caller.customer, now=timezone.now())
        except cases.NotAllowed as error:
            raise Conflict(str(error)) from None
        return Response(self._detail(mine))

    @extend_schema(
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (206, "application/zip"): OpenApiTypes.BINARY,
            403: OpenApiResponse(ProblemSerializer, "Identity level 2 is needed."),
            409: OpenApiResponse(ProblemSerializer, "There is no package, or not yet, or not any more."),
            416: OpenApiResponse(description="The package ends before the range that was asked for."),
        }
    )
    @action(detail=True, methods=["get"])
    def download(self, request: Request, reference: str) -> HttpResponseBase:
        """The package as a ZIP file. `Range` and `If-Range` let a download that broke off go on."""
        mine, now = self.get_object(), timezone.now()
        if cases.level_for(mine, level=self.caller.level) < DOWNLOAD_LEVEL:
            raise PermissionDenied(_("Downloading takes identity level 2: sign in with a second proof and get a new token."))
        try:
            download = handing_out.prepare_download(request=mine, customer=self.caller.customer, form="all", now=now)
        except cases.NotAllowed as error:
            raise Conflict(str(error)) from None
        by_whom = {"level": "staff"} if self.caller.level < DOWNLOAD_LEVEL else {}

        def record(start: int) -> None:
            handing_out.record_download(download=download, start=start, by_whom=by_whom, now=now)

        return answer_with(request._request, download, record=record)


class CorrectableFieldsView(CustomerView):
    """The fields that we hold on you and that you may have corrected."""

    read_scope = "api_write"  # it asks every store

    @extend_schema(responses={200: CorrectableFieldSerializer(many=True), 503: ProblemSerializer})
    def get(self, request: Request) -> Response:
        try:
            facts = corrections.correctable_fields(self.caller.customer)
        except StoreUnavailable:
            raise Unavailable(_("One of our systems cannot be reached just now. Try again in a while.")) from None
        may_see = self.caller.level >= DOWNLOAD_LEVEL
        shown = [{**fact, "value": fact["value"] if may_see else None} for fact in facts]
        return Response(CorrectableFieldSerializer(shown, many=True).data)


class TokensView(CustomerView):
    """Tokens for programs of your own."""

    permission_classes = [IsAuthenticated, BySession]

    @extend_schema(request=TokenRequestSerializer, responses={201: TokenSerializer})
    def post(self, request: Request) -> Response:
        """Make a token that is good for one hour, at the identity level of this sitting."""
        asked = TokenRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        token, plain = tokens.create_token(
            customer=self.caller.customer,
            scope=asked.validated_data["scope"],
            identity_level=self.caller.level,
            now=timezone.now(),
        )
        told = {"token": plain, "scope": token.scope, "expires_at": token.expires_at}
        return Response(TokenSerializer(told).data, status=status.HTTP_201_CREATED)
