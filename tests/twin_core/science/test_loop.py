"""Estimate, forecast, recommendation: deterministic, blind to the future, honest, right in sign."""

import csv
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin_core.science.simulated import frozen, simulated_batch, simulated_package
from twin_core.equipment.bioreactor import TWIN
from twin_core.science import estimation
from twin_core.science.estimation import Estimate, estimate, estimate_content
from twin_core.science.forecasting import forecast, forecast_content
from twin_core.science.optimisation import Recommendation, recommend, recommendation_content
from twin_core.science.packages import BatchHistory, Event, Observation, Package
from twin_core.science.replay import COLUMNS, replay
from twin_core.science.versions import canonical

NEW = 11  # a batch that the version has not seen
NOW = 110.0
ROOT = Path(__file__).resolve().parents[3]


def new_batch() -> BatchHistory:
    return simulated_batch(NEW)


def now() -> Estimate:
    return estimate(frozen().version, new_batch(), NOW)


def advice(batch: BatchHistory, now_h: float = NOW) -> Recommendation:
    version = frozen().version
    found = estimate(version, batch, now_h)
    return recommend(version, found, points=TWIN.write_back, limits=TWIN.limits, until_h=240.0)


def all_bytes() -> str:
    """Return the SHA-256 over an estimate, a forecast and a recommendation."""
    version = frozen().version
    text = canonical(estimate_content(now(), version))
    text += canonical(forecast_content(forecast(version, now())))
    text += canonical(recommendation_content(advice(new_batch())))
    return hashlib.sha256(text.encode()).hexdigest()


def mean_of(made, tag: str, time_h: float) -> float:
    rows = [row for row in made.rows if row.tag == tag]
    return min(rows, key=lambda row: abs(row.time_h - time_h)).mean


@pytest.mark.requirement("URS-MOD-001")
def test_another_process_gives_the_same_bytes(tmp_path):
    (tmp_path / "version.json").write_text(frozen().text, encoding="utf-8")
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.twin_core.science import simulated, test_loop\n"
        "from twin_core.science.calibration import Frozen\n"
        "from twin_core.science.versions import thaw\n"
        "text = Path(sys.argv[1]).read_text(encoding='utf-8')\n"
        "version = thaw(text, simulated.MODEL)\n"
        "test_loop.frozen = lambda: Frozen(text, version.digest, version)\n"
        "print(test_loop.all_bytes())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "version.json")],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == all_bytes()


@pytest.mark.requirement("URS-MOD-001")
def test_the_order_of_members_and_samples_changes_no_byte():
    made = frozen().version
    order = np.arange(len(made.draws))[::-1]
    turned = dataclasses.replace(
        made,
        draws=np.ascontiguousarray(made.draws[order]),
        noise_draws=np.ascontiguousarray(made.noise_draws[order]),
    )
    batch = new_batch()
    shuffled = dataclasses.replace(batch, samples=tuple(reversed(batch.samples)))
    one = forecast(made, estimate(made, batch, NOW))
    two = forecast(turned, estimate(turned, shuffled, NOW))
    assert canonical(forecast_content(one)) == canonical(forecast_content(two))


@pytest.mark.requirement("URS-FCT-002")
@settings(max_examples=15, deadline=None)
@given(now_h=st.floats(20.0, 238.0), value=st.floats(0.0, 50.0))
def test_nothing_that_comes_later_changes_an_earlier_forecast(now_h, value):
    """Cut the future off, or put nonsense into it: the forecast keeps its bytes."""
    version, batch = frozen().version, new_batch()
    cut = dataclasses.replace(batch, samples=batch.known_at(now_h), events=batch.done_by(now_h))
    later = Observation(now_h - 1.0, "viability", value, "%", now_h + 0.01)
    event = Event(now_h + 0.01, "setpoint", "temperature.setpoint", 31.0, "degC")
    spoilt = dataclasses.replace(
        batch, samples=(*batch.samples, later), events=(*batch.events, event)
    )
    texts = {
        canonical(forecast_content(forecast(version, estimate(version, b, now_h))))
        for b in (batch, cut, spoilt)
    }
    assert len(texts) == 1


@pytest.mark.requirement("URS-FCT-002")
def test_what_is_received_changes_the_forecast():
    """The property above is not held by deafness: a value received in time does count."""
    version, batch = frozen().version, new_batch()
    early = Observation(NOW - 10.0, "viability", 80.0, "%", NOW - 5.0)
    heard = dataclasses.replace(batch, samples=(*batch.samples, early))
    one, two = (forecast(version, estimate(version, b, NOW)) for b in (batch, heard))
    assert canonical(forecast_content(one)) != canonical(forecast_content(two))


@pytest.mark.requirement("URS-FCT-001")
def test_bands_enclose_the_mean_and_reach_at_least_thirty_hours():
    version = frozen().version
    for issued in (NOW, 239.0):
        made = forecast(version, estimate(version, new_batch(), issued))
        assert max(row.time_h for row in made.rows) >= issued + 30.0
        for row in made.rows:
            assert row.lo90 <= row.mean <= row.hi90


@pytest.mark.requirement("URS-FCT-001")
def test_bands_of_new_batches_cover_most_of_what_comes():
    version, inside, total = frozen().version, 0, 0
    for number in (11, 12, 13):
        batch = simulated_batch(number)
        made = forecast(
            version,
            estimate(version, batch, NOW),
            plan=[e for e in batch.events if e.time_h > NOW],
        )
        rows = {(row.tag, row.time_h): row for row in made.rows}
        for sample in batch.samples:
            near = [r for (tag, t), r in rows.items() if tag == sample.tag
                    and abs(t - sample.time_h) <= 1.0]  # fmt: skip
            if sample.time_h > NOW and near:
                total += 1
                inside += near[0].lo90 * 0.98 <= sample.value <= near[0].hi90 * 1.02
    assert total > 100
    assert inside / total > 0.75


@pytest.mark.requirement("URS-FCT-005")
def test_more_feed_raises_glucose_and_cooling_slows_growth():
    version, found = frozen().version, now()
    held = forecast(version, found)
    fed = forecast(version, found, plan=[Event(NOW, "setpoint", "feed.rate", 9.0, "mL/h")])
    cold = forecast(
        version, found, plan=[Event(NOW, "setpoint", "temperature.setpoint", 33.0, "degC")]
    )
    at = NOW + 48.0
    assert mean_of(fed, "glucose", at) > mean_of(held, "glucose", at) + 1.0
    assert mean_of(fed, "volume", at) > mean_of(held, "volume", at)
    assert mean_of(cold, "viable_cell_density", at) < mean_of(held, "viable_cell_density", at)
    assert mean_of(cold, "viability", at) > mean_of(held, "viability", at)


@pytest.mark.requirement("URS-FCT-005")
def test_a_later_harvest_of_a_living_culture_holds_more_product():
    made = forecast(frozen().version, now())
    amounts = [
        mean_of(made, "titer", t) * mean_of(made, "volume", t) for t in (120.0, 160.0, 200.0)
    ]
    assert amounts == sorted(amounts)


@pytest.mark.requirement("URS-FCT-004")
def test_a_recommendation_is_executable_and_inside_the_training_space():
    made = advice(new_batch())
    assert made.status == "ok"
    space = frozen().version.content["input_space"]["controls"]
    points = {point.tag: point for point in TWIN.write_back}
    for alternative in made.alternatives:
        for change in alternative.changes:
            point = points[change.tag]
            assert point.low <= change.value <= point.high
            assert float(space[change.tag][0]) <= change.value <= float(space[change.tag][1])
            steps = change.value / point.step
            assert abs(steps - round(steps)) < 1e-6
    assert made.actions[-1].tag == "harvest"
    assert NOW < made.actions[-1].time_h <= 240.0


@pytest.mark.requirement("URS-FCT-004")
def test_the_recommended_plan_is_the_plan_that_was_forecast():
    made = advice(new_batch())
    version = frozen().version
    assert made.expected is not None and made.chosen is not None
    again = forecast(
        version, estimate(version, new_batch(), NOW), until_h=240.0, plan=made.chosen.changes
    )
    assert canonical(forecast_content(again)) == canonical(forecast_content(made.expected))
    assert made.chosen.product_g >= made.nothing.product_g


@pytest.mark.requirement("URS-FCT-004")
def test_without_writable_points_the_advice_is_a_harvest_time_alone():
    version = frozen().version
    made = recommend(version, now(), points=(), limits=TWIN.limits, until_h=240.0)
    assert made.alternatives == ()
    assert [event.tag for event in made.actions] == ["harvest"]


@pytest.mark.requirement("URS-FCT-004")
def test_no_time_left_gives_no_advice():
    version = frozen().version
    made = recommend(version, now(), points=(), limits=TWIN.limits, until_h=NOW)
    assert made.status == "undecided" and "no time left" in made.reason
    assert made.actions == ()


BROKEN = {
    "value within training": Observation(109.0, "ammonia", 60.0, "mM", 109.5),
    "change in 24 h within training": Observation(109.0, "viability", 61.0, "%", 109.5),
}


@pytest.mark.requirement("URS-FCT-003")
@pytest.mark.parametrize("name", BROKEN)
def test_an_input_outside_the_training_space_makes_the_twin_undecided(name):
    batch = new_batch()
    odd = dataclasses.replace(batch, samples=(*batch.samples, BROKEN[name]))
    found = estimate(frozen().version, odd, NOW)
    assert any(name in v.name and not v.kept for v in found.verdicts)
    assert found.undecided
    made = forecast(frozen().version, found)
    assert {row.status for row in made.rows} == {"undecided"}
    assert all(row.reason for row in made.rows)
    assert advice(odd).status == "undecided"


@pytest.mark.requirement("URS-FCT-003")
def test_a_set_point_outside_the_training_space_makes_the_twin_undecided():
    batch = new_batch()
    hot = Event(100.0, "setpoint", "temperature.setpoint", 39.5, "degC")
    found = estimate(frozen().version, dataclasses.replace(batch, events=(*batch.events, hot)), NOW)
    assert "temperature.setpoint 39.5" in found.undecided


@pytest.mark.requirement("URS-FCT-003")
def test_stale_or_missing_samples_make_the_twin_undecided():
    version, batch = frozen().version, new_batch()
    old = dataclasses.replace(batch, samples=batch.known_at(60.0))
    assert "h old" in estimate(version, old, NOW).undecided
    none = dataclasses.replace(batch, samples=())
    assert "no sample" in estimate(version, none, NOW).undecided


@pytest.mark.requirement("URS-FCT-003")
def test_a_batch_that_the_model_cannot_follow_makes_the_twin_undecided():
    batch = new_batch()
    wild = tuple(
        dataclasses.replace(s, value=max(s.value * (1.6 if i % 2 else 0.5), 0.01))
        if s.tag in ("viable_cell_density", "glucose")
        else s
        for i, s in enumerate(batch.samples)
    )
    found = estimate(frozen().version, dataclasses.replace(batch, samples=wild), NOW)
    names = {v.name for v in found.verdicts if not v.kept}
    assert names & {
        "residuals are as large as the measurement error",
        "the batch belongs to the trained population",
    }


@pytest.mark.requirement("URS-FCT-003")
def test_an_ordinary_batch_is_decided():
    assert now().undecided == ""
    assert len(now().verdicts) > 15


@pytest.mark.requirement("URS-FCT-003")
def test_a_failed_fit_is_a_verdict_not_a_number(monkeypatch):
    def failed(kernel, population, seen, fixed, controls):
        found = real(kernel, population, seen, fixed, controls)
        return dataclasses.replace(found, converged=False)

    real = estimation.fit
    monkeypatch.setattr(estimation, "fit", failed)
    assert "could not be integrated" in now().undecided


def test_a_forecast_refuses_the_estimate_of_another_version():
    other = dataclasses.replace(frozen().version, digest="f" * 64)
    with pytest.raises(ValueError, match="another version"):
        forecast(other, now())


@pytest.mark.requirement("URS-FCT-002")
def test_a_replay_writes_the_documented_table_and_scores(tmp_path):
    package = Package("new", "1" * 64, (simulated_batch(NEW, 96.0),))
    found = replay(package, frozen().version, tmp_path)
    with (tmp_path / "forecasts.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    for row in rows[:50]:
        reach = float(row["time_h"]) - float(row["issued_h"])
        assert reach == pytest.approx(float(row["horizon_h"]))
    assert json.loads((tmp_path / "scores.json").read_text())["next_sample"]["viability"]
    assert found["batches"] == [f"SIM-{NEW}"]
    issued = {float(row["issued_h"]) for row in rows}
    assert issued == {s.received_h for s in package.batches[0].samples}


def test_the_simulated_package_is_what_the_version_was_trained_on():
    trained = frozen().version.content["training"]["batches"]
    assert f"SIM-{NEW}" not in trained
    assert len(simulated_package().batches) == len(trained)
