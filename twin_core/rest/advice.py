"""Estimates, forecasts and recommendations: read them, and decide about recommendations."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.response import Response

from audit import api as audit
from twin_core import decisions
from twin_core.data import rights
from twin_core.insight import forecasts, recommendations, standing
from twin_core.lifecycle.table import TransitionRefused
from twin_core.models import Estimate, Forecast, Question, Recommendation, SetpointWrite
from twin_core.rest.batches import HOURS, OfBatchSerializer, Read
from twin_core.rest.serializers import ShownSignatureSerializer, SigningSerializer, Strict

SIGNING = {
    "password": "the own password",
    "code": "123456",
    "view": "0" * 64,
    "reason": "consistent with the last two days",
}


class EstimateSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    batch = serializers.CharField(source="batch.number")
    model_version = serializers.UUIDField(source="model_version_id")
    at_h = serializers.CharField(help_text=HOURS)
    inputs = serializers.CharField(help_text="SHA-256 of the input document")
    content = serializers.SerializerMethodField(help_text="state with 90 % bands, verdicts")
    record = serializers.UUIDField(source="record_id")

    def get_content(self, estimate: Estimate) -> dict[str, Any]:
        return audit.decode(audit.get_blob(estimate.content))


class ForecastSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    batch = serializers.CharField(source="batch.number")
    estimate = serializers.UUIDField(source="estimate_id")
    issued_h = serializers.CharField(help_text=HOURS)
    status = serializers.ChoiceField(Forecast.Status.choices)
    reason = serializers.CharField(help_text="why undecided")
    record = serializers.UUIDField(source="record_id")


class WholeForecastSerializer(ForecastSerializer):
    content = serializers.SerializerMethodField(help_text="mean and 90 % band by tag and time")

    def get_content(self, forecast: Forecast) -> dict[str, Any]:
        return forecasts.content(forecast)


class QuestionSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    asked_by = serializers.CharField(source="asked_by.printed_name")
    question = serializers.CharField()
    answered_by = serializers.CharField(
        source="answered_by.printed_name", allow_null=True, default=None
    )
    answer = serializers.CharField()


class WriteSerializer(serializers.Serializer):
    state = serializers.CharField()
    value = serializers.CharField()
    unit = serializers.CharField()
    sent_h = serializers.CharField(help_text=HOURS)
    read_back = serializers.CharField()
    reason = serializers.CharField()


class RecommendationSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    asset = serializers.CharField(source="batch.equipment.tag")
    is_simulated = serializers.BooleanField(source="batch.is_simulated")
    batch = serializers.CharField(source="batch.number")
    title = serializers.CharField()
    state = serializers.CharField()
    tag = serializers.CharField()
    value = serializers.CharField(help_text="decimal text in ``unit``")
    unit = serializers.CharField()
    current_value = serializers.CharField()
    is_writable = serializers.BooleanField(help_text="the write gate carries it out")
    is_high_impact = serializers.BooleanField(help_text="two people sign")
    issued_h = serializers.CharField(help_text=HOURS)
    expires_h = serializers.CharField(help_text=HOURS)
    record = serializers.UUIDField(source="record_id")


class WholeRecommendationSerializer(RecommendationSerializer):
    """``view`` is what is signed: send it back as it stands; it changes when anything moves."""

    view = serializers.SerializerMethodField(help_text="SHA-256 of view_document")
    view_document = serializers.SerializerMethodField(help_text="what a reviewer is shown")
    refused_because = serializers.SerializerMethodField(help_text="why you may not sign it now")
    signatures = serializers.SerializerMethodField()
    questions = serializers.SerializerMethodField()
    write = serializers.SerializerMethodField(help_text="what the write gate did with it")

    def get_view(self, recommendation: Recommendation) -> str:
        return audit.view_digest(standing.view(recommendation))

    def get_view_document(self, recommendation: Recommendation) -> dict[str, Any]:
        return audit.decode(audit.encode(standing.view(recommendation)))

    def get_refused_because(self, recommendation: Recommendation) -> list[str]:
        return standing.refusals(recommendation, signer=self.context["person"])

    @extend_schema(responses=ShownSignatureSerializer(many=True))
    def get_signatures(self, recommendation: Recommendation) -> Any:
        made = decisions.signatures(recommendation)
        return ShownSignatureSerializer(made, many=True).data

    def get_questions(self, recommendation: Recommendation) -> Any:
        asked = recommendation.questions.order_by("pk")
        return QuestionSerializer(asked, many=True).data

    @extend_schema(responses=WriteSerializer)
    def get_write(self, recommendation: Recommendation) -> Any:
        made = SetpointWrite.objects.filter(recommendation=recommendation).first()
        return WriteSerializer(made).data if made else None


class RejectSerializer(SigningSerializer):
    code_of_reason = serializers.ChoiceField(list(recommendations.REASONS.items()))
    reason = serializers.CharField(max_length=2000, allow_blank=True, default="")


class AskSerializer(Strict):
    question = serializers.CharField(max_length=2000)


class AnswerSerializer(Strict):
    answer = serializers.CharField(max_length=2000)


class RecommendationsAskedSerializer(OfBatchSerializer):
    state = serializers.ChoiceField(
        [choice for choice, _ in Recommendation._meta.get_field("state").choices or ()],
        required=False,
    )


@extend_schema_view(
    list=extend_schema(summary="Estimates, newest first", parameters=[OfBatchSerializer]),
    retrieve=extend_schema(summary="One estimate"),
)
class EstimateViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Read):
    """The twin's view of a batch at one moment of process time."""

    queryset = Estimate.objects.select_related("batch")
    serializer_class = EstimateSerializer

    def filter_queryset(self, queryset: Any) -> Any:
        return self.of_batch(queryset)


@extend_schema_view(
    list=extend_schema(summary="Forecasts, newest first", parameters=[OfBatchSerializer]),
    retrieve=extend_schema(
        summary="One forecast with its bands", responses=WholeForecastSerializer
    ),
)
class ForecastViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Read):
    """Bands to the end of a batch, each from one estimate."""

    queryset = Forecast.objects.select_related("batch")

    def get_serializer_class(self) -> Any:
        return WholeForecastSerializer if self.action == "retrieve" else ForecastSerializer

    def filter_queryset(self, queryset: Any) -> Any:
        return self.of_batch(queryset)


@extend_schema_view(
    list=extend_schema(
        summary="Recommendations, newest first", parameters=[RecommendationsAskedSerializer]
    )
)
class RecommendationViewSet(mixins.ListModelMixin, Read):
    """Read recommendations and sign decisions about them."""

    queryset = Recommendation.objects.select_related(
        "batch__equipment", "forecast__estimate__model_version", "record"
    )
    serializer_class = RecommendationSerializer

    def filter_queryset(self, queryset: Any) -> Any:
        form = RecommendationsAskedSerializer(data=self.request.query_params.dict())
        form.is_valid(raise_exception=True)
        wanted = {"batch": "batch__number", "state": "state"}
        given = form.validated_data
        return queryset.filter(**{field: given[k] for k, field in wanted.items() if k in given})

    @extend_schema(responses=WholeRecommendationSerializer)
    def retrieve(self, request: Any, pk: Any) -> Response:
        """One recommendation with its evidence, and the digest of the view to sign."""
        return Response(self.whole(pk))

    @extend_schema(
        request=SigningSerializer,
        responses=WholeRecommendationSerializer,
        examples=[OpenApiExample("A signature", SIGNING, request_only=True)],
    )
    @action(detail=True, methods=["post"], serializer_class=SigningSerializer)
    def approve(self, request: Any, pk: Any) -> Response:
        """Sign; with the last signature that is needed it is approved."""
        given, proof = self.proved(pk)
        recommendations.approve(
            pk, signer=request.user, proof=proof, reason=given["reason"], shown=given["view"]
        )
        return Response(self.whole(pk))

    @extend_schema(request=RejectSerializer, responses=WholeRecommendationSerializer)
    @action(detail=True, methods=["post"], serializer_class=RejectSerializer)
    def reject(self, request: Any, pk: Any) -> Response:
        """Reject with a coded reason and a signature."""
        given, proof = self.proved(pk)
        recommendations.reject(
            pk,
            signer=request.user,
            proof=proof,
            code=given["code_of_reason"],
            reason=given["reason"],
            shown=given["view"],
        )
        return Response(self.whole(pk))

    @extend_schema(request=AskSerializer, responses={201: QuestionSerializer})
    @action(detail=True, methods=["post"], serializer_class=AskSerializer)
    def ask(self, request: Any, pk: Any) -> Response:
        """Return it with a question: it cannot be signed until somebody answers."""
        rights.require(request.user, "return a recommendation with a question")
        given = self.given()
        self.get_object()
        asked = recommendations.ask(pk, asker=request.user, question=given["question"])
        return Response(QuestionSerializer(asked).data, status=status.HTTP_201_CREATED)

    def proved(self, pk: Any) -> tuple[dict[str, Any], Any]:
        """Return the body of a signed act and the proof of who signs.

        What the act would refuse for sure is refused before a code is used up for it.
        """
        found, given = self.get_object(), self.given()
        if self.request.user.pk in decisions.signers(found):
            raise TransitionRefused("you have signed this already")
        audit.require_view(standing.view(found), given["view"])
        person: Any = self.request.user
        proof = audit.prove(person, password=given["password"], code=given["code"])
        return given, proof

    def whole(self, pk: Any) -> dict[str, Any]:
        found = get_object_or_404(self.queryset, pk=pk)
        return WholeRecommendationSerializer(found, context={"person": self.request.user}).data


class QuestionViewSet(Read):
    """Questions of reviewers."""

    queryset = Question.objects.select_related("asked_by", "answered_by")
    serializer_class = QuestionSerializer

    @extend_schema(request=AnswerSerializer, responses=QuestionSerializer)
    @action(detail=True, methods=["post"], serializer_class=AnswerSerializer)
    def answer(self, request: Any, pk: Any) -> Response:
        """Answer; the recommendation can be signed again."""
        rights.require(request.user, "answer a question")
        given = self.given()
        self.get_object()
        answered = recommendations.answer(pk, person=request.user, words=given["answer"])
        return Response(QuestionSerializer(answered).data)
