"""Laboratory results: received from the plant, entered or corrected by a person.

A result carries two process times, when the sample was taken and when its value was known. A
correction is a new result that names the old one; the old one stays.
"""

from decimal import Decimal
from typing import Any

from django.db import transaction

from audit import api as audit
from twin_core import outbox
from twin_core.data import live
from twin_core.data.batches import stream
from twin_core.models import Batch, LabResult
from twin_core.science.units import convert

HOURS = Decimal("0.000001")


class ResultRefused(audit.Refused):
    """A laboratory value that cannot be taken, and what to do about it."""

    act = "twin_core.lab_result"
    what_to_do = "Correct what is named and send it again."


def receive(
    batch: Batch,
    *,
    tag: str,
    value: float,
    unit: str,
    sampled_h: float,
    received_h: float,
    actor: Any = None,
    reason: str | None = None,
) -> LabResult | None:
    """Store a first result; None when it is stored already. Asks for a new estimate."""
    sampled = hours(sampled_h)
    if LabResult.objects.filter(
        batch=batch, tag=tag, sampled_h=sampled, corrects__isnull=True
    ).exists():
        return None
    result = LabResult(
        batch=batch,
        tag=tag,
        value=audit.number(value, unit)["value"],
        unit=unit,
        sampled_h=sampled,
        received_h=hours(received_h),
    )
    return _store(result, kind="received" if actor is None else "entered", actor=actor, why=reason)


def correct(
    result: LabResult, *, value: float, unit: str, received_h: float, actor: Any, reason: str
) -> LabResult:
    """Correct a result by a new one; raises ResultRefused without a reason or when corrected."""
    if not reason.strip():
        raise ResultRefused("a correction needs its reason")
    if LabResult.objects.filter(corrects=result).exists():
        raise ResultRefused("this result is corrected already: correct the newest one")
    corrected = LabResult(
        batch=result.batch,
        tag=result.tag,
        value=audit.number(convert(value, unit, result.unit), result.unit)["value"],
        unit=result.unit,
        sampled_h=result.sampled_h,
        received_h=hours(received_h),
        corrects=result,
    )
    return _store(corrected, kind="corrected", actor=actor, why=reason)


@transaction.atomic
def _store(result: LabResult, *, kind: str, actor: Any, why: str | None) -> LabResult:
    record = audit.append(
        stream=stream(result.batch),
        kind=f"twin_core.lab_result.{kind}",
        actor=actor,
        subject=result,
        new=result.state_fields(),
        reason=why,
        parents=[result.corrects.record.leaf] if result.corrects else [],
    )
    result.save(record=record)
    ask_for_estimate(result.batch, at_h=result.received_h)
    live.tell(result.batch)
    return result


def ask_for_estimate(batch: Batch, *, at_h: Decimal) -> None:
    """Ask for an estimate of a batch at a process time; asked twice is asked once."""
    outbox.ask("estimate", f"estimate:{batch.pk}:{at_h}", batch=str(batch.pk), at_h=str(at_h))


def effective(batch: Batch, *, at_h: Decimal) -> list[LabResult]:
    """Return the results that hold at a process time: the newest known of each sample."""
    known = LabResult.objects.filter(batch=batch, received_h__lte=at_h).select_related("record")
    replaced = {result.corrects_id for result in known if result.corrects_id}
    return sorted(
        (result for result in known if result.pk not in replaced),
        key=lambda result: (result.sampled_h, result.tag),
    )


def hours(value: float | Decimal) -> Decimal:
    """Return process hours as stored; raises ResultRefused for what is no time of a batch."""
    try:
        rounded = Decimal(str(value)).quantize(HOURS)
    except ArithmeticError as error:
        raise ResultRefused(f"{value} is not a process time in hours") from error
    if not rounded.is_finite():
        raise ResultRefused(f"{value} is not a process time in hours")
    if rounded < 0:
        raise ResultRefused("process time begins at 0 h, at inoculation")
    return rounded
