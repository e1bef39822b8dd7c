"""The policies that were put in force by signature, from the ledger."""

from datetime import datetime
from typing import Any

from django.db import transaction

from audit import ledger, signatures
from audit.models import Record, Role, User
from audit.retention import policy
from audit.retention.policy import Policy

KIND = "audit.retention.policy_signed"
SIGNING_ROLES = (Role.QA_APPROVER,)


def view(content: bytes) -> dict[str, Any]:
    """Return what a person is shown, and signs; raises PolicyInvalid."""
    read = policy.parse(content)
    before = in_force()
    return {
        "act": "put a retention policy in force",
        "digest": read.digest,
        "before": before.digest if before else None,
        "evidence": read.evidence,
        "witnesses": list(read.witnesses),
        "classes": [
            {
                "name": kept.name,
                "stream": kept.stream,
                "kind": kept.kind,
                "years": kept.years if kept.years is not None else policy.FOR_EVER,
            }
            for kept in read.classes
        ],
    }


@transaction.atomic
def put_in_force(content: bytes, *, signer: User, proof: Any, reason: str, shown: str) -> Record:
    """Put a policy in force by one signature. Raises ViewChanged, NotEntitled, SignatureRefused."""
    document = view(content)
    signatures.require_view(document, shown)
    kept = ledger.put_blob(content, "application/yaml")
    record = ledger.append(
        stream="ledger",
        kind=KIND,
        actor=signer,
        reason=reason,
        blobs=[kept],
        data={"digest": document["digest"], "before": document["before"]},
    )
    signatures.sign(
        record,
        signer=signer,
        proof=proof,
        meaning="approval",
        reason=reason,
        view=document,
        roles=SIGNING_ROLES,
    )
    return record


def signed() -> list[tuple[datetime, Policy]]:
    """Return every policy with the time of its record, oldest first; unsigned ones are none."""
    found = []
    for record in Record.objects.filter(stream="ledger", kind=KIND).order_by("id"):
        if any(made.is_valid for made in signatures.signatures_of(record)):
            digest = ledger.content(record)["data"]["digest"]
            found.append((record.recorded_at, policy.parse(ledger.get_blob(digest))))
    return found


def in_force() -> Policy | None:
    """Return the policy in force now."""
    found = signed()
    return found[-1][1] if found else None


def since(moment: datetime) -> list[Policy]:
    """Return the policies in force at any time from ``moment`` on."""
    found = signed()
    earlier = [one for at, one in found if at <= moment][-1:]
    return earlier + [one for at, one in found if at > moment]
