"""Start and close the batches that a twin follows; each an act with its record."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import api as audit
from twin_core.data import live
from twin_core.lifecycle import batch as lifecycle
from twin_core.models import Batch, Equipment


def stream(batch: Batch) -> str:
    return f"batch/{batch.number}"


@transaction.atomic
def start(
    equipment: Equipment,
    *,
    plant_batch: str,
    started_at: datetime,
    attributes: dict[str, str],
    is_simulated: bool,
    actor: Any = None,
    reason: str | None = None,
) -> Batch:
    """Follow a batch that the plant has begun. Two running batches on a unit are refused.

    ``attributes`` are the batch's facts that its process model needs (``scale_L``,
    ``start_volume_L``, ``feed_glucose_mM`` ...), numbers as text.
    """
    count = Batch.objects.filter(equipment=equipment).count()
    batch = Batch(
        number=f"{equipment.tag}-{count + 1:04d}",
        equipment=equipment,
        state=lifecycle.State.RUNNING,
        plant_batch=plant_batch,
        started_at=started_at,
        attributes=audit.encode(attributes).decode(),
        is_simulated=is_simulated,
    )
    record = audit.append(
        stream=stream(batch),
        kind="twin_core.batch.started",
        actor=actor,
        subject=batch,
        new=batch.state_fields(),
        reason=reason,
    )
    batch.save(record=record)
    live.tell(batch)
    return batch


@transaction.atomic
def close(batch: Batch, *, actor: Any = None, reason: str) -> Batch:
    """End the following of a batch; raises TransitionRefused when it is closed already."""
    batch = Batch.objects.select_for_update().get(pk=batch.pk)
    before = batch.state_fields()
    batch.state = lifecycle.advance(lifecycle.State(batch.state), "close")
    batch.closed_at = timezone.now()
    record = audit.append(
        stream=stream(batch),
        kind="twin_core.batch.closed",
        actor=actor,
        subject=batch,
        old=before,
        new=batch.state_fields(),
        reason=reason,
    )
    batch.save(record=record)
    live.tell(batch)
    return batch


def running(equipment: Equipment) -> Batch | None:
    return Batch.objects.filter(equipment=equipment, state=lifecycle.State.RUNNING).first()
