"""Capsules are made when a decision has come to its end, and their digest is put on record."""

from typing import Any
from uuid import UUID

from audit import api as audit
from twin_core import outbox
from twin_core.data.batches import stream
from twin_core.insight import capsule
from twin_core.lifecycle.recommendation import State
from twin_core.models import OutboxTask, Recommendation

ENDED = (State.REJECTED, State.EXPIRED, State.CONFIRMED, State.DEVIATION)


def create(task: OutboxTask, *, recommendation: str) -> str:
    """Make a capsule, keep it as a blob, note its digest; returns it. Safe to deliver twice."""
    found = load(UUID(recommendation))
    made = capsule.make(found)
    with outbox.effect(task):
        digest = audit.put_blob(made.text, "application/json")
        audit.append(
            stream=stream(found.batch),
            kind="twin_core.capsule.made",
            parents=[bytes(found.record.leaf)],
            blobs=[digest],
            data={
                "recommendation": str(found.pk),
                "title": found.title,
                "state": found.state,
                "digest": digest,
            },
        )
    return digest


def ask_for_ended() -> int:
    """Ask for the capsule of each decision that has come to its end; return how many were new."""
    ended = Recommendation.objects.filter(state__in=ENDED) | Recommendation.objects.filter(
        state=State.APPROVED, is_writable=False
    )
    keys = {_key(row): row for row in ended.only("pk", "record_id")}
    known = set(OutboxTask.objects.filter(key__in=keys).values_list("key", flat=True))
    for key in sorted(set(keys) - known):
        outbox.ask("capsule", key, recommendation=str(keys[key].pk))
    return len(set(keys) - known)


def _key(recommendation: Recommendation) -> str:
    """One capsule for each state that a decision ended in."""
    return f"capsule:{recommendation.pk}:{recommendation.record_id}"


def of(recommendation: Recommendation) -> tuple[UUID, str] | None:
    """Return (record, digest) of the newest recorded capsule; None before there is one."""
    made = audit.Record.objects.filter(
        stream=stream(recommendation.batch), kind="twin_core.capsule.made"
    )
    for found in made.order_by("-id"):
        data: dict[str, Any] = audit.content(found)["data"]
        if data["recommendation"] == str(recommendation.pk):
            return found.pk, str(data["digest"])
    return None


def load(key: UUID) -> Recommendation:
    rows = Recommendation.objects.select_related(
        "batch",
        "record",
        "forecast__record",
        "forecast__estimate__record",
        "forecast__estimate__model_version__record",
    )
    return rows.get(pk=key)
