"""A recorded batch played as a plant: its samples come when they were once received.

It can be watched and stopped (``harvest``), nothing else: what is recorded does not answer to
set points. The seed is accepted and without effect.
"""

from collections.abc import Mapping
from csv import DictReader
from itertools import pairwise
from math import isfinite, nan
from pathlib import Path
from statistics import median
from typing import cast, get_args

from twin_core.science.contracts import HARVEST, Card, Sample, Sensor, Setpoint, Source
from twin_core.virtual_plant.checks import (
    TICKS_PER_HOUR,
    check_hours,
    check_setpoints,
    on_raster,
)

COLUMNS = ("batch_id", "time_h", "tag", "value", "unit", "source")


class PackageUnreadable(ValueError):
    """A file of the batch package is missing or wrong; the text names file, row and column."""


class RecordedBatch:
    """One batch of a batch package as a read-only ``Plant``."""

    def __init__(self, package: Path, batch_id: str, *, delay_h: float = 0.0) -> None:
        """Read the batch. ``delay_h`` is for laboratory rows that do not say ``received_h``."""
        self._samples = read_samples(package / "samples.csv", batch_id, delay_h=delay_h)
        self.CARD = card_of(f"recorded batch {batch_id}", self._samples)
        self.reset(0, {})

    def reset(self, seed: int, recipe: Mapping[str, float]) -> None:
        """Go back to time 0. A recording has no recipe: any key raises ValueError."""
        if recipe:
            raise ValueError(f"a recorded batch has no recipe; {sorted(recipe)[0]!r} is not known")
        self.time_h, self.done, self._told = 0.0, False, 0

    def advance(self, setpoints: Mapping[str, float], hours: float) -> list[Sample]:
        """See ``Plant.advance``."""
        if self.done:
            raise RuntimeError("the batch is over: reset the plant to play it again")
        check_hours(self.CARD, hours)
        check_setpoints(self.CARD, setpoints)
        if setpoints.get(HARVEST, 0.0) == 1.0:
            command = Sample(self.time_h, HARVEST, 1.0, "1", self.time_h, source="readback")
            self.done = True
            return [command, *self._tell(self.time_h)]
        end = min(on_raster(self.time_h + hours), self.CARD.max_h)
        self.time_h, self.done = end, end >= self.CARD.max_h
        return self._tell(end)

    def outcome(self) -> dict[str, float]:
        """Return the last value of each laboratory tag as far as played, and the duration."""
        if not self.done:
            raise RuntimeError("the batch is not over: there is no outcome yet")
        played = (s for s in self._samples if s.time_h <= self.time_h and s.quality == "good")
        last = {sample.tag: sample.value for sample in played}
        objective = self.CARD.objective
        return {objective: last.get(objective, nan), "duration_h": self.time_h, "failed": 0.0}

    def _tell(self, until: float) -> list[Sample]:
        """Return what is received until then; at the end of the batch all that is under way."""
        waiting = self._samples[self._told :]
        known = [s for s in waiting if s.received_h <= until or (self.done and s.time_h <= until)]
        self._told += len(known)
        return known


def card_of(name: str, samples: list[Sample]) -> Card:
    """Return the card that the recording itself tells: tags, units, usual raster and delay."""
    tags = {sample.tag: sample for sample in samples}
    sensors = tuple(
        _sensor(first, [s for s in samples if s.tag == tag]) for tag, first in tags.items()
    )
    return Card(
        name=name,
        step_h=1.0 / TICKS_PER_HOUR,
        max_h=max(sample.received_h for sample in samples),
        setpoints=(Setpoint(HARVEST, "1", 0.0, 1.0, 0.0, kind="command"),),
        sensors=sensors,
        specs=(),
        objective="viability" if "viability" in tags else sensors[0].tag,
    )


def _sensor(first: Sample, samples: list[Sample]) -> Sensor:
    times = sorted(sample.time_h for sample in samples)
    every = median(b - a for a, b in pairwise(times)) if len(times) > 1 else 0.0
    delay = median(sample.received_h - sample.time_h for sample in samples)
    return Sensor(first.tag, first.unit, first.source, every, delay)


def read_samples(path: Path, batch_id: str, *, delay_h: float) -> list[Sample]:
    """Return the batch's samples in order of receipt; PackageUnreadable when something is wrong."""
    if not path.is_file():
        raise PackageUnreadable(f"{path}: the file is missing")
    with path.open(newline="", encoding="utf-8") as file:
        rows = DictReader(file)
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise PackageUnreadable(f"{path}: column {missing[0]!r} is missing")
        samples = [
            _sample(row, f"{path}, row {number}", delay_h)
            for number, row in enumerate(rows, start=2)
            if row["batch_id"] == batch_id
        ]
    if not samples:
        raise PackageUnreadable(f"{path}: there is no sample of batch {batch_id!r}")
    return sorted(samples, key=lambda sample: (sample.received_h, sample.time_h))


def _sample(row: Mapping[str, str], place: str, delay_h: float) -> Sample:
    if row["source"] not in get_args(Source):
        raise PackageUnreadable(f"{place}, column source: {row['source']!r} is not known")
    time = _number(row["time_h"], f"{place}, column time_h")
    known = row.get("received_h") or ""
    late = delay_h if row["source"] == "lab" else 0.0
    received = _number(known, f"{place}, column received_h") if known else time + late
    if not 0.0 <= time <= received:
        raise PackageUnreadable(f"{place}: received at {received} h, taken at {time} h")
    source = cast(Source, row["source"])
    if row["value"] == "":
        return Sample(time, row["tag"], nan, row["unit"], received, quality="bad", source=source)
    value = _number(row["value"], f"{place}, column value")
    return Sample(time, row["tag"], value, row["unit"], received, source=source)


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise PackageUnreadable(f"{place}: {text!r} is not a number") from None
    if not isfinite(value):
        raise PackageUnreadable(f"{place}: {text!r} is not a finite number")
    return value
