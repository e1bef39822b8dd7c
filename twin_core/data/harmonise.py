"""Raw readings become samples in the template's units, or a reason why not. Pure."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from twin_core.science.tag_map import Tag
from twin_core.science.units import UnitMismatch, UnknownUnit, convert

FUTURE = timedelta(seconds=5)  # how far a source's wall clock may be ahead of ours
GOOD = "good"


@dataclass(frozen=True, slots=True)
class Reading:
    """One value as a plant gave it. ``source_time`` is the plant's wall clock."""

    tag: str
    value: Any
    unit: str
    quality: str  # good | uncertain | bad
    source_time: datetime
    process_h: float

    def as_received(self) -> dict[str, str]:
        """Return the reading as text, whatever its value is: what quarantine keeps."""
        return {
            "tag": self.tag,
            "value": repr(self.value),
            "unit": self.unit,
            "quality": self.quality,
            "source_time": self.source_time.isoformat(),
            "process_h": repr(self.process_h),
        }


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading that may be used, with the raw value beside the converted one."""

    tag: str
    value: float
    unit: str
    raw_value: float
    raw_unit: str
    quality: str
    source_time: datetime
    process_h: float


class NotUsable(Exception):
    """A reading that goes to quarantine; the text is the reason."""


def harmonise(reading: Reading, tag: Tag, *, now: datetime, last: datetime | None) -> Sample:
    """Return the sample, or raise NotUsable.

    ``last`` is the source time of the tag's last accepted sample: what is not newer is a
    duplicate or out of order.
    """
    if reading.quality != GOOD:  # such a reading may carry no value at all
        raise NotUsable(f"quality is {reading.quality}")
    value = _number(reading.value)
    _check_order(reading, now=now, last=last)
    try:
        converted = convert(value * tag.scale, reading.unit, tag.unit)
    except (UnknownUnit, UnitMismatch) as error:
        raise NotUsable(f"unit: {error}") from error
    low, high = tag.limits
    if not low <= converted <= high:
        raise NotUsable(f"outside what {tag.tag} can be: {low} to {high} {tag.unit}")
    return Sample(
        tag=tag.tag,
        value=converted,
        unit=tag.unit,
        raw_value=value,
        raw_unit=reading.unit,
        quality=reading.quality,
        source_time=reading.source_time,
        process_h=reading.process_h,
    )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotUsable("value is not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise NotUsable("value is too large for a number") from error
    if not math.isfinite(number):
        raise NotUsable(f"value is {number}")
    return number


def _check_order(reading: Reading, *, now: datetime, last: datetime | None) -> None:
    if reading.source_time > now + FUTURE:
        raise NotUsable("source time lies in the future")
    if last is not None and reading.source_time == last:
        raise NotUsable("duplicate: the same source time again")
    if last is not None and reading.source_time < last:
        raise NotUsable("out of order: older than the last accepted sample")
    if not (math.isfinite(reading.process_h) and reading.process_h >= 0):
        raise NotUsable(f"process time is {reading.process_h}")
