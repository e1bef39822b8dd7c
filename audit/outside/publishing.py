"""Publishing: a checkpoint counts when the site's witnesses have cosigned it. Never in the way.

``Publisher.step`` runs beside the sealer, in a thread and on a database connection of its own: a
witness that is dead or slow delays no block and no checkpoint, only their publication.
"""

import time
from pathlib import Path
from typing import Any

import structlog
from django.db import transaction
from django.db.models import QuerySet

from audit import checkpoint, ledger, merkle, tiles
from audit.models import Checkpoint, Publication, Record
from audit.outside import policy as policies
from audit.outside.alarms import STREAM, Outage
from audit.outside.folder import Outside
from audit.outside.policy import Policy
from audit.outside.witnesses import Contradicted, Proof, Rounds
from audit.recovery import standing as recovery

UNMET, MET = "audit.witness.unmet", "audit.witness.met"
POLICY = "audit.witness.policy_changed"
FENCED = "audit.writer.fenced"
UNMET_AFTER = 10.0  # seconds without a quorum that raise an alarm; a restart of a witness is less

log = structlog.get_logger("publisher")


class Publisher:
    """Collects cosignatures for the newest checkpoint; ``step`` it about once a second."""

    def __init__(self, policy_file: Path, outside: Outside) -> None:
        self.policy_file, self.outside = policy_file, outside
        self.rounds: Rounds | None = None
        self.alarm = Outage(begun=UNMET, ended=MET)
        self.refusal: str | None = None  # why the sealer must stop
        self.gathered = ""  # the newest checkpoint with the lines that it has so far
        self.late_since: float | None = None  # monotonic

    def step(self) -> None:
        """Publish the newest checkpoint if its quorum can be had now."""
        if self.refusal:
            return
        try:
            policy = self._policy()
        except policies.PolicyInvalid as error:
            self._late(str(error), {})
            return
        newest = Checkpoint.objects.order_by("-tree_size").first()
        if policy is not None and newest is not None:
            self._publish(newest, policy)

    def _publish(self, newest: Checkpoint, policy: Policy) -> None:
        last = last_publication()
        if last and last.tree_size >= newest.tree_size and policy.is_met(last.note):
            self._on_time(last.note, policy)
            return
        try:
            self._collect(newest)
        except Contradicted as contradiction:
            self._fence(contradiction)
            return
        if policy.is_met(self.gathered):
            with transaction.atomic():
                Publication.objects.create(tree_size=newest.tree_size, note=self.gathered)
            self.outside.keep(self.gathered)
            self._on_time(self.gathered, policy)
        else:
            met = len(policy.cosigners(self.gathered))
            self._late(
                f"{met} of {policy.quorum} witnesses have cosigned",
                {
                    "tree_size": newest.tree_size,
                    "published": last.tree_size if last else None,
                    "problems": self.rounds.problems() if self.rounds else {},
                },
            )

    def _policy(self) -> Policy | None:
        """Return the site's policy as it is now; a change of it is a record."""
        policy = policies.read(self.policy_file)
        if self.rounds is None or self.rounds.policy != policy:
            note_policy(policy)
            if self.rounds is not None:
                self.rounds.client.close()
            self.rounds = Rounds(policy) if policy else None
        if policy is None and self.alarm.is_open:
            self.alarm.end("no witnesses are asked any more")
        return policy

    def _collect(self, newest: Checkpoint) -> None:
        assert self.rounds is not None
        if checkpoint.parse_note(newest.note).body != _body(self.gathered):
            self.gathered = newest.note
        self.gathered = self.rounds.collect(self.gathered, prover(newest.tree_size))

    def _on_time(self, note: str, policy: Policy) -> None:
        self.late_since = None
        if self.alarm.is_open:
            self.alarm.end(
                "checkpoints are published again",
                tree_size=checkpoint.parse(note).tree_size,
                witnesses=[key.name for key in policy.cosigners(note)],
            )

    def _late(self, reason: str, facts: dict[str, Any]) -> None:
        now = time.monotonic()
        self.late_since = self.late_since or now
        if now - self.late_since >= UNMET_AFTER and not self.alarm.is_open:
            log.warning("checkpoint not published", reason=reason, **facts)
            self.alarm.begin(reason, **facts)

    def _fence(self, contradiction: Contradicted) -> None:
        newest = Checkpoint.objects.order_by("-tree_size").first()
        if contradiction.ahead and newest and contradiction.size <= newest.tree_size:
            return  # it has seen a checkpoint of ours that is younger than the one we sent
        fence(
            contradiction.reason,
            witness=contradiction.witness,
            tree_size=contradiction.size,
            shown=contradiction.shown or None,
        )
        self.refusal = contradiction.reason


def note_policy(policy: Policy | None) -> None:
    """Record the policy unless it is the one recorded last: it must not be weakened unseen."""
    told: dict[str, Any] = {
        "quorum": policy.quorum if policy else 0,
        "witnesses": [str(key) for key in policy.keys] if policy else [],
    }
    last = Record.objects.filter(stream=STREAM, kind=POLICY).order_by("-id").first()
    before = ledger.content(last)["data"] if last else {"quorum": 0, "witnesses": []}
    if told != before:
        ledger.append_alone(stream=STREAM, kind=POLICY, data=told)


def fence(reason: str, **facts: Any) -> None:
    """Record that this writer must stop, and close the ledger: from now on it takes no record."""
    log.error("this writer is fenced", reason=reason)
    ledger.append_alone(stream=STREAM, kind=FENCED, reason=reason, data=facts)
    recovery.close(reason)


def prover(size: int) -> Proof:
    """Return what makes the consistency proof from an earlier size to ``size``."""
    fetch = merkle.fetch_from_tiles(tiles.reader(size))
    return lambda old: merkle.consistency_proof(old, size, fetch)


def last_publication() -> Publication | None:
    """Return the newest checkpoint that met its quorum."""
    return Publication.objects.order_by("-tree_size", "-id").first()


def published(policy: Policy | None) -> QuerySet[Publication] | QuerySet[Checkpoint]:
    """Return the published checkpoints: those with their quorum, or all where none is asked."""
    return Checkpoint.objects.all() if policy is None else Publication.objects.all()


def newest_note(policy: Policy | None) -> str | None:
    """Return the newest published checkpoint."""
    newest = published(policy).order_by("-tree_size", "-pk").first()
    return newest.note if newest else None


def _body(note: str) -> str:
    return checkpoint.parse_note(note).body if note else ""
