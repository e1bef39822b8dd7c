"""Batch packages: a folder with batches.csv, samples.csv, events.csv and README.md.

Times are process hours since inoculation. ``received_h`` is when a value may be known; where
the column is missing or the cell empty, the value is known when the sample is taken.
"""

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS = {
    "batches.csv": ("batch_id", "template", "scale_L"),
    "samples.csv": ("batch_id", "time_h", "tag", "value", "unit", "source"),
    "events.csv": ("batch_id", "time_h", "event", "tag", "value", "unit"),
}


class PackageError(ValueError):
    """The package cannot be used; the message names file, row and column."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One measured value: taken at time_h, known from received_h on (process hours)."""

    time_h: float
    tag: str
    value: float
    unit: str
    received_h: float
    source: str = "lab"


@dataclass(frozen=True, slots=True)
class Event:
    """Something done to the batch at time_h: a set point, a bolus, inoculation, harvest."""

    time_h: float
    event: str
    tag: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class BatchHistory:
    """One batch of a package, samples by time of receipt, events by time."""

    batch_id: str
    template: str
    scale_L: float
    attributes: Mapping[str, str]
    samples: tuple[Observation, ...]
    events: tuple[Event, ...]

    def known_at(self, now_h: float) -> tuple[Observation, ...]:
        """Return the samples that had been received by ``now_h``: never looks ahead."""
        return tuple(sample for sample in self.samples if sample.received_h <= now_h)

    def done_by(self, now_h: float) -> tuple[Event, ...]:
        """Return the events up to and including ``now_h``."""
        return tuple(event for event in self.events if event.time_h <= now_h)


@dataclass(frozen=True, slots=True)
class Package:
    """A read package; ``digest`` covers the bytes of every file in the folder."""

    name: str
    digest: str
    batches: tuple[BatchHistory, ...] = field(default=())

    def without(self, attribute: str, value: str) -> "Package":
        """Return the package less the batches whose attribute has this value."""
        left = [b for b in self.batches if attribute_of(b, attribute) != value]
        return Package(self.name, self.digest, tuple(left))

    def only(self, attribute: str, value: str) -> "Package":
        """Return the package with those batches alone whose attribute has this value."""
        left = [b for b in self.batches if attribute_of(b, attribute) == value]
        return Package(self.name, self.digest, tuple(left))


def attribute_of(batch: BatchHistory, name: str) -> str:
    """Return an attribute of a batch; ``batch_id`` counts as one. Missing: empty text."""
    return batch.batch_id if name == "batch_id" else batch.attributes.get(name, "")


def read_package(folder: Path) -> Package:
    """Read and check a batch package.

    Raises PackageError naming file, row (the header is row 1) and column of the first flaw.
    """
    missing = [name for name in (*COLUMNS, "README.md") if not (folder / name).is_file()]
    if missing:
        raise PackageError(
            f"{folder}: {', '.join(missing)} missing; a package has "
            "batches.csv, samples.csv, events.csv and README.md"
        )
    heads = list(read_batches(folder / "batches.csv"))
    names = {head.batch_id for head in heads}
    samples: dict[str, list[Observation]] = {name: [] for name in names}
    events: dict[str, list[Event]] = {name: [] for name in names}
    for batch_id, sample in read_samples(folder / "samples.csv", names):
        samples[batch_id].append(sample)
    for batch_id, event in read_events(folder / "events.csv", names):
        events[batch_id].append(event)
    batches = tuple(complete(head, samples[head.batch_id], events[head.batch_id]) for head in heads)
    return Package(folder.name, folder_digest(folder), batches)


def complete(head: BatchHistory, samples: list[Observation], events: list[Event]) -> BatchHistory:
    """Return the batch with its samples by receipt and events by time, ties by tag."""
    return BatchHistory(
        head.batch_id,
        head.template,
        head.scale_L,
        head.attributes,
        tuple(sorted(samples, key=lambda s: (s.received_h, s.time_h, s.tag, s.value))),
        tuple(sorted(events, key=lambda e: (e.time_h, e.event, e.tag, e.value))),
    )


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 over name and SHA-256 of every file, in order of their names."""
    whole = hashlib.sha256()
    for path in sorted(
        p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts
    ):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    return whole.hexdigest()


def rows_of(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (row number, cells) of a CSV file after checking its header and row lengths."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            header = reader.fieldnames or []
            missing = [name for name in COLUMNS[path.name] if name not in header]
            if missing:
                raise PackageError(f"{path.name}, row 1: column {', '.join(missing)} missing")
            for row, cells in enumerate(reader, start=2):
                if None in cells or None in cells.values():
                    raise PackageError(f"{path.name}, row {row}: not {len(header)} cells")
                yield row, cells
    except UnicodeDecodeError as flaw:
        raise PackageError(f"{path.name}: not UTF-8 at byte {flaw.start}") from flaw
    except csv.Error as flaw:
        raise PackageError(f"{path.name}: not a CSV file: {flaw}") from flaw


def number(path: Path, row: int, cells: dict[str, str], column: str) -> float:
    """Return a finite number from a cell, or raise PackageError naming the cell."""
    try:
        value = float(cells[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise PackageError(
            f"{path.name}, row {row}, column {column}: {cells[column]!r} is not a finite number"
        )
    return value


def text(path: Path, row: int, cells: dict[str, str], column: str) -> str:
    """Return a non-empty cell, or raise PackageError naming it."""
    if not cells[column].strip():
        raise PackageError(f"{path.name}, row {row}, column {column}: empty")
    return cells[column].strip()


def batch_of(path: Path, row: int, cells: dict[str, str], names: set[str]) -> str:
    """Return the batch of a row, or raise PackageError when batches.csv does not list it."""
    batch_id = text(path, row, cells, "batch_id")
    if batch_id not in names:
        raise PackageError(
            f"{path.name}, row {row}, column batch_id: {batch_id!r} is not in batches.csv"
        )
    return batch_id


def read_batches(path: Path) -> Iterator[BatchHistory]:
    """Yield the batches of batches.csv, still without samples and events."""
    seen: set[str] = set()
    for row, cells in rows_of(path):
        batch_id = text(path, row, cells, "batch_id")
        if batch_id in seen:
            raise PackageError(f"{path.name}, row {row}, column batch_id: {batch_id!r} twice")
        seen.add(batch_id)
        scale = number(path, row, cells, "scale_L")
        if scale <= 0:
            raise PackageError(f"{path.name}, row {row}, column scale_L: must be above zero")
        rest = {k: v for k, v in cells.items() if k not in COLUMNS["batches.csv"]}
        yield BatchHistory(batch_id, text(path, row, cells, "template"), scale, rest, (), ())


def read_samples(path: Path, names: set[str]) -> Iterator[tuple[str, Observation]]:
    """Yield (batch_id, observation) of samples.csv."""
    for row, cells in rows_of(path):
        batch_id = batch_of(path, row, cells, names)
        time_h = number(path, row, cells, "time_h")
        received_h = time_h
        if cells.get("received_h", "").strip():
            received_h = number(path, row, cells, "received_h")
        if received_h < time_h:
            raise PackageError(f"{path.name}, row {row}, column received_h: before time_h")
        yield (
            batch_id,
            Observation(
                time_h,
                text(path, row, cells, "tag"),
                number(path, row, cells, "value"),
                text(path, row, cells, "unit"),
                received_h,
                text(path, row, cells, "source"),
            ),
        )


def read_events(path: Path, names: set[str]) -> Iterator[tuple[str, Event]]:
    """Yield (batch_id, event) of events.csv; value may be empty and is then 1."""
    for row, cells in rows_of(path):
        batch_id = batch_of(path, row, cells, names)
        value = number(path, row, cells, "value") if cells["value"].strip() else 1.0
        yield (
            batch_id,
            Event(
                number(path, row, cells, "time_h"),
                text(path, row, cells, "event"),
                cells["tag"].strip(),
                value,
                cells["unit"].strip(),
            ),
        )
