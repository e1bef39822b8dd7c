"""Model versions: read them, and sign acts on them."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from audit import api as audit
from models_registry import api as registry
from twin_core.rest.pagination import ByKey
from twin_core.rest.serializers import ShownSignatureSerializer, SigningSerializer, Strict

ACTS = tuple(registry.SIGNED)


class VersionsAskedSerializer(Strict):
    asset = serializers.CharField(required=False, max_length=60)
    template = serializers.CharField(required=False, max_length=60)
    phase = serializers.ChoiceField([str(phase) for phase in registry.Phase], required=False)
    cursor = serializers.CharField(required=False)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=500)


class InForceAskedSerializer(Strict):
    asset = serializers.CharField(max_length=60)
    template = serializers.CharField(required=False, max_length=60)
    at = serializers.DateTimeField(required=False, help_text="default: now")


class VersionSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    template = serializers.CharField(source="model.template")
    asset = serializers.CharField(source="model.scope")
    name = serializers.CharField()
    phase = serializers.CharField()
    artefact_digest = serializers.CharField()
    equations_digest = serializers.CharField()
    training_digest = serializers.CharField()
    test_digest = serializers.CharField()
    test_openings = serializers.IntegerField()
    author = serializers.CharField(source="author_name")
    created_at = serializers.DateTimeField()


class StepSerializer(serializers.Serializer):
    kind = serializers.CharField()
    phase = serializers.CharField()
    actor = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    recorded_at = serializers.DateTimeField()
    record = serializers.UUIDField(source="record.pk")
    signatures = serializers.SerializerMethodField()

    @extend_schema(responses=ShownSignatureSerializer(many=True))
    def get_signatures(self, step: Any) -> Any:
        return ShownSignatureSerializer(audit.signatures_of(step.record), many=True).data


class ActSerializer(serializers.Serializer):
    act = serializers.ChoiceField(ACTS)
    view = serializers.CharField(help_text="send it back to sign; SHA-256 of view_document")
    view_document = serializers.JSONField()
    refused_because = serializers.CharField(allow_null=True)


class WholeVersionSerializer(VersionSerializer):
    card = serializers.SerializerMethodField()
    scores = serializers.SerializerMethodField()
    history = serializers.SerializerMethodField()
    acts = serializers.SerializerMethodField()

    def get_card(self, version: Any) -> dict[str, Any]:
        return registry.as_told(registry.read(version.card))

    def get_scores(self, version: Any) -> dict[str, Any] | None:
        return registry.scores_of(version)

    def get_history(self, version: Any) -> Any:
        return StepSerializer(registry.history(version), many=True).data

    def get_acts(self, version: Any) -> Any:
        acts = [_act(version, name, self.context["person"]) for name in ACTS]
        return ActSerializer(acts, many=True).data


def _act(version: Any, name: str, person: Any) -> dict[str, Any]:
    view = registry.view_of(version, name)
    return {
        "act": name,
        "view": audit.view_digest(view),
        "view_document": audit.decode(audit.encode(view)),
        "refused_because": registry.refusals(version, name, person),
    }


class VersionsView(APIView):
    """Model versions."""

    @extend_schema(parameters=[VersionsAskedSerializer], responses=VersionSerializer(many=True))
    def get(self, request: Any) -> Response:
        """Every version, newest first."""
        asked = VersionsAskedSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        given, rows = asked.validated_data, registry.ModelVersion.objects.select_related("model")
        if asset := given.get("asset"):
            rows = rows.filter(model__scope=asset)
        if template := given.get("template"):
            rows = rows.filter(model__template=template)
        if phase := given.get("phase"):
            rows = rows.filter(phase=phase)
        pages = ByKey()
        found = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response(VersionSerializer(found, many=True).data)


class InForceView(APIView):
    """What may advise."""

    @extend_schema(parameters=[InForceAskedSerializer], responses=VersionSerializer)
    def get(self, request: Any) -> Response:
        """The version in force for an asset, now or at a moment, as the ledger tells it."""
        asked = InForceAskedSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        try:
            version = registry.in_force(
                given["asset"], template=given.get("template"), at=given.get("at")
            )
        except ValueError as error:  # several models of one asset
            raise serializers.ValidationError({"template": [str(error)]}) from error
        if version is None:
            raise NotFound(f"no model version is in force for {given['asset']} then")
        return Response(VersionSerializer(version).data)


class VersionView(APIView):
    """One model version."""

    @extend_schema(responses=WholeVersionSerializer)
    def get(self, request: Any, pk: Any) -> Response:
        """A version with card, scores, history, and each act with the view to sign."""
        return Response(_whole(request, pk))


class ActView(APIView):
    """Acts on a model version."""

    @extend_schema(request=SigningSerializer, responses=WholeVersionSerializer)
    def post(self, request: Any, pk: Any, act: str) -> Response:
        """Sign an act; ``view`` is the digest that the version's entry for the act showed."""
        if act not in ACTS:
            raise NotFound(f"there is no act {act}; there are: {', '.join(ACTS)}")
        get_object_or_404(registry.ModelVersion, pk=pk)
        signing = SigningSerializer(data=request.data)
        signing.is_valid(raise_exception=True)
        given = signing.validated_data
        proof = audit.prove(request.user, password=given["password"], code=given["code"])
        registry.SIGNED[act](
            pk, signer=request.user, proof=proof, reason=given["reason"], shown=given["view"]
        )
        return Response(_whole(request, pk))


def _whole(request: Any, pk: Any) -> dict[str, Any]:
    rows = registry.ModelVersion.objects.select_related("model", "record")
    version = get_object_or_404(rows, pk=pk)
    return WholeVersionSerializer(version, context={"person": request.user}).data
