"""Recommendations: proposed by the twin, decided by people, each step an act with its record."""

from typing import Any
from uuid import UUID

from django.db import transaction

from audit import api as audit
from twin_core import decisions, outbox
from twin_core.data import clock, live
from twin_core.data.batches import stream
from twin_core.insight import standing
from twin_core.insight.advice import propose
from twin_core.insight.standing import SIGNING_ROLES
from twin_core.lifecycle import recommendation as lifecycle
from twin_core.lifecycle.recommendation import State
from twin_core.lifecycle.table import TransitionRefused
from twin_core.models import Question, Recommendation

REASONS = {  # coded reasons for a rejection
    "not_plausible": "The forecast is not plausible",
    "process_reason": "A process reason speaks against it",
    "data_quality": "The data behind it cannot be relied on",
    "too_late": "It comes too late to act on",
    "other": "Another reason, given in words",
}
OPEN = (State.PROPOSED, State.APPROVED, State.WRITTEN, State.UNKNOWN)


@transaction.atomic
def approve(
    recommendation_id: UUID, *, signer: Any, proof: Any, reason: str, shown: str
) -> Recommendation:
    """Sign a recommendation (21 CFR 11.50, 11.70, 11.200); with the last signature it is approved.

    ``shown`` is the digest of the view that the signer read. Raises TransitionRefused,
    audit.ViewChanged, audit.NotEntitled or audit.SignatureRefused; either way the state is
    unchanged and the caller records the refusal. ``proof`` is used up already.
    """
    recommendation, view = _shown(recommendation_id, shown)
    facts = standing.facts(recommendation, signer=signer)
    if refusals := lifecycle.refusals(facts):
        raise TransitionRefused("; ".join(refusals))
    complete = facts.signatures >= facts.signatures_needed
    before = recommendation.state_fields()
    if complete:
        recommendation.state = lifecycle.advance(State(recommendation.state), "approve", facts)
    elif recommendation.state != State.PROPOSED:
        raise TransitionRefused(f"cannot approve a recommendation that is {recommendation.state}")
    record = _append(
        recommendation,
        decisions.APPROVED if complete else decisions.ENDORSED,
        actor=signer,
        old=before,
        reason=reason,
    )
    audit.sign(
        record,
        signer=signer,
        proof=proof,
        meaning="approval" if complete else "review",
        reason=reason,
        view=view,
        roles=SIGNING_ROLES,
        authors=decisions.authors(recommendation),
    )
    recommendation.save(record=record)
    if complete and recommendation.is_writable:
        outbox.ask("write", f"write:{recommendation.pk}", recommendation=str(recommendation.pk))
    return recommendation


@transaction.atomic
def reject(
    recommendation_id: UUID, *, signer: Any, proof: Any, code: str, reason: str, shown: str
) -> Recommendation:
    """Refuse a recommendation with a coded reason and a signature."""
    recommendation, view = _shown(recommendation_id, shown)
    if code not in REASONS:
        raise TransitionRefused(f"{code!r} is no reason: choose one of {', '.join(REASONS)}")
    if code == "other" and not reason.strip():
        raise TransitionRefused("give the other reason in words")
    words = f"{REASONS[code]}: {reason}" if reason.strip() else REASONS[code]
    before = recommendation.state_fields()
    facts = standing.facts(recommendation, signer=signer)
    recommendation.state = lifecycle.advance(State(recommendation.state), "reject", facts)
    record = _append(
        recommendation,
        "twin_core.recommendation.rejected",
        actor=signer,
        old=before,
        reason=words,
        data={"code": code},
    )
    audit.sign(
        record,
        signer=signer,
        proof=proof,
        meaning="rejection",
        reason=words,
        view=view,
        roles=SIGNING_ROLES,
        authors=decisions.authors(recommendation),
    )
    recommendation.save(record=record)
    return recommendation


@transaction.atomic
def ask(recommendation_id: UUID, *, asker: Any, question: str) -> Question:
    """Return a recommendation with a question: it cannot be signed until somebody answers."""
    recommendation = _locked(recommendation_id)
    if recommendation.state != State.PROPOSED:
        raise TransitionRefused(f"it is {recommendation.state}: there is nothing left to ask")
    if not question.strip():
        raise TransitionRefused("write the question")
    asked = Question(recommendation=recommendation, asked_by=asker, question=question.strip())
    return _save_question(asked, "asked", actor=asker, old=None)


@transaction.atomic
def answer(question_id: UUID, *, person: Any, words: str) -> Question:
    """Answer a question; the recommendation can be signed again."""
    question = Question.objects.select_for_update().get(pk=question_id)
    if question.answered_by_id:
        raise TransitionRefused("this question is answered already")
    if not words.strip():
        raise TransitionRefused("write the answer")
    before = question.state_fields()
    question.answered_by, question.answer = person, words.strip()
    return _save_question(question, "answered", actor=person, old=before)


def expire_stale() -> int:
    """Expire what nobody signed, or nothing wrote, in time; return how many."""
    done = 0
    due = Recommendation.objects.filter(state__in=[State.PROPOSED, State.APPROVED])
    for found in due.select_related("batch__equipment"):
        if not found.is_writable and found.state == State.APPROVED:
            continue  # for action by the operator: it stands as it was signed
        if clock.process_now(found.batch) > found.expires_h or found.batch.state != "running":
            done += _expire(found.pk)
    return done


@transaction.atomic
def _expire(recommendation_id: UUID) -> int:
    recommendation = _locked(recommendation_id)
    if (State(recommendation.state), "expire") not in lifecycle.TABLE:
        return 0
    before = recommendation.state_fields()
    facts = standing.facts(recommendation, signer=None)
    recommendation.state = lifecycle.advance(State(recommendation.state), "expire", facts)
    why = lifecycle.is_fresh(facts) or "its batch has ended"
    record = _append(
        recommendation, "twin_core.recommendation.expired", actor=None, old=before, reason=why
    )
    recommendation.save(record=record)
    return 1


def _locked(recommendation_id: UUID) -> Recommendation:
    """Return the row under lock, as it is once whoever held it before has committed.

    Locked first and read then: a join to the cited record would lose the row when it has just
    come to cite another one.
    """
    Recommendation.objects.select_for_update().get(pk=recommendation_id)
    return Recommendation.objects.select_related(
        "batch__equipment", "forecast__estimate__model_version", "forecast__record", "record"
    ).get(pk=recommendation_id)


def _shown(recommendation_id: UUID, shown: str) -> tuple[Recommendation, dict[str, Any]]:
    """Return the locked row and its view, or raise audit.ViewChanged if it is another one."""
    recommendation = _locked(recommendation_id)
    view = standing.view(recommendation)
    audit.require_view(view, shown)
    return recommendation, view


def _append(recommendation: Recommendation, kind: str, *, actor: Any, **facts: Any) -> Any:
    live.tell(recommendation.batch)
    return audit.append(
        stream=stream(recommendation.batch),
        kind=kind,
        actor=actor,
        subject=recommendation,
        new=recommendation.state_fields(),
        parents=[bytes(recommendation.record.leaf)],
        blobs=[recommendation.content],
        **facts,
    )


def _save_question(question: Question, what: str, *, actor: Any, old: Any) -> Question:
    record = audit.append(
        stream=stream(question.recommendation.batch),
        kind=f"twin_core.question.{what}",
        actor=actor,
        subject=question,
        old=old,
        new=question.state_fields(),
        parents=[bytes(question.recommendation.record.leaf)],
    )
    question.save(record=record)
    live.tell(question.recommendation.batch)
    return question


__all__ = ["answer", "approve", "ask", "expire_stale", "propose", "reject"]
