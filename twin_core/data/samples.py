"""The journal: harmonised on-line samples until their segment is sealed."""

from collections.abc import Iterable

from twin_core.data import live
from twin_core.data.harmonise import Sample
from twin_core.data.laboratory import hours
from twin_core.models import Batch, JournalSample


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
