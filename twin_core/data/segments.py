"""Sealed segments: the samples of one tag over a stretch of time, packed once, cited by digest.

Unpacked content, version 1, little-endian, columns one after another for n samples:
``TWS1``, n as uint32; source time as microseconds since 1970 (int64, first value then
differences); process time in microhours (int64, the same way); value as IEEE 754 doubles;
raw value as doubles; quality as one byte (0 good, 1 uncertain). The SHA-256 is over these bytes;
what is stored is their zstd frame.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

import zstandard
from django.db import connection, transaction

from audit import api as audit
from twin_core.models import Batch, DataSegment, JournalSample

MAGIC = b"TWS1"
QUALITIES = ("good", "uncertain")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST = 64 * 1024 * 1024  # bytes of unpacked content that are read back


@dataclass(frozen=True, slots=True)
class Point:
    """One sample of a segment."""

    source_time: datetime
    process_h: float
    value: float
    raw_value: float
    quality: str = "good"


def pack(points: Sequence[Point]) -> bytes:
    """Return the unpacked content of the points, in their order."""
    count = len(points)
    times = [(point.source_time - EPOCH) // timedelta(microseconds=1) for point in points]
    hours = [round(point.process_h * 1e6) for point in points]
    return b"".join(
        (
            MAGIC,
            struct.pack("<I", count),
            struct.pack(f"<{count}q", *_differences(times)),
            struct.pack(f"<{count}q", *_differences(hours)),
            struct.pack(f"<{count}d", *(point.value for point in points)),
            struct.pack(f"<{count}d", *(point.raw_value for point in points)),
            bytes(QUALITIES.index(point.quality) for point in points),
        )
    )


def unpack(content: bytes) -> list[Point]:
    """Return the points of unpacked content; raises ValueError when it is malformed."""
    if content[:4] != MAGIC or len(content) < 8:
        raise ValueError("not a data segment of version 1")
    (count,) = struct.unpack_from("<I", content, 4)
    if len(content) != 8 + 33 * count:
        raise ValueError(f"a segment of {count} samples does not have {len(content)} bytes")
    columns = [
        struct.unpack_from(f"<{count}{kind}", content, 8 + 8 * count * place)
        for place, kind in enumerate("qqdd")
    ]
    qualities = content[8 + 32 * count :]
    times, hours = _sums(columns[0]), _sums(columns[1])
    return [
        Point(EPOCH + timedelta(microseconds=time), hour / 1e6, value, raw, QUALITIES[quality])
        for time, hour, value, raw, quality in zip(
            times, hours, columns[2], columns[3], qualities, strict=True
        )
    ]


def read(segment: DataSegment) -> list[Point]:
    """Return a stored segment's points; raises ValueError when its digest does not fit."""
    content = zstandard.ZstdDecompressor().decompress(
        bytes(segment.content), max_output_size=LARGEST
    )
    if hashlib.sha256(content).hexdigest() != segment.digest:
        raise ValueError(f"segment {segment.pk} is damaged: its content has another digest")
    return unpack(content)


def seal(batch: Batch) -> list[DataSegment]:
    """Seal everything the journal holds of a batch: one record, one segment a tag."""
    with transaction.atomic():
        _alone(batch)
        rows = list(JournalSample.objects.filter(batch=batch).order_by("tag", "source_time", "id"))
        if not rows:
            return []
        made = [
            _segment(batch, tag, list(group)) for tag, group in groupby(rows, attrgetter("tag"))
        ]
        record = audit.append(
            stream=f"batch/{batch.number}",
            kind="twin_core.data_segments.sealed",
            data={"batch": str(batch.pk), "segments": [_told(segment) for segment in made]},
        )
        for segment in made:
            segment.record = record
        DataSegment.objects.bulk_create(made)
        JournalSample.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return made


def _alone(batch: Batch) -> None:
    """Let one transaction at a time seal a batch; the role may not lock rows it never changes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"seal {batch.pk}"]
        )


def _segment(batch: Batch, tag: str, rows: list[JournalSample]) -> DataSegment:
    points = [
        Point(row.source_time, float(row.process_h), row.value, row.raw_value, row.quality)
        for row in rows
    ]
    content = pack(points)
    return DataSegment(
        batch=batch,
        tag=tag,
        unit=rows[0].unit,
        from_h=min(row.process_h for row in rows),
        to_h=max(row.process_h for row in rows),
        count=len(rows),
        content=zstandard.ZstdCompressor(level=3).compress(content),
        digest=hashlib.sha256(content).hexdigest(),
    )


def _told(segment: DataSegment) -> dict[str, Any]:
    return {
        "id": str(segment.pk),
        "tag": segment.tag,
        "unit": segment.unit,
        "from_h": str(segment.from_h),
        "to_h": str(segment.to_h),
        "count": segment.count,
        "digest": segment.digest,
    }


def _differences(values: Sequence[int]) -> list[int]:
    return [value - before for before, value in zip([0, *values], values, strict=False)]


def _sums(differences: Sequence[int]) -> list[int]:
    total, sums = 0, []
    for difference in differences:
        total += difference
        sums.append(total)
    return sums
