"""Carry one order to the plant: lease, check, commit 'sent', write, read back, record.

The row says 'sent' before the value leaves. Whatever stops the gate after that, the write is not
repeated: what became of it is settled by reading.
"""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

import structlog
from django.conf import settings
from django.db import transaction

from audit import api as audit
from twin_core import outbox
from twin_core.data import clock, configuration, limits, live
from twin_core.data.batches import stream
from twin_core.lifecycle import recommendation as advice
from twin_core.lifecycle import setpoint_write as lifecycle
from twin_core.lifecycle.setpoint_write import State
from twin_core.models import Equipment, OutboxTask, Recommendation, SetpointWrite
from twin_core.science.tag_map import WritePoint
from twin_core.write_gate import gate, orders

log = structlog.get_logger("gate")
NOTHING_READ = gate.Plant(None, None, None, None, None, None)
WRITTEN = (State.SENT, State.CONFIRMED, State.UNKNOWN, State.DEVIATION)
READ_BACK_WITHIN_S = 5.0  # a controller shows a new set point with its next scan
READ_BACK_EVERY_S = 0.1


class LinkLost(Exception):
    """The plant does not answer."""


class NotSealedYet(Exception):
    """The approval has no place in the ledger yet: the order waits."""


class PlantLink(Protocol):
    """The gate's own session with one plant. Every method raises LinkLost."""

    def read(self, point: WritePoint) -> dict[str, Any]:
        """Return process_h, batch, mode, interlock_clear and held, None for what is bad."""

    def write(self, point: WritePoint, value: float) -> None:
        """Write one set point; raises WriteRefused when the plant says no."""


class WriteRefused(Exception):
    """The plant answered that it does not take the value: it was not written."""


def carry_out(task: OutboxTask, link: PlantLink) -> SetpointWrite | None:
    """Carry one order out, once; None when the order is void because it is not open any more.

    Raises NotSealedYet, LinkLost (both: give the task back) and outbox.Overtaken.
    """
    recommendation = orders.load(task.content["recommendation"])
    order = orders.order_of(recommendation)
    if recommendation.state == advice.State.APPROVED and not order.is_sealed:
        raise NotSealedYet(str(recommendation.pk))
    point, found = _point(recommendation)
    try:
        plant = _look(link, point, recommendation)
    except LinkLost:
        if clock.process_now(recommendation.batch) <= recommendation.expires_h:
            raise  # it may still be carried out when the link is back
        plant = NOTHING_READ
    permits = orders.permits_for(
        recommendation, enabled=settings.WRITE_BACK_ENABLED, configuration=found, point=point
    )
    if reasons := gate.refusals(order, plant, permits):
        return _refuse(task, recommendation, "; ".join(reasons))
    assert point is not None
    write = _begin(task, recommendation)
    return write and _send(write, link, point, order.value)


def settle(write: SetpointWrite, link: PlantLink) -> SetpointWrite:
    """Settle a write whose end is not known, by reading: confirmed or a deviation."""
    point, _ = _point(write.recommendation)
    if point is None:
        return write
    if write.state == State.SENT:
        write = _end(write, "lose", reason="the gate stopped between writing and reading back")
    told = link.read(point)
    if told["batch"] not in (None, write.recommendation.batch.plant_batch):
        return _end(write, "deviate", reason=f"the plant has gone on to batch {told['batch']}")
    return _judge(write, told["held"], point)


def unsettled(equipment: Equipment) -> list[SetpointWrite]:
    """Return the writes whose end is not known, oldest first."""
    rows = SetpointWrite.objects.filter(
        state__in=[State.SENT, State.UNKNOWN], recommendation__batch__equipment=equipment
    )
    return list(rows.select_related("recommendation__batch__equipment", "record").order_by("id"))


def _point(recommendation: Recommendation) -> tuple[WritePoint | None, list[str]]:
    equipment = recommendation.batch.equipment
    found = configuration.refusals(equipment)
    try:
        return limits.write_point(equipment, recommendation.tag), found
    except (configuration.NotTheSignedFile, ValueError) as error:
        return None, [*found, str(error)] if str(error) not in found else found


def _look(link: PlantLink, point: WritePoint | None, recommendation: Recommendation) -> gate.Plant:
    if point is None:
        return NOTHING_READ
    return gate.Plant(**link.read(point), last_change_h=_last_change_h(recommendation))


def _last_change_h(recommendation: Recommendation) -> float | None:
    """Return the process time of the last write to this set point in this batch."""
    last = (
        SetpointWrite.objects.filter(
            recommendation__batch=recommendation.batch,
            tag=recommendation.tag,
            state__in=WRITTEN,
        )
        .exclude(recommendation=recommendation)
        .order_by("-id")
        .first()
    )
    return None if last is None else float(last.sent_h)


def _new(task: OutboxTask, recommendation: Recommendation, sent_h: Decimal) -> SetpointWrite:
    return SetpointWrite(
        recommendation=recommendation,
        state=State.LEASED,
        tag=recommendation.tag,
        value=recommendation.value,
        unit=recommendation.unit,
        sent_h=sent_h,
        token=task.token,
    )


def _refuse(task: OutboxTask, recommendation: Recommendation, reason: str) -> SetpointWrite | None:
    """Record the refusal; the approval is spent and the recommendation expires."""
    with outbox.effect(task):
        if not _is_open(recommendation, reason):
            return None
        write = _new(task, recommendation, Decimal(0))
        _save(write, "leased", old=None)
        before = write.state_fields()
        write.state, write.reason = lifecycle.advance(State.LEASED, "refuse"), reason[:500]
        _save(write, "refused", old=before, reason=reason)
        _move(recommendation, "expire", reason=f"the write gate refused: {reason}")
    log.warning("refused", order=str(recommendation.pk), reason=reason)
    return write


def _begin(task: OutboxTask, recommendation: Recommendation) -> SetpointWrite | None:
    """Commit that the value is about to leave; from here on it is never sent again."""
    with outbox.effect(task):
        if not _is_open(recommendation, "it was decided otherwise meanwhile"):
            return None
        write = _new(task, recommendation, clock.process_now(recommendation.batch))
        _save(write, "leased", old=None)
        before = write.state_fields()
        write.state = lifecycle.advance(State.LEASED, "send")
        _save(write, "sent", old=before)
        _move(recommendation, "write", reason="sent to the plant by the write gate")
    return write


def _is_open(recommendation: Recommendation, reason: str) -> bool:
    """Whether the locked row still is the approval that was checked; otherwise say so on record."""
    held = Recommendation.objects.select_for_update(of=("self",)).get(pk=recommendation.pk)
    is_used = SetpointWrite.objects.filter(recommendation=held).exists()
    if not is_used and (held.state, held.record_id) == (
        advice.State.APPROVED,
        recommendation.record_id,
    ):
        return True
    audit.append(
        stream=stream(recommendation.batch),
        kind="twin_core.order.void",
        reason=f"nothing is written: {reason}",
        parents=[bytes(recommendation.record.leaf)],
        data={"recommendation": str(held.pk), "state": held.state, "is_used": is_used},
    )
    return False


def _send(write: SetpointWrite, link: PlantLink, point: WritePoint, value: float) -> SetpointWrite:
    try:
        link.write(point, value)
        held = read_back(link, point, value)
    except WriteRefused as refused:
        return _end(write, "deviate", reason=f"the plant refused the value: {refused}")
    except LinkLost as lost:
        return _end(write, "lose", reason=f"no answer from the plant: {lost}")
    return _judge(write, held, point)


def read_back(
    link: PlantLink,
    point: WritePoint,
    value: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> float | None:
    """Return what the controller holds: at once when it is the value, else at the end of patience.

    The number of looks is bounded, not the time they take: no clock decides what is true.
    """
    held: float | None = None
    for look in range(round(READ_BACK_WITHIN_S / READ_BACK_EVERY_S)):
        if look:
            sleep(READ_BACK_EVERY_S)
        held = link.read(point)["held"]
        if gate.is_equal(held, value, point):
            break
    return held


def _judge(write: SetpointWrite, held: float | None, point: WritePoint) -> SetpointWrite:
    if held is None:
        return write
    if gate.is_equal(held, float(write.value), point):
        return _end(write, "confirm", held=held, reason="read back as written")
    return _end(write, "deviate", held=held, reason="the plant holds another value")


@transaction.atomic
def _end(
    write: SetpointWrite, action: str, *, reason: str, held: float | None = None
) -> SetpointWrite:
    SetpointWrite.objects.select_for_update().get(pk=write.pk)  # locked first, joined then
    rows = SetpointWrite.objects.select_related("recommendation__batch__equipment", "record")
    write = rows.get(pk=write.pk)
    before = write.state_fields()
    write.state, write.reason = lifecycle.advance(State(write.state), action), reason[:500]
    if held is not None:
        write.read_back = audit.number(held, write.unit)["value"]
    _save(write, str(write.state), old=before, reason=reason)
    _move(orders.load(write.recommendation_id), action, reason=reason)
    return write


def _move(recommendation: Recommendation, action: str, *, reason: str) -> None:
    """Move the recommendation with its write. The gate has checked for itself already."""
    before = recommendation.state_fields()
    target, _ = advice.TABLE[advice.State(recommendation.state), action]
    recommendation.state = target
    record = audit.append(
        stream=stream(recommendation.batch),
        kind=f"twin_core.recommendation.{target}",
        subject=recommendation,
        old=before,
        new=recommendation.state_fields(),
        reason=reason,
        parents=[bytes(recommendation.record.leaf)],
    )
    recommendation.save(record=record)
    live.tell(recommendation.batch)


def _save(
    write: SetpointWrite, what: str, *, old: dict[str, Any] | None, reason: str | None = None
) -> None:
    record = audit.append(
        stream=stream(write.recommendation.batch),
        kind=f"twin_core.setpoint_write.{what}",
        subject=write,
        old=old,
        new=write.state_fields(),
        reason=reason,
        parents=[bytes(write.recommendation.record.leaf)],
    )
    write.save(record=record)
