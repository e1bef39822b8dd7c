"""The simulated culture behaves as a culture does, and never as the twin's own model."""

import subprocess
import sys
from itertools import pairwise

import pytest

from twin_core.virtual_plant.bioreactor import ANALYSES, PROBES, Bioreactor
from twin_core.virtual_plant.noise import Stream
from twin_core.virtual_plant.parameters import HARD, NOMINAL, NONE


def run(seed=3, *, feed=5.0, temperature=36.8, from_h=96.0, until=336.0, mismatch=NOMINAL):
    plant = Bioreactor()
    plant.reset(seed, {"mismatch": mismatch})
    samples = plant.advance({}, from_h)
    samples += plant.advance(
        {"feed.rate": feed, "temperature.setpoint": temperature}, until - from_h
    )
    if not plant.done:
        samples += plant.advance({"harvest": 1.0}, 1.0)
    return plant, samples


def values(samples, tag, source="lab"):
    return {s.time_h: s.value for s in samples if s.tag == tag and s.source == source}


def test_a_culture_grows_then_declines_within_published_bounds():
    _, samples = run()
    density = values(samples, "viable_cell_density")
    growth = (density[48.0] / density[0.0]) ** (1 / 48) - 1
    assert 0.025 < growth < 0.045  # 1/h
    peak = max(density, key=density.get)
    assert 96 < peak < 288
    assert 5 < density[peak] < 30


def test_laboratory_results_come_one_and_a_half_to_three_hours_late():
    _, samples = run()
    delays = [s.received_h - s.time_h for s in samples if s.source == "lab"]
    assert min(delays) >= 1.5
    assert max(delays) <= 3.0
    assert len({round(delay, 3) for delay in delays}) > 100


def test_probes_report_each_minute_and_the_laboratory_each_six_hours():
    _, samples = run(until=120.0)
    for tag in PROBES:
        times = sorted(values(samples, tag, "online"))
        assert {round((b - a) * 60, 6) for a, b in pairwise(times)} == {1.0}
    for tag in ANALYSES:
        assert {b - a for a, b in pairwise(sorted(values(samples, tag)))} == {6.0}


def test_too_little_and_too_much_feed_both_cost_product():
    grams = [run(feed=feed)[0].outcome()["product_mass"] for feed in (0.5, 5.0, 20.0)]
    assert grams[1] > 1.2 * grams[0]
    assert grams[1] > 1.2 * grams[2]


def test_a_temperature_shift_slows_growth_and_gains_product_late():
    warm, cold = run(), run(temperature=33.5)
    early = [values(s, "viable_cell_density")[168.0] for _, s in (warm, cold)]
    assert early[1] < early[0]
    assert cold[0].outcome()["titer"] > 1.1 * warm[0].outcome()["titer"]
    assert cold[0].outcome()["acidic_variants"] < warm[0].outcome()["acidic_variants"]


def test_the_lactate_switch_turns_production_into_uptake():
    lactate = values(run(mismatch=NONE)[1], "lactate")
    peak = max(lactate.values())
    assert lactate[336.0] < 0.8 * peak


def test_seeds_draw_different_cultures_except_without_mismatch():
    titer = {m: {run(s, mismatch=m)[0].outcome()["titer"] for s in (1, 2, 3)} for m in (0, 1, 2)}
    assert len(titer[NONE]) == 1
    assert len(titer[NOMINAL]) == len(titer[HARD]) == 3


def test_a_drifting_probe_hides_the_drift_that_its_controller_follows():
    plant, samples = run(11, mismatch=HARD, until=300.0)
    shown = values(samples, "ph", "online")[300.0]
    drift = plant._culture.equipment.ph_drift * 300.0
    assert abs(drift) > 0.02
    assert plant._culture.ph + drift == pytest.approx(shown, abs=0.03)


def test_the_pump_stops_at_the_working_volume_and_the_readback_does_not():
    _, samples = run(feed=40.0, until=200.0)
    flow, volume = values(samples, "feed.flow", "online"), values(samples, "volume", "online")
    assert flow[200.0] < 1.0
    assert max(volume.values()) < 5.02
    assert values(samples, "feed.rate", "readback") == {96.0: 40.0}


def test_a_starved_culture_is_lost_and_says_so():
    plant, _ = run(feed=0.0, temperature=38.0, until=336.0)
    assert plant.done
    assert plant.outcome()["failed"] == 1.0
    assert plant.outcome()["fail.viability"] == 1.0


@pytest.mark.parametrize(
    "recipe",
    [
        {"mismatch": 3.0},
        {"mismatch": 0.5},
        {"start.volume": 9.0},
        {"seeding.density": float("nan")},
    ],
)
def test_a_recipe_out_of_range_is_refused(recipe):
    with pytest.raises(ValueError, match="recipe key"):
        Bioreactor().reset(1, recipe)


def test_noise_is_a_function_of_its_number_and_looks_like_noise():
    stream = Stream(5, "ph")
    draws = [stream.normal(n) for n in range(4000)]
    assert draws == [Stream(5, "ph").normal(n) for n in range(4000)]
    assert draws[:50] != [Stream(6, "ph").normal(n) for n in range(50)]
    mean = sum(draws) / len(draws)
    assert abs(mean) < 0.05
    assert sum((x - mean) ** 2 for x in draws) / len(draws) == pytest.approx(1.0, abs=0.06)
    assert abs(sum(a * b for a, b in pairwise(draws)) / len(draws)) < 0.05


def test_the_simulated_plant_loads_no_framework_and_no_part_of_the_twin():
    code = (
        "import sys, twin_core.virtual_plant.bioreactor, twin_core.virtual_plant.recorded;"
        "ours = {m for m in sys.modules if m.startswith(('twin_core.', 'audit', 'models_reg'))};"
        "print(sorted(m for m in ours if 'virtual_plant' not in m));"
        "print('django' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:2] == [
        "['twin_core.science', 'twin_core.science.contracts']",
        "False",
    ]
