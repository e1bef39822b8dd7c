"""The input of an estimate as one canonical document: enough to compute it again, years later."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from audit import api as audit
from twin_core.data import laboratory, segments
from twin_core.models import Batch, DataSegment, LabResult
from twin_core.science.packages import BatchHistory, Event, Observation
from twin_core.science.twins import ProcessModel

FORMAT = 1
SAMPLE_EVERY_H = 1  # on-line tags go into an estimate as the first sample of each hour


@dataclass(frozen=True, slots=True)
class Inputs:
    """An input document and the records behind it."""

    document: dict[str, Any]
    results: tuple[LabResult, ...]
    segments: tuple[DataSegment, ...]

    @property
    def text(self) -> bytes:
        return audit.encode(self.document)


def gather(batch: Batch, *, at_h: Decimal, model: ProcessModel, version_digest: str) -> Inputs:
    """Return what a batch's estimate at ``at_h`` rests on: what was known by then, no more."""
    results = laboratory.effective(batch, at_h=at_h)
    used = segments_for(batch, at_h=at_h, tags={tag.name for tag in model.tags} | {*model.inputs})
    points = {segment.pk: segments.read(segment) for segment in used}
    document = {
        "format": FORMAT,
        "batch": {
            "number": batch.number,
            "template": model.name,
            "attributes": audit.decode(batch.attributes.encode()),
        },
        "at_h": str(at_h),
        "version": version_digest,
        "laboratory": [_result_as_told(result) for result in results],
        "online": online(used, points, model, at_h),
        "events": events(used, points, model, at_h),
        "segments": [{"id": str(s.pk), "tag": s.tag, "digest": s.digest} for s in used],
    }
    return Inputs(document, tuple(results), tuple(used))


def segments_for(batch: Batch, *, at_h: Decimal, tags: Iterable[str]) -> list[DataSegment]:
    return list(
        DataSegment.objects.filter(batch=batch, tag__in=list(tags), from_h__lte=at_h)
        .select_related("record")
        .order_by("tag", "from_h", "id")
    )


def history(document: dict[str, Any]) -> BatchHistory:
    """Return the batch of an input document as the numerical core takes it."""
    batch = document["batch"]
    observations = [
        *(
            Observation(
                time_h=float(row["sampled_h"]),
                tag=row["tag"],
                value=float(row["value"]),
                unit=row["unit"],
                received_h=float(row["received_h"]),
            )
            for row in document["laboratory"]
        ),
        *(
            Observation(
                time_h=float(row["time_h"]),
                tag=row["tag"],
                value=float(row["value"]),
                unit=row["unit"],
                received_h=float(row["time_h"]),
                source="online",
            )
            for row in document["online"]
        ),
    ]
    events = [
        Event(float(row["time_h"]), "setpoint", row["tag"], float(row["value"]), row["unit"])
        for row in document["events"]
    ]
    return BatchHistory(
        batch_id=batch["number"],
        template=batch["template"],
        scale_L=float(batch["attributes"]["scale_L"]),
        attributes=batch["attributes"],
        samples=tuple(sorted(observations, key=lambda o: (o.received_h, o.time_h, o.tag))),
        events=tuple(sorted(events, key=lambda e: (e.time_h, e.tag))),
    )


def _result_as_told(result: LabResult) -> dict[str, str]:
    return {
        "record": bytes(result.record.leaf).hex(),
        "tag": result.tag,
        "value": result.value,
        "unit": result.unit,
        "sampled_h": str(result.sampled_h),
        "received_h": str(result.received_h),
    }


def _rows(
    used: Sequence[DataSegment], points: dict[Any, list[segments.Point]], at_h: Decimal
) -> Iterable[tuple[str, str, segments.Point]]:
    for segment in used:
        for point in points[segment.pk]:
            if point.process_h <= at_h:
                yield segment.tag, segment.unit, point


def online(used: Any, points: Any, model: ProcessModel, at_h: Decimal) -> list[dict[str, str]]:
    """Return the first sample of each hour of the tags that the model observes."""
    observed = {tag.name for tag in model.tags}
    taken: set[tuple[str, int]] = set()
    rows = []
    for tag, unit, point in _rows(used, points, at_h):
        place = (tag, int(point.process_h // SAMPLE_EVERY_H))
        if tag in observed and place not in taken:
            taken.add(place)
            rows.append(_point_as_told(tag, unit, point))
    return rows


def events(used: Any, points: Any, model: ProcessModel, at_h: Decimal) -> list[dict[str, str]]:
    """Return the changes of the set points that drive the model, from what was read back."""
    last: dict[str, float] = {}
    rows = []
    for tag, unit, point in _rows(used, points, at_h):
        if tag in model.inputs and last.get(tag) != point.value:
            last[tag] = point.value
            rows.append(_point_as_told(tag, unit, point))
    return sorted(rows, key=lambda row: (float(row["time_h"]), row["tag"]))


def _point_as_told(tag: str, unit: str, point: segments.Point) -> dict[str, str]:
    return {
        "tag": tag,
        "time_h": audit.number(point.process_h, "h")["value"],
        "value": audit.number(point.value, unit)["value"],
        "unit": unit,
    }
