"""Recommendations: a small fixed grid of executable plans against doing nothing.

A plan is a feed rate and a temperature from now on, and a harvest time. Every candidate is
simulated by the kernel with every member, on the same members as doing nothing; the best is
simulated once more as a forecast, and that forecast is what the record rests on. No search
path, no random number: the same estimate gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin_core.science.estimation import LOW, Estimate, member_values
from twin_core.science.forecasting import (
    GRID_H,
    OK,
    Forecast,
    band_factor,
    event_content,
    forecast,
    forecast_content,
    with_plan,
)
from twin_core.science.packages import Event
from twin_core.science.population import Array, batch_inputs
from twin_core.science.twins import Limit, WriteBack
from twin_core.science.versions import ModelVersion, decimal_text

FEED_FACTORS = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # of the present rate
FEED_SHARES = (0.02, 0.05, 0.10, 0.20)  # of the largest rate, tried beside, also from zero
TEMPERATURE_STEPS = (-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0)  # K from the present set point
HARVEST_EVERY = 2  # grid times between harvest candidates: 6 h
WORTHWHILE = 0.02  # gain of product below which the present set points are kept
HARVEST = "harvest"
SURE_ENOUGH = 0.7  # share of members that must gain


@dataclass(frozen=True, slots=True)
class Alternative:
    """A simulated plan: its changes, harvest time, product and margin to the limits."""

    changes: tuple[Event, ...]
    harvest_h: float
    product_g: float
    margin: float  # least distance of the 90 % band to a limit until harvest, in its unit
    share_better: float  # of the members, product at harvest against doing nothing


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, why, against what, and the forecasts behind it.

    status ``undecided``: no advice, ``reason`` says why. ``actions`` are set points and the
    harvest in executable steps; empty means: go on as set.
    """

    version_digest: str
    batch_id: str
    now_h: float
    status: str
    reason: str
    actions: tuple[Event, ...]
    chosen: Alternative | None
    nothing: Alternative | None
    alternatives: tuple[Alternative, ...]
    expected: Forecast | None
    without: Forecast | None


def recommend(
    version: ModelVersion,
    found: Estimate,
    *,
    points: Sequence[WriteBack],
    limits: Sequence[Limit],
    until_h: float,
) -> Recommendation:
    """Return the best executable plan for a batch, against its present set points.

    The product at harvest is made as large as it gets while the 90 % bands of the limited
    tags stay inside ``limits`` up to the harvest; ``until_h`` is the latest harvest. Only
    points given are moved, inside their range, step and rate, and never outside the range of
    the training batches.
    """
    if found.unadvised:
        return no_advice(found, found.unadvised)
    times = np.arange(found.now_h, until_h + 1e-9, GRID_H)
    if len(times) < 2:
        return no_advice(found, f"no time left before the latest harvest at {until_h:.0f} h")
    nothing = simulated(version, found, (), times, limits, None)
    plans = candidate_changes(version, found, points)
    tried = [simulated(version, found, plan, times, limits, nothing) for plan in plans]
    best = choose([nothing, *tried])
    actions = (*best.alternative.changes, harvest_event(best.alternative))
    expected = forecast(version, found, until_h=until_h, plan=best.alternative.changes)
    return Recommendation(
        version.digest,
        found.batch.batch_id,
        found.now_h,
        OK,
        explain(best.alternative, nothing.alternative),
        actions,
        best.alternative,
        nothing.alternative,
        tuple(t.alternative for t in tried),
        expected,
        forecast(version, found, until_h=until_h),
    )


@dataclass(frozen=True, slots=True)
class Simulated:
    """An alternative with the product of each member at harvest, for the paired comparison."""

    alternative: Alternative
    product: Array


def no_advice(found: Estimate, reason: str) -> Recommendation:
    """Return the answer of a twin that does not know."""
    return Recommendation(
        found.version_digest, found.batch.batch_id, found.now_h, "undecided", reason,
        (), None, None, (), None, None,
    )  # fmt: skip


def candidate_changes(
    version: ModelVersion, found: Estimate, points: Sequence[WriteBack]
) -> list[tuple[Event, ...]]:
    """Return the plans to try beside doing nothing, each change in executable steps."""
    options: list[list[Event | None]] = []
    for point in points:
        if point.tag == HARVEST or point.tag not in version.content["input_space"]["controls"]:
            continue
        present = present_value(found, point.tag)
        if present is None:
            continue
        values = tried_values(point, present, version.content["input_space"]["controls"][point.tag])
        options.append(
            [None] + [Event(found.now_h, "setpoint", point.tag, v, point.unit) for v in values]
        )
    plans: list[tuple[Event, ...]] = [()]
    for option in options:
        plans = [(*plan, *([change] if change else [])) for plan in plans for change in option]
    return [plan for plan in plans if plan]


def present_value(found: Estimate, tag: str) -> float | None:
    """Return the set point that holds now, or None when the batch has none on record."""
    held = [event.value for event in found.batch.events if event.tag == tag]
    return held[-1] if held else None


def tried_values(point: WriteBack, present: float, trained: Sequence[str]) -> list[float]:
    """Return the values to try for one point: executable, in range, not the present one."""
    if point.unit == "degC":
        raw = [present + step for step in TEMPERATURE_STEPS]
    else:
        raw = [present * f for f in FEED_FACTORS] + [point.high * s for s in FEED_SHARES]
    low = max(point.low, float(trained[0]))
    high = min(point.high, float(trained[1]))
    values = {executable(value, point.step) for value in raw}
    return sorted(v for v in values if low <= v <= high and abs(v - present) > 0.5 * point.step)


def executable(value: float, step: float) -> float:
    """Return the value rounded to the step that the controller can take, in clean digits."""
    return round(round(value / step) * step, 9)


def simulated(
    version: ModelVersion,
    found: Estimate,
    changes: tuple[Event, ...],
    times: Array,
    limits: Sequence[Limit],
    nothing: "Simulated | None",
) -> Simulated:
    """Return a plan simulated with every member and harvested as late as the limits allow."""
    fixed, controls = batch_inputs(with_plan(found.batch, changes), version.model)
    values, good = member_values(version, found.thetas, fixed, controls, times)
    margins = band_margins(version, found.now_h, times, values, good, limits)
    index = harvest_index(margins)
    place = {tag.name: i for i, tag in enumerate(version.model.tags)}
    product = values[:, index, place["volume"]] * values[:, index, place["titer"]]
    better = 0.0
    if nothing is not None:
        wins = [bool(a > b) for a, b, ok in zip(product, nothing.product, good, strict=True) if ok]
        better = sum(wins) / max(len(wins), 1)
    total = 0.0
    amounts = sorted(float(a) for a, ok in zip(product, good, strict=True) if ok)
    for amount in amounts:  # summed in sorted order: the order of members does not matter
        total += amount
    margin = min(margins[: index + 1])
    return Simulated(
        Alternative(changes, float(times[index]), total / max(len(amounts), 1), margin, better),
        product,
    )


def band_margins(
    version: ModelVersion,
    now_h: float,
    times: Array,
    values: Array,
    good: np.ndarray,
    limits: Sequence[Limit],
) -> list[float]:
    """Return at each time the least distance of a limited tag's 90 % band to its limit.

    Bands as the forecast shows them, calibrated; tags never measured in training are skipped.
    """
    out = np.full((values.shape[1], values.shape[2], 3), -1.0)
    version.kernel.functions.summarise(values, good, LOW, 1.0 - LOW, out)
    place = {tag.name: i for i, tag in enumerate(version.model.tags)}
    watched = [x for x in limits if x.tag in place and x.tag in version.content["observed"]]
    margins = []
    for i, time in enumerate(times):
        least = float("inf")
        for limit in watched:
            mean, low, high = (float(v) for v in out[i, place[limit.tag]])
            factor = band_factor(version, limit.tag, float(time) - now_h)
            if limit.low is not None:
                least = min(least, mean - factor * (mean - low) - limit.low)
            if limit.high is not None:
                least = min(least, limit.high - mean - factor * (high - mean))
        margins.append(least)
    return margins


def harvest_index(margins: Sequence[float]) -> int:
    """Return the latest harvest candidate before a band first crosses a limit; at least one."""
    last = 1
    for i, margin in enumerate(margins):
        if i and margin < 0.0:
            break
        if i % HARVEST_EVERY == 0 and i:
            last = i
    return min(last, len(margins) - 1)


def choose(tried: Sequence[Simulated]) -> Simulated:
    """Return the plan with the most product that is worth a change; else doing nothing.

    Ties go to the plan with fewer and smaller changes, which come first in the order.
    """
    nothing = tried[0]
    best = nothing
    for candidate in tried[1:]:
        gain = candidate.alternative.product_g - nothing.alternative.product_g
        if gain < WORTHWHILE * nothing.alternative.product_g:
            continue
        if candidate.alternative.share_better < SURE_ENOUGH:
            continue
        if candidate.alternative.product_g > best.alternative.product_g * (1.0 + 1e-9):
            best = candidate
    return best


def harvest_event(chosen: Alternative) -> Event:
    """Return the harvest as an action: advice for a person, at a time to come."""
    return Event(chosen.harvest_h, "harvest", HARVEST, 1.0, "1")


def explain(best: Alternative, nothing: Alternative) -> str:
    """Return the recommendation in one sentence."""
    moves = ", ".join(f"{e.tag} to {e.value:g} {e.unit}" for e in best.changes)
    until = f"harvest at {best.harvest_h:.0f} h"
    if not moves and best.margin < 0.0:
        return f"{until}, as soon as it can be done: a band is outside its limit by then"
    if not moves:
        return f"keep the set points, {until}: the bands stay inside their limits until then"
    return (
        f"{moves}, {until}: expected product {best.product_g:.3g} g against "
        f"{nothing.product_g:.3g} g (harvest at {nothing.harvest_h:.0f} h) without change; "
        f"better in {100 * best.share_better:.0f} % of the members"
    )


def alternative_content(alternative: Alternative | None) -> dict[str, Any] | None:
    """Return an alternative as content for a record; an unlimited margin is null."""
    if alternative is None:
        return None
    unlimited = alternative.margin == float("inf")
    return {
        "changes": [event_content(event) for event in alternative.changes],
        "harvest_h": decimal_text(alternative.harvest_h),
        "product_g": decimal_text(alternative.product_g),
        "margin": None if unlimited else decimal_text(alternative.margin),
        "share_better": decimal_text(alternative.share_better),
    }


def recommendation_content(made: Recommendation) -> dict[str, Any]:
    """Return the recommendation as content for a record: decimal strings, no floats."""
    return {
        "version": made.version_digest,
        "batch_id": made.batch_id,
        "now_h": decimal_text(made.now_h),
        "status": made.status,
        "reason": made.reason,
        "actions": [event_content(event) for event in made.actions],
        "chosen": alternative_content(made.chosen),
        "nothing": alternative_content(made.nothing),
        "alternatives": [alternative_content(a) for a in made.alternatives],
        "expected": forecast_content(made.expected) if made.expected else None,
        "without": forecast_content(made.without) if made.without else None,
    }
