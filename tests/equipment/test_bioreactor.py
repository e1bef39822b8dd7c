"""The bioreactor twin: manifest, parameters, the NISTCHO package and its figures."""

import json

import numpy as np
import pytest

from tests.equipment.places import BIOREACTOR, NISTCHO
from twin_core.equipment.bioreactor import TWIN, offline
from twin_core.equipment.bioreactor.cho_fed_batch import model, parameters
from twin_core.equipment.bioreactor.cho_fed_batch.template import MODEL, TAGS, controls, fixed
from twin_core.equipment.bioreactor.packages import nistcho
from twin_core.science.calibration import calibrate
from twin_core.science.estimation import estimate
from twin_core.science.forecasting import forecast
from twin_core.science.optimisation import recommend
from twin_core.science.packages import Event, read_package
from twin_core.science.scoring import Pair, band_factors, next_sample_pairs, scores


@pytest.fixture(scope="module")
def package():
    return read_package(NISTCHO)


@pytest.fixture(scope="module")
def without_c(package):
    """The version for the strategy whose cultures are lost on day ten, never having seen it."""
    return calibrate(
        package.without("condition", "C"), MODEL, name="without-C", group_by="condition"
    ).version


@pytest.mark.requirement("URS-MOD-006")
def test_every_parameter_has_a_unit_a_source_and_a_range_around_its_value():
    for parameter in (*parameters.MEMBER, *parameters.CONSTANT):
        assert parameter.unit and parameter.source
        assert parameter.low <= parameter.reference <= parameter.high, parameter.name


@pytest.mark.requirement("URS-MOD-006")
def test_names_spreads_and_kernel_agree_on_the_number_of_directions():
    assert len(MODEL.names) == len(MODEL.between) == len(MODEL.doubt) == model.FIRST_CONSTANT
    assert len(set(MODEL.names)) == len(MODEL.names)
    assert len(parameters.fixed_values()) == model.NUMBER_OF_CONSTANTS
    assert [tag.index for tag in TAGS] == list(range(len(TAGS)))


def test_limits_are_ordered_and_points_are_sound():
    names = {tag for tag, _ in TWIN.measured}
    for limit in TWIN.limits:
        assert limit.tag in names
    for point in TWIN.write_back:
        assert point.low < point.high and point.step > 0 and point.fastest_per_h > 0
    assert [p.tag for p in TWIN.write_back if not p.writable] == ["harvest"]


def test_an_unknown_process_model_is_refused_by_name():
    assert TWIN.model("cho_fed_batch") is MODEL
    with pytest.raises(KeyError, match="cho_fed_batch"):
        TWIN.model("cho_perfusion")


@pytest.mark.requirement("URS-MOD-006")
def test_events_become_control_rows_in_the_units_of_the_kernel():
    rows = controls(
        [
            Event(24.0, "setpoint", "feed.rate", 5.0, "mL/h"),
            Event(48.0, "setpoint", "temperature.setpoint", 33.0, "degC"),
            Event(60.0, "feed", "feed.bolus", 30.0, "mL"),
            Event(61.0, "setpoint", "ph.setpoint", 7.0, "pH"),
        ]
    )
    assert rows == [
        [0.0, 0.0, 37.0, 0.0],
        [24.0, 0.005, 37.0, 0.0],
        [48.0, 0.005, 33.0, 0.0],
        [60.0, 0.005, 33.0, 0.03],
    ]


@pytest.mark.requirement("URS-MOD-006")
def test_a_set_point_in_another_unit_is_refused():
    with pytest.raises(ValueError, match="unit 'mL/min'"):
        controls([Event(24.0, "setpoint", "feed.rate", 5.0, "mL/min")])


def test_a_batch_without_a_feed_on_record_is_told_apart():
    place = model.FIRST_CONSTANT + 13
    assert parameters.CONSTANT[13].name == "feed_on_record"
    assert fixed({}, [], 2.0)[place] == 0.0
    assert fixed({}, [Event(0.0, "setpoint", "feed.rate", 0.0, "mL/h")], 2.0)[place] == 1.0


@pytest.mark.requirement("URS-MOD-004")
def test_the_package_files_have_the_digests_that_its_readme_states():
    import hashlib

    readme = (NISTCHO / "README.md").read_text(encoding="utf-8")
    for name in ("batches.csv", "samples.csv", "events.csv", "LICENSE"):
        assert hashlib.sha256((NISTCHO / name).read_bytes()).hexdigest() in readme, name
    assert nistcho.SOURCE_SHA256 in readme
    assert "Permission is hereby granted" in (NISTCHO / "LICENSE").read_text(encoding="utf-8")


def source_table(package) -> str:
    """Return the source table rebuilt from the package, columns that it does not use left out."""
    lines = ["culture_id,campaign,condition_code,feeding_strategy,replicate,culture_time_h,"
             "vcd_e6_per_ml,viability_pct,mean_diameter_um,cell_line"]  # fmt: skip
    import csv

    with (NISTCHO / "samples.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with (NISTCHO / "batches.csv").open(encoding="utf-8") as stream:
        heads = {row["batch_id"]: row for row in csv.DictReader(stream)}
    for i in range(0, len(rows), 3):
        a, b, c = rows[i : i + 3]
        h = heads[a["batch_id"]]
        lines.append(",".join([
            a["batch_id"], h["campaign"], h["condition"], h["feeding_strategy"], h["replicate"],
            a["time_h"], a["value"], b["value"], c["value"], h["cell_line"],
        ]))  # fmt: skip
    return "\n".join(lines) + "\n"


@pytest.mark.requirement("URS-MOD-004")
def test_the_importer_makes_the_same_bytes_again(package, tmp_path, monkeypatch):
    import hashlib

    source = tmp_path / "source.csv"
    source.write_text(source_table(package), encoding="utf-8")
    monkeypatch.setattr(nistcho, "SOURCE_SHA256", hashlib.sha256(source.read_bytes()).hexdigest())
    nistcho.write_package(source, tmp_path)
    for name in ("batches.csv", "samples.csv", "events.csv"):
        assert (tmp_path / name).read_bytes() == (NISTCHO / name).read_bytes(), name


@pytest.mark.requirement("URS-MOD-004")
def test_the_importer_refuses_another_source(tmp_path):
    source = tmp_path / "source.csv"
    source.write_text("culture_id\n", encoding="utf-8")
    with pytest.raises(ValueError, match="SHA-256 is"):
        nistcho.write_package(source, tmp_path)


@pytest.mark.requirement("URS-FCT-001")
def test_the_left_out_strategy_is_forecast_better_than_by_persistence(package, without_c):
    """Strategy A, by a version that saw B, D, E and F alone (C left out of it as well)."""
    fewer = package.without("condition", "C").without("condition", "A")
    version = calibrate(fewer, MODEL, name="without-A-C", group_by="condition").version
    pairs = [p for b in package.only("condition", "A").batches
             for p in next_sample_pairs(version, b)]  # fmt: skip
    found = scores(pairs)
    for tag in ("viable_cell_density", "viability"):
        assert float(found[tag]["rmse"]) < float(found[tag]["rmse_persistence"]), tag
        assert float(found[tag]["coverage_90"]) >= 0.75, tag


@pytest.mark.requirement("URS-FCT-003")
def test_the_twin_is_undecided_before_the_lost_cultures_are_lost(package, without_c):
    """Cells shrink a day before viability falls: outside what the other strategies showed."""
    for batch in package.only("condition", "C").batches:
        found = estimate(without_c, batch, 218.0)
        assert "mean_cell_diameter change in 24 h" in found.undecided
        made = recommend(without_c, found, points=(), limits=TWIN.limits, until_h=270.0)
        assert made.status == "undecided"
        assert estimate(without_c, batch, 150.0).undecided == ""


@pytest.mark.requirement("URS-FCT-003")
def test_states_that_were_never_measured_say_so_in_status_and_band(package, without_c):
    batch = package.only("condition", "C").batches[0]
    made = forecast(without_c, estimate(without_c, batch, 150.0))
    for row in made.rows:
        latent = row.tag not in ("viable_cell_density", "viability")
        assert (row.status == "undecided") == latent
        if latent:
            tag = MODEL.tag(row.tag)
            assert (row.lo90, row.hi90) == (tag.low, tag.high)
            assert "never measured" in row.reason


@pytest.mark.requirement("URS-FCT-004")
def test_a_recorded_culture_gets_a_harvest_time_and_no_set_point(package, without_c):
    batch = package.only("condition", "C").batches[0]
    found = estimate(without_c, batch, 150.0)
    made = recommend(without_c, found, points=TWIN.write_back, limits=TWIN.limits, until_h=270.0)
    assert made.status == "ok"
    assert [event.tag for event in made.actions] == ["harvest"]


@pytest.mark.requirement("URS-FCT-001")
def test_the_band_factor_covers_nine_of_ten_and_is_bounded():
    def outcome(distance: float) -> Pair:
        return Pair(
            "B", "titer", 0.0, 10.0, 10.0 + distance, 10.0, 9.0, 11.0, "ok", 0, 0, 1, 2, 0.0
        )

    factors = band_factors([outcome(0.1 * k) for k in range(20)], ["titer", "volume"])
    assert factors["titer"][0] == (36.0, pytest.approx(1.8))
    assert factors["volume"][0] == (36.0, 1.0)
    far = band_factors([outcome(100.0 + k) for k in range(20)], ["titer"])
    assert far["titer"][0][1] == 2.5


@pytest.mark.requirement("URS-MOD-005")
def test_calibrate_and_replay_work_from_files(tmp_path, capsys, monkeypatch):
    out = tmp_path / "version.json"
    monkeypatch.setattr("twin_core.science.calibration.MOST_FOLDS", 1)
    monkeypatch.setattr("twin_core.science.calibration.FEW_FOLDS", 2)
    assert offline.main([
        "calibrate", str(NISTCHO), "--name", "n", "--out", str(out), "--without", "condition=C",
        "--group-by", "condition",
    ]) == 0  # fmt: skip
    arguments = ["replay", str(NISTCHO), "--version", str(out), "--out", str(tmp_path / "r")]
    assert offline.main([*arguments, "--only", "condition=C"]) == 0
    assert json.loads((tmp_path / "r" / "scores.json").read_text())["next_sample"]
    assert offline.main([*arguments, "--only", "condition=A"]) == 1
    assert "trained on" in capsys.readouterr().err
    assert offline.main([*arguments, "--only", "condition=Z"]) == 1


def test_plain_knots_interpolate_and_stay_flat_outside():
    p = np.zeros(model.NUMBER_OF_CONSTANTS)
    p[model.FIRST_GROWTH_KNOT + 1] = 1.0
    at = [model.modifier(p, model.FIRST_GROWTH_KNOT, model.KNOTS, 24.0, t) for t in (12.0, 24.0)]
    assert at == [0.5, 1.0]
    last = model.FIRST_GROWTH_KNOT + model.KNOTS - 1
    p[last] = -0.5
    assert model.modifier(p, model.FIRST_GROWTH_KNOT, model.KNOTS, 24.0, 1e4) == -0.5
    assert (BIOREACTOR / "cho_fed_batch" / "reference.json").is_file()
