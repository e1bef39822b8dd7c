"""Forecasts: where the batch goes under its present set points or a plan, with 90 % bands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twin_core.science.estimation import Estimate, row_content, summary
from twin_core.science.packages import BatchHistory, Event
from twin_core.science.population import Array, batch_inputs
from twin_core.science.twins import Tag
from twin_core.science.versions import ModelVersion, decimal_text

GRID_H = 3.0  # spacing of the forecast times
LEAST_REACH_H = 30.0  # a forecast always reaches this far
OK, UNDECIDED = "ok", "undecided"


@dataclass(frozen=True, slots=True)
class Row:
    """One forecast value: mean and 90 % band of what a sample would show at time_h."""

    time_h: float
    tag: str
    unit: str
    mean: float
    lo90: float
    hi90: float
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """All rows of one forecast, by tag and time."""

    version_digest: str
    batch_id: str
    issued_h: float
    plan: tuple[Event, ...]
    rows: tuple[Row, ...]


def forecast(
    version: ModelVersion,
    found: Estimate,
    *,
    until_h: float | None = None,
    plan: Sequence[Event] = (),
) -> Forecast:
    """Return the forecast from an estimate, every GRID_H to ``until_h``.

    ``until_h`` defaults to the end of the longest training batch; the reach is never less
    than LEAST_REACH_H. ``plan`` are set points to come; without it the present ones hold.
    """
    if version.digest != found.version_digest:
        raise ValueError("the estimate was made with another version")
    times = forecast_times(version, found.now_h, until_h)
    fixed, controls = batch_inputs(with_plan(found.batch, plan), version.model)
    band = summary(version, found.thetas, fixed, controls, times)
    return Forecast(
        version.digest,
        found.batch.batch_id,
        found.now_h,
        tuple(plan),
        tuple(
            row
            for i, tag in enumerate(version.model.tags)
            for row in tag_rows(version, found, times, band[:, i], tag)
        ),
    )


def forecast_times(version: ModelVersion, now_h: float, until_h: float | None) -> Array:
    """Return the times of a forecast: now, then every GRID_H."""
    end = until_h if until_h is not None else float(version.content["input_space"]["time_h"][1])
    reach = max(end - now_h, LEAST_REACH_H)
    steps = int(reach / GRID_H + 0.999999)
    return np.array([now_h + GRID_H * k for k in range(steps + 1)])


def with_plan(batch: BatchHistory, plan: Sequence[Event]) -> BatchHistory:
    """Return the batch with the planned events after its own."""
    events = (*batch.events, *sorted(plan, key=lambda e: (e.time_h, e.tag)))
    return BatchHistory(
        batch.batch_id, batch.template, batch.scale_L, batch.attributes, batch.samples, events
    )


def tag_rows(
    version: ModelVersion, found: Estimate, times: Array, band: Array, tag: Tag
) -> list[Row]:
    """Return the rows of one tag, band calibrated, status decided."""
    measured = tag.name in version.content["observed"]
    last = float(version.content["input_space"]["time_h"][1]) + GRID_H
    rows = []
    for time, (mean, low, high) in zip(times, band, strict=True):
        if measured:
            factor = band_factor(version, tag.name, float(time) - found.now_h)
            low = max(mean - factor * (mean - low), tag.low)
            high = min(mean + factor * (high - mean), tag.high)
        else:
            low, high = tag.low, tag.high
        reason = why_undecided(found, measured, float(time), last, float(mean))
        status = UNDECIDED if reason else OK
        rows.append(
            Row(
                float(time),
                tag.name,
                tag.unit,
                float(mean),
                float(low),
                float(high),
                status,
                reason,
            )
        )
    return rows


def why_undecided(
    found: Estimate, measured: bool, time_h: float, last_h: float, mean: float
) -> str:
    """Return why a row cannot be relied on; empty when it can."""
    if not measured:
        return "never measured in training: latent, the band is all that is possible"
    if mean < 0.0:
        return "no member could be integrated this far"
    if found.undecided:
        return found.undecided
    if time_h > last_h:
        return f"culture age {time_h:.0f} h is beyond the training batches"
    return ""


def band_factor(version: ModelVersion, tag: str, horizon_h: float) -> float:
    """Return the calibrated widening of the band at this horizon."""
    factor = 1.0
    for step in version.content["band_factors"][tag]:
        factor = float(step["factor"])
        if horizon_h <= float(step["until_h"]):
            break
    return factor


def forecast_content(made: Forecast) -> dict[str, Any]:
    """Return the forecast as content for a record: decimal strings, no floats."""
    return {
        "version": made.version_digest,
        "batch_id": made.batch_id,
        "issued_h": decimal_text(made.issued_h),
        "plan": [event_content(event) for event in made.plan],
        "rows": [
            {
                "time_h": decimal_text(row.time_h),
                "tag": row.tag,
                "unit": row.unit,
                "status": row.status,
                "reason": row.reason,
                **row_content((row.mean, row.lo90, row.hi90)),
            }
            for row in made.rows
        ],
    }


def event_content(event: Event) -> dict[str, str]:
    """Return an event as content for a record."""
    return {
        "time_h": decimal_text(event.time_h),
        "event": event.event,
        "tag": event.tag,
        "value": decimal_text(event.value),
        "unit": event.unit,
    }
