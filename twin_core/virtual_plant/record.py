"""Record a batch package from the simulated bioreactor; the same bytes whenever it is run.

    python -m twin_core.virtual_plant.record twin_core/equipment/bioreactor/packages/br201_recorded

The cultures are those of ``RECORDED_SEEDS``, which no demonstration and no campaign may play:
a model calibrated here has not seen what it is later judged by.
"""

import csv
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from twin_core.science.contracts import HARVEST, Sample
from twin_core.virtual_plant.bioreactor import CARD, Bioreactor
from twin_core.virtual_plant.culture import FEED_GLUCOSE
from twin_core.virtual_plant.noise import Stream

RECORDED_SEEDS = range(900_001, 900_013)
EVERY_H = 1.0  # the online tags are kept once an hour
TEMPLATE = "cho_fed_batch"

BATCHES = (
    "batch_id", "template", "scale_L", "origin", "seed", "start_volume_L",
    "feed_glucose_mM", "feed_glutamine_mM", "duration_h",
)  # fmt: skip
SAMPLES = ("batch_id", "time_h", "tag", "value", "unit", "source", "received_h")
EVENTS = ("batch_id", "time_h", "event", "tag", "value", "unit")
UNITS = {point.tag: point.unit for point in CARD.setpoints}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one recorded batch is run: set points from a time on, and when it is harvested."""

    steps: tuple[tuple[float, Mapping[str, float]], ...]
    harvest_h: float


def recipe_of(seed: int) -> Recipe:
    """Return the seed's recipe: a feed that changes daily, mostly one temperature shift.

    Rates from starving to overfeeding, shifts early, late or none, so that a model sees both
    good and poor batches.
    """

    def draw(name: str, low: float, high: float) -> float:
        return low + (high - low) * Stream(seed, f"recipe/{name}").uniform()

    level, slope = draw("level", 0.5, 7.5), draw("slope", -0.3, 0.6)
    steps: dict[float, dict[str, float]] = {0.0: {"ph.setpoint": round(draw("ph", 6.9, 7.1), 2)}}
    for day in range(int(draw("start", 2, 5)), 14):
        rate = level + slope * (day - 6) + draw(f"day{day}", -1.0, 1.0)
        steps.setdefault(day * 24.0, {})["feed.rate"] = round(max(rate, 0.0), 1)
    if draw("shifts", 0.0, 1.0) < 0.8:
        hour = 12.0 * int(draw("shift", 8, 19))
        steps.setdefault(hour, {})["temperature.setpoint"] = round(draw("cold", 32.0, 35.5), 1)
    return Recipe(tuple(sorted(steps.items())), 12.0 * int(draw("harvest", 24, 29)))


def play(seed: int, recipe: Recipe) -> tuple[Bioreactor, list[Sample]]:
    """Run one batch by its recipe; return the plant and all that it gave away."""
    plant, samples = Bioreactor(), []
    plant.reset(seed, {})
    hours = [time for time, _ in recipe.steps] + [recipe.harvest_h]
    for (time, setpoints), until in zip(recipe.steps, hours[1:], strict=True):
        if plant.done or time >= recipe.harvest_h:
            break
        samples += plant.advance(setpoints, min(until, recipe.harvest_h) - time)
    if not plant.done:
        samples += plant.advance({HARVEST: 1.0}, CARD.step_h)
    return plant, samples


def record(folder: Path, seeds: Iterable[int] = RECORDED_SEEDS) -> None:
    """Write the three tables of the package into ``folder``; its README is kept by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: tuple[list[tuple[str, ...]], ...] = ([BATCHES], [SAMPLES], [EVENTS])
    for seed in tqdm(list(seeds), unit=" batches", disable=None):
        batch, recipe = f"SIM-{seed}", recipe_of(seed)
        plant, samples = play(seed, recipe)
        tables[0].append(_batch_row(batch, seed, plant))
        tables[1].extend(_sample_rows(batch, samples))
        tables[2].extend(_event_rows(batch, samples, plant))
    for name, rows in zip(("batches", "samples", "events"), tables, strict=True):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def _batch_row(batch: str, seed: int, plant: Bioreactor) -> tuple[str, ...]:
    volume = CARD.recipe["start.volume"]
    numbers = (seed, volume, FEED_GLUCOSE, 0, plant.time_h)
    return (batch, TEMPLATE, "5", "simulated", *(f"{number:.10g}" for number in numbers))


def _sample_rows(batch: str, samples: list[Sample]) -> Iterable[tuple[str, ...]]:
    """Keep laboratory results and one online value an hour; a missed result has no row."""
    for s in samples:
        if s.quality == "bad" or s.source not in ("online", "lab"):
            continue
        if s.source == "lab":
            received = f"{s.received_h:.2f}"
        elif s.time_h % EVERY_H == 0:
            received = ""  # known at once
        else:
            continue
        yield (batch, f"{s.time_h:g}", s.tag, f"{s.value:.5g}", s.unit, s.source, received)


def _event_rows(batch: str, samples: list[Sample], plant: Bioreactor) -> Iterable[tuple[str, ...]]:
    yield (batch, "0", "inoculation", "", "", "")
    for point in CARD.setpoints:
        if point.kind == "hold":
            yield (batch, "0", "setpoint", point.tag, f"{point.default:g}", point.unit)
    for s in samples:
        if s.source == "readback" and s.tag != HARVEST:
            yield (batch, f"{s.time_h:g}", "setpoint", s.tag, f"{s.value:g}", UNITS[s.tag])
    yield (batch, f"{plant.time_h:.6g}", "harvest", "", "", "")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m twin_core.virtual_plant.record FOLDER", file=sys.stderr)
        return 2
    record(Path(arguments[0]))
    print(f"{len(RECORDED_SEEDS)} simulated batches recorded in {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
