"""What cultures have in common: mean, spread and memory of the members, and the noise.

A batch is a point theta = mean + factor x with x standard normal; ``factor`` is the lower
triangular root of the covariance. Neighbouring knots of a learned course are correlated with
``exp(-distance / memory)``; everything else is independent.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twin_core.science.kernel import Kernel
from twin_core.science.packages import BatchHistory, Observation
from twin_core.science.twins import ProcessModel

Array = NDArray[np.float64]
STEP_TOLERANCE = 1e-6
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Noise:
    """Measurement error of each predicted tag: constant part and part of the value."""

    relative: Array
    absolute: Array


@dataclass(frozen=True, slots=True)
class Population:
    """Distribution of the members over cultures."""

    mean: Array
    factor: Array
    noise: Noise


@dataclass(frozen=True, slots=True)
class Evidence:
    """Observations of one batch as the kernel takes them."""

    times: Array
    which: NDArray[np.int64]
    tag: NDArray[np.int64]
    value: Array
    sigma: Array


@dataclass(frozen=True, slots=True)
class Fit:
    """A batch conditioned on its evidence: whitened member, precision root, residuals."""

    x: Array
    root: Array
    residual: Array
    converged: bool


def memory_factor(spread: Array, model: ProcessModel, memory_h: Sequence[float]) -> Array:
    """Return the lower root of the covariance with these spreads and course memories."""
    factor = np.zeros((len(spread), len(spread)))
    for i in range(len(spread)):
        factor[i, i] = spread[i]
    for group, memory in zip(model.knots, memory_h, strict=True):
        rho = math.exp(-group.spacing_h / memory)
        fresh = math.sqrt(1.0 - rho * rho)
        for i in range(group.count):
            for j in range(i + 1):
                part = rho ** (i - j) * (1.0 if j == 0 else fresh)
                factor[group.first + i, group.first + j] = spread[group.first + i] * part
    return factor


def starting_noise(model: ProcessModel) -> Noise:
    """Return the noise that the template declares."""
    return Noise(
        np.array([tag.relative for tag in model.tags]),
        np.array([tag.absolute for tag in model.tags]),
    )


def evidence(
    samples: Sequence[Observation], model: ProcessModel, noise: Noise, kernel: Kernel
) -> Evidence:
    """Return the samples that the model predicts, sorted by time and tag, with their errors.

    Raises ValueError when a sample's unit is not the tag's: convert at the border.
    """
    rows = []
    for sample in relevant(samples, model):
        tag = model.tag(sample.tag)
        assert tag is not None  # relevant() kept predicted tags alone
        if sample.unit != tag.unit:
            raise ValueError(
                f"{sample.tag} at {sample.time_h} h: unit {sample.unit!r}, "
                f"the model takes {tag.unit!r}"
            )
        rows.append((sample.time_h, tag.index, sample.value))
    rows.sort()
    times = sorted({row[0] for row in rows})
    place = {time: i for i, time in enumerate(times)}
    log = {tag.index: tag.logarithmic for tag in model.tags}
    value, sigma = [], []
    for _, index, seen in rows:
        size = math.sqrt(noise.absolute[index] ** 2 + (noise.relative[index] * seen) ** 2)
        held = max(seen, 1e-3)
        value.append(kernel.functions.log_(held) if log[index] else seen)
        sigma.append(size / held if log[index] else size)
    return Evidence(
        np.array(times, dtype=float),
        np.array([place[row[0]] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array(value, dtype=float),
        np.array(sigma, dtype=float),
    )


def relevant(samples: Sequence[Observation], model: ProcessModel) -> list[Observation]:
    """Return the laboratory samples of predicted tags, and on-line ones beside them.

    Of a predicted tag that is measured on line, the newest value at or up to an hour before
    each sampling time: a second stream of thousands of values would drown the laboratory.
    """
    predicted = {tag.name for tag in model.tags}
    kept: list[Observation] = []
    online: dict[str, list[Observation]] = {}
    for s in samples:
        if s.tag in predicted and s.source == "lab":
            kept.append(s)
        elif s.tag in predicted:
            online.setdefault(s.tag, []).append(s)
    times = sorted({s.time_h for s in kept})
    for _, series in sorted(online.items()):
        series.sort(key=lambda s: (s.time_h, s.value))
        taken = [s.time_h for s in series]
        for time in times:
            place = bisect_right(taken, time) - 1
            if place >= 0 and taken[place] >= time - 1.0:
                kept.append(replace(series[place], time_h=time))
    return kept


def batch_inputs(batch: BatchHistory, model: ProcessModel) -> tuple[Array, Array]:
    """Return (fixed numbers, control rows) of a batch."""
    fixed = model.fixed(batch.attributes, batch.events, batch.scale_L)
    return np.array(fixed), np.array(model.controls(batch.events))


def fit(
    kernel: Kernel,
    population: Population,
    seen: Evidence,
    fixed: Array,
    controls: Array,
    start: Array | None = None,
) -> Fit:
    """Condition one batch on its evidence in the kernel."""
    d = len(population.mean)
    x = np.zeros(d) if start is None else start.copy()
    root = np.eye(d)
    residual = np.zeros(len(seen.value))
    given = (
        fixed, controls, seen.times, seen.which, seen.tag, seen.value, seen.sigma, STEP_TOLERANCE
    )  # fmt: skip
    done = kernel.functions.condition(
        population.mean, population.factor, given, ROUNDS, x, root, residual
    )
    return Fit(x, root, residual, done >= 0)


def posterior_covariance(kernel: Kernel, factor: Array, found: Fit) -> tuple[Array, float]:
    """Return (covariance of the conditioned member, degrees of freedom that were moved)."""
    covariance = np.empty_like(factor)
    freedom = kernel.functions.posterior_covariance(factor, found.root, covariance)
    return covariance, float(freedom)
