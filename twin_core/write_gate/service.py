"""Carry one order to the plant: lease, check, commit 'sent', write, read back, record.

The row says 'sent' before the value leaves. Whatever stops the gate after that, the write is not
repeated: what became of it is settled by reading.
"""

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


class LinkLost(Exception):
    """The plant does not answer."""


class PlantLink(Protocol):
    """The gate's own session with one plant. Every method raises LinkLost."""

    def read(self, point: WritePoint) -> dict[str, Any]:
        """Return process_h, batch, mode, interlock_clear and held, None for what is bad."""

    def write(self, point: WritePoint, value: float) -> None:
        """Write one set point; raises WriteRefused when the plant says no."""


class WriteRefused(Exception):
    """The plant answered that it does not take the value: it was not written."""


def carry_out(task: OutboxTask, link: PlantLink) -> SetpointWrite | None:
    """Carry one order out, once. None when it waits for its seal or for the link."""
    recommendation = orders.load(task.content["recommendation"])
    order = orders.order_of(recommendation)
    if not order.is_sealed:
        return None
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
    write = _begin(task, recommendation, point)
    return _send(write, link, point, order.value)


def settle(write: SetpointWrite, link: PlantLink) -> SetpointWrite:
    """Settle a write whose end is not known, by reading: confirmed or a deviation."""
    point, _ = _point(write.recommendation)
    if point is None:
        return write
    if write.state == State.SENT:
        write = _end(write, "lose", reason="the gate stopped between writing and reading back")
    held = link.read(point)["held"]
    return _judge(write, held, point)


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


def _refuse(task: OutboxTask, recommendation: Recommendation, reason: str) -> SetpointWrite:
    """Record the refusal; the approval is spent and the recommendation expires."""
    with outbox.effect(task):
        write = _new(task, recommendation, Decimal(0))
        _save(write, "leased", old=None)
        before = write.state_fields()
        write.state, write.reason = lifecycle.advance(State.LEASED, "refuse"), reason[:500]
        _save(write, "refused", old=before, reason=reason)
        _move(recommendation, "expire", reason=f"the write gate refused: {reason}")
    log.warning("refused", order=str(recommendation.pk), reason=reason)
    return write


def _begin(task: OutboxTask, recommendation: Recommendation, point: WritePoint) -> SetpointWrite:
    """Commit that the value is about to leave; from here on it is never sent again."""
    with outbox.effect(task):
        write = _new(task, recommendation, clock.process_now(recommendation.batch))
        _save(write, "leased", old=None)
        before = write.state_fields()
        write.state = lifecycle.advance(State.LEASED, "send")
        _save(write, "sent", old=before)
        _move(recommendation, "write", reason="sent to the plant by the write gate")
    return write


def _send(write: SetpointWrite, link: PlantLink, point: WritePoint, value: float) -> SetpointWrite:
    try:
        link.write(point, value)
        held = link.read(point)["held"]
    except WriteRefused as refused:
        return _end(write, "deviate", reason=f"the plant refused the value: {refused}")
    except LinkLost as lost:
        return _end(write, "lose", reason=f"no answer from the plant: {lost}")
    return _judge(write, held, point)


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
    write = (
        SetpointWrite.objects.select_for_update(of=("self",))
        .select_related("recommendation__batch__equipment", "record")
        .get(pk=write.pk)
    )
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
