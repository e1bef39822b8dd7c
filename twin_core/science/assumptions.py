"""What a version takes for granted, as checks that run with every estimate.

A broken assumption does not stop the arithmetic; it turns the status of what rests on it to
``undecided`` and says why. Thresholds are data of the version, learned on its training
cultures alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twin_core.science.packages import Event, Observation

FORECAST, ADVICE = "forecast", "recommendation"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One assumption, checked: its measure, threshold and what it locks when broken."""

    name: str
    kept: bool
    measure: float
    threshold: float
    locks: tuple[str, ...]
    why: str


def reasons(verdicts: Sequence[Verdict], lock: str) -> str:
    """Return why something is locked, in one line; empty when it is not."""
    return "; ".join(v.why for v in verdicts if not v.kept and lock in v.locks)


def latest_changes(samples: Sequence[Observation]) -> dict[str, tuple[Observation, float]]:
    """Return for each tag its latest sample and its change from the one before, per 24 h.

    A tag with a single sample changes by nothing.
    """
    by_tag: dict[str, list[Observation]] = {}
    for sample in sorted(samples, key=lambda s: (s.time_h, s.tag)):
        by_tag.setdefault(sample.tag, []).append(sample)
    found = {}
    for tag, series in by_tag.items():
        change = 0.0
        if len(series) > 1 and series[-1].time_h > series[-2].time_h:
            step = series[-1].time_h - series[-2].time_h
            change = (series[-1].value - series[-2].value) * 24.0 / max(step, 24.0)
        found[tag] = (series[-1], change)
    return found


def outside(value: float, limits: Sequence[str]) -> float:
    """Return how far a value lies outside its limits; zero inside."""
    low, high = float(limits[0]), float(limits[1])
    return max(low - value, value - high, 0.0)


def check_values(samples: Sequence[Observation], space: Mapping[str, Any]) -> list[Verdict]:
    """Check the latest value of each tag, and its latest change, against the training data."""
    verdicts = []
    for tag, (sample, change) in latest_changes(samples).items():
        if tag not in space["values"]:
            continue
        for kind, value, limits in (
            ("value", sample.value, space["values"][tag]),
            ("change in 24 h", change, space["changes"][tag]),
        ):
            beyond = outside(value, limits)
            verdicts.append(
                Verdict(
                    f"{tag}: {kind} within training",
                    beyond == 0.0,
                    value,
                    float(limits[0] if value < float(limits[0]) else limits[1]),
                    (FORECAST, ADVICE),
                    f"{tag} {kind} of {value:.4g} {sample.unit} at {sample.time_h:.1f} h is "
                    f"outside {float(limits[0]):.4g} to {float(limits[1]):.4g} seen in training",
                )
            )
    return verdicts


def check_controls(
    events: Sequence[Event], space: Mapping[str, Any], aliases: Mapping[str, str]
) -> list[Verdict]:
    """Check each set point against the range that the training batches used."""
    verdicts = []
    for event in events:
        tag = aliases.get(event.tag, event.tag)
        if tag not in space["controls"]:
            continue
        limits = space["controls"][tag]
        verdicts.append(
            Verdict(
                f"{tag}: set point within training",
                outside(event.value, limits) == 0.0,
                event.value,
                float(limits[1]),
                (FORECAST, ADVICE),
                f"{tag} {event.value:.4g} {event.unit} at {event.time_h:.1f} h is outside "
                f"{float(limits[0]):.4g} to {float(limits[1]):.4g} seen in training",
            )
        )
    return verdicts


def check_freshness(samples: Sequence[Observation], now_h: float, oldest_h: float) -> Verdict:
    """Check that the newest sample is not older than the training batches' habit."""
    newest = max((s.time_h for s in samples), default=None)
    age = now_h - newest if newest is not None else now_h + oldest_h + 1.0
    why = (
        f"the newest sample is {age:.1f} h old, more than {oldest_h:.1f} h"
        if newest is not None
        else "no sample has been received"
    )
    return Verdict("samples are fresh", age <= oldest_h, age, oldest_h, (FORECAST, ADVICE), why)


def check_residuals(residual: Sequence[float], largest: float) -> Verdict:
    """Check that the fitted batch explains its latest samples to their measurement error."""
    last = [float(r) for r in residual[-RECENT:]]
    total = 0.0
    for r in last:
        total += r * r
    size = total / len(last) if last else 0.0
    return Verdict(
        "residuals are as large as the measurement error",
        size <= largest,
        size,
        largest,
        (FORECAST, ADVICE),
        f"mean square of the latest {len(last)} residuals is {size:.2f}, more than {largest:.2f}",
    )


def check_whiteness(series: Mapping[str, Sequence[float]], largest: float) -> list[Verdict]:
    """Check that neighbouring residuals of each tag are not alike (lag one correlation)."""
    verdicts = []
    for tag, residual in sorted(series.items()):
        if len(residual) < ENOUGH_FOR_WHITENESS:
            continue
        cross = same = 0.0
        for k, r in enumerate(residual):
            same += r * r
            if k:
                cross += r * residual[k - 1]
        alike = cross / same if same > 0.0 else 0.0
        large = same / len(residual) > WORTH_A_LOOK
        verdicts.append(
            Verdict(
                f"{tag}: residuals are white",
                alike <= largest or not large,
                alike,
                largest,
                (ADVICE,),
                f"{tag}: residuals of neighbouring samples correlate by {alike:.2f}",
            )
        )
    return verdicts


def check_departure(x: Sequence[float], expected: float, largest: float) -> Verdict:
    """Check that the batch is a member of the population that the version has learned.

    Its squared distance from the mean, per degree of freedom that its samples could move.
    """
    total = 0.0
    for v in x:
        total += float(v) * float(v)
    ratio = total / max(expected, 1.0)
    return Verdict(
        "the batch belongs to the trained population",
        ratio <= largest,
        ratio,
        largest,
        (FORECAST, ADVICE),
        f"the batch departs from the trained population by {ratio:.2f}, more than {largest:.2f}",
    )


RECENT = 6  # residuals that are looked at for size
ENOUGH_FOR_WHITENESS = 8
WORTH_A_LOOK = 0.5  # mean square below which correlated residuals are no concern
