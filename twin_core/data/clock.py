"""Process time: hours since inoculation by the plant's clock, never by ours."""

from decimal import Decimal

from django.db.models import Max

from twin_core.models import Batch, DataSegment, JournalSample, LabResult


def process_now(batch: Batch) -> Decimal:
    """Return the newest process time that the plant has told of a batch; 0 before the first."""
    told = (
        JournalSample.objects.filter(batch=batch).aggregate(at=Max("process_h"))["at"],
        DataSegment.objects.filter(batch=batch).aggregate(at=Max("to_h"))["at"],
        LabResult.objects.filter(batch=batch).aggregate(at=Max("received_h"))["at"],
    )
    return max((at for at in told if at is not None), default=Decimal(0))
