"""Advice from a forecast: at most one change, with the evidence that a reviewer is shown.

Computed from the input document, the frozen model version, the signed asset file and tag map:
the same four give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from audit import api as audit
from models_registry import api as registry
from twin_core import outbox
from twin_core.data import assets, clock, configuration, limits, live
from twin_core.data.batches import stream
from twin_core.insight import estimates, evidence, templates
from twin_core.lifecycle import trust
from twin_core.lifecycle.recommendation import State
from twin_core.lifecycle.setpoint_write import State as WriteState
from twin_core.models import (
    Batch,
    ConfigurationFile,
    Equipment,
    Forecast,
    OutboxTask,
    Recommendation,
    SetpointWrite,
)
from twin_core.science import optimisation
from twin_core.science.assumptions import Verdict
from twin_core.science.estimation import Estimate
from twin_core.science.tag_map import TagMap, WritePoint
from twin_core.science.twins import Limit, WriteBack
from twin_core.science.versions import ModelVersion

HARVEST = "harvest"
STEPS = {"mL/h": 0.1, "degC": 0.1}  # what a controller is set to, by unit
HARVEST_LEAD_H = 72.0  # harvest is advised this long ahead, not earlier
HARVEST_SHIFT_H = 6.0  # and again only when its time has moved by as much
HIGH_IMPACT = {HARVEST, "temperature.setpoint"}  # two people sign: these cannot be undone
OPEN = (State.PROPOSED, State.APPROVED, State.WRITTEN, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Ground:
    """What advice rests on beside the input document: all of it signed."""

    asset: assets.Asset
    tag_map: TagMap

    @property
    def limits(self) -> list[Limit]:
        units = {tag.tag: tag.unit for tag in self.tag_map.tags.values()}
        return [
            Limit(limit.tag, units.get(limit.tag, ""), low=limit.low, high=limit.high)
            for limit in self.asset.limits.values()
        ]

    @property
    def deciding(self) -> list[Limit]:
        """Return the limits that a batch is harvested before: its CQAs."""
        names = {limit.tag for limit in self.asset.limits.values() if limit.decides}
        return [limit for limit in self.limits if limit.tag in names]


@dataclass(frozen=True, slots=True)
class Advice:
    """The change that is worth advising, and all that was tried."""

    tag: str
    value: float
    unit: str
    current: float | None
    made: optimisation.Recommendation
    tried: tuple[optimisation.Recommendation, ...]
    verdicts: tuple[Verdict, ...]


def propose(task: OutboxTask, *, forecast: str) -> Recommendation | None:
    """Propose what a forecast advises, if anything. Safe to deliver twice."""
    found = Forecast.objects.select_related(
        "record",
        "batch__equipment",
        "estimate__record",
        "estimate__model_version__model",
        "estimate__model_version__record",
    ).get(pk=UUID(forecast))
    if reason := _why_not(found):
        _say_nothing(task, found, reason)
        return None
    equipment = found.batch.equipment
    ground = Ground(assets.of(equipment), limits.tag_map(equipment))
    version = templates.activate(found.estimate.model_version)
    document = audit.decode(audit.get_blob(found.estimate.inputs))
    points = {} if not trust.may_write(equipment.trust) else free_points(found.batch, ground)
    estimate = estimates.compute(document, version)
    advice = compute(version, estimate, ground, points=points)
    if advice is None or (reason := _is_said(found.batch, advice, float(found.issued_h))):
        _say_nothing(task, found, reason if advice else "nothing is worth a change")
        return None
    told = evidence.document(
        found, advice, ground, version, free=sorted(points), files=_kept_files(equipment)
    )
    return _store(task, found, advice, told)


def _kept_files(equipment: Equipment) -> dict[str, str]:
    """Keep the signed files that the advice rests on, and return their digests."""
    kinds = {"asset": ConfigurationFile.Kind.LIMITS, "tag_map": ConfigurationFile.Kind.TAG_MAP}
    return {
        name: audit.put_blob(configuration.load(equipment, kind), "application/yaml")
        for name, kind in kinds.items()
    }


def compute(
    version: ModelVersion,
    found: Estimate,
    ground: Ground,
    *,
    points: Mapping[str, WritePoint],
) -> Advice | None:
    """Return the most worthwhile single change, else the harvest when its time is near."""
    until_h = max(ground.asset.planned_h, found.now_h)
    tried = [
        optimisation.recommend(
            version,
            found,
            points=[_write_back(found, point)],
            limits=ground.deciding,
            until_h=until_h,
        )
        for _, point in sorted(points.items())
    ]
    tried.append(
        optimisation.recommend(version, found, points=(), limits=ground.deciding, until_h=until_h)
    )
    changes = [made for made in tried if made.chosen is not None and made.chosen.changes]
    if changes:
        best = max(changes, key=lambda made: made.chosen.product_g if made.chosen else 0.0)
        return _change(found, best, tried)
    return _harvest(found, tried)


def _change(
    found: Estimate, best: optimisation.Recommendation, tried: Sequence[Any]
) -> Advice | None:
    assert best.chosen is not None
    event = best.chosen.changes[0]
    current = optimisation.present_value(found, event.tag)
    return Advice(event.tag, event.value, event.unit, current, best, tuple(tried), found.verdicts)


def _harvest(found: Estimate, tried: Sequence[optimisation.Recommendation]) -> Advice | None:
    plain = tried[-1]
    harvest = next((event for event in plain.actions if event.tag == HARVEST), None)
    if harvest is None or harvest.time_h - found.now_h > HARVEST_LEAD_H:
        return None
    return Advice(HARVEST, harvest.time_h, "h", None, plain, tuple(tried), found.verdicts)


def _write_back(found: Estimate, point: WritePoint) -> WriteBack:
    """Return a write point as the search may use it: in range and within one step from now."""
    present = optimisation.present_value(found, point.tag)
    low, high = point.limits
    if present is not None:
        low, high = max(low, present - point.max_step), min(high, present + point.max_step)
    return WriteBack(
        point.tag, point.unit, low, high, STEPS[point.unit], point.max_step, writable=True
    )


def free_points(batch: Batch, ground: Ground) -> dict[str, WritePoint]:
    """Return the write points that may be moved now: writable, known to the model, not too soon."""
    found = {}
    for tag, point in ground.tag_map.setpoints.items():
        last = (
            SetpointWrite.objects.filter(recommendation__batch=batch, tag=tag)
            .exclude(state=WriteState.REFUSED)
            .order_by("-id")
            .first()
        )
        is_open = Recommendation.objects.filter(batch=batch, tag=tag, state__in=OPEN).exists()
        is_soon = last is not None and _hours_since(batch, last) < point.min_interval_h
        if point.writable and point.unit in STEPS and not is_open and not is_soon:
            found[tag] = point
    return found


def _hours_since(batch: Batch, write: SetpointWrite) -> float:
    return float(clock.process_now(batch) - write.sent_h)


def _why_not(forecast: Forecast) -> str:
    """Return why this forecast gives no advice at all; empty when it may."""
    equipment = forecast.batch.equipment
    if not trust.may_advise(equipment.trust):
        return f"the trust level of {equipment.tag} is {equipment.trust}"
    if forecast.batch.state != "running":
        return "the batch is closed"
    if forecast.status != Forecast.Status.OK:
        return f"undecided: {forecast.reason}"
    newer = Forecast.objects.filter(batch=forecast.batch, issued_h__gt=forecast.issued_h)
    if newer.exists():
        return "a newer forecast has been made"
    change = Recommendation.objects.filter(batch=forecast.batch, is_writable=True, state__in=OPEN)
    if (undecided := change.first()) is not None:
        return f"one change at a time: {undecided.title} is {undecided.state}"
    if refusals := configuration.refusals(equipment):
        return "; ".join(refusals)
    try:
        version = registry.require_in_force(equipment.tag, template=equipment.template)
    except registry.NotInForce as error:
        return str(error)
    if version.pk != forecast.estimate.model_version_id:
        return "another model version is in force by now"
    return ""


def _is_said(batch: Batch, advice: Advice, now_h: float) -> str:
    """Return why the advice would only repeat what stands or was decided; empty when it is new."""
    rows = Recommendation.objects.filter(batch=batch, tag=advice.tag).order_by("-pk")
    last = rows.first()
    if last is None:
        return ""
    if last.state in OPEN and not (advice.tag == HARVEST and last.state == State.APPROVED):
        return f"{last.title} is still open"
    if advice.tag == HARVEST and abs(float(last.value) - advice.value) < HARVEST_SHIFT_H:
        return f"{last.title} was {last.state} already"
    if last.state == State.REJECTED and now_h - float(last.issued_h) < settings.ADVICE_QUIET_H:
        return f"{last.title} was rejected less than {settings.ADVICE_QUIET_H:g} h ago"
    return ""


def _say_nothing(task: OutboxTask, forecast: Forecast, reason: str) -> None:
    """No advice is an answer too: it is recorded with its reason."""
    with outbox.effect(task):
        audit.append(
            stream=stream(forecast.batch),
            kind="twin_core.advice.withheld",
            reason=reason,
            parents=[bytes(forecast.record.leaf)],
            data={"issued_h": str(forecast.issued_h)},
        )


def _store(
    task: OutboxTask, forecast: Forecast, advice: Advice, told: dict[str, Any]
) -> Recommendation:
    equipment = forecast.batch.equipment
    recommendation = Recommendation(
        batch=forecast.batch,
        forecast=forecast,
        state=State.PROPOSED,
        title=told["title"],
        tag=advice.tag,
        value=told["value"],
        unit=advice.unit,
        current_value=told["current"] or "",
        is_writable=advice.tag != HARVEST and trust.may_write(equipment.trust),
        is_high_impact=advice.tag in HIGH_IMPACT,
        issued_h=forecast.issued_h,
        expires_h=forecast.issued_h + Decimal(str(settings.ADVICE_VALID_H)),
        author_id=evidence.author(forecast.estimate.model_version),
    )
    with outbox.effect(task):
        existing = Recommendation.objects.filter(forecast=forecast).first()
        if existing is not None:
            return existing
        recommendation.content = audit.put_blob(audit.encode(told), "application/json")
        record = audit.append(
            stream=stream(forecast.batch),
            kind="twin_core.recommendation.proposed",
            subject=recommendation,
            new=recommendation.state_fields(),
            parents=[bytes(forecast.record.leaf)],
            blobs=[recommendation.content, *sorted(told["files"].values())],
        )
        recommendation.save(record=record)
        live.tell(forecast.batch)
    return recommendation
