"""An order as the gate reads it from the ledger itself: signatures, value, what it is used for."""

from typing import Any
from uuid import UUID

from audit import api as audit
from twin_core import decisions
from twin_core.lifecycle import trust
from twin_core.models import Recommendation, SetpointWrite
from twin_core.write_gate.gate import Order, Permits, SignedBy


def load(recommendation_id: UUID) -> Recommendation:
    rows = Recommendation.objects.select_related(
        "batch__equipment", "forecast__estimate__model_version", "record"
    )
    return rows.get(pk=recommendation_id)


def order_of(recommendation: Recommendation) -> Order:
    """Return the order behind an approved recommendation, each part checked against its record."""
    record = recommendation.record
    return Order(
        tag=recommendation.tag,
        value=_number(recommendation.value),
        unit=recommendation.unit,
        current=_number(recommendation.current_value) if recommendation.current_value else None,
        content=recommendation.content,
        expires_h=float(recommendation.expires_h),
        signatures=_signatures(recommendation),
        signatures_needed=decisions.SIGNATURES[recommendation.is_high_impact],
        is_sealed=audit.sequence_of(record) is not None,
        is_used=SetpointWrite.objects.filter(recommendation=recommendation).exists(),
        record_intact=_is_intact(recommendation),
    )


def _is_intact(recommendation: Recommendation) -> bool:
    """Whether the row's record is an intact approval that tells exactly this row."""
    record = recommendation.record
    if record.kind != decisions.APPROVED or not audit.is_intact(record):
        return False
    told = [
        change["new"]
        for change in audit.content(record)["changes"]
        if change["subject"] == recommendation.subject()
    ]
    return told == [recommendation.state_fields()]


def _signatures(recommendation: Recommendation) -> list[SignedBy]:
    authors = {str(author) for author in decisions.authors(recommendation)}
    return [
        _signed_by(made, authors)
        for record in decisions.decision_records(recommendation)
        for made in audit.Signature.objects.filter(signed=record).order_by("id")
    ]


def _signed_by(made: audit.Signature, authors: set[str]) -> SignedBy:
    shown = audit.shown(made)
    return SignedBy(
        person=str(made.signer_id),
        meaning=made.meaning,
        is_valid=shown.is_valid,
        is_author=str(made.signer_id) in authors,
        covers=_content_covered(shown.view) if shown.is_valid else "",
    )


def _content_covered(view_digest: str) -> str:
    """Return the content digest that the signed view shows."""
    view: dict[str, Any] = audit.decode(audit.get_blob(view_digest))
    return str(view.get("content", ""))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def permits_for(
    recommendation: Recommendation, *, enabled: bool, configuration: list[str], point: Any
) -> Permits:
    return Permits(
        write_back_enabled=enabled,
        trust_allows=trust.may_write(recommendation.batch.equipment.trust),
        configuration_refusals=configuration,
        batch=recommendation.batch.plant_batch,
        point=point,
    )
