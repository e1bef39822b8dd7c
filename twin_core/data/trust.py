"""How far an asset's twin is trusted: raised step by step with a signature, lowered at once."""

from typing import Any

from django.db import transaction

from audit import api as audit
from twin_core.data import configuration, limits
from twin_core.lifecycle import trust as lifecycle
from twin_core.lifecycle.table import TransitionRefused
from twin_core.lifecycle.trust import Level
from twin_core.models import Equipment

LOWERED = "twin_core.equipment.trust_lowered"
SIGNING_ROLES = (audit.Role.QA_REVIEWER, audit.Role.QA_APPROVER)


class TrustRefused(TransitionRefused, audit.Refused):
    """A step of trust that may not be taken, with every reason."""

    act = "twin_core.equipment.trust_raised"
    what_to_do = "Settle what the reasons name; a step cannot be skipped."


def view(equipment: Equipment) -> dict[str, Any]:
    """Return what a person is shown, and signs, for the next step up."""
    rows = equipment.configuration.order_by("kind")
    return {
        "act": "raise the level of trust",
        "equipment": equipment.tag,
        "from": equipment.trust,
        "to": next_level(equipment),
        "configuration": {row.kind: row.digest for row in rows},
    }


def next_level(equipment: Equipment) -> str | None:
    """Return the level above, or None at the top."""
    place = lifecycle.ORDER.index(Level(equipment.trust)) + 1
    return str(lifecycle.ORDER[place]) if place < len(lifecycle.ORDER) else None


def refusals(equipment: Equipment) -> list[str]:
    """Return why the asset's trust cannot be raised by one step now."""
    target = next_level(equipment)
    if target is None:
        return [f"{equipment.tag} stands at the highest level"]
    if found := configuration.refusals(equipment):
        return found
    if lifecycle.may_write(target) and not _has_write_point(equipment):
        return [f"the tag map of {equipment.tag} names nothing that may be written"]
    return []


def _has_write_point(equipment: Equipment) -> bool:
    return any(point.writable for point in limits.tag_map(equipment).setpoints.values())


@transaction.atomic
def raise_trust(
    equipment: Equipment, *, signer: Any, proof: Any, reason: str, shown: str, asked_by: Any = None
) -> Equipment:
    """Raise an asset by one step with an electronic signature; who asked for it does not sign.

    Raises TrustRefused, audit.ViewChanged, audit.NotEntitled or audit.SignatureRefused.
    """
    equipment = Equipment.objects.select_for_update().get(pk=equipment.pk)
    document = view(equipment)
    audit.require_view(document, shown)
    if found := refusals(equipment):
        raise TrustRefused("; ".join(found), stream=_stream(equipment))
    before = equipment.state_fields()
    equipment.trust = lifecycle.advance(Level(equipment.trust), "raise")
    record = audit.append(
        stream=_stream(equipment),
        kind="twin_core.equipment.trust_raised",
        actor=signer,
        subject=equipment,
        old=before,
        new=equipment.state_fields(),
        reason=reason,
        data={"asked_by": asked_by.printed_name if asked_by else None},
    )
    audit.sign(
        record,
        signer=signer,
        proof=proof,
        meaning="approval",
        reason=reason,
        view=document,
        roles=SIGNING_ROLES,
        authors=[asked_by],
    )
    equipment.save(record=record)
    return equipment


@transaction.atomic
def lower_trust(equipment: Equipment, to: str, *, actor: Any, reason: str) -> Equipment:
    """Lower an asset's trust at once, to any level below: no signature, but a recorded reason."""
    equipment = Equipment.objects.select_for_update().get(pk=equipment.pk)
    if not reason.strip():
        raise TrustRefused("lowering needs its reason", stream=_stream(equipment))
    before = equipment.state_fields()
    equipment.trust = lifecycle.advance(Level(equipment.trust), f"lower to {to}")
    record = audit.append(
        stream=_stream(equipment),
        kind=LOWERED,
        actor=actor,
        subject=equipment,
        old=before,
        new=equipment.state_fields(),
        reason=reason.strip(),
    )
    equipment.save(record=record)
    return equipment


def _stream(equipment: Equipment) -> str:
    return f"equipment/{equipment.tag}"
