"""From the wall clock of a plant's values to its process time. Pure."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime

KEPT = 500  # points that are remembered


class Timeline:
    """Pairs of wall-clock time and process hours, as the plant told them."""

    def __init__(self) -> None:
        self._points: list[tuple[datetime, float]] = []

    def add(self, points: Iterable[tuple[datetime, float]]) -> None:
        """Take points over; the newest are kept."""
        new = list(points)
        self._points = sorted({*self._points, *new})[-max(KEPT, len(new)) :]

    def hours(self, at: datetime) -> float | None:
        """Return the process time at a moment; None where nothing is known before it.

        Between two points process time runs evenly; after the last one it stands; where it falls
        back (a new batch) the earlier point holds.
        """
        place = bisect_right(self._points, (at, float("inf")))
        if not place:
            return None
        begin, hours = self._points[place - 1]
        if place == len(self._points) or at == begin:
            return hours
        end, later = self._points[place]
        if later < hours:
            return hours
        return hours + (later - hours) * ((at - begin) / (end - begin))

    def first_after(self, at: datetime) -> float | None:
        """Return the process time of the first point after a moment."""
        place = bisect_right(self._points, (at, float("inf")))
        return self._points[place][1] if place < len(self._points) else None
