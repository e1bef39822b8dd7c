"""A batch in short, for the desk and the list of batches."""

from django.urls import reverse

from twin_core.lifecycle.recommendation import State
from twin_core.models import Batch, LabResult, Recommendation
from twin_core.web.course import Course
from twin_core.web.pages import BatchTile
from twin_core.web.words import tag_words

SHOWN = ("viable_cell_density", "viability", "glucose", "titer")


def tile(course: Course) -> BatchTile:
    """Return a batch as a tile with its newest laboratory values."""
    batch = course.batch
    waiting = Recommendation.objects.filter(batch=batch, state=State.PROPOSED).count()
    return BatchTile(
        href=reverse("web:batch", args=[batch.number]),
        name=batch.number,
        unit=batch.equipment.tag,
        state=batch.state,
        verdict="undecided" if course.is_undecided else "decided",
        process_h=round(float(course.now_h), 1),
        planned_h=course.planned_h,
        trust=batch.equipment.trust,
        label=course.label,
        readings=[
            (tag_words(result.tag), result.value, result.unit) for result in newest(course.results)
        ],
        waiting=waiting,
    )


def newest(results: list[LabResult]) -> list[LabResult]:
    """Return the newest result of each tag that a tile shows, in the tile's order."""
    last = {result.tag: result for result in results}
    return [last[tag] for tag in SHOWN if tag in last]


def running() -> list[Batch]:
    rows = Batch.objects.filter(state="running").select_related("equipment")
    return list(rows.order_by("equipment__tag"))
