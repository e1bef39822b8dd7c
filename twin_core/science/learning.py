"""Learn the population of a process model from a batch package.

Empirical Bayes: each culture is conditioned on its own evidence; mean, spread, memory and
noise of the population follow from what the cultures show; repeat. Priors of the template
keep what the package cannot tell. Runs on a workstation and its result is data; nothing here
is part of the certified path of use, except that the fits themselves run in the kernel.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twin_core.science.kernel import Kernel
from twin_core.science.packages import BatchHistory
from twin_core.science.population import (
    Array,
    Evidence,
    Fit,
    Noise,
    Population,
    batch_inputs,
    evidence,
    fit,
    memory_factor,
    posterior_covariance,
    starting_noise,
)
from twin_core.science.twins import KnotGroup, ProcessModel

PRIOR_CULTURES = 3.0  # weight of the template's spread, in cultures
PRIOR_VALUES = 6.0  # weight of the template's noise, in measured values
LONGEST_MEMORY_H = 240.0  # the shortest is one knot spacing: below it knots cannot be told apart
ROUNDS = 14
USUAL_DEPARTURE = 4.0  # times the median squared distance of a culture from the mean
LARGEST_SPREAD = 2.0  # times the template's: what is further apart is another kind of culture
DOUBT_MEMORY_H = 36.0  # correlation time of our doubt about a mean course

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Learned:
    """State of the learning: mean with its doubt, spread, memory of each course, noise."""

    mean: Array
    doubt: Array
    between: Array
    memory_h: tuple[float, ...]
    noise: Noise


@dataclass(frozen=True, slots=True)
class Culture:
    """A batch ready for fitting."""

    batch: BatchHistory
    fixed: Array
    controls: Array


def learn(
    batches: Sequence[BatchHistory],
    model: ProcessModel,
    kernel: Kernel,
    *,
    rounds: int = ROUNDS,
    progress: Progress | None = None,
) -> Learned:
    """Return the population learned from these batches alone.

    Raises ValueError when there are fewer than three batches: no spread can be learned.
    """
    if len(batches) < 3:
        raise ValueError(f"{len(batches)} batches: at least 3 are needed to learn a spread")
    cultures = [Culture(batch, *batch_inputs(batch, model)) for batch in batches]
    state = start(model)
    starts: list[Array | None] = [None] * len(cultures)
    for turn in range(rounds):
        seen = [evidence(c.batch.samples, model, state.noise, kernel) for c in cultures]
        inner = Population(
            state.mean, memory_factor(state.between, model, state.memory_h), state.noise
        )
        fits = [
            fit(kernel, inner, e, c.fixed, c.controls, x)
            for e, c, x in zip(seen, cultures, starts, strict=True)
        ]
        good = [i for i, f in enumerate(fits) if f.converged]
        if len(good) < 3:
            raise ValueError("the model cannot follow these batches: fewer than 3 could be fitted")
        state = improve(
            state, model, kernel, inner, [fits[i] for i in good], [seen[i] for i in good]
        )
        if progress is not None:
            progress(f"learning, round {turn + 1} of {rounds}")
    return state


def start(model: ProcessModel) -> Learned:
    """Return the template's prior as the state before the first round."""
    size = len(model.between)
    return Learned(
        np.zeros(size),
        doubt_covariance(model),
        np.array(model.between),
        tuple(max(model.knot_memory_h, group.spacing_h) for group in model.knots),
        starting_noise(model),
    )


def improve(
    state: Learned,
    model: ProcessModel,
    kernel: Kernel,
    inner: Population,
    fits: Sequence[Fit],
    seen: Sequence[Evidence],
) -> Learned:
    """Return the next state from the fits of one round."""
    shift = np.array([inner.factor @ f.x for f in fits])
    covariance = [posterior_covariance(kernel, inner.factor, f)[0] for f in fits]
    variance = np.array([np.diag(c) for c in covariance])
    share = np.clip(1.0 - variance / (inner.factor**2).sum(axis=1), 0.0, 1.0)
    weight = trust(fits, share)
    mean, doubt = next_mean(state, model, inner, shift, covariance, weight)
    moved = shift - (mean - state.mean)
    between = next_between(model, moved, variance, weight)
    memory = tuple(
        next_memory(group, moved, covariance, weight, old)
        for group, old in zip(model.knots, state.memory_h, strict=True)
    )
    noise = next_noise(state.noise, model, fits, seen, float(share.sum()))
    return Learned(mean, doubt, between, memory, noise)


def trust(fits: Sequence[Fit], share: Array) -> Array:
    """Return the weight of each culture: a lost culture says little about the usual one.

    One for a culture about as far from the mean, for what its evidence can tell, as the
    median culture; one half at USUAL_DEPARTURE times that, and soon nothing.
    """
    distance = np.array([float((f.x**2).sum()) for f in fits])
    ratio = distance / np.maximum(share.sum(axis=1), 1e-9)
    return 1.0 / (1.0 + (ratio / (USUAL_DEPARTURE * np.median(ratio))) ** 4)


def next_mean(
    state: Learned,
    model: ProcessModel,
    inner: Population,
    shift: Array,
    covariance: list[Array],
    weight: Array,
) -> tuple[Array, Array]:
    """Return the mean and its covariance: one Newton step of the marginal likelihood.

    A culture informs the mean by S^-1 (S - P) S^-1, S the spread and P what stays uncertain.
    """
    spread = inner.factor @ inner.factor.T
    inverse = np.linalg.inv(spread)
    prior = np.linalg.inv(doubt_covariance(model))
    information = prior + sum(
        w * (inverse @ (spread - p) @ inverse) for w, p in zip(weight, covariance, strict=True)
    )
    slope = inverse @ (weight[:, None] * shift).sum(axis=0) - prior @ state.mean
    doubt = np.linalg.inv(0.5 * (information + information.T))
    return state.mean + np.clip(doubt @ slope, -0.6, 0.6), doubt


def doubt_covariance(model: ProcessModel) -> Array:
    """Return the covariance of the mean before any culture is seen: courses are smooth."""
    factor = memory_factor(np.array(model.doubt), model, (DOUBT_MEMORY_H,) * len(model.knots))
    return factor @ factor.T


def next_between(model: ProcessModel, shift: Array, variance: Array, weight: Array) -> Array:
    """Return the spread between cultures, held by the template's where data are few."""
    prior = np.array(model.between) ** 2
    total = (weight[:, None] * (shift**2 + variance)).sum(axis=0) + PRIOR_CULTURES * prior
    return np.sqrt(np.minimum(total / (weight.sum() + PRIOR_CULTURES), LARGEST_SPREAD**2 * prior))


def next_memory(
    group: KnotGroup, shift: Array, covariance: Sequence[Array], weight: Array, old: float
) -> float:
    """Return the memory of a course from the correlation of neighbouring knots."""
    here = slice(group.first, group.first + group.count)
    cross = same = 0.0
    for row, rest, w in zip(shift[:, here], covariance, weight, strict=True):
        second = np.outer(row, row) + rest[here, here]
        scale = np.sqrt(np.diag(second))
        for k in range(group.count - 1):
            cross += w * second[k, k + 1] / (scale[k] * scale[k + 1])
            same += w
    rho = min(max(cross / same, 0.01), 0.99)
    learned = -group.spacing_h / math.log(rho)
    return 0.5 * old + 0.5 * min(max(learned, group.spacing_h), LONGEST_MEMORY_H)


def next_noise(
    noise: Noise, model: ProcessModel, fits: Sequence[Fit], seen: Sequence[Evidence], used: float
) -> Noise:
    """Return the noise scaled to the residuals, each tag by itself."""
    residual = np.concatenate([f.residual for f in fits])
    tag = np.concatenate([e.tag for e in seen])
    free = max(1.0 - used / max(len(residual), 1), 0.2)
    scale = np.ones(len(model.tags))
    for i in range(len(model.tags)):
        r = np.minimum(np.abs(residual[tag == i]), 2.5)
        square = (float((r**2).sum()) / free + PRIOR_VALUES) / (len(r) + PRIOR_VALUES)
        scale[i] = min(max(math.sqrt(square), 0.8), 1.25)
    declared = starting_noise(model)
    return replace(
        noise,
        relative=np.clip(noise.relative * scale, 0.4 * declared.relative, 3 * declared.relative),
        absolute=np.clip(noise.absolute * scale, 0.4 * declared.absolute, 3 * declared.absolute),
    )


def population_for_new_batch(state: Learned, model: ProcessModel) -> Population:
    """Return the distribution of a batch not yet seen: spread plus doubt of the mean."""
    between = memory_factor(state.between, model, state.memory_h)
    factor = np.linalg.cholesky(between @ between.T + state.doubt)
    return Population(state.mean, factor.astype(np.float64), state.noise)
