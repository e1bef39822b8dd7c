"""Recommendations: read them with the view to sign, and decide on them."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from audit import api as audit
from twin_core import decisions
from twin_core.data import rights
from twin_core.insight import recommendations, standing
from twin_core.lifecycle import recommendation as lifecycle
from twin_core.models import Question, Recommendation, SetpointWrite
from twin_core.rest.pagination import ByKey
from twin_core.rest.serializers import ShownSignatureSerializer, SigningSerializer, Strict

STATES = [str(state) for state in lifecycle.State]


class AskedSerializer(Strict):
    asset = serializers.CharField(required=False, max_length=40)
    batch = serializers.CharField(required=False, max_length=60)
    state = serializers.ChoiceField(STATES, required=False)
    cursor = serializers.CharField(required=False)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=500)


class RejectSerializer(SigningSerializer):
    reason_code = serializers.ChoiceField(list(recommendations.REASONS))
    reason = serializers.CharField(max_length=2000, allow_blank=True, default="")


class QuestionSerializer(Strict):
    question = serializers.CharField(max_length=2000)


class AnswerSerializer(Strict):
    answer = serializers.CharField(max_length=2000)


class AskedQuestionSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    asked_by = serializers.CharField(source="asked_by.printed_name")
    question = serializers.CharField()
    answer = serializers.CharField()


class WriteSerializer(serializers.Serializer):
    state = serializers.CharField()
    value = serializers.CharField()
    unit = serializers.CharField()
    sent_h = serializers.DecimalField(max_digits=12, decimal_places=6)
    read_back = serializers.CharField()
    reason = serializers.CharField()


class RecommendationSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    asset = serializers.CharField(source="batch.equipment.tag")
    batch = serializers.CharField(source="batch.number")
    is_simulated = serializers.BooleanField(source="batch.is_simulated")
    state = serializers.CharField()
    title = serializers.CharField()
    tag = serializers.CharField()
    value = serializers.CharField()
    unit = serializers.CharField()
    current_value = serializers.CharField()
    is_writable = serializers.BooleanField()
    is_high_impact = serializers.BooleanField()
    issued_h = serializers.DecimalField(max_digits=12, decimal_places=6)
    expires_h = serializers.DecimalField(max_digits=12, decimal_places=6)
    content = serializers.CharField()
    record = serializers.UUIDField(source="record_id")


class WholeRecommendationSerializer(RecommendationSerializer):
    view = serializers.SerializerMethodField(help_text="send it back to sign")
    view_document = serializers.SerializerMethodField()
    refused_because = serializers.SerializerMethodField(help_text="why you cannot sign it now")
    signatures = serializers.SerializerMethodField()
    questions = AskedQuestionSerializer(many=True)
    write = serializers.SerializerMethodField()

    def get_view(self, found: Recommendation) -> str:
        return audit.view_digest(standing.view(found))

    def get_view_document(self, found: Recommendation) -> dict[str, Any]:
        return audit.decode(audit.encode(standing.view(found)))

    def get_refused_because(self, found: Recommendation) -> list[str]:
        if found.state != lifecycle.State.PROPOSED:
            return [f"it is {found.state}"]
        return lifecycle.refusals(standing.facts(found, signer=self.context["person"]))

    @extend_schema(responses=ShownSignatureSerializer(many=True))
    def get_signatures(self, found: Recommendation) -> Any:
        return ShownSignatureSerializer(decisions.signatures(found), many=True).data

    @extend_schema(responses=WriteSerializer)
    def get_write(self, found: Recommendation) -> Any:
        made = SetpointWrite.objects.filter(recommendation=found).first()
        return WriteSerializer(made).data if made else None


def rows() -> Any:
    return Recommendation.objects.select_related(
        "batch__equipment",
        "record",
        "forecast__record",
        "forecast__estimate__model_version__model",
        "forecast__estimate__model_version__record",
    )


def whole(request: Any, pk: Any, *, status: int = 200) -> Response:
    found = get_object_or_404(rows(), pk=pk)
    shown = WholeRecommendationSerializer(found, context={"person": request.user})
    return Response(shown.data, status=status)


class RecommendationsView(APIView):
    """Recommendations."""

    @extend_schema(parameters=[AskedSerializer], responses=RecommendationSerializer(many=True))
    def get(self, request: Any) -> Response:
        """Recommendations that fit, newest first."""
        rights.require_reader(request.user)
        asked = AskedSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        given, found = asked.validated_data, rows()
        if asset := given.get("asset"):
            found = found.filter(batch__equipment__tag=asset)
        if batch := given.get("batch"):
            found = found.filter(batch__number=batch)
        if state := given.get("state"):
            found = found.filter(state=state)
        pages = ByKey()
        page = pages.paginate_queryset(found, request, view=self)
        return pages.get_paginated_response(RecommendationSerializer(page, many=True).data)


class RecommendationView(APIView):
    """One recommendation."""

    @extend_schema(responses=WholeRecommendationSerializer)
    def get(self, request: Any, pk: Any) -> Response:
        """A recommendation with its evidence, the view to sign, signatures and its write."""
        rights.require_reader(request.user)
        return whole(request, pk)


class ApproveView(APIView):
    """Approve."""

    @extend_schema(request=SigningSerializer, responses=WholeRecommendationSerializer)
    def post(self, request: Any, pk: Any) -> Response:
        """Sign for it; with the last signature that is needed it is approved."""
        get_object_or_404(Recommendation, pk=pk)
        given = checked(SigningSerializer, request)
        recommendations.approve(
            pk, signer=request.user, proof=prove(request, given), **words(given)
        )
        return whole(request, pk)


class RejectView(APIView):
    """Reject."""

    @extend_schema(request=RejectSerializer, responses=WholeRecommendationSerializer)
    def post(self, request: Any, pk: Any) -> Response:
        """Sign against it, with a coded reason."""
        get_object_or_404(Recommendation, pk=pk)
        given = checked(RejectSerializer, request)
        recommendations.reject(
            pk,
            signer=request.user,
            proof=prove(request, given),
            code=given["reason_code"],
            **words(given),
        )
        return whole(request, pk)


class AskView(APIView):
    """Return with a question."""

    @extend_schema(request=QuestionSerializer, responses=WholeRecommendationSerializer)
    def post(self, request: Any, pk: Any) -> Response:
        """Return it with a question: nobody can sign until it is answered."""
        rights.require(request.user, "return a recommendation with a question")
        get_object_or_404(Recommendation, pk=pk)
        given = checked(QuestionSerializer, request)
        recommendations.ask(pk, asker=request.user, question=given["question"])
        return whole(request, pk, status=201)


class AnswerView(APIView):
    """Answer a question."""

    @extend_schema(request=AnswerSerializer, responses=WholeRecommendationSerializer)
    def post(self, request: Any, pk: Any, question: Any) -> Response:
        """Answer a question about it."""
        rights.require(request.user, "answer a question")
        get_object_or_404(Question, pk=question, recommendation_id=pk)
        given = checked(AnswerSerializer, request)
        recommendations.answer(question, person=request.user, words=given["answer"])
        return whole(request, pk)


def checked(serializer: type[Strict], request: Any) -> dict[str, Any]:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def prove(request: Any, given: dict[str, Any]) -> Any:
    """Return a fresh proof; the code is used up whatever becomes of the act."""
    return audit.prove(request.user, password=given["password"], code=given["code"])


def words(given: dict[str, Any]) -> dict[str, str]:
    return {"reason": given["reason"], "shown": given["view"]}
