"""Quarantine: what may not be used is kept with its reason, and released only by a person."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import api as audit
from twin_core.data import live
from twin_core.models import Batch, Equipment, QuarantinedSample


class ReleaseRefused(audit.Refused):
    """An entry that cannot be released, and why."""

    act = "twin_core.sample"


def stream(equipment: Equipment) -> str:
    return f"equipment/{equipment.tag}"


@transaction.atomic
def put(
    equipment: Equipment,
    *,
    batch: Batch | None,
    tag: str,
    reason: str,
    content: dict[str, Any],
    count: int = 1,
) -> QuarantinedSample:
    """Keep what came in and why it is not used; ``count`` alike findings make one entry."""
    held = QuarantinedSample(
        equipment=equipment,
        batch=batch,
        tag=tag,
        reason=reason[:300],
        content=audit.encode(content).decode(),
        first_at=timezone.now(),
        count=count,
    )
    record = audit.append(
        stream=stream(equipment),
        kind="twin_core.sample.quarantined",
        subject=held,
        new=held.state_fields(),
        reason=reason,
    )
    held.save(record=record)
    if held.batch:
        live.tell(held.batch)
    return held


@transaction.atomic
def release(held: QuarantinedSample, *, actor: Any, reason: str) -> QuarantinedSample:
    """Mark an entry as dealt with. Raises ReleaseRefused without a reason or when it is already."""
    held = QuarantinedSample.objects.select_for_update().get(pk=held.pk)
    if not reason.strip():
        raise ReleaseRefused("a release needs its reason")
    if held.released:
        raise ReleaseRefused("this entry is released already")
    before = held.state_fields()
    held.released = True
    record = audit.append(
        stream=stream(held.equipment),
        kind="twin_core.sample.released",
        actor=actor,
        subject=held,
        old=before,
        new=held.state_fields(),
        reason=reason,
        parents=[held.record.leaf],
    )
    held.save(record=record)
    if held.batch:
        live.tell(held.batch)
    return held
