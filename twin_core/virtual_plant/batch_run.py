"""One batch under way: the plant, what it was told, and the results it has given so far.

A function of configuration, batch number and journal entries; it touches no disk but the package
of a recorded batch.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from twin_core.science.contracts import HARVEST, Sample
from twin_core.virtual_plant.plant_config import SIMULATED, PlantConfig

RUNNING, COMPLETE, LOST = "running", "complete", "lost"
SEQUENCES = 1_000_000  # sequence of a result = batch number x this + its place in the batch
RECIPE = "recipe"  # who writes what the local recipe asks for
PLAYED_BY = ("batch_run", "bioreactor", "checks", "culture", "noise", "parameters", "recorded")


@dataclass(frozen=True, slots=True)
class Result:
    """One laboratory result with its place in the sequence that nobody may skip."""

    sequence: int
    batch_id: str
    sample: Sample

    def document(self) -> str:
        """Return the JSON text that a laboratory node carries; a missing value is null."""
        sample = self.sample
        return json.dumps(
            {
                "sequence": self.sequence,
                "batch_id": self.batch_id,
                "tag": sample.tag,
                "value": None if sample.value != sample.value else sample.value,
                "unit": sample.unit,
                "quality": sample.quality,
                "sampled_h": sample.time_h,
                "received_h": sample.received_h,
            },
            allow_nan=False,
        )


class BatchRun:
    """A started batch. ``told`` is done at the next ``move``, the one way that time passes."""

    def __init__(self, config: PlantConfig, number: int, start: Mapping[str, Any]) -> None:
        self.number, self.batch_id, self.state = number, start["batch"], RUNNING
        self.plant = config.make_plant(number)
        self.plant.reset(start["seed"], start["recipe"])
        points = self.plant.CARD.setpoints
        self.held = {point.tag: point.default for point in points if point.kind == "hold"}
        self.latest: dict[str, float] = {}  # last online value of each tag
        self.results: list[Result] = []
        self.told: dict[str, float] = {}
        self.taken: set[str] = set()  # set points that somebody took from the local recipe
        self.steps_done = 0  # of the local recipe

    def tell(self, entry: Mapping[str, Any]) -> None:
        """Take an accepted write of the journal; who leads a set point keeps it to the end."""
        self.told.update(entry["setpoints"])
        if entry["by"] == RECIPE:
            self.steps_done = entry["step"] + 1
        else:
            self.taken.update(entry["setpoints"])

    def move(self, target_h: float) -> list[Sample]:
        """Do what was told, advance to ``target_h`` and return what became known."""
        told, self.told = self.told, {}
        samples = self.plant.advance(told, target_h - self.plant.time_h)
        for sample in samples:
            if sample.source == "lab":
                sequence = self.number * SEQUENCES + len(self.results) + 1
                self.results.append(Result(sequence, self.batch_id, sample))
            elif sample.source == "readback":
                self.held[sample.tag] = sample.value
            else:
                self.latest[sample.tag] = sample.value
        if self.plant.done:
            ended = told.get(HARVEST) == 1.0 or self.plant.time_h >= self.plant.CARD.max_h
            self.state = COMPLETE if ended else LOST  # whether it may be released is not told
        return samples


def replay(config: PlantConfig, number: int, entries: Iterable[Mapping[str, Any]]) -> BatchRun:
    """Return the batch as its journal left it; the first entry is its start."""
    start, *rest = entries
    run = BatchRun(config, number, start)
    for entry in rest:
        if entry["entry"] == "apply":
            run.tell(entry)
        elif entry["entry"] == "reach" and run.state == RUNNING:
            run.move(entry["time_h"])
    return run


def fingerprint(config: PlantConfig) -> str:
    """Return a digest of what decides the samples: our code, the package and what is played."""
    digest, here = sha256(), Path(__file__).parent
    for name in PLAYED_BY:
        digest.update((here / f"{name}.py").read_bytes())
    if config.kind != SIMULATED:
        digest.update((config.package / "samples.csv").read_bytes())
        digest.update(repr((config.batches, config.delay_h)).encode())
    return digest.hexdigest()
