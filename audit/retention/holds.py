"""Legal holds: set and released by signed acts of quality assurance."""

from typing import Any
from uuid import UUID

from django.db import transaction

from audit import ledger, signatures
from audit.models import LegalHold, Record, Role, User
from audit.refusals import Refused
from audit.retention import months

SET, RELEASED = "audit.hold.set", "audit.hold.released"
SIGNING_ROLES = (Role.QA_REVIEWER, Role.QA_APPROVER)


class HoldRefused(Refused):
    """A hold that cannot be set or released as asked."""

    act = "audit.hold"
    what_to_do = "Correct what the reason names, then sign again."


def view_of_setting(scope: str, value: str, matter: str) -> dict[str, Any]:
    """Return what a person is shown, and signs; raises HoldRefused."""
    value, matter = value.strip(), matter.strip()
    if scope not in LegalHold.Scope.values:
        raise HoldRefused(f"{scope!r} is no scope of a hold")
    if bool(value) == (scope == LegalHold.Scope.ALL):
        raise HoldRefused(
            "a hold on everything names nothing else"
            if value
            else f"a hold on {LegalHold.Scope(scope).label.lower()} names what it lies on"
        )
    if scope == LegalHold.Scope.MONTH:
        _check_month(value)
    if len(matter) < 3:
        raise HoldRefused("the matter is missing: say what the hold is for")
    return {"act": "set a legal hold", "scope": scope, "value": value, "matter": matter}


def _check_month(value: str) -> None:
    try:
        months.read(value)
    except months.MonthWrong as error:
        raise HoldRefused(str(error)) from error


def view_of_release(hold: LegalHold) -> dict[str, Any]:
    return {
        "act": "release a legal hold",
        "hold": str(hold.pk),
        "scope": hold.scope,
        "value": hold.value,
        "matter": hold.matter,
    }


@transaction.atomic
def set_hold(
    scope: str, value: str, matter: str, *, signer: User, proof: Any, reason: str, shown: str
) -> LegalHold:
    """Set a hold. Raises HoldRefused, ViewChanged, NotEntitled, SignatureRefused."""
    document = view_of_setting(scope, value, matter)
    signatures.require_view(document, shown)
    hold = LegalHold(scope=scope, value=document["value"], matter=document["matter"])
    record = _told(SET, hold, None, signer, reason)
    _sign(record, signer, proof, reason, document)
    hold.save(record=record)
    return hold


@transaction.atomic
def release(identity: UUID, *, signer: User, proof: Any, reason: str, shown: str) -> LegalHold:
    """Release a hold: another person than the one who set it. Raises as ``set_hold``."""
    hold = LegalHold.objects.select_for_update().get(pk=identity)
    if not hold.is_active:
        raise HoldRefused("this hold was released already")
    document = view_of_release(hold)
    signatures.require_view(document, shown)
    set_by = [made.signer_id for made in hold.record.signatures.all()]
    before, hold.is_active = hold.state_fields(), False
    record = _told(RELEASED, hold, before, signer, reason, parents=[hold.record.leaf])
    _sign(record, signer, proof, reason, document, authors=set_by)
    hold.save(record=record)
    return hold


def _told(
    kind: str, hold: LegalHold, before: Any, signer: User, reason: str, parents: Any = ()
) -> Record:
    return ledger.append(
        stream="ledger",
        kind=kind,
        actor=signer,
        subject=hold,
        old=before,
        new=hold.state_fields(),
        reason=reason,
        parents=parents,
    )


def _sign(
    record: Record, signer: User, proof: Any, reason: str, view: Any, authors: Any = ()
) -> None:
    signatures.sign(
        record,
        signer=signer,
        proof=proof,
        meaning="approval",
        reason=reason,
        view=view,
        roles=SIGNING_ROLES,
        authors=authors,
    )
