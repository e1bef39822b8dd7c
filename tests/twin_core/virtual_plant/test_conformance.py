"""Both simulated plants keep the plant contract, and the checks notice who does not."""

import csv
from dataclasses import replace
from math import nan

import pytest

from twin_core.science.contracts import Sample, Setpoint, Spec
from twin_core.testing import ContractBroken, check_plant, plant_checks
from twin_core.virtual_plant.bioreactor import Bioreactor
from twin_core.virtual_plant.recorded import RecordedBatch

HEADER = ("batch_id", "time_h", "tag", "value", "unit", "source", "received_h")


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """A batch package of one short simulated culture and a stranger's row."""
    folder = tmp_path_factory.mktemp("package")
    plant = Bioreactor()
    plant.reset(7, {})
    samples = plant.advance({"feed.rate": 4.0}, 49.0) + plant.advance({"harvest": 1.0}, 1.0)
    with (folder / "samples.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER)
        rows.writerow(("OTHER", 0.0, "ph", 1.0, "pH", "online", 0.0))
        for s in samples:
            if s.source == "lab" or (s.source == "online" and s.time_h % 1 == 0):
                rows.writerow(("B1", s.time_h, s.tag, s.value, s.unit, s.source, s.received_h))
    return folder


@pytest.mark.requirement("URS-PLT-001")
@pytest.mark.parametrize("check", plant_checks(), ids=lambda check: check.__name__)
def test_the_simulated_bioreactor_keeps_the_contract(check):
    check(Bioreactor)


@pytest.mark.requirement("URS-PLT-001")
@pytest.mark.parametrize("check", plant_checks(), ids=lambda check: check.__name__)
def test_a_recorded_batch_keeps_the_contract(check, package):
    check(lambda: RecordedBatch(package, "B1"))


class _Wrong(Bioreactor):
    """A plant with one fault in ``advance``; subclasses say which."""

    def advance(self, setpoints, hours):
        return self.spoil(super().advance(setpoints, hours))

    def spoil(self, samples):
        return samples


class Clamps(_Wrong):
    def advance(self, setpoints, hours):
        points = {p.tag: p for p in self.CARD.setpoints}
        kept = {tag: v for tag, v in setpoints.items() if tag in points and v == v}
        kept = {tag: min(max(v, points[tag].low), points[tag].high) for tag, v in kept.items()}
        return super().advance(kept, hours)


class Forgets(_Wrong):
    def spoil(self, samples):
        return [s for s in samples if s.received_h <= self.time_h]


class Repeats(_Wrong):
    def spoil(self, samples):
        return samples + samples[-1:]


class Shuffles(_Wrong):
    def spoil(self, samples):
        return samples[::-1]


class Hides(_Wrong):
    def spoil(self, samples):
        return [replace(s, value=nan) if s.tag == "ph" else s for s in samples]


class Silent(_Wrong):
    def spoil(self, samples):
        return [s for s in samples if s.source != "readback"]


class Looks(_Wrong):
    def spoil(self, samples):
        return [replace(s, time_h=s.received_h + 1) if s.source == "lab" else s for s in samples]


class Renames(_Wrong):
    def spoil(self, samples):
        return [replace(s, unit="1") if s.tag == "ph" else s for s in samples]


class CutsTime(_Wrong):
    def spoil(self, samples):
        return [replace(s, value=s.value + len(samples)) for s in samples]


class Drifts(_Wrong):
    calls = 0

    def spoil(self, samples):
        type(self).calls += 1
        return [replace(s, value=s.value + type(self).calls) for s in samples]


class Overruns(_Wrong):
    def advance(self, setpoints, hours):
        return super().advance(setpoints, hours + 1.0)


class LatelyHarvests(_Wrong):
    def advance(self, setpoints, hours):
        if setpoints.get("harvest") == 1.0:
            samples = super().advance({}, hours)
            return samples if self.done else samples + super().advance(setpoints, hours)
        return super().advance(setpoints, hours)


class Endless(_Wrong):
    def advance(self, setpoints, hours):
        return [] if self.done else super().advance(setpoints, hours)


class TellsEarly(_Wrong):
    def outcome(self):
        return {"product_mass": 1.0}


class Incomplete(_Wrong):
    def outcome(self):
        outcome = super().outcome()
        return {key: value for key, value in outcome.items() if key != "fail.titer"}


class AnyRecipe(_Wrong):
    def reset(self, seed, recipe):
        super().reset(seed, {k: v for k, v in recipe.items() if k in self.CARD.recipe})


class TwoOutlets(_Wrong):
    CARD = replace(Bioreactor.CARD, setpoints=Bioreactor.CARD.setpoints[:-1])


class OddUnit(_Wrong):
    CARD = replace(Bioreactor.CARD, specs=(Spec("titer", "drams"),))


class OddDefault(_Wrong):
    CARD = replace(
        Bioreactor.CARD,
        setpoints=(*Bioreactor.CARD.setpoints, Setpoint("x.y", "1", 0.0, 1.0, 2.0)),
    )


class AnyLength(_Wrong):
    def advance(self, setpoints, hours):
        return super().advance(setpoints, max(hours, 1.0) if hours == hours else 1.0)


class Immortal(_Wrong):
    def advance(self, setpoints, hours):
        samples = super().advance(setpoints, hours)
        self.time_h += 1000.0 * self.done
        return samples


WRONG_PLANTS = [
    (Clamps, "wrong_setpoints_are_refused"),
    (Forgets, "nothing_under_way_is_lost"),
    (Repeats, "samples_come_once"),
    (Shuffles, "samples_come_once"),
    (Hides, "samples_match_the_card"),
    (Silent, "a_change_is_read_back"),
    (Looks, "samples_match_the_card"),
    (Renames, "samples_match_the_card"),
    (CutsTime, "the_cut_of_time"),
    (Drifts, "equal_seeds_and_actions"),
    (Overruns, "time_moves_as_asked"),
    (LatelyHarvests, "harvest_ends_the_batch"),
    (Endless, "a_batch_that_is_over"),
    (TellsEarly, "the_outcome_comes_after"),
    (Incomplete, "the_outcome_comes_after"),
    (AnyRecipe, "an_unknown_recipe_key"),
    (TwoOutlets, "the_card_is_complete"),
    (OddUnit, "the_card_is_complete"),
    (OddDefault, "the_card_is_complete"),
    (AnyLength, "a_wrong_length_of_time"),
    (Immortal, "the_batch_ends_at_its_longest"),
]


@pytest.mark.requirement("URS-PLT-001")
@pytest.mark.parametrize(("plant", "rule"), WRONG_PLANTS, ids=lambda item: str(item)[-40:])
def test_a_plant_that_breaks_a_rule_is_found_out(plant, rule):
    (check,) = [check for check in plant_checks() if check.__name__.startswith(rule)]
    with pytest.raises(ContractBroken):
        check(plant)


def test_every_broken_rule_is_named_at_once():
    with pytest.raises(ContractBroken, match=r"a_change_is_read_back_at_once: .*feed\.rate"):
        check_plant(Silent)


def test_every_check_has_a_plant_that_it_finds_out():
    rules = [rule for _, rule in WRONG_PLANTS]
    for check in plant_checks():
        assert any(check.__name__.startswith(rule) for rule in rules), check.__name__


def test_a_sample_is_one_row_and_cannot_be_changed():
    sample = Sample(1.0, "ph", 7.0, "pH", 1.0)
    assert (sample.quality, sample.source) == ("good", "online")
    with pytest.raises(AttributeError):
        sample.value = 7.1
