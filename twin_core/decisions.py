"""Decisions of people about recommendations, as the ledger tells them: who signed what.

Used by the desk and, independently of the twin's own insight, by the write gate.
"""

from typing import Any

from audit import api as audit
from models_registry import api as registry
from twin_core.models import Recommendation

SIGNATURES = {False: 1, True: 2}  # how many are needed, by high impact
ENDORSED = "twin_core.recommendation.endorsed"
APPROVED = "twin_core.recommendation.approved"


def decision_records(recommendation: Recommendation) -> list[Any]:
    """Return the records of this recommendation that people sign, oldest first."""
    found = audit.Record.objects.filter(
        stream=f"batch/{recommendation.batch.number}", kind__in=[ENDORSED, APPROVED]
    ).order_by("id")
    key = str(recommendation.pk)
    return [
        record
        for record in found
        if any(change["subject"]["id"] == key for change in audit.content(record)["changes"])
    ]


def signatures(recommendation: Recommendation) -> list[Any]:
    """Return the valid signatures that speak for this recommendation so far."""
    records = decision_records(recommendation)
    return [made for record in records for made in audit.signatures_of(record) if made.is_valid]


def signers(recommendation: Recommendation) -> set[Any]:
    records = decision_records(recommendation)
    made = audit.Signature.objects.filter(signed__in=[record.pk for record in records])
    return set(made.values_list("signer_id", flat=True))


def authors(recommendation: Recommendation) -> set[Any]:
    """Return who may not sign: who answers for the advice, and who put its model in force."""
    version = recommendation.forecast.estimate.model_version
    return {recommendation.author_id} | registry.released_by(version)
