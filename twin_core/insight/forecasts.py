"""Forecasts to the end of the batch, one for each estimate."""

from typing import Any
from uuid import UUID

from audit import api as audit
from twin_core import outbox
from twin_core.data import live
from twin_core.data.batches import stream
from twin_core.insight import estimates, templates
from twin_core.models import Estimate, Forecast, OutboxTask
from twin_core.science import forecasting


def create(task: OutboxTask, *, estimate: str) -> Forecast:
    """Forecast from one estimate. Safe to deliver twice: an estimate has one forecast."""
    found = Estimate.objects.select_related(
        "batch__equipment", "model_version__model", "model_version__record", "record"
    ).get(pk=UUID(estimate))
    made = compute(found)
    content = audit.encode(forecasting.forecast_content(made))
    with outbox.effect(task):
        existing = Forecast.objects.filter(estimate=found).first()
        if existing is not None:
            return existing
        return _store(found, content, *_status(made))


def compute(estimate: Estimate) -> forecasting.Forecast:
    """Compute the forecast of a stored estimate, from its input document alone."""
    version = templates.activate(estimate.model_version)
    document = audit.decode(audit.get_blob(estimate.inputs))
    return forecasting.forecast(version, estimates.compute(document, version))


def _store(estimate: Estimate, content: bytes, status: str, reason: str) -> Forecast:
    forecast = Forecast(
        batch=estimate.batch,
        estimate=estimate,
        issued_h=estimate.at_h,
        status=status,
        reason=reason[:500],
        content=audit.put_blob(content, "application/json"),
    )
    record = audit.append(
        stream=stream(estimate.batch),
        kind="twin_core.forecast.made",
        subject=forecast,
        new=forecast.state_fields(),
        parents=[bytes(estimate.record.leaf)],
        blobs=[forecast.content],
    )
    forecast.save(record=record)
    live.tell(estimate.batch)
    outbox.ask("recommend", f"recommend:{forecast.pk}", forecast=str(forecast.pk))
    return forecast


def _status(made: forecasting.Forecast) -> tuple[str, str]:
    """Return the status of the whole: undecided when no measured tag has a decided row."""
    decided = [row for row in made.rows if row.status == forecasting.OK]
    if decided:
        return Forecast.Status.OK, ""
    reasons = dict.fromkeys(row.reason for row in made.rows if row.reason)
    return Forecast.Status.UNDECIDED, "; ".join(reasons)


def content(forecast: Forecast) -> dict[str, Any]:
    """Return a stored forecast's rows as told."""
    return audit.decode(audit.get_blob(forecast.content))
