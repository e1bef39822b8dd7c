"""How fast process time runs: 1 on a real plant, more in a demonstration.

Measured from what the plant has told, never set: wall-clock time and process time of the same
samples. It turns hours of process time into an estimate of wall-clock time, for countdowns alone.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max, Min
from django.utils import timezone

from twin_core.data import segments
from twin_core.models import Batch, DataSegment, JournalSample, LabResult

SHORTEST = timedelta(seconds=2)  # of wall-clock time that says something about the pace
LONGEST = timedelta(days=400)  # a countdown beyond is no countdown


def speed(batch: Batch) -> float | None:
    """Return process hours an hour of wall time; None where the samples do not tell."""
    return _of_journal(batch) or _of_segment(batch) or _of_laboratory(batch)


def expected_at(hours: Decimal | float, *, now_h: Decimal | float, pace: float | None) -> datetime:
    """Return about when the plant's process time will be ``hours``, by the wall clock."""
    span = timedelta(hours=(float(hours) - float(now_h)) / (pace or 1.0))
    return timezone.now() + max(-LONGEST, min(LONGEST, span))


def _of_journal(batch: Batch) -> float | None:
    told = JournalSample.objects.filter(batch=batch).aggregate(
        a=Min("source_time"), b=Max("source_time"), c=Min("process_h"), d=Max("process_h")
    )
    return _ratio(told["a"], told["b"], told["c"], told["d"])


def _of_segment(batch: Batch) -> float | None:
    newest = DataSegment.objects.filter(batch=batch, count__gt=1).order_by("-to_h", "-count")
    segment = newest.first()
    if segment is None:
        return None
    try:
        points = segments.read(segment)
    except ValueError:
        return None
    first, last = points[0], points[-1]
    return _ratio(first.source_time, last.source_time, first.process_h, last.process_h)


def _of_laboratory(batch: Batch) -> float | None:
    told = list(
        LabResult.objects.filter(batch=batch, corrects__isnull=True)
        .order_by("-received_h")
        .values_list("record__recorded_at", "received_h")[:20]
    )
    if len(told) < 2:
        return None
    return _ratio(told[-1][0], told[0][0], told[-1][1], told[0][1])


def _ratio(
    first: datetime | None,
    last: datetime | None,
    low: Decimal | float | None,
    high: Decimal | float | None,
) -> float | None:
    if first is None or last is None or low is None or high is None or last - first < SHORTEST:
        return None
    pace = (float(high) - float(low)) / ((last - first).total_seconds() / 3600)
    return pace if pace > 0 else None
