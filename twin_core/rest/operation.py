"""Assets and how far they are trusted; the outbox and work that is parked."""

from typing import Any

from django.db.models import Count, Min
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from twin_core import outbox
from twin_core.data import configuration, rights, trust
from twin_core.lifecycle.trust import Level
from twin_core.models import Equipment, OutboxTask
from twin_core.rest.batches import Read, ReasonSerializer


class ConfigurationSerializer(serializers.Serializer):
    kind = serializers.CharField()
    path = serializers.CharField()
    digest = serializers.CharField(help_text="SHA-256 of the signed bytes")


class EquipmentSerializer(serializers.Serializer):
    tag = serializers.CharField()
    name = serializers.CharField()
    template = serializers.CharField()
    trust = serializers.CharField(
        help_text="monitor, advise, supervised_write or bounded_automatic"
    )
    configuration = ConfigurationSerializer(many=True)
    refusals = serializers.SerializerMethodField(help_text="files that are not the signed ones")
    record = serializers.UUIDField(source="record_id")

    def get_refusals(self, equipment: Equipment) -> list[str]:
        return configuration.refusals(equipment)


class TaskSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    key = serializers.CharField()
    name = serializers.CharField()
    content = serializers.JSONField()
    state = serializers.CharField()
    attempts = serializers.IntegerField()
    error = serializers.CharField()
    created_at = serializers.DateTimeField()


class OutboxSerializer(serializers.Serializer):
    """How the work that committed acts have asked for stands."""

    waiting = serializers.IntegerField()
    leased = serializers.IntegerField()
    parked = serializers.IntegerField()
    oldest_waiting_at = serializers.DateTimeField(allow_null=True)
    parked_tasks = TaskSerializer(many=True)


class EquipmentViewSet(Read):
    """Assets with twins."""

    queryset = Equipment.objects.prefetch_related("configuration").order_by("tag")
    serializer_class = EquipmentSerializer
    pagination_class = None
    lookup_field = "tag"
    lookup_value_converter = "slug"

    @extend_schema(responses=EquipmentSerializer(many=True))
    def list(self, request: Any) -> Response:
        """Every asset with its level of trust and its signed files."""
        return Response(EquipmentSerializer(self.get_queryset(), many=True).data)

    @extend_schema(responses=EquipmentSerializer)
    def retrieve(self, request: Any, tag: str) -> Response:
        """One asset, by its tag."""
        return Response(EquipmentSerializer(self.get_object()).data)

    @extend_schema(request=ReasonSerializer, responses=EquipmentSerializer)
    @action(detail=True, methods=["post"], serializer_class=ReasonSerializer)
    def stop(self, request: Any, tag: str) -> Response:
        """Stop writing at once: the asset falls to advice until a signed step raises it again."""
        rights.require(request.user, "stop writing")
        reason = self.given()["reason"]
        equipment = trust.lower_trust(
            self.get_object(), Level.ADVISE, actor=request.user, reason=reason
        )
        return Response(EquipmentSerializer(equipment).data)


class OutboxViewSet(Read):
    """Work of the outbox."""

    queryset = OutboxTask.objects.all()
    serializer_class = OutboxSerializer
    pagination_class = None
    lookup_value_converter = "int"

    @extend_schema(responses=OutboxSerializer)
    def list(self, request: Any) -> Response:
        """What waits, since when, and what is parked with its input."""
        states = OutboxTask.State
        rows = OutboxTask.objects.exclude(state=states.DONE).values("state")
        told: dict[str, Any] = {
            row["state"]: row for row in rows.annotate(n=Count("id"), at=Min("created_at"))
        }
        count = {state: told.get(state, {}).get("n", 0) for state in states.values}
        parked = OutboxTask.objects.filter(state=states.PARKED).order_by("id")
        body = {
            "waiting": count[states.WAITING],
            "leased": count[states.LEASED],
            "parked": count[states.PARKED],
            "oldest_waiting_at": told.get(states.WAITING, {}).get("at"),
            "parked_tasks": parked,
        }
        return Response(OutboxSerializer(body).data)

    @extend_schema(request=ReasonSerializer, responses=TaskSerializer)
    @action(detail=True, methods=["post"], serializer_class=ReasonSerializer)
    def retry(self, request: Any, pk: Any) -> Response:
        """Send parked work again, with a reason."""
        rights.require(request.user, "retry parked work")
        given = self.given()
        get_object_or_404(OutboxTask, pk=pk)
        task = outbox.retry(pk, actor=request.user, **given)
        return Response(TaskSerializer(task).data)
