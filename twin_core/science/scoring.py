"""Forecast against outcome: error, naive rivals and coverage, at the next sample.

At each receipt of a sample the batch is forecast; the outcome is the next sample of the same
tag. Rivals know the same samples: persistence repeats the last value, the straight line goes
through the last two.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin_core.science.estimation import estimate
from twin_core.science.forecasting import OK, UNDECIDED, Row, forecast
from twin_core.science.packages import BatchHistory, Observation
from twin_core.science.versions import ModelVersion, decimal_text

HORIZONS_H = (36.0, 96.0, 1e6)  # upper ends of the horizon classes of the band calibration
FACTORS = (0.6, 2.5)  # least and largest widening of a band
COVERAGE = 0.90


@dataclass(frozen=True, slots=True)
class Pair:
    """A forecast and what came."""

    batch_id: str
    tag: str
    issued_h: float
    time_h: float
    seen: float
    mean: float
    lo90: float
    hi90: float
    status: str
    last: float
    line: float
    steps: int  # 1: the next sample of this tag; 2: the one after; ...
    known: int  # samples of the tag that had been received
    last_h: float  # when the last of them was taken


def issue_times(batch: BatchHistory) -> list[float]:
    """Return the hours at which laboratory samples were received."""
    return sorted({s.received_h for s in batch.samples if s.source == "lab"})


def next_sample_pairs(
    version: ModelVersion, batch: BatchHistory, *, most: int = 10_000, told: bool = False
) -> list[Pair]:
    """Return the forecasts of a batch paired with the samples that came after them.

    A forecast at each receipt of samples but the last; of more than ``most`` receipts an
    even choice. ``told``: the forecast is given the set points to come, so that its band is
    judged for what it claims, the course under known set points.
    """
    pairs: list[Pair] = []
    times = issue_times(batch)[:-1]
    for now_h in times[:: max(1, -(-len(times) // most))]:
        plan = [e for e in batch.events if told and e.time_h > now_h]
        made = forecast(version, estimate(version, batch, now_h), plan=plan)
        pairs += pair(batch, now_h, made.rows, version)
    return pairs


def pair(
    batch: BatchHistory, now_h: float, rows: Sequence[Row], version: ModelVersion
) -> list[Pair]:
    """Return the pairs of one forecast, for the tags that the version has learned."""
    pairs = []
    for tag in version.content["observed"]:
        course = [row for row in rows if row.tag == tag]
        series = sorted(
            (s for s in batch.samples if s.tag == tag and s.source == "lab"),
            key=lambda s: s.time_h,
        )
        known = [s for s in series if s.received_h <= now_h]
        coming = [s for s in series if s.received_h > now_h and s.time_h <= course[-1].time_h]
        for steps, sample in enumerate(coming, start=1):
            if known and sample.time_h >= now_h:
                pairs.append(one_pair(batch.batch_id, now_h, course, known, sample, steps))
    return pairs


def one_pair(
    batch_id: str,
    now_h: float,
    course: Sequence[Row],
    known: Sequence[Observation],
    sample: Observation,
    steps: int,
) -> Pair:
    """Return the pair of one outcome; the forecast is read between its grid times."""
    mean, low, high, status = read(course, sample.time_h)
    last = known[-1].value
    slope = 0.0
    if len(known) > 1 and known[-1].time_h > known[-2].time_h:
        slope = (known[-1].value - known[-2].value) / (known[-1].time_h - known[-2].time_h)
    line = last + slope * (sample.time_h - known[-1].time_h)
    return Pair(
        batch_id, sample.tag, now_h, sample.time_h, sample.value,
        mean, low, high, status, last, line, steps, len(known), known[-1].time_h,
    )  # fmt: skip


def read(course: Sequence[Row], time_h: float) -> tuple[float, float, float, str]:
    """Return mean, band and status at a time, linear between neighbouring rows."""
    after = next((i for i, row in enumerate(course) if row.time_h >= time_h), len(course) - 1)
    b = course[after]
    a = course[max(after - 1, 0)]
    share = (time_h - a.time_h) / (b.time_h - a.time_h) if b.time_h > a.time_h else 1.0

    def between(x: float, y: float) -> float:
        return x + share * (y - x)

    status = OK if a.status == OK and b.status == OK else UNDECIDED
    return between(a.mean, b.mean), between(a.lo90, b.lo90), between(a.hi90, b.hi90), status


def band_factors(
    pairs: Sequence[Pair], tags: Sequence[str]
) -> dict[str, list[tuple[float, float]]]:
    """Return for each tag (until_h, factor): the widening that covers 90 % of the outcomes.

    An outcome's score is its distance from the mean in half bands; the factor is the
    ceil((n + 1) 0.9)-th smallest score (split conformal). Fewer than 10 outcomes: factor of
    the class before, 1 at first.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for tag in tags:
        steps: list[tuple[float, float]] = []
        factor, start = 1.0, 0.0
        for end in HORIZONS_H:
            ratios = sorted(
                half_bands(p)
                for p in pairs
                if p.tag == tag and start < p.time_h - p.issued_h <= end
            )
            if len(ratios) >= 10:
                rank = min(math.ceil((len(ratios) + 1) * COVERAGE), len(ratios))
                factor = min(max(ratios[rank - 1], FACTORS[0]), FACTORS[1])
            steps.append((end, factor))
            start = end
        found[tag] = steps
    return found


def half_bands(p: Pair) -> float:
    """Return the distance of the outcome from the mean, in half bands of its side."""
    if p.seen >= p.mean:
        return (p.seen - p.mean) / max(p.hi90 - p.mean, 1e-9)
    return (p.mean - p.seen) / max(p.mean - p.lo90, 1e-9)


def scores(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return the next-sample scores of each tag as decimal strings."""
    first = [p for p in pairs if p.steps == 1]
    return {
        tag: tag_scores([p for p in first if p.tag == tag])
        for tag in sorted({p.tag for p in first})
    }


def tag_scores(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return error, rivals and coverage of one tag; over all and over decided forecasts."""
    seen = np.array([p.seen for p in pairs])
    width = float(seen.max() - seen.min())
    decided = [p for p in pairs if p.status == OK]
    content = {
        "forecasts": len(pairs),
        "undecided": len(pairs) - len(decided),
        "range": decimal_text(width),
        "rmse": rmse(pairs, "mean"),
        "rmse_persistence": rmse(pairs, "last"),
        "rmse_line": rmse(pairs, "line"),
        "coverage_90": coverage(pairs),
        "mean_band_width": decimal_text(float(np.mean([p.hi90 - p.lo90 for p in pairs]))),
    }
    if decided:
        content |= {"rmse_decided": rmse(decided, "mean"), "coverage_90_decided": coverage(decided)}
    return content


def rmse(pairs: Sequence[Pair], which: str) -> str:
    """Return the root mean square error of the forecast or of a rival."""
    errors = [getattr(p, which) - p.seen for p in pairs]
    return decimal_text(math.sqrt(sum(e * e for e in errors) / len(errors)))


def coverage(pairs: Sequence[Pair]) -> str:
    """Return the share of outcomes inside the band."""
    return decimal_text(sum(p.lo90 <= p.seen <= p.hi90 for p in pairs) / len(pairs))
