"""A package simulated from the balances with other parameters: fast, fully measured, known."""

import functools

import numpy as np

from twin_core.equipment.bioreactor.cho_fed_batch.template import MODEL, TAGS
from twin_core.science.calibration import Frozen, calibrate
from twin_core.science.kernel import build
from twin_core.science.packages import BatchHistory, Event, Observation, Package

DIRECTIONS = len(MODEL.names)
LAB = [tag for tag in TAGS if tag.name != "volume"]


def events_of(number: int) -> tuple[Event, ...]:
    """Return a recipe that differs from batch to batch in feed and temperature shift."""
    feed = 1.5 + 0.7 * (number % 4)
    cold = 33.0 + 0.5 * (number % 5)
    return (
        Event(0.0, "setpoint", "feed.rate", 0.0, "mL/h"),
        Event(0.0, "setpoint", "temperature.setpoint", 36.8, "degC"),
        Event(60.0, "setpoint", "feed.rate", feed, "mL/h"),
        Event(120.0, "setpoint", "temperature.setpoint", cold, "degC"),
    )


def simulated_batch(number: int, end_h: float = 240.0) -> BatchHistory:
    """Return a batch measured every 12 h, received 2 h later, with noise."""
    rng = np.random.Generator(np.random.PCG64(number))
    theta = 0.06 * rng.normal(size=DIRECTIONS)
    theta[3] += 0.3  # another clone: more sugar for each cell
    theta[9] += 0.4  # and more product
    attributes = {"start_volume_L": "3", "feed_glucose_mM": "400", "feed_glutamine_mM": "0"}
    events = events_of(number)
    fixed = np.array(MODEL.fixed(attributes, events, 5.0))
    controls = np.array(MODEL.controls(events))
    times = np.arange(0.0, end_h + 1e-9, 12.0)
    functions = build(MODEL.equations).functions
    out = np.empty((len(times), functions.NUMBER_OF_STATES))
    assert functions.simulate(theta, fixed, controls, 0.0, times, 1e-7, out)
    samples = [
        Observation(
            float(time),
            tag.name,
            max(functions.natural(out[i], tag.index) * (1.0 + 0.02 * rng.normal()), 0.0),
            tag.unit,
            float(time) + 2.0,
        )
        for i, time in enumerate(times)
        for tag in LAB
    ]
    return BatchHistory(f"SIM-{number}", "cho_fed_batch", 5.0, attributes, tuple(samples), events)


@functools.cache
def simulated_package() -> Package:
    """Return six simulated batches; the digest stands for itself, no folder is behind it."""
    return Package("simulated", "0" * 64, tuple(simulated_batch(n) for n in range(1, 7)))


@functools.cache
def frozen() -> Frozen:
    """Return a version calibrated on the simulated package."""
    return calibrate(simulated_package(), MODEL, name="test")
