"""Where a batch stands: the version's members conditioned on the samples received so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin_core.science import assumptions
from twin_core.science.assumptions import ADVICE, FORECAST, Verdict
from twin_core.science.packages import BatchHistory
from twin_core.science.population import (
    STEP_TOLERANCE,
    Array,
    Evidence,
    Fit,
    batch_inputs,
    evidence,
    fit,
    posterior_covariance,
)
from twin_core.science.versions import ModelVersion, decimal_text

LOW, HIGH = 0.05, 0.95  # quantiles of the 90 % band


@dataclass(frozen=True, slots=True)
class Estimate:
    """A conditioned batch: its members, the state now, and the assumptions' verdicts.

    ``now`` has one row (mean, lo90, hi90) for each tag of the process model at ``now_h``.
    """

    version_digest: str
    batch: BatchHistory  # what was known: samples received and events done by now_h
    now_h: float
    thetas: Array
    now: Array
    verdicts: tuple[Verdict, ...]

    @property
    def undecided(self) -> str:
        """Return why no forecast may rest on this estimate; empty when one may."""
        return assumptions.reasons(self.verdicts, FORECAST)

    @property
    def unadvised(self) -> str:
        """Return why no recommendation may rest on this estimate; empty when one may."""
        return assumptions.reasons(self.verdicts, ADVICE)


def estimate(version: ModelVersion, batch: BatchHistory, now_h: float) -> Estimate:
    """Return the estimate of a batch at ``now_h`` from what had been received by then.

    Pure: the same version and the same known samples and events give the same bytes. Samples
    with ``received_h`` after ``now_h`` and events after ``now_h`` are not looked at.
    """
    known = as_known(batch, now_h)
    fixed, controls = batch_inputs(known, version.model)
    seen = evidence(known.samples, version.model, version.population.noise, version.kernel)
    found = fit(version.kernel, version.population, seen, fixed, controls)
    thetas = np.empty_like(version.draws)
    version.kernel.functions.posterior_members(
        version.population.mean, version.population.factor, found.x, found.root,
        version.draws, thetas,
    )  # fmt: skip
    times = np.array([now_h])
    now = summary(version, thetas, fixed, controls, times)[0]
    verdicts = judge(version, known, now_h, seen, found)
    if not found.converged:
        verdicts.append(not_fitted())
    return Estimate(version.digest, known, now_h, thetas, now, tuple(verdicts))


def as_known(batch: BatchHistory, now_h: float) -> BatchHistory:
    """Return the batch as it was known at ``now_h``."""
    return BatchHistory(
        batch.batch_id,
        batch.template,
        batch.scale_L,
        batch.attributes,
        batch.known_at(now_h),
        batch.done_by(now_h),
    )


def summary(
    version: ModelVersion, thetas: Array, fixed: Array, controls: Array, times: Array
) -> Array:
    """Return (mean, lo90, hi90) for each time and tag, before the band calibration."""
    values, good = member_values(version, thetas, fixed, controls, times)
    out = np.empty((values.shape[1], values.shape[2], 3))
    out.fill(-1.0)
    version.kernel.functions.summarise(values, good, LOW, HIGH, out)
    return out


def member_values(
    version: ModelVersion, thetas: Array, fixed: Array, controls: Array, times: Array
) -> tuple[Array, np.ndarray]:
    """Return (values[member, time, tag] with measurement error, good[member])."""
    functions, tags = version.kernel.functions, version.model.tags
    states = np.empty((len(thetas), len(times), functions.NUMBER_OF_STATES))
    good = np.zeros(len(thetas), dtype=np.bool_)
    functions.simulate_members(thetas, fixed, controls, 0.0, times, STEP_TOLERANCE, states, good)
    values = np.empty((len(thetas), len(times), len(tags)))
    index = np.array([tag.index for tag in tags], dtype=np.int64)
    noise = version.population.noise
    functions.observe_members(
        states, good, index, version.noise_draws, noise.relative, noise.absolute, values
    )
    return values, good


def judge(
    version: ModelVersion,
    known: BatchHistory,
    now_h: float,
    seen: Evidence,
    found: Fit,
) -> list[Verdict]:
    """Return the verdict of every assumption about this batch."""
    space = version.content["input_space"]
    limits = {k: float(v) for k, v in version.content["assumptions"].items()}
    _, freedom = posterior_covariance(version.kernel, version.population.factor, found)
    series: dict[str, list[float]] = {}
    for index, r in zip(seen.tag, found.residual, strict=True):
        series.setdefault(version.model.tags[int(index)].name, []).append(float(r))
    return [
        *assumptions.check_values(known.samples, space),
        *assumptions.check_controls(known.events, space, {}),
        assumptions.check_freshness(known.samples, now_h, limits["oldest_sample_h"]),
        assumptions.check_residuals(found.residual.tolist(), limits["largest_residual"]),
        *assumptions.check_whiteness(series, limits["largest_correlation"]),
        assumptions.check_departure(found.x.tolist(), freedom, limits["largest_departure"]),
    ]


def not_fitted() -> Verdict:
    """Return the verdict on a batch that the model cannot follow."""
    return Verdict(
        "the batch could be fitted",
        False,
        0.0,
        1.0,
        (FORECAST, ADVICE),
        "the model could not be integrated for this batch",
    )


def estimate_content(found: Estimate, version: ModelVersion) -> dict[str, Any]:
    """Return the estimate as content for a record: decimal strings, no floats."""
    return {
        "batch_id": found.batch.batch_id,
        "version": found.version_digest,
        "now_h": decimal_text(found.now_h),
        "status": "undecided" if found.undecided else "ok",
        "reason": found.undecided,
        "samples": len(found.batch.samples),
        "state": {
            tag.name: {"unit": tag.unit, **row_content(found.now[i])}
            for i, tag in enumerate(version.model.tags)
        },
        "assumptions": [verdict_content(v) for v in found.verdicts],
    }


def row_content(row: Sequence[float] | Array) -> dict[str, str]:
    """Return mean and band as decimal strings."""
    return {k: decimal_text(v) for k, v in zip(("mean", "lo90", "hi90"), row, strict=True)}


def verdict_content(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as content for a record."""
    return {
        "name": verdict.name,
        "verdict": "kept" if verdict.kept else "broken",
        "measure": decimal_text(verdict.measure),
        "threshold": decimal_text(verdict.threshold),
        "locks": list(verdict.locks),
        "why": "" if verdict.kept else verdict.why,
    }
