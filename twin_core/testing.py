"""What every plant must pass. An outsider tests a plant of their own with ``check_plant``.

    from twin_core.testing import check_plant
    check_plant(MyPlant)

``plant_checks()`` gives the checks one by one, for a test runner that names each.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from math import isfinite, isnan, nan
from typing import get_args

from twin_core.science.contracts import (
    HARVEST,
    Card,
    Plant,
    Quality,
    Sample,
    Sensor,
    Setpoint,
    SetpointKind,
    Source,
    Spec,
)
from twin_core.science.units import known_units

PlantFactory = Callable[[], Plant]
PlantCheck = Callable[[PlantFactory], None]
SEED = 12345
Trace = list[tuple[object, ...]]


class ContractBroken(AssertionError):
    """A plant does not keep a rule; the text says which and how."""


def check_plant(factory: PlantFactory) -> None:
    """Run every check on fresh plants; raise ContractBroken naming every rule that is broken."""
    broken = []
    for check in plant_checks():
        try:
            check(factory)
        except ContractBroken as error:
            broken.append(f"{check.__name__}: {error}")
    if broken:
        raise ContractBroken("; ".join(broken))


def plant_checks() -> tuple[PlantCheck, ...]:
    return (
        the_card_is_complete,
        time_moves_as_asked,
        samples_come_once_in_order_of_receipt,
        samples_match_the_card,
        nothing_under_way_is_lost_at_the_end,
        wrong_setpoints_are_refused_and_change_nothing,
        a_wrong_length_of_time_is_refused,
        a_change_is_read_back_at_once,
        harvest_ends_the_batch_before_the_interval,
        a_batch_that_is_over_stays_over,
        the_batch_ends_at_its_longest,
        equal_seeds_and_actions_give_equal_samples,
        the_cut_of_time_changes_nothing,
        the_outcome_comes_after_the_end_and_is_whole,
        an_unknown_recipe_key_is_refused,
    )


def the_card_is_complete(factory: PlantFactory) -> None:
    card = factory().CARD
    _require(0 < card.step_h <= card.max_h < float("inf"), "0 < step_h <= max_h must hold")
    _require(card.better in ("high", "low"), f"better is high or low, not {card.better!r}")
    tags = [point.tag for point in card.setpoints]
    _require(len(set(tags)) == len(tags), "a set point is named twice")
    for point in card.setpoints:
        _check_setpoint(point)
    named: list[Setpoint | Sensor | Spec] = [*card.setpoints, *card.sensors, *card.specs]
    for item in named:
        _require(item.unit in known_units(), f"unit {item.unit!r} is not in the list of units")
    for spec in card.specs:
        _require(spec.low <= spec.high, f"limits of {spec.key!r} are crossed")
    points = [point for point in card.setpoints if point.tag == HARVEST]
    _require(len(points) == 1 and points[0].kind == "command", "there must be a command 'harvest'")


def time_moves_as_asked(factory: PlantFactory) -> None:
    plant = _fresh(factory)
    _require(plant.time_h == 0.0 and not plant.done, "after reset it is 0 h and not done")
    for hours in (plant.CARD.step_h, 1.0, 0.5, 2.75):
        before = plant.time_h
        plant.advance({}, hours)
        moved = plant.time_h - before
        _require(plant.done or abs(moved - hours) < 1e-6, f"asked for {hours} h, moved {moved} h")


def samples_come_once_in_order_of_receipt(factory: PlantFactory) -> None:
    plant, seen = _fresh(factory), []
    while not plant.done:
        before = plant.time_h
        fresh = plant.advance({}, 5.0)
        for sample in fresh:
            early = sample.received_h < before - 1e-9
            _require(not early, f"{sample} comes later than it was received")
            late = sample.received_h > plant.time_h + 1e-9 and not plant.done
            _require(not late, f"{sample} comes before it was received")
        seen += fresh
    ordered = all(a.received_h <= b.received_h for a, b in pairwise(seen))
    _require(ordered, "samples are not in order of receipt")
    keys = [(s.tag, s.time_h, s.source) for s in seen]
    _require(len(keys) == len(set(keys)), "a sample comes twice")


def samples_match_the_card(factory: PlantFactory) -> None:
    plant = _fresh(factory)
    tags: list[Setpoint | Sensor] = [*plant.CARD.setpoints, *plant.CARD.sensors]
    units = {item.tag: item.unit for item in tags}
    samples = _play(plant, {}, 12.0)
    _require(bool(samples), "a whole batch gave no sample")
    for sample in samples:
        _require(sample.tag in units, f"tag {sample.tag!r} is not on the card")
        _require(sample.unit == units[sample.tag], f"{sample} has another unit than the card")
        _require(sample.quality in get_args(Quality), f"quality of {sample}")
        _require(sample.source in get_args(Source), f"source of {sample}")
        _require(sample.received_h >= sample.time_h >= 0.0, f"{sample} was known before taken")
        fine = isfinite(sample.value) or (isnan(sample.value) and sample.quality == "bad")
        _require(fine, f"{sample} has no value and is not marked bad")


def nothing_under_way_is_lost_at_the_end(factory: PlantFactory) -> None:
    """Harvest between sampling and receipt: the result still comes, with its true times."""
    whole = _play(_fresh(factory), {}, 12.0)
    late = next((s for s in whole if s.received_h - s.time_h > 0.1 and s.time_h > 0.0), None)
    if late is None:
        return
    plant = _fresh(factory)
    plant.advance({}, (late.time_h + late.received_h) / 2)
    last = plant.advance({HARVEST: 1.0}, 1.0)
    found = [s for s in last if (s.tag, s.time_h) == (late.tag, late.time_h)]
    _require(len(found) == 1 and _key(found[0]) == _key(late), f"{late} was lost at the end")


def wrong_setpoints_are_refused_and_change_nothing(factory: PlantFactory) -> None:
    plant, twin = _fresh(factory), _fresh(factory)
    for wrong in _wrong_setpoints(plant.CARD):
        _refuses(ValueError, partial(plant.advance, wrong, 1.0), f"set points {wrong}")
        _require(plant.time_h == 0.0, f"time moved although {wrong} was refused")
    same = _trace(plant.advance({}, 6.0)) == _trace(twin.advance({}, 6.0))
    _require(same, "a refused set point left a trace")


def a_wrong_length_of_time_is_refused(factory: PlantFactory) -> None:
    plant = _fresh(factory)
    for hours in (0.0, -1.0, nan, plant.CARD.step_h / 2):
        _refuses(ValueError, partial(plant.advance, {}, hours), f"{hours} hours")


def a_change_is_read_back_at_once(factory: PlantFactory) -> None:
    plant = _fresh(factory)
    plant.advance({}, 1.0)
    for point in (p for p in plant.CARD.setpoints if p.kind == "hold"):
        value = point.high if point.default != point.high else point.low
        now = plant.time_h
        read = [s for s in plant.advance({point.tag: value}, 1.0) if s.source == "readback"]
        expected = [(point.tag, value, point.unit, now, now)]
        got = [(s.tag, s.value, s.unit, s.time_h, s.received_h) for s in read]
        _require(got == expected, f"readback of {point.tag!r} is {got}, expected {expected}")
        again = [s for s in plant.advance({}, 1.0) if s.source == "readback"]
        _require(not again, f"{point.tag!r} is read back without a change")


def harvest_ends_the_batch_before_the_interval(factory: PlantFactory) -> None:
    plant = _fresh(factory)
    plant.advance({}, 3.0)
    plant.advance({HARVEST: 0.0}, 1.0)
    _require(not plant.done, "harvest 0.0 ended the batch")
    plant.advance({HARVEST: 1.0}, 24.0)
    _require(plant.done, "harvest did not end the batch")
    _require(plant.time_h == 4.0, f"harvest at 4 h ended at {plant.time_h} h")


def a_batch_that_is_over_stays_over(factory: PlantFactory) -> None:
    plant = _harvested(factory)
    _refuses(RuntimeError, partial(plant.advance, {}, 1.0), "advance after the end")
    plant.reset(SEED, {})
    _require(plant.time_h == 0.0 and not plant.done, "reset does not start a new batch")


def the_batch_ends_at_its_longest(factory: PlantFactory) -> None:
    plant = _fresh(factory)
    plant.advance({}, plant.CARD.max_h * 2)
    _require(plant.done and plant.time_h <= plant.CARD.max_h, "the batch outlives max_h")


def equal_seeds_and_actions_give_equal_samples(factory: PlantFactory) -> None:
    plant = _fresh(factory)
    first = _trace(_play(plant, _legal(plant.CARD), 12.0))
    plant.reset(SEED, {})
    _require(first == _trace(_play(plant, _legal(plant.CARD), 12.0)), "a reset plant remembers")
    other = _fresh(factory)
    _require(first == _trace(_play(other, _legal(plant.CARD), 12.0)), "two plants differ")


def the_cut_of_time_changes_nothing(factory: PlantFactory) -> None:
    whole, cut = _fresh(factory), _fresh(factory)
    wanted = _legal(whole.CARD)
    for _ in range(8):
        long = whole.advance(wanted, 6.0)
        short = [sample for _ in range(3) for sample in cut.advance(wanted, 2.0)]
        _require(_trace(long) == _trace(short), "advance(6) differs from three times advance(2)")
        if whole.done:
            break


def the_outcome_comes_after_the_end_and_is_whole(factory: PlantFactory) -> None:
    plant = _fresh(factory)
    _refuses(RuntimeError, plant.outcome, "the outcome of a batch under way")
    plant, card = _harvested(factory), plant.CARD
    outcome = plant.outcome()
    for key in (card.objective, "duration_h", "failed", *(spec.key for spec in card.specs)):
        _require(key in outcome, f"the outcome has no {key!r}")
    for key in ("failed", *(f"fail.{spec.key}" for spec in card.specs)):
        _require(outcome.get(key) in (0.0, 1.0), f"{key!r} is 0.0 or 1.0, not {outcome.get(key)}")
    _require(outcome["duration_h"] == plant.time_h, "duration_h is not the end of the batch")


def an_unknown_recipe_key_is_refused(factory: PlantFactory) -> None:
    plant = factory()
    _refuses(ValueError, partial(plant.reset, SEED, {"no.such.key": 1.0}), "an unknown recipe key")
    plant.reset(SEED, dict(plant.CARD.recipe))


def _check_setpoint(point: Setpoint) -> None:
    _require(point.kind in get_args(SetpointKind), f"kind of set point {point.tag!r}")
    _require(point.tag == point.tag.lower(), f"set point {point.tag!r} is not in lower case")
    ordered = point.low <= point.default <= point.high
    _require(ordered, f"default of {point.tag!r} is outside its range")


def _wrong_setpoints(card: Card) -> list[Mapping[str, float]]:
    right = {point.tag: point.default for point in card.setpoints}
    wrong: list[Mapping[str, float]] = [{**right, "no.such.setpoint": 1.0}]
    for point in card.setpoints:
        span = point.high - point.low
        values = (nan, point.low - span, point.high + span, float("inf"))
        wrong += [{**right, point.tag: value} for value in values]
    return wrong


def _legal(card: Card) -> dict[str, float]:
    """Return the middle of each range that is held."""
    return {p.tag: (p.low + p.high) / 2 for p in card.setpoints if p.kind == "hold"}


def _fresh(factory: PlantFactory) -> Plant:
    plant = factory()
    plant.reset(SEED, {})
    return plant


def _harvested(factory: PlantFactory) -> Plant:
    plant = _fresh(factory)
    plant.advance({}, 12.0)
    plant.advance({HARVEST: 1.0}, 1.0)
    return plant


def _play(plant: Plant, setpoints: Mapping[str, float], hours: float) -> list[Sample]:
    samples: list[Sample] = []
    while not plant.done:
        samples += plant.advance(setpoints, hours)
    return samples


def _key(sample: Sample) -> tuple[object, ...]:
    """Return the sample in a form in which two nan are equal."""
    return (
        sample.time_h, sample.tag, repr(sample.value), sample.unit,
        sample.received_h, sample.quality, sample.source,
    )  # fmt: skip


def _trace(samples: list[Sample]) -> Trace:
    return [_key(sample) for sample in samples]


def _require(kept: bool, what: str) -> None:
    if not kept:
        raise ContractBroken(what)


def _refuses(error: type[Exception], act: Callable[[], object], what: str) -> None:
    try:
        act()
    except error:
        return
    except Exception as other:
        raise ContractBroken(f"{what} raises {other!r}, not {error.__name__}") from other
    raise ContractBroken(f"{what} is not refused with {error.__name__}")
