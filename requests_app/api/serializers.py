"""The shapes of the customer's API: what a request looks like, and what asking for one takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from requests_app import cases
from requests_app.api.tokens import READ, WRITE
from requests_app.case.answers import human_answers
from requests_app.case.timeline import timeline
from requests_app.models import OPEN_STATES, Outcome, Package, Right, RightsRequest, State

CATEGORIES = ("identification", "contact", "history")
LONGEST_WORDS = 5000


class RequestSerializer(serializers.ModelSerializer[RightsRequest]):
    """One request, in brief."""

    right = serializers.ChoiceField(choices=Right.choices, read_only=True)
    state = serializers.ChoiceField(choices=State.choices, read_only=True)
    outcome = serializers.ChoiceField(choices=[("", "–"), *Outcome.choices], read_only=True)
    is_open = serializers.SerializerMethodField()
    is_paused = serializers.SerializerMethodField(help_text=_("The clock stands still while you are asked to identify yourself."))

    class Meta:
        model = RightsRequest
        fields = (
            "reference",
            "right",
            "state",
            "outcome",
            "is_open",
            "is_paused",
            "identity_level",
            "language",
            "received_at",
            "due_on",
            "closed_at",
        )
        read_only_fields = fields

    def get_is_open(self, request: RightsRequest) -> bool:
        return request.state in OPEN_STATES

    def get_is_paused(self, request: RightsRequest) -> bool:
        return request.paused_at is not None


class EntrySerializer(serializers.Serializer[Any]):
    """One event of a request's timeline."""

    at = serializers.DateTimeField()
    title = serializers.CharField()
    text = serializers.CharField(allow_blank=True)
    kind = serializers.ChoiceField(choices=["submitted", "identity", "clock", "work", "answer"])


class StoreAnswerSerializer(serializers.Serializer[Any]):
    """What one of our systems answered, in plain words."""

    store = serializers.CharField()
    lines = serializers.ListField(child=serializers.CharField())


class PackageSerializer(serializers.ModelSerializer[Package]):
    """The package of an access or portability request; `size` is that of the download, in bytes."""

    state = serializers.ChoiceField(choices=Package.State.choices, read_only=True)

    class Meta:
        model = Package
        fields = ("state", "size", "ready_at", "expires_at", "downloads")
        read_only_fields = fields


class RequestDetailSerializer(RequestSerializer):
    """One request with its timeline, what each store answered, and its package. The context holds the caller's `level`."""

    timeline = serializers.SerializerMethodField()
    answers = serializers.SerializerMethodField()
    package = serializers.SerializerMethodField()

    class Meta(RequestSerializer.Meta):
        fields = (*RequestSerializer.Meta.fields, "timeline", "answers", "package")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]

    @extend_schema_field(EntrySerializer(many=True))
    def get_timeline(self, request: RightsRequest) -> Any:
        entries = timeline(request)
        if not cases.may_read_letter(request, level=self.context["level"]):
            entries = [replace(entry, text="") if entry.kind == "answer" else entry for entry in entries]
        return EntrySerializer(entries, many=True).data

    @extend_schema_field(StoreAnswerSerializer(many=True))
    def get_answers(self, request: RightsRequest) -> Any:
        told = cases.may_be_told(request, level=self.context["level"])
        return StoreAnswerSerializer(human_answers(request) if told else [], many=True).data

    @extend_schema_field(PackageSerializer(allow_null=True))
    def get_package(self, request: RightsRequest) -> Any:
        package = Package.objects.filter(request=request).first()
        return PackageSerializer(package).data if package else None


class CorrectionSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(max_length=300, help_text=_("A field of GET /api/v1/correctable-fields/."))
    new = serializers.CharField(max_length=300, allow_blank=True)


class SubmitSerializer(serializers.Serializer[Any]):
    """What to ask for. Which parts belong to which right is checked when it is submitted."""

    right = serializers.ChoiceField(choices=Right.choices)
    ground = serializers.ChoiceField(
        choices=list("abcdef"),
        required=False,
        allow_blank=True,
        default="",
        help_text=_("Restriction: a letter of Art. 18(1), required. Erasure: a letter of Art. 17(1), may be left out."),
    )
    reason = serializers.CharField(max_length=LONGEST_WORDS, required=False, allow_blank=True, default="")
    language = serializers.ChoiceField(choices=["sv", "en"], required=False, default="sv")
    categories = serializers.ListField(
        child=serializers.ChoiceField(choices=CATEGORIES),
        required=False,
        help_text=_("Access and portability: only these kinds of data; all when left out."),
    )
    since = serializers.DateField(required=False, help_text=_("Access and portability: only data from this day on."))
    until = serializers.DateField(required=False, help_text=_("Access and portability: only data up to and including this day."))
    corrections = CorrectionSerializer(many=True, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        packaged = attrs["right"] in (Right.ACCESS, Right.PORTABILITY)
        misplaced = [name for name in ("categories", "since", "until") if attrs.get(name) and not packaged]
        if attrs.get("corrections") and attrs["right"] != Right.RECTIFICATION:
            misplaced.append("corrections")
        if misplaced:
            raise serializers.ValidationError({name: _("This does not belong to this right.") for name in misplaced})
        if attrs.get("since") and attrs.get("until") and attrs["since"] > attrs["until"]:
            raise serializers.ValidationError({"until": _("The period ends before it begins.")})
        return attrs


class CorrectableFieldSerializer(serializers.Serializer[Any]):
    """A field that we hold on you and that you may have corrected; the value is shown at identity level 2."""

    field = serializers.CharField()
    label = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=["text", "email", "phone", "postcode"])
    value = serializers.CharField(allow_null=True)


class TokenRequestSerializer(serializers.Serializer[Any]):
    scope = serializers.ChoiceField(choices=[READ, WRITE], default=READ)


class TokenSerializer(serializers.Serializer[Any]):
    """Told once: keep it, it cannot be shown again."""

    token = serializers.CharField()
    scope = serializers.ChoiceField(choices=[READ, WRITE])
    expires_at = serializers.DateTimeField()


class ProblemSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField()


class AlreadyOpenSerializer(ProblemSerializer):
    reference = serializers.CharField(help_text=_("The request for the same right that is still open."))
