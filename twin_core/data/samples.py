"""The journal: harmonised on-line samples until their segment is sealed."""

from collections.abc import Iterable
from datetime import datetime

from twin_core.data import live, segments
from twin_core.data.harmonise import Sample
from twin_core.data.laboratory import hours
from twin_core.models import Batch, DataSegment, JournalSample


def keep(batch: Batch, samples: Iterable[Sample]) -> int:
    """Write samples to the journal; one that is there already is not written twice."""
    rows = [
        JournalSample(
            batch=batch,
            tag=sample.tag,
            source_time=sample.source_time,
            process_h=hours(sample.process_h),
            value=sample.value,
            unit=sample.unit,
            raw_value=sample.raw_value,
            raw_unit=sample.raw_unit,
            quality=sample.quality,
        )
        for sample in samples
    ]
    live.tell(batch)
    return len(JournalSample.objects.bulk_create(rows, ignore_conflicts=True))


def newest(batch: Batch) -> dict[str, tuple[datetime, float]]:
    """Return each tag's newest sample of a batch, sealed or not: (source time, process hours)."""
    found: dict[str, tuple[datetime, float]] = {}
    rows = DataSegment.objects.filter(batch=batch).order_by("tag", "-to_h", "-id")
    for segment in rows.distinct("tag"):
        last = max(segments.read(segment), key=lambda point: point.source_time)
        found[segment.tag] = (last.source_time, last.process_h)
    for row in JournalSample.objects.filter(batch=batch).order_by("source_time"):
        if row.tag not in found or row.source_time > found[row.tag][0]:
            found[row.tag] = (row.source_time, float(row.process_h))
    return found
