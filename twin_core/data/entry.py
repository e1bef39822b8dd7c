"""What people enter: batches and laboratory values, held to the signed files of the asset."""

import math
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from twin_core.data import assets, batches, clock, configuration, laboratory, limits
from twin_core.data.laboratory import ResultRefused
from twin_core.lifecycle.batch import State
from twin_core.lifecycle.table import TransitionRefused
from twin_core.models import Batch, Equipment, LabResult
from twin_core.science.tag_map import Tag, TagMap
from twin_core.science.units import UnitMismatch, UnknownUnit, convert


def start(equipment: Equipment, *, plant_batch: str, person: Any, reason: str) -> Batch:
    """Follow a batch that runs on the plant; raises TransitionRefused with what to do."""
    if (found := batches.running(equipment)) is not None:
        raise TransitionRefused(f"{equipment.tag} follows {found.number}: close that one first")
    if Batch.objects.filter(equipment=equipment, plant_batch=plant_batch).exists():
        raise TransitionRefused(f"the plant's batch {plant_batch} was followed before")
    try:
        asset, tag_map = assets.of(equipment), limits.tag_map(equipment)
    except (configuration.NotTheSignedFile, ValueError) as error:
        raise TransitionRefused(str(error)) from error
    try:
        with transaction.atomic():
            return batches.start(
                equipment,
                plant_batch=plant_batch,
                started_at=timezone.now(),
                attributes=dict(asset.attributes),
                is_simulated=tag_map.origin == "simulated",
                actor=person,
                reason=reason,
            )
    except IntegrityError as error:
        raise TransitionRefused(f"{equipment.tag} has just got another batch") from error


def laboratory_tags(equipment: Equipment) -> list[Tag]:
    """Return the tags whose values come from the laboratory; none without a signed tag map."""
    try:
        tags = limits.tag_map(equipment).tags.values()
    except (configuration.NotTheSignedFile, ValueError):
        return []
    return [tag for tag in tags if tag.source == "lab"]


def enter(
    batch: Batch,
    *,
    tag: str,
    value: float,
    sampled_h: float,
    person: Any,
    reason: str,
    unit: str | None = None,
) -> LabResult:
    """Enter a laboratory value, known from now on; raises ResultRefused with what to do."""
    if batch.state != State.RUNNING:
        raise ResultRefused(f"{batch.number} is {batch.state}: values are entered while it runs")
    if not reason.strip():
        raise ResultRefused("say why the value is entered by hand")
    known = _tag(batch, tag)
    now_h = clock.process_now(batch)
    if not 0 <= sampled_h <= now_h:
        raise ResultRefused(f"a sample is taken between 0 and {now_h:.1f} h, the present time")
    result = laboratory.receive(
        batch,
        tag=tag,
        value=_usable(known, value, unit or known.unit),
        unit=known.unit,
        sampled_h=sampled_h,
        received_h=float(now_h),
        actor=person,
        reason=reason.strip(),
    )
    if result is None:
        raise ResultRefused(
            f"there is a value of {tag} at {sampled_h:g} h already: correct that one"
        )
    return result


def correct(
    result: LabResult, *, value: float, person: Any, reason: str, unit: str | None = None
) -> LabResult:
    """Correct a laboratory value by a new one; raises ResultRefused with what to do."""
    known = _tag(result.batch, result.tag)
    corrected = _usable(known, value, unit or result.unit)
    if corrected == float(result.value):
        raise ResultRefused("that is the value it has already")
    with transaction.atomic():
        try:
            return laboratory.correct(
                result,
                value=corrected,
                unit=known.unit,
                received_h=float(clock.process_now(result.batch)),
                actor=person,
                reason=reason,
            )
        except IntegrityError as error:
            raise ResultRefused("this result has just been corrected by somebody") from error


def _tag(batch: Batch, name: str) -> Tag:
    try:
        tag_map: TagMap = limits.tag_map(batch.equipment)
    except (configuration.NotTheSignedFile, ValueError) as error:
        raise ResultRefused(str(error)) from error
    tag = tag_map.tags.get(name)
    if tag is None or tag.source != "lab":
        raise ResultRefused(f"{batch.equipment.tag} has no laboratory tag {name!r}")
    return tag


def _usable(tag: Tag, value: float, unit: str) -> float:
    """Return a value in the tag's unit, or raise ResultRefused."""
    if not math.isfinite(value):
        raise ResultRefused(f"{value} is no value")
    try:
        converted = convert(value, unit, tag.unit)
    except (UnknownUnit, UnitMismatch) as error:
        raise ResultRefused(str(error)) from error
    low, high = tag.limits
    if not low <= converted <= high:
        raise ResultRefused(f"{tag.tag} can be {low:g} to {high:g} {tag.unit}, not {converted:g}")
    return converted
