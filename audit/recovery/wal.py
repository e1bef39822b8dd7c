"""Names of the database's log segments, and what is missing between them: pure.

A segment's name is timeline, log and number, eight hexadecimal digits each; with segments of
16 MiB a log has 256 of them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

NAME = re.compile(r"[0-9A-F]{24}")
PARTIAL = ".partial"
SEGMENT = 16 * 1024 * 1024  # bytes
A_LOG = 0x1_0000_0000 // SEGMENT
STALE = timedelta(seconds=240)  # standstill is told before the five minutes are over


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    timeline: int
    number: int  # counted through all logs

    @classmethod
    def of(cls, name: str) -> "Segment":
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a log segment")
        timeline, log, number = (int(name[i : i + 8], 16) for i in (0, 8, 16))
        return cls(timeline, log * A_LOG + number)

    @classmethod
    def holding(cls, lsn: str, *, timeline: int) -> "Segment":
        """Return the segment of a log position."""
        return cls(timeline, position(lsn) // SEGMENT)

    @property
    def next(self) -> "Segment":
        return Segment(self.timeline, self.number + 1)

    def __str__(self) -> str:
        log, number = divmod(self.number, A_LOG)
        return f"{self.timeline:08X}{log:08X}{number:08X}"


def position(lsn: str) -> int:
    """Return a log position such as 0/16B3748 as bytes from the beginning."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def gaps(names: Iterable[str], *, start: str) -> list[str]:
    """Return the segments that are missing between ``start`` and the last one of its timeline.

    ``names`` are those of the archive; a partial segment counts, if it is the last.
    """
    first = Segment.of(start)
    whole = {Segment.of(name) for name in names if NAME.fullmatch(name)}
    partial = {Segment.of(n.removesuffix(PARTIAL)) for n in names if n.endswith(PARTIAL)}
    ours = {each for each in whole | partial if each.timeline == first.timeline}
    last = max((each.number for each in ours), default=first.number - 1)
    present = {each.number for each in whole if each.timeline == first.timeline}
    present |= {each.number for each in partial if each.number == last}
    lacking = [n for n in range(first.number, last + 1) if n not in present]
    return [str(Segment(first.timeline, number)) for number in lacking]


@dataclass(frozen=True, slots=True)
class Archived:
    """How far the archive goes: all that was acknowledged before ``until`` is in it."""

    until: datetime
    lsn: str


def standstill(archived: Archived | None, *, now: datetime, lsn: str) -> str | None:
    """Return in words that the archive does not follow the database, or None when it does."""
    if archived is None:
        return "nothing was ever archived"
    if now - archived.until <= STALE or position(lsn) <= position(archived.lsn):
        return None
    return f"the archive ends at {archived.until:%Y-%m-%d %H:%M:%S} UTC, the database went on"
