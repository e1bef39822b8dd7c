"""Yesterday's forecast against what came: the laboratory's newest word on each tag."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from twin_core.insight import forecasts
from twin_core.models import Forecast, LabResult
from twin_core.web.course import OK, Course, band
from twin_core.web.pages import Yesterday
from twin_core.web.words import tag_words

DAY = Decimal(24)  # process hours


def rows(course: Course) -> list[Yesterday]:
    """Return, for each tag, the newest result beside the forecast made a day before it."""
    last = {result.tag: result for result in course.results}
    found = [_row(course, result) for result in last.values()]
    return [row for row in found if row is not None]


def _row(course: Course, result: LabResult) -> Yesterday | None:
    made = Forecast.objects.filter(
        batch=course.batch, status=OK, issued_h__lte=result.sampled_h - DAY
    )
    forecast = made.order_by("-issued_h", "-pk").first()
    if forecast is None:
        return None
    told = at(band(forecasts.content(forecast)["rows"], result.tag), float(result.sampled_h))
    if told is None:
        return None
    mean, low, high = told
    return Yesterday(
        words=tag_words(result.tag),
        issued_h=float(forecast.issued_h),
        time_h=float(result.sampled_h),
        mean=mean,
        low=low,
        high=high,
        came=result.value,
        unit=result.unit,
        is_inside=low <= float(result.value) <= high,
    )


def at(points: Sequence[Sequence[float]], hours: float) -> tuple[float, float, float] | None:
    """Return (mean, low, high) at a time, straight between two rows; None outside of them."""
    for before, after in pairwise(points):
        if before[0] <= hours <= after[0]:
            share = (hours - before[0]) / (after[0] - before[0])
            mean, low, high = (
                a + share * (b - a) for a, b in zip(before[1:], after[1:], strict=True)
            )
            return mean, low, high
    return None
