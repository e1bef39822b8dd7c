"""A recorded culture played into the twin: its laboratory, its on-line data, its set points.

The version is the shipped one and has never seen this culture; nothing is learned here.
"""

import hashlib
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from django.utils import timezone

from audit import api as audit
from tests.twin_core import factories
from twin_core import outbox, tasks
from twin_core.data import assets, batches, laboratory
from twin_core.insight import estimates, evaluations, forecasts, templates
from twin_core.models import (
    Batch,
    Estimate,
    Forecast,
    JournalSample,
    OutboxTask,
    Recommendation,
)
from twin_core.science import estimation, forecasting
from twin_core.science.packages import BatchHistory
from twin_core.supervisor import models

PLAN = next(plan for plan in models.PLANS if plan.asset == "BR-201")
CULTURE = "SIM-900012"  # of the locked test set
LAST_H = 98.0


@cache
def culture() -> BatchHistory:
    return next(b for b in PLAN.test_set().batches if b.batch_id == CULTURE)


def site() -> factories.Site:
    """Return BR-201 with the shipped model version in force."""
    artefact = models.frozen(PLAN)
    assert artefact is not None, "made with other equations: run manage.py freeze_versions"
    return factories.site(
        "BR-201",
        artefact=artefact,
        equations_digest=artefact["equations"],
        training=evaluations.data_set(PLAN.training_set()),
    )


def play(made: factories.Site, *, until_h: float = LAST_H) -> Batch:
    """Return a running batch that has come to ``until_h`` of the culture."""
    unit = made.equipment["BR-201"]
    row = batches.start(
        unit,
        plant_batch=CULTURE,
        started_at=timezone.now() - timedelta(hours=until_h / factories.PACE),
        attributes=dict(assets.of(unit).attributes),
        is_simulated=True,
        reason="the plant reports a running batch",
    )
    for sample in culture().samples:
        if sample.source == "lab" and sample.received_h <= until_h:
            laboratory.receive(
                row,
                tag=sample.tag,
                value=sample.value,
                unit=sample.unit,
                sampled_h=sample.time_h,
                received_h=sample.received_h,
            )
    _online(row, until_h)
    return row


def _online(row: Batch, until_h: float) -> None:
    """Put the on-line samples and, each hour, the set points held into the journal."""
    found = [
        (s.tag, s.time_h, s.value, s.unit)
        for s in culture().samples
        if s.source == "online" and s.time_h <= until_h
    ]
    for tag in ("feed.rate", "temperature.setpoint"):
        for hour in range(int(until_h) + 1):
            held = [e for e in culture().events if e.tag == tag and e.time_h <= hour]
            found.append((tag, float(hour), held[-1].value, held[-1].unit))
    JournalSample.objects.bulk_create(
        JournalSample(
            batch=row,
            tag=tag,
            source_time=row.started_at + timedelta(hours=time_h / factories.PACE),
            process_h=Decimal(str(time_h)),
            value=value,
            unit=unit,
            raw_value=value,
            raw_unit=unit,
            quality="good",
        )
        for tag, time_h, value, unit in found
    )


def batch() -> Batch:
    return Batch.objects.select_related("equipment").get()


def newest_forecast() -> Forecast:
    return Forecast.objects.select_related("batch__equipment", "record").latest("issued_h")


def asked(name: str, **content: str) -> int:
    """Ask for a piece of work, once more if it is done already; return its key in the outbox."""
    key = f"{name}:{':'.join(content.values())}"
    outbox.ask(name, key, **content)
    OutboxTask.objects.filter(key=key).update(state=OutboxTask.State.WAITING, lease_until=None)
    return OutboxTask.objects.get(key=key).pk


def done(name: str, **content: str) -> OutboxTask:
    """Let the worker do a piece of work and return how it stands afterwards."""
    identity = asked(name, **content)
    tasks.work(identity)
    return OutboxTask.objects.get(pk=identity)


def forecast_made(row: Batch, at_h: float = LAST_H) -> Forecast:
    """Let the worker estimate a batch and forecast from it; return the forecast."""
    before = set(Estimate.objects.values_list("pk", flat=True))
    done("estimate", batch=str(row.pk), at_h=str(laboratory.hours(at_h)))
    estimate = Estimate.objects.exclude(pk__in=before).get()
    done("forecast", estimate=str(estimate.pk))
    return Forecast.objects.select_related("batch__equipment", "record").get(estimate=estimate)


def advised(found: Forecast) -> Recommendation | None:
    """Let the worker look for advice in a forecast; return what it proposed."""
    done("recommend", forecast=str(found.pk))
    return Recommendation.objects.filter(forecast=found).first()


def newest(kind: str) -> dict[str, Any]:
    return audit.content(audit.Record.objects.filter(kind=kind).latest("id"))


def records(*kinds: str) -> int:
    return audit.Record.objects.filter(kind__in=kinds).count()


def expire_lease(identity: int) -> None:
    """Let the time of a lease pass."""
    past = timezone.now() - timedelta(seconds=1)
    OutboxTask.objects.filter(pk=identity).update(lease_until=past)


def contents() -> list[str]:
    """Compute the newest estimate and forecast again from the stored input; give digests."""
    found = newest_forecast().estimate
    version = templates.activate(found.model_version)
    document = audit.decode(audit.get_blob(found.inputs))
    told = (
        estimation.estimate_content(estimates.compute(document, version), version),
        forecasting.forecast_content(forecasts.compute(found)),
    )
    return [hashlib.sha256(audit.encode(one)).hexdigest() for one in told]


def clock_goes_on_to(row: Batch, *, hours: float) -> None:
    """Let the plant's clock go on while the laboratory tells nothing."""
    JournalSample.objects.create(
        batch=row,
        tag="volume",
        source_time=row.started_at + timedelta(hours=hours / factories.PACE),
        process_h=Decimal(str(hours)),
        value=3.2,
        unit="L",
        raw_value=3.2,
        raw_unit="L",
        quality="good",
    )
