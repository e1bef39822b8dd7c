"""How a recommendation stands: the document a reviewer is shown, and what the guards look at."""

from typing import Any

from audit import api as audit
from models_registry import api as registry
from twin_core.data import clock, configuration, limits
from twin_core.decisions import SIGNATURES, authors, signatures, signers
from twin_core.lifecycle import recommendation as lifecycle
from twin_core.lifecycle import trust
from twin_core.lifecycle.batch import State as BatchState
from twin_core.models import Recommendation

SIGNING_ROLES = (audit.Role.QA_REVIEWER, audit.Role.QA_APPROVER)


def evidence(recommendation: Recommendation) -> dict[str, Any]:
    """Return the evidence document as it was frozen when the advice was made."""
    return audit.decode(audit.get_blob(recommendation.content))


def view(recommendation: Recommendation) -> dict[str, Any]:
    """Return the document that a reviewer is shown and signs; it changes when anything moves."""
    return {
        "recommendation": str(recommendation.pk),
        "state": recommendation.state,
        "content": recommendation.content,
        "evidence": evidence(recommendation),
        "signatures": [
            {"by": made.printed_name, "meaning": made.meaning, "record": made.record_leaf}
            for made in signatures(recommendation)
        ],
        "questions": [
            {"question": asked.question, "answer": asked.answer}
            for asked in recommendation.questions.order_by("pk")
        ],
    }


def facts(recommendation: Recommendation, *, signer: Any, signing: bool = True) -> lifecycle.Facts:
    """Gather what the guards look at, as it stands now. Process time is the plant's."""
    equipment = recommendation.batch.equipment
    have = signers(recommendation)
    allowed = trust.may_write if recommendation.is_writable else trust.may_advise
    return lifecycle.Facts(
        now_h=float(clock.process_now(recommendation.batch)),
        expires_h=float(recommendation.expires_h),
        signer_is_author=signer is not None and signer.pk in authors(recommendation),
        signer_has_signed=signer is not None and signer.pk in have,
        signatures_needed=SIGNATURES[recommendation.is_high_impact],
        signatures=len(have) + (1 if signing else 0),
        open_questions=recommendation.questions.filter(answered_by__isnull=True).count(),
        within_limits=not limits.refusals(recommendation),
        model_in_force=_speaks_for_model_in_force(recommendation),
        configuration_intact=not configuration.refusals(equipment),
        trust_allows=allowed(equipment.trust),
        batch_running=recommendation.batch.state == BatchState.RUNNING,
    )


def refusals(recommendation: Recommendation, *, signer: Any) -> list[str]:
    """Return why this person may not sign now, in words; empty when she may."""
    if not audit.current_roles(signer) & set(SIGNING_ROLES):
        return ["signing is for a QA reviewer or a QA approver"]
    if recommendation.state != lifecycle.State.PROPOSED:
        return [f"it is {recommendation.state}"]
    return lifecycle.refusals(facts(recommendation, signer=signer))


def _speaks_for_model_in_force(recommendation: Recommendation) -> bool:
    equipment = recommendation.batch.equipment
    version = recommendation.forecast.estimate.model_version
    try:
        current = registry.require_in_force(equipment.tag, template=equipment.template)
    except registry.NotInForce:
        return False
    return current.pk == version.pk
