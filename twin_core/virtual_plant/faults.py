"""Faults of a plant's interface, switched on by a file, to test who listens to it.

``faults.json`` in the plant's folder holds a list of ``{"kind": ..., "tag": ...}``; it is read
again when it changes, and only when ``allow_faults`` is set. The plant itself stays what it was:
a fault changes what is told, not what is.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import nan
from pathlib import Path
from typing import Any, Literal, get_args

from twin_core.science.contracts import Quality

Kind = Literal[
    "freeze",  # the last value again and again, with new times
    "bad_quality",  # status BadSensorFailure
    "uncertain_quality",
    "wrong_unit",  # "unit" says which
    "nan",  # not a number, with good status
    "duplicate",  # every value twice
    "out_of_order",  # every value is followed by one of a minute ago
    "future_time",  # source time one hour ahead
    "drop_link",  # every connection is cut, new ones too
]
BACK, AHEAD = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as it is told on the wire: ``at`` is the source timestamp, UTC."""

    tag: str
    value: float
    unit: str
    quality: Quality
    at: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    kind: Kind
    tag: str = ""
    unit: str = ""


class FaultsUnreadable(ValueError):
    """The file of faults is wrong; the text says where."""


class Faults:
    """The faults that are on, and what they need to remember."""

    def __init__(self, path: Path, *, allowed: bool) -> None:
        self._path, self._allowed = path, allowed
        self._seen: tuple[int, int] | None = None
        self._frozen: dict[str, float] = {}
        self.active: tuple[Fault, ...] = ()

    @property
    def link_dropped(self) -> bool:
        return any(fault.kind == "drop_link" for fault in self.active)

    def refresh(self) -> None:
        """Read the file when it has changed."""
        if not self._allowed:
            return
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self.active = None, ()
            return
        if (status.st_mtime_ns, status.st_size) != self._seen:
            self.active = parse_faults(self._path.read_text(encoding="utf-8"), str(self._path))
            self._seen, self._frozen = (status.st_mtime_ns, status.st_size), {}

    def told(self, reading: Reading) -> list[Reading]:
        """Return what is told instead of a reading: itself when no fault concerns its tag."""
        readings = [reading]
        for fault in self.active:
            if fault.tag == reading.tag:
                readings = [other for one in readings for other in self._spoil(one, fault)]
        return readings

    def unit(self, tag: str, unit: str) -> str:
        """Return the unit that is told for a tag."""
        wrong = [f.unit for f in self.active if f.kind == "wrong_unit" and f.tag == tag]
        return wrong[-1] if wrong else unit

    def _spoil(self, reading: Reading, fault: Fault) -> Sequence[Reading]:
        if fault.kind == "freeze":
            value = self._frozen.setdefault(reading.tag, reading.value)
            return [replace(reading, value=value)]
        if fault.kind == "duplicate":
            return [reading, reading]
        if fault.kind == "out_of_order":
            return [reading, replace(reading, at=reading.at - BACK)]
        return [replace(reading, **_CHANGES[fault.kind](reading, fault))]


_CHANGES: dict[str, Any] = {
    "bad_quality": lambda reading, fault: {"quality": "bad"},
    "uncertain_quality": lambda reading, fault: {"quality": "uncertain"},
    "wrong_unit": lambda reading, fault: {"unit": fault.unit},
    "nan": lambda reading, fault: {"value": nan},
    "future_time": lambda reading, fault: {"at": reading.at + AHEAD},
    "drop_link": lambda reading, fault: {},
}


def parse_faults(text: str, name: str) -> tuple[Fault, ...]:
    """Return the faults that a file asks for; FaultsUnreadable names what is wrong."""
    try:
        faults = tuple(Fault(**item) for item in json.loads(text))
    except (ValueError, TypeError) as error:
        raise FaultsUnreadable(f"{name}: is not a list of faults: {error}") from error
    for fault in faults:
        if fault.kind not in get_args(Kind):
            raise FaultsUnreadable(
                f"{name}: kind {fault.kind!r}; known: {', '.join(get_args(Kind))}"
            )
        if fault.kind == "wrong_unit" and not fault.unit:
            raise FaultsUnreadable(f"{name}: wrong_unit needs a unit")
    return faults
