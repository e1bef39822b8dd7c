"""From a batch package to a frozen model version.

Steps: learn the population; draw the posterior sample (the only random numbers, stored in
the version); leave each group of batches out in turn and learn how wide an honest band is;
measure the input space and the thresholds of the assumptions. Only the batches given are
looked at: leave a batch out of the package and nothing of it is in the version.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin_core.science.kernel import build, equations_digest
from twin_core.science.learning import Progress, learn, population_for_new_batch
from twin_core.science.packages import BatchHistory, Package, attribute_of
from twin_core.science.population import (
    Population,
    batch_inputs,
    evidence,
    fit,
    posterior_covariance,
)
from twin_core.science.scoring import Pair, band_factors, next_sample_pairs, scores
from twin_core.science.twins import ProcessModel
from twin_core.science.versions import (
    FORMAT,
    ModelVersion,
    activate,
    decimal_text,
    freeze,
    texts,
)

MEMBERS = 200
SEED = 20_240_212  # of the stored draws; the day the first training culture was seeded
MARGIN = 0.10  # of the range seen in training, allowed on either side
INTENDED_USE = (
    "Advise on a CHO fed-batch culture within the input space of its training batches: forecast "
    "of the declared tags with 90 % bands, and recommendation of a harvest time or set point for "
    "a person to sign. Not for closing an in-process decision by itself."
)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A calibrated version: its canonical text, SHA-256, and itself ready for use."""

    text: str
    digest: str
    version: ModelVersion


def calibrate(
    package: Package,
    model: ProcessModel,
    *,
    name: str,
    group_by: str = "batch_id",
    progress: Progress | None = None,
) -> Frozen:
    """Return the version learned from a package.

    ``group_by``: the attribute whose values are left out in turn to calibrate the bands
    (replicates of one condition must not calibrate each other). Deterministic on one machine
    and library set; the frozen text, not the learning, is what is reproduced later.
    """
    population = learned_population(package.batches, model, progress)
    draft = contents(package, model, name, population, group_by)
    raw = activate(draft, "draft", model)
    pairs = held_out_pairs(package, model, draft, group_by, progress)
    draft["assumptions"] = thresholds(package.batches, raw)
    draft["band_factors"] = {
        tag: [{"until_h": decimal_text(u), "factor": decimal_text(f)} for u, f in steps]
        for tag, steps in band_factors(pairs, [tag.name for tag in model.tags]).items()
    }
    draft["scores"] = {
        "how": f"each value of {group_by} left out in turn, next sample, bands not yet widened",
        **scores(pairs),
    }
    text, digest = freeze(draft)
    return Frozen(text, digest, activate(draft, digest, model))


def learned_population(
    batches: Sequence[BatchHistory], model: ProcessModel, progress: Progress | None
) -> Population:
    """Return the distribution of a new batch, learned from these."""
    state = learn(batches, model, build(model.equations), progress=progress)
    return population_for_new_batch(state, model)


def held_out_pairs(
    package: Package,
    model: ProcessModel,
    draft: dict[str, Any],
    group_by: str,
    progress: Progress | None,
) -> list[Pair]:
    """Return forecast and outcome of each group, forecast by a population learned without it."""
    groups = sorted({attribute_of(batch, group_by) for batch in package.batches})
    count = len(groups) if len(groups) <= MOST_FOLDS else FEW_FOLDS
    folds = [groups[i::count] for i in range(count)]
    pairs: list[Pair] = []
    for number, fold in enumerate(folds, start=1):
        inside = [b for b in package.batches if attribute_of(b, group_by) not in fold]
        outside = [b for b in package.batches if attribute_of(b, group_by) in fold]
        if len(inside) < 3 or len(folds) < 2:
            continue
        if progress is not None:
            progress(f"calibrating the bands, fold {number} of {len(folds)}")
        population = learned_population(inside, model, None)
        version = activate({**draft, **population_content(population, model)}, "fold", model)
        for batch in outside:
            pairs += next_sample_pairs(version, batch, most=FORECASTS_PER_BATCH, told=True)
    return pairs


def contents(
    package: Package, model: ProcessModel, name: str, population: Population, group_by: str
) -> dict[str, Any]:
    """Return the content of a version with bands not yet calibrated."""
    return {
        "format": FORMAT,
        "name": name,
        "template": model.name,
        "equations": equations_digest(model.equations),
        "intended_use": INTENDED_USE,
        "impact": "medium",
        "training": {
            "package": package.name,
            "package_digest": package.digest,
            "batches": sorted(batch.batch_id for batch in package.batches),
            "grouped_by": group_by,
        },
        "observed": observed_tags(package.batches, model),
        "input_space": input_space(package.batches, model),
        "posterior_sample": stored_draws(len(population.mean), len(model.tags)),
        "band_factors": {
            tag.name: [{"until_h": "1000000.0", "factor": "1.0"}] for tag in model.tags
        },
        "assumptions": dict(UNLIMITED),
        "scores": {},
        **population_content(population, model),
    }


def population_content(population: Population, model: ProcessModel) -> dict[str, Any]:
    """Return the population and noise as decimal strings."""
    return {
        "population": {
            "names": list(model.names),
            "mean": texts(population.mean),
            "factor": [texts(row[: i + 1]) for i, row in enumerate(population.factor)],
        },
        "noise": {
            tag.name: {
                "unit": tag.unit,
                "relative": decimal_text(population.noise.relative[i]),
                "absolute": decimal_text(population.noise.absolute[i]),
            }
            for i, tag in enumerate(model.tags)
        },
    }


def stored_draws(directions: int, tags: int) -> dict[str, Any]:
    """Return the posterior sample as stored numbers: in use nothing is drawn.

    Pairs of opposite members, each column scaled to variance one, rounded to six decimals.
    """
    generator = np.random.Generator(np.random.PCG64(SEED))

    def columns(count: int) -> list[list[str]]:
        half = generator.normal(size=(MEMBERS // 2, count))
        half /= np.sqrt((half**2).mean(axis=0))
        return [texts(np.round(row, 6)) for row in np.concatenate([half, -half])]

    members = columns(directions)
    errors = columns(tags)
    order = generator.permutation(MEMBERS)  # so that a member's errors are not its mirror's
    return {"members": members, "measurement_errors": [errors[i] for i in order]}


def observed_tags(batches: Sequence[BatchHistory], model: ProcessModel) -> list[str]:
    """Return the predicted tags that the training batches measured."""
    seen = {sample.tag for batch in batches for sample in batch.samples}
    return [tag.name for tag in model.tags if tag.name in seen]


def input_space(batches: Sequence[BatchHistory], model: ProcessModel) -> dict[str, Any]:
    """Return the ranges seen in training, each widened by MARGIN of its width."""
    values: dict[str, list[float]] = {}
    changes: dict[str, list[float]] = {}
    controls: dict[str, list[float]] = {}
    for batch in batches:
        for tag, series in series_of(batch).items():
            values.setdefault(tag, []).extend(value for _, value in series)
            steps = itertools.pairwise(series)
            changes.setdefault(tag, [0.0]).extend(
                (b - a) * 24.0 / max(t - s, 24.0) for (s, a), (t, b) in steps if t > s
            )
        for event in batch.events:
            if event.tag in model.inputs:
                controls.setdefault(event.tag, []).append(event.value)
    longest = max(max((s.time_h for s in b.samples), default=0.0) for b in batches)
    return {
        "time_h": ["0.0", decimal_text(longest)],
        "values": {tag: widened(found) for tag, found in values.items()},
        "changes": {tag: widened(found) for tag, found in changes.items()},
        "controls": {tag: widened(found) for tag, found in controls.items()},
    }


def series_of(batch: BatchHistory) -> dict[str, list[tuple[float, float]]]:
    """Return (time, value) of each tag of a batch, ascending in time."""
    series: dict[str, list[tuple[float, float]]] = {}
    for sample in sorted(batch.samples, key=lambda s: (s.time_h, s.tag)):
        series.setdefault(sample.tag, []).append((sample.time_h, sample.value))
    return series


def widened(found: Sequence[float]) -> list[str]:
    """Return the range of the values with its margin."""
    width = MARGIN * (max(found) - min(found))
    return [decimal_text(min(found) - width), decimal_text(max(found) + width)]


def thresholds(batches: Sequence[BatchHistory], version: ModelVersion) -> dict[str, str]:
    """Return the limits of the assumptions from the training batches themselves."""
    departures, gaps = [], []
    for batch in batches:
        fixed, controls = batch_inputs(batch, version.model)
        seen = evidence(batch.samples, version.model, version.population.noise, version.kernel)
        found = fit(version.kernel, version.population, seen, fixed, controls)
        _, freedom = posterior_covariance(version.kernel, version.population.factor, found)
        departures.append(float((found.x**2).sum()) / max(freedom, 1.0))
        times = seen.times.tolist()
        gaps += [b - a for a, b in itertools.pairwise(times)]
    turnaround = max(s.received_h - s.time_h for b in batches for s in b.samples)
    return {
        "largest_departure": decimal_text(4.0 * float(np.median(departures)) + 1.0),
        "oldest_sample_h": decimal_text(1.25 * max(gaps, default=24.0) + turnaround),
        "largest_residual": "4.0",
        "largest_correlation": "0.7",
    }


MOST_FOLDS = 6  # up to so many groups are left out one at a time, more in FEW_FOLDS lots
FEW_FOLDS = 4
FORECASTS_PER_BATCH = 11  # of a held-out batch, for the calibration of the bands
UNLIMITED = {
    "largest_departure": "1000000.0",
    "oldest_sample_h": "1000000.0",
    "largest_residual": "1000000.0",
    "largest_correlation": "1000000.0",
}
