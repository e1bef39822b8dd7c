"""The recorded package can be made again, bit for bit, and is fit for calibration."""

import csv
from hashlib import sha256
from pathlib import Path

import pytest

from twin_core.science.units import known_units
from twin_core.virtual_plant.record import RECORDED_SEEDS, recipe_of, record
from twin_core.virtual_plant.recorded import RecordedBatch

PACKAGE = Path(__file__).parents[3] / "twin_core/equipment/bioreactor/packages/br201_recorded"


def digests(folder):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.csv")}


@pytest.mark.requirement("URS-PLT-010")
def test_two_recordings_of_a_seed_are_the_same_bytes(tmp_path):
    record(tmp_path / "a", [900_009])
    record(tmp_path / "b", [900_009])
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    record(tmp_path / "c", [900_010])
    assert digests(tmp_path / "a")["samples.csv"] != digests(tmp_path / "c")["samples.csv"]


@pytest.mark.requirement("URS-PLT-010")
@pytest.mark.parametrize("name", ["batches", "samples", "events"])
def test_the_committed_package_is_what_the_recorder_writes(tmp_path, name):
    record(tmp_path, [900_002])
    made = (tmp_path / f"{name}.csv").read_text().splitlines()[1:]
    kept = (PACKAGE / f"{name}.csv").read_text().splitlines()
    assert made
    assert made == [line for line in kept if line.startswith("SIM-900002,")]


def test_the_package_holds_every_seed_with_known_units_and_plays_as_a_plant():
    batches = list(csv.DictReader((PACKAGE / "batches.csv").open()))
    assert [int(row["seed"]) for row in batches] == list(RECORDED_SEEDS)
    units = {row["unit"] for row in csv.DictReader((PACKAGE / "samples.csv").open())}
    assert units <= set(known_units())
    plant = RecordedBatch(PACKAGE, "SIM-900001")
    assert len(plant.advance({}, 400.0)) > 1500
    assert sum(path.stat().st_size for path in PACKAGE.iterdir()) < 1_500_000


def test_the_recorded_recipes_cover_starving_overfeeding_and_no_shift():
    recipes = [recipe_of(seed) for seed in RECORDED_SEEDS]
    rates = [[s["feed.rate"] for _, s in r.steps if "feed.rate" in s] for r in recipes]
    means = [sum(rate) / len(rate) for rate in rates]
    assert min(means) < 1.5
    assert max(means) > 6.0
    shifted = [any("temperature.setpoint" in s for _, s in r.steps) for r in recipes]
    assert {True, False} == set(shifted)
