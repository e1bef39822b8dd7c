"""Batches, laboratory values and quarantine: read them, enter, correct and release."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from audit import api as audit
from twin_core.data import batches as service
from twin_core.data import clock, entry, quarantine, rights
from twin_core.models import Batch, Equipment, LabResult, QuarantinedSample
from twin_core.rest.pagination import ByKey
from twin_core.rest.serializers import Strict

HOURS = "hours since inoculation, on the plant's clock"
GLUCOSE = {
    "tag": "glucose",
    "value": 12.4,
    "unit": "mM",
    "sampled_h": 162.0,
    "reason": "measured again on the second analyser",
}


class BatchSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    number = serializers.CharField()
    equipment = serializers.CharField(source="equipment.tag")
    trust = serializers.CharField(source="equipment.trust")
    state = serializers.ChoiceField(["running", "closed"])
    plant_batch = serializers.CharField(help_text="as the plant calls it")
    is_simulated = serializers.BooleanField(help_text="a virtual plant, no real vessel")
    started_at = serializers.DateTimeField(help_text="wall clock, when process time was 0")
    closed_at = serializers.DateTimeField(allow_null=True)
    process_h = serializers.SerializerMethodField(help_text=HOURS)
    attributes = serializers.SerializerMethodField()
    record = serializers.UUIDField(source="record_id")

    def get_process_h(self, batch: Batch) -> str:
        return str(clock.process_now(batch))

    def get_attributes(self, batch: Batch) -> dict[str, str]:
        return audit.decode(batch.attributes.encode())


class StartSerializer(Strict):
    equipment = serializers.SlugRelatedField(slug_field="tag", queryset=Equipment.objects.all())
    plant_batch = serializers.CharField(max_length=120)
    reason = serializers.CharField(max_length=500)


class ReasonSerializer(Strict):
    reason = serializers.CharField(max_length=500)


class LabResultSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    batch = serializers.CharField(source="batch.number")
    tag = serializers.CharField()
    value = serializers.CharField(help_text="decimal text, reads back to the same double")
    unit = serializers.CharField()
    sampled_h = serializers.CharField(help_text=HOURS)
    received_h = serializers.CharField(help_text=HOURS)
    corrects = serializers.UUIDField(source="corrects_id", allow_null=True)
    record = serializers.UUIDField(source="record_id")


class EnterSerializer(Strict):
    tag = serializers.CharField(max_length=60)
    value = serializers.FloatField()
    unit = serializers.CharField(max_length=40, help_text="converted to the unit of the tag")
    sampled_h = serializers.FloatField(min_value=0, help_text=HOURS)
    reason = serializers.CharField(max_length=500)


class CorrectSerializer(Strict):
    value = serializers.FloatField()
    unit = serializers.CharField(max_length=40, help_text="converted to the unit of the tag")
    reason = serializers.CharField(max_length=500)


class HeldSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    equipment = serializers.CharField(source="equipment.tag")
    batch = serializers.CharField(source="batch.number", allow_null=True, default=None)
    tag = serializers.CharField()
    reason = serializers.CharField(help_text="why it is not used")
    content = serializers.SerializerMethodField(help_text="as it was received")
    count = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    released = serializers.BooleanField()
    record = serializers.UUIDField(source="record_id")

    def get_content(self, held: QuarantinedSample) -> dict[str, Any]:
        return audit.decode(held.content.encode())


class OfBatchSerializer(Strict):
    """Filters of a list; ``cursor`` is taken from ``next`` as it stands."""

    batch = serializers.CharField(required=False, max_length=60, help_text="its number")
    cursor = serializers.CharField(required=False)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=500)


class Read(viewsets.GenericViewSet):
    """Reads for everybody with a role; lists in pages by key."""

    pagination_class: Any = ByKey
    lookup_value_converter = "uuid"

    def initial(self, request: Any, *arguments: Any, **options: Any) -> None:
        super().initial(request, *arguments, **options)
        rights.require_reader(request.user)

    def asked(self) -> dict[str, Any]:
        """Return the checked filters of a list; an unknown one is refused."""
        form = OfBatchSerializer(data=self.request.query_params.dict())
        form.is_valid(raise_exception=True)
        return form.validated_data

    def of_batch(self, rows: Any) -> Any:
        number = self.asked().get("batch")
        return rows.filter(batch__number=number) if number else rows

    def given(self) -> dict[str, Any]:
        """Return the checked body of an act."""
        form = self.get_serializer(data=self.request.data)
        form.is_valid(raise_exception=True)
        return form.validated_data


@extend_schema_view(
    list=extend_schema(summary="Batches, newest first"),
    retrieve=extend_schema(summary="One batch, by its number"),
)
class BatchViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Read):
    """Batches; a process engineer starts and closes them."""

    queryset = Batch.objects.select_related("equipment", "record")
    serializer_class = BatchSerializer
    lookup_field = "number"
    lookup_value_converter = "slug"

    @extend_schema(request=StartSerializer, responses={201: BatchSerializer})
    def create(self, request: Any) -> Response:
        """Follow a batch that runs on the plant."""
        rights.require(request.user, "start a batch")
        form = StartSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        batch = entry.start(person=request.user, **form.validated_data)
        return Response(BatchSerializer(batch).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ReasonSerializer, responses=BatchSerializer)
    @action(detail=True, methods=["post"], serializer_class=ReasonSerializer)
    def close(self, request: Any, number: str) -> Response:
        """Stop following a batch; it is not opened again."""
        rights.require(request.user, "close a batch")
        given = self.given()
        batch = service.close(self.get_object(), actor=request.user, **given)
        return Response(BatchSerializer(batch).data)

    @extend_schema(
        request=EnterSerializer,
        responses={201: LabResultSerializer},
        examples=[OpenApiExample("A glucose value", GLUCOSE, request_only=True)],
    )
    @action(detail=True, methods=["post"], serializer_class=EnterSerializer)
    def results(self, request: Any, number: str) -> Response:
        """Enter a laboratory value; it is known to the twin from now on."""
        rights.require(request.user, "enter a laboratory value")
        given = self.given()
        result = entry.enter(self.get_object(), person=request.user, **given)
        return Response(LabResultSerializer(result).data, status=status.HTTP_201_CREATED)


@extend_schema_view(
    list=extend_schema(summary="Laboratory values, newest first", parameters=[OfBatchSerializer]),
    retrieve=extend_schema(summary="One laboratory value"),
)
class LabResultViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Read):
    """Laboratory values; a correction is a new value that names the old one."""

    queryset = LabResult.objects.select_related("batch__equipment")
    serializer_class = LabResultSerializer

    def filter_queryset(self, queryset: Any) -> Any:
        return self.of_batch(queryset)

    @extend_schema(request=CorrectSerializer, responses={201: LabResultSerializer})
    @action(detail=True, methods=["post"], serializer_class=CorrectSerializer)
    def correct(self, request: Any, pk: Any) -> Response:
        """Correct a value with a reason; the old one stays."""
        rights.require(request.user, "correct a laboratory value")
        given = self.given()
        result = get_object_or_404(self.queryset, pk=pk)
        corrected = entry.correct(result, person=request.user, **given)
        return Response(LabResultSerializer(corrected).data, status=status.HTTP_201_CREATED)


@extend_schema_view(
    list=extend_schema(summary="Quarantine, newest first", parameters=[OfBatchSerializer]),
    retrieve=extend_schema(summary="One entry of the quarantine"),
)
class QuarantineViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, Read):
    """What came in and may not be used, with its reason."""

    queryset = QuarantinedSample.objects.select_related("equipment", "batch")
    serializer_class = HeldSerializer

    def filter_queryset(self, queryset: Any) -> Any:
        return self.of_batch(queryset)

    @extend_schema(request=ReasonSerializer, responses=HeldSerializer)
    @action(detail=True, methods=["post"], serializer_class=ReasonSerializer)
    def release(self, request: Any, pk: Any) -> Response:
        """Say with a reason that an entry is dealt with; what it holds stays unused."""
        rights.require(request.user, "release from quarantine")
        given = self.given()
        held = get_object_or_404(self.queryset, pk=pk)
        released = quarantine.release(held, actor=request.user, **given)
        return Response(HeldSerializer(released).data)
