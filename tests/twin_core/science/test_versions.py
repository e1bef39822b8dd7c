"""Model versions: frozen, canonical, refused when altered; learned from what they were given."""

import dataclasses
import json

import pytest

from tests.twin_core.science.simulated import frozen, simulated_batch, simulated_package
from twin_core.equipment.bioreactor.cho_fed_batch.template import MODEL
from twin_core.science import calibration
from twin_core.science.calibration import calibrate
from twin_core.science.estimation import estimate
from twin_core.science.kernel import build
from twin_core.science.learning import learn
from twin_core.science.packages import Package
from twin_core.science.replay import replay
from twin_core.science.versions import VersionRefused, canonical, decimal_text, freeze, thaw


@pytest.mark.requirement("URS-MOD-002")
def test_a_frozen_version_thaws_to_the_same_digest_and_numbers():
    made = frozen()
    again = thaw(made.text, MODEL, digest=made.digest)
    assert again.digest == made.digest
    assert (again.population.factor == made.version.population.factor).all()
    assert freeze(json.loads(made.text)) == (made.text, made.digest)


@pytest.mark.requirement("URS-MOD-002")
def test_a_version_says_what_it_is_for_and_what_it_was_made_from():
    content = frozen().version.content
    assert content["training"]["batches"] == [f"SIM-{n}" for n in range(1, 7)]
    assert content["training"]["package_digest"] == "0" * 64
    assert content["intended_use"] and content["impact"] in ("low", "medium", "high")
    assert set(content["scores"]) >= {"viable_cell_density", "titer"}
    assert len(content["posterior_sample"]["members"]) == calibration.MEMBERS


@pytest.mark.requirement("URS-MOD-002")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"impact":"medium"', '"impact":"low"'), "digest is"),
        (lambda text: text + "\n", "digest is"),
    ],
)
def test_an_altered_version_is_refused_by_digest(change, message):
    made = frozen()
    with pytest.raises(VersionRefused, match=message):
        thaw(change(made.text), MODEL, digest=made.digest)


@pytest.mark.requirement("URS-MOD-002")
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "twin-model-version/9", "format is"),
        ("template", "penicillin_fed_batch", "made for template"),
        ("equations", "0" * 64, "calibrate again or install"),
    ],
)
def test_a_version_for_other_software_is_refused(key, value, message):
    content = {**json.loads(frozen().text), key: value}
    with pytest.raises(VersionRefused, match=message):
        thaw(canonical(content), MODEL)


@pytest.mark.requirement("URS-MOD-002")
@pytest.mark.parametrize("text", ["{", '{"a": 1}', '{"b":1,"a":1}', '{"a":1.5}'])
def test_text_that_is_not_canonical_json_is_refused(text):
    with pytest.raises(VersionRefused):
        thaw(text, MODEL)


@pytest.mark.requirement("URS-MOD-002")
def test_a_float_cannot_be_frozen():
    with pytest.raises(TypeError, match="decimal strings"):
        freeze({"value": 0.1})


@pytest.mark.parametrize("value", [0.1, -0.0, 1e-300, 253.15, 1 / 3])
def test_a_decimal_text_reads_back_to_the_same_double(value):
    assert float(decimal_text(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_has_no_decimal_text(value):
    with pytest.raises(ValueError, match="no decimal text"):
        decimal_text(value)


@pytest.mark.requirement("URS-MOD-005")
def test_a_left_out_batch_changes_no_byte_of_the_version():
    package = simulated_package()
    changed = [
        dataclasses.replace(b, samples=b.samples[:5]) if b.batch_id == "SIM-6" else b
        for b in package.batches
    ]
    other = Package(package.name, package.digest, tuple(changed))
    model, kernel = MODEL, build(MODEL.equations)
    left = list(package.without("batch_id", "SIM-6").batches)
    right = list(other.without("batch_id", "SIM-6").batches)
    assert left == right
    one, two = (learn(batches, model, kernel, rounds=2) for batches in (left, right))
    assert one.mean.tobytes() == two.mean.tobytes()
    with_it = learn(package.batches, model, kernel, rounds=2)
    assert with_it.mean.tobytes() != one.mean.tobytes()


@pytest.mark.requirement("URS-MOD-005")
def test_a_replay_of_a_training_batch_is_refused(tmp_path):
    with pytest.raises(ValueError, match="trained on SIM-1"):
        replay(simulated_package(), frozen().version, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.requirement("URS-MOD-005")
def test_fewer_than_three_batches_teach_no_spread():
    package = simulated_package()
    two = Package(package.name, package.digest, package.batches[:2])
    with pytest.raises(ValueError, match="at least 3"):
        calibrate(two, MODEL, name="too few")


@pytest.mark.requirement("URS-MOD-005")
def test_learning_moves_the_mean_towards_the_truth():
    """The simulated clone needs e^0.3 more sugar and makes e^0.4 more product."""
    version = frozen().version
    mean = dict(zip(version.content["population"]["names"], version.population.mean, strict=True))
    assert 0.1 < mean["glucose_per_growth"] < 0.7
    production = mean["specific_production"] + mean["production_144h"]
    assert 0.2 < production < 0.6


@pytest.mark.requirement("URS-MOD-006")
def test_a_sample_in_another_unit_is_refused():
    batch = simulated_batch(20, 48.0)
    odd = dataclasses.replace(batch.samples[0], unit="cells/mL")
    wrong = dataclasses.replace(batch, samples=(odd, *batch.samples[1:]))
    with pytest.raises(ValueError, match="unit 'cells/mL'"):
        estimate(frozen().version, wrong, 100.0)
