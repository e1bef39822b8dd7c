"""A batch as a page: its course, its data, its advice; built from what the services keep."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from audit import api as audit
from twin_core.data import rights
from twin_core.lifecycle.batch import State as BatchState
from twin_core.models import LabResult, QuarantinedSample, Recommendation, SetpointWrite, TagStatus
from twin_core.web import charts, queue, yesterday
from twin_core.web.course import Course
from twin_core.web.pages import (
    BatchPage,
    EventRow,
    LabRow,
    QuarantineRow,
    StateRow,
    TagRow,
)
from twin_core.web.words import short, tag_words

MOST_RESULTS = 60  # laboratory values in the table; the CSV has all
LATENT = "never measured in training"  # how a forecast row of such a state begins
MOST_HELD = 60  # quarantine entries in the table


def batch_page(course: Course, person: Any, dialogs: Sequence[Any] = ()) -> BatchPage:
    """Return the page of a batch as this person sees it."""
    batch, version = course.batch, _version(course)
    rows = queue.Rows(queue.Reader.of(person))
    rows.courses[batch.pk] = course
    running = batch.state == BatchState.RUNNING
    drawn = charts.charts(course)
    return BatchPage(
        name=batch.number,
        unit=batch.equipment.tag,
        state=batch.state,
        label=course.label,
        trust=batch.equipment.trust,
        product=f"{batch.equipment.name}, plant batch {batch.plant_batch}",
        started_at=batch.started_at,
        process_h=round(float(course.now_h), 1),
        planned_h=course.planned_h,
        speed=course.speed if running else None,
        verdict="undecided" if course.is_undecided else "decided",
        undecided=course.undecided,
        charts=[with_csv(one, batch.number) for one in drawn],
        recommendations=[rows.row(one) for one in _recommendations(batch)],
        tags=tag_rows(course),
        laboratory=list(lab_rows(course, may=rights.may(person, "correct a laboratory value"))),
        events=list(event_rows(course)),
        quarantine=list(held_rows(course, may=rights.may(person, "release from quarantine"))),
        yesterday=yesterday.rows(course),
        states=list(state_rows(course)),
        problems=[*course.problems, *course.online.damaged],
        model=version.name if version else "",
        model_href=version_href(version.pk) if version else "",
        trail_href=f"{reverse('audit:trail')}?{urlencode({'stream': f'batch/{batch.number}'})}",
        csv_href=reverse("web:results_csv", args=[batch.number]),
        dialogs=dialogs,
        can_enter=running and rights.may(person, "enter a laboratory value"),
        can_close=running and rights.may(person, "close a batch"),
        can_stop=any(one.id == "stop" for one in dialogs),
        is_live=running,
        **_live(batch.number, is_running=running),
    )


def _live(number: str, *, is_running: bool) -> dict[str, Any]:
    """Return the addresses by which an open page follows the batch."""
    return {
        "live_href": reverse("web:stream", args=[number]) if is_running else "",
        "charts_href": reverse("web:charts", args=[number]),
        "refresh_href": reverse("web:batch", args=[number]),
    }


def with_csv(chart: dict[str, Any], number: str) -> dict[str, Any]:
    key = chart["id"].removeprefix("chart-")
    return chart | {"csv": reverse("web:chart_csv", args=[number, key])}


def version_href(pk: Any) -> str:
    """Return a model version's page; empty where this installation serves none."""
    from django.urls import NoReverseMatch

    try:
        return reverse("models_registry:version", args=[pk])
    except NoReverseMatch:
        return ""


def _version(course: Course) -> Any:
    return course.forecast.estimate.model_version if course.forecast else None


def _recommendations(batch: Any) -> Any:
    rows = Recommendation.objects.filter(batch=batch).select_related("batch__equipment", "record")
    return rows.prefetch_related("questions").order_by("-pk")[:8]


def tag_rows(course: Course) -> list[TagRow]:
    """Return the newest value of each tag with its age and quality, laboratory ones too."""
    told = {row.tag: row for row in TagStatus.objects.filter(equipment=course.batch.equipment)}
    last = {result.tag: result for result in course.results}
    known = dict(course.tag_map.tags) if course.tag_map else {}
    rows = [_from_laboratory(course, last[tag], known.get(tag)) for tag in last]
    rows += [_on_line(course, told[tag], known.get(tag)) for tag in told if tag not in last]
    silent = [tag for tag in known if tag not in told and tag not in last]
    rows += [_silent(tag, known[tag]) for tag in silent]
    order = {tag: place for place, tag in enumerate(known)}
    return sorted(rows, key=lambda row: (order.get(row.tag, len(order)), row.tag))


def quality_of(course: Course, quality: str, taken_h: float | None, tag: Any) -> str:
    """Return a reading's quality; one that is older than its tag allows is stale."""
    if tag is None or taken_h is None:
        return quality
    return "stale" if float(course.now_h) - taken_h > tag.stale_after_h else quality


def _from_laboratory(course: Course, result: LabResult, tag: Any) -> TagRow:
    taken_h = float(result.sampled_h)
    return TagRow(
        tag=result.tag,
        words=tag_words(result.tag),
        value=result.value,
        unit=result.unit,
        taken_h=taken_h,
        received_at=result.record.recorded_at,
        quality=quality_of(course, "good", taken_h, tag),
        source="laboratory",
        href=reverse("audit:record", args=[result.record_id]),
    )


def _on_line(course: Course, told: TagStatus, tag: Any) -> TagRow:
    quality = quality_of(course, told.quality, told.process_h, tag)
    return TagRow(
        tag=told.tag,
        words=tag_words(told.tag),
        value=None if told.value is None else f"{told.value:.5g}",
        unit=told.unit,
        taken_h=told.process_h,
        received_at=told.received_at,
        quality=quality,
        source="on line" if tag else "read back",
    )


def _silent(name: str, tag: Any) -> TagRow:
    source = "laboratory" if tag.source == "lab" else "on line"
    return TagRow(name, tag_words(name), None, tag.unit, None, None, "none yet", source)


def lab_rows(course: Course, *, may: bool) -> Iterator[LabRow]:
    """Yield the results that hold, newest first, the value each one replaced beside it."""
    rows = LabResult.objects.filter(batch=course.batch, corrected_by__isnull=True)
    rows = rows.select_related("record", "corrects").order_by("-received_h", "-sampled_h", "tag")
    for result in rows[:MOST_RESULTS]:
        told = audit.content(result.record)
        yield LabRow(
            words=tag_words(result.tag),
            value=result.value,
            unit=result.unit,
            sampled_h=float(result.sampled_h),
            received_h=float(result.received_h),
            entered_by=told["actor"]["name"],
            href=reverse("audit:record", args=[result.record_id]),
            replaces=result.corrects.value if result.corrects else None,
            reason=told["reason"] or "",
            correct_href=reverse("web:correct", args=[course.batch.number, result.pk])
            if may
            else "",
        )


def event_rows(course: Course) -> Iterator[EventRow]:
    """Yield what happened to the batch, newest first: set points, writes by the gate, its end."""
    found = [
        EventRow(hours, f"{tag_words(tag)}: {short(value)} {course.online.units.get(tag, '')}")
        for tag, hours, value in charts.setpoint_changes(course)
    ]
    for write in SetpointWrite.objects.filter(recommendation__batch=course.batch):
        words = f"Write gate: {tag_words(write.tag)} {write.value} {write.unit}, {write.state}"
        href = reverse("audit:record", args=[write.record_id])
        found.append(EventRow(float(write.sent_h), words, href))
    if course.batch.closed_at is not None:
        href = reverse("audit:record", args=[course.batch.record_id])
        found.append(EventRow(float(course.now_h), "Batch closed", href))
    yield from sorted(found, key=lambda row: -row.time_h)


def held_rows(course: Course, *, may: bool) -> Iterator[QuarantineRow]:
    """Yield what is in quarantine of this batch, or of its unit without a batch, newest first."""
    rows = QuarantinedSample.objects.filter(equipment=course.batch.equipment)
    rows = (rows.filter(batch=course.batch) | rows.filter(batch=None)).order_by("released", "-pk")
    for held in rows[:MOST_HELD]:
        sample = first_sample(held)
        yield QuarantineRow(
            words=tag_words(held.tag),
            value=sample.get("value", "—") + (f" and {held.count - 1} more" * (held.count > 1)),
            unit=sample.get("unit", "").strip("'"),
            taken_h=hours_in(sample),
            reason=held.reason,
            received_at=held.first_at,
            state="released" if held.released else "quarantined",
            href=reverse("audit:record", args=[held.record_id]),
            release_href=reverse("web:release", args=[course.batch.number, held.pk])
            if may and not held.released
            else "",
        )


def first_sample(held: QuarantinedSample) -> dict[str, str]:
    """Return the first of the samples that an entry keeps, as text as it was received."""
    told = audit.decode(held.content.encode())
    return told["samples"][0] if told.get("samples") else told


def hours_in(sample: dict[str, str]) -> float | None:
    """Return a kept sample's process time; None where what was received is no number."""
    try:
        return float(sample.get("process_h") or sample.get("sampled_h") or "")
    except ValueError:
        return None


def state_rows(course: Course) -> Iterator[StateRow]:
    """Yield the twin's present view of each state; one that is latent says that it is."""
    now = {row["tag"]: row for row in reversed(course.rows)}  # the first row of each tag
    for tag, told in course.estimate.get("state", {}).items():
        first = now.get(tag, {"status": "undecided", "reason": ""})
        is_latent = first["reason"].startswith(LATENT)
        band = first if is_latent else told  # of a latent state the band is all that is possible
        yield StateRow(
            words=tag_words(tag),
            unit=told["unit"],
            mean=told["mean"],
            low=band["lo90"],
            high=band["hi90"],
            is_decided=first["status"] == "ok",
            is_latent=is_latent,
            reason=first["reason"],
        )
