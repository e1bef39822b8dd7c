"""A batch's on-line samples for charts: read from sealed segments once, thinned, kept in memory."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

from twin_core.data import segments
from twin_core.models import Batch, DataSegment, JournalSample

Point = tuple[float, float]  # process hours, value
KEPT = 20_000  # segments whose thinned points stay in memory
WHOLE = 8  # points that a segment keeps all of
MOST = 400  # points of one line in a chart
_thinned: OrderedDict[UUID, tuple[Point, ...]] = OrderedDict()
_lock = Lock()


@dataclass
class Online:
    """On-line points by tag, the unit of each, and the segments that could not be read."""

    points: dict[str, list[Point]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    def add(self, tag: str, unit: str, points: Iterable[Point]) -> None:
        self.points.setdefault(tag, []).extend(points)
        self.units[tag] = unit

    def line(self, tag: str) -> list[Point]:
        """Return a tag's course, thinned for drawing."""
        return spread(self.points.get(tag, []))


def online(batch: Batch) -> Online:
    """Return the on-line samples of a batch: sealed segments, then the journal."""
    found = Online()
    rows = list(
        DataSegment.objects.filter(batch=batch)
        .order_by("from_h", "id")
        .values_list("pk", "tag", "unit")
    )
    kept = _read([pk for pk, _, _ in rows], found.damaged)
    for pk, tag, unit in rows:
        found.add(tag, unit, kept.get(pk, ()))
    journal = JournalSample.objects.filter(batch=batch).order_by("process_h", "id")
    for tag, unit, hours, value in journal.values_list("tag", "unit", "process_h", "value"):
        found.add(tag, unit, [(float(hours), value)])
    return found


def _read(wanted: Sequence[UUID], damaged: list[str]) -> dict[UUID, tuple[Point, ...]]:
    with _lock:
        known = {pk: _thinned[pk] for pk in wanted if pk in _thinned}
    for segment in DataSegment.objects.filter(pk__in=[pk for pk in wanted if pk not in known]):
        try:
            points = segments.read(segment)
        except ValueError as error:
            damaged.append(str(error))
            continue
        known[segment.pk] = thin([(point.process_h, point.value) for point in points])
    with _lock:
        _thinned.update(known)
        while len(_thinned) > KEPT:
            _thinned.popitem(last=False)
    return known


def thin(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the first, lowest, highest and last of a segment's points, in their order."""
    if len(points) <= WHOLE:
        return tuple(points)
    by_value = sorted(range(len(points)), key=lambda at: points[at][1])
    wanted = {0, by_value[0], by_value[-1], len(points) - 1}
    return tuple(points[at] for at in sorted(wanted))


def spread(points: Sequence[Point], most: int = MOST) -> list[Point]:
    """Return at most ``most`` points, the last of each equal stretch of time."""
    if len(points) <= most:
        return list(points)
    first, last = points[0][0], points[-1][0]
    width = (last - first) / (most - 1) or 1.0
    by_place = {int((hours - first) / width): (hours, value) for hours, value in points}
    return [by_place[place] for place in sorted(by_place)]


def changes(points: Iterable[Point]) -> list[Point]:
    """Return the points at which a set point took another value, the first included."""
    found: list[Point] = []
    for hours, value in points:
        if not found or found[-1][1] != value:
            found.append((hours, value))
    return found
