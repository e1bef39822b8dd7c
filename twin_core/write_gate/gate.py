"""The check before a value leaves: everything the gate demands, as one pure function.

It believes nothing that the twin computed. It looks at the order as people signed it, at the
plant as it reads it itself, and at the limits in the signed tag map.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from twin_core.science.tag_map import WritePoint

MODES = ("remote",)  # the plant takes set points from outside only in these


@dataclass(frozen=True, slots=True)
class SignedBy:
    """One signature on the order, as the gate checked it itself."""

    person: str
    meaning: str
    is_valid: bool
    is_author: bool
    covers: str  # digest of the content that the signed view shows


@dataclass(frozen=True, slots=True)
class Order:
    """What was approved. ``value`` is in ``unit``; hours are process time."""

    tag: str
    value: float
    unit: str
    current: float | None  # what the controller held as the signers were shown it
    content: str  # digest of the evidence document
    expires_h: float
    signatures: Sequence[SignedBy]
    signatures_needed: int
    is_sealed: bool  # the approval has its place in the chain
    is_used: bool  # a write for this order exists already
    record_intact: bool  # the approval's record is what its leaf hash says, and equals the row


@dataclass(frozen=True, slots=True)
class Plant:
    """The plant as the gate reads it now; None where it could not be read."""

    process_h: float | None
    batch: str | None
    mode: str | None
    interlock_clear: bool | None
    held: float | None  # what the controller holds for this set point
    last_change_h: float | None  # process time of the last accepted write, None when there was none


@dataclass(frozen=True, slots=True)
class Permits:
    """What must be in force beside the order."""

    write_back_enabled: bool
    trust_allows: bool
    configuration_refusals: Sequence[str]
    batch: str  # what the plant calls the batch that the order is for
    point: WritePoint | None


def refusals(order: Order, plant: Plant, permits: Permits) -> list[str]:
    """Return every reason against writing; empty means that the value may leave."""
    return [
        *_about_permits(permits),
        *_about_signatures(order),
        *_about_value(order, plant, permits.point),
        *_about_time(order, plant, permits.point),
        *_about_plant(plant, permits),
    ]


def _about_permits(permits: Permits) -> list[str]:
    found = list(permits.configuration_refusals)
    if not permits.write_back_enabled:
        found.append("write-back is switched off")
    if not permits.trust_allows:
        found.append("the asset's trust level does not allow writing")
    return found


def _about_signatures(order: Order) -> list[str]:
    found = []
    if not order.record_intact:
        found.append("the approval's record is not what was signed")
    if not order.is_sealed:
        found.append("the approval is not sealed into the ledger")
    if order.is_used:
        found.append("a write for this approval exists already")
    good = {
        made.person
        for made in order.signatures
        if made.is_valid and not made.is_author and made.covers == order.content
    }
    if len(good) < order.signatures_needed:
        found.append(f"{len(good)} valid signatures of {order.signatures_needed} that are needed")
    if not any(made.meaning == "approval" and made.person in good for made in order.signatures):
        found.append("no signature with the meaning approval")
    return found


def _about_value(order: Order, plant: Plant, point: WritePoint | None) -> list[str]:
    if point is None or not point.writable:
        return [f"{order.tag} is not a write point of the signed tag map"]
    if not math.isfinite(order.value):
        return [f"the value is {order.value}"]
    found = []
    low, high = point.limits
    if order.unit != point.unit:
        found.append(f"the unit is {order.unit}, the write point takes {point.unit}")
    if not low <= order.value <= high:
        found.append(f"{order.value} is outside {low} to {high} {point.unit}")
    if plant.held is None or not math.isfinite(plant.held):
        found.append("what the controller holds now cannot be read")
    else:
        found += _about_step(order, plant.held, point)
    return found


def _about_step(order: Order, held: float, point: WritePoint) -> list[str]:
    """Compare with what the controller holds now, and with what the signers saw there."""
    found = []
    if not abs(order.value - held) <= point.max_step + 1e-9:
        found.append(f"from {held} to {order.value} is more than one step of {point.max_step}")
    if order.current is None or not abs(order.current - held) <= point.tolerance:
        found.append(f"the controller holds {held}, the signers were shown {order.current}")
    return found


def _about_time(order: Order, plant: Plant, point: WritePoint | None) -> list[str]:
    if plant.process_h is None or not math.isfinite(plant.process_h):
        return ["the plant's process time cannot be read"]
    found = []
    if not plant.process_h <= order.expires_h:
        found.append(
            f"it expired at {order.expires_h:.2f} h, the plant is at {plant.process_h:.2f} h"
        )
    if point is not None and plant.last_change_h is not None:
        since = plant.process_h - plant.last_change_h
        if not since >= point.min_interval_h:
            found.append(
                f"the last write was {since:.2f} h ago, less than {point.min_interval_h} h"
            )
    return found


def _about_plant(plant: Plant, permits: Permits) -> list[str]:
    found = []
    if plant.batch != permits.batch:
        found.append(f"the plant runs batch {plant.batch}, the approval is for {permits.batch}")
    if plant.mode not in MODES:
        found.append(f"the equipment is in mode {plant.mode}, not {' or '.join(MODES)}")
    if plant.interlock_clear is not True:
        found.append("the interlock is not clear")
    return found


def is_equal(held: float | None, value: float, point: WritePoint) -> bool:
    """Whether what was read back is what was written, within the write point's tolerance."""
    return held is not None and math.isfinite(held) and abs(held - value) <= point.tolerance
