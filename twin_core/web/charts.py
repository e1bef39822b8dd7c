"""Charts of a batch as data: laboratory, on-line samples, forecast, limits, events, now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from twin_core.web.course import Course, band
from twin_core.web.series import changes
from twin_core.web.templatetags.desk import unit_shown
from twin_core.web.words import short, tag_words

Chart = dict[str, Any]
LONGEST_LABEL = 34  # characters of an event's mark


@dataclass(frozen=True, slots=True)
class Group:
    """Tags that one chart shows together: they share a unit."""

    key: str
    title: str
    tags: tuple[str, ...]
    zero: bool = False


GROUPS = (
    Group("cells", "Viable cell density", ("viable_cell_density",), zero=True),
    Group("viability", "Viability", ("viability",)),
    Group("sugars", "Glucose and lactate", ("glucose", "lactate"), zero=True),
    Group("byproducts", "Ammonia and glutamine", ("ammonia", "glutamine"), zero=True),
    Group("titer", "Titer", ("titer",), zero=True),
    Group("diameter", "Mean cell diameter", ("mean_cell_diameter",)),
    Group("volume", "Volume", ("volume",)),
    Group("feed", "Feed", ("feed.flow", "feed.rate"), zero=True),
    Group("temperature", "Temperature", ("temperature", "temperature.setpoint")),
    Group("ph", "pH", ("ph", "ph.setpoint")),
    Group("oxygen", "Dissolved oxygen", ("dissolved_oxygen", "dissolved_oxygen.setpoint")),
)
BY_KEY = {group.key: group for group in GROUPS}


def charts(course: Course) -> list[Chart]:
    """Return a chart for each group that has anything to show."""
    made = [chart(course, group) for group in GROUPS]
    return [one for one in made if one["series"]]


def chart(course: Course, group: Group) -> Chart:
    """Return one chart; its ``series`` are empty where nothing was measured or forecast."""
    is_only = sum(any(True for _ in series_of(course, tag, 0)) for tag in group.tags) == 1
    series = [
        one
        for at, tag in enumerate(group.tags, 1)
        for one in series_of(course, tag, at, is_only=is_only)
    ]
    return {
        "id": f"chart-{group.key}",
        "title": group.title,
        "unit": unit_shown(unit := unit_of(course, group.tags)),
        "stored_unit": unit,
        "now": round(float(course.now_h), 3),
        "x_min": 0,
        "x_max": course.planned_h or round(float(course.now_h), 1) or 1,
        "zero": group.zero,
        "series": series,
        "limits": list(limit_lines(course, group.tags)),
        "events": events(course),
    }


def series_of(
    course: Course, tag: str, colour: int, *, is_only: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield the series of one tag that have points; ``is_only``: the chart's title names it."""
    words = tag_words(tag)
    forecast, laboratory = "forecast with 90 % band", "laboratory"
    kinds: list[tuple[str, str, str, Any]] = [
        ("forecast", "band", _label(words, forecast, is_only), band(course.rows, tag)),
        ("online", "line", words, [list(point) for point in course.online.line(tag)]),
        ("lab", "points", _label(words, laboratory, is_only), course.measured().get(tag, [])),
    ]
    for key, kind, label, points in kinds:
        if points:
            one = {"key": f"{key}-{tag}", "label": label, "kind": kind, "colour": colour}
            if is_held(tag):
                one |= {"dashed": True, "stepped": True}
                points = [*points, [float(course.now_h), points[-1][1]]]
            yield one | {"points": [list(point) for point in points]}


def _label(words: str, what: str, is_only: bool) -> str:
    return what.capitalize() if is_only else f"{words}, {what}"


def is_held(tag: str) -> bool:
    """Whether a tag is a set point, which holds until it is changed."""
    return tag.endswith(".setpoint") or tag == "feed.rate"


def unit_of(course: Course, tags: Sequence[str]) -> str:
    """Return the unit of the first of the tags that is known, as it is stored."""
    units = {result.tag: result.unit for result in course.results} | course.online.units
    units |= {row["tag"]: row["unit"] for row in course.rows if row["tag"] not in units}
    return next((units[tag] for tag in tags if tag in units), "")


def limit_lines(course: Course, tags: Sequence[str]) -> Iterator[dict[str, Any]]:
    for tag in tags:
        limit = course.limits.get(tag)
        if limit is None:
            continue
        for side, value in (("at least", limit.low), ("at most", limit.high)):
            if value is not None:
                label = f"{tag_words(tag)} {side} {short(value)}"
                yield {"label": label, "value": value, "tone": "bad", "inside": False}


def events(course: Course) -> list[dict[str, Any]]:
    """Return the changes of set points as marks on the time axis, in order."""
    found = [
        {"time": hours, "label": f"{tag_words(tag).split(',')[0]} {short(value)}"[:LONGEST_LABEL]}
        for tag, hours, value in setpoint_changes(course)
        if hours > 0.5  # the start's own settings are no event
    ]
    if course.batch.closed_at is not None:
        found.append({"time": float(course.now_h), "label": "Closed"})
    return sorted(found, key=lambda event: float(str(event["time"])))


def setpoint_changes(course: Course) -> list[tuple[str, float, float]]:
    """Return (tag, process hours, value) of each change of a set point that was read back."""
    points = course.tag_map.setpoints if course.tag_map else {}
    return [
        (tag, hours, value)
        for tag in points
        for hours, value in changes(course.online.points.get(tag, []))
    ]


def effect_chart(evidence: dict[str, Any], tag: str, course: Course) -> Chart:
    """Return one quantity with the advice, without it, and as measured so far."""
    courses = evidence["courses"]
    measured = course.measured().get(tag, [])
    unit = next((row["unit"] for row in courses["advised"] if row["tag"] == tag), "")
    kinds = [
        ("advised", "band", "With the advice, 90 % band", band(courses["advised"], tag), 1, False),
        ("nothing", "band", "Doing nothing, 90 % band", band(courses["untouched"], tag), 2, True),
        ("lab", "points", "Laboratory", [list(point) for point in measured], 3, False),
    ]
    return {
        "id": f"effect-{tag.replace('.', '-')}",
        "title": tag_words(tag),
        "unit": unit_shown(unit),
        "stored_unit": unit,
        "now": float(evidence["at_h"]),
        "x_min": 0,
        "zero": True,
        "series": [
            {"key": key, "label": label, "kind": kind, "colour": colour, "dashed": dashed,
             "points": points}
            for key, kind, label, points, colour, dashed in kinds
            if points
        ],
        "limits": list(limit_lines(course, [tag])),
        "events": [],
    }  # fmt: skip
