"""Opening an epoch: two persons see what was lost and sign that the ledger goes on from here.

Everything here runs as the role ``twin_recovery``, which a closed ledger lets write.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from audit import actors, chain, ledger, sealer, signatures
from audit.models import Block, Record, Role, Standing, User
from audit.outside import Outside
from audit.proofs import SigningProof
from audit.recovery import differences, elsewhere, forks, standing
from audit.refusals import Refused

SECOND = (Role.QA_APPROVER, Role.QA_REVIEWER, Role.SYSTEM_ADMINISTRATOR)


class EpochRefused(Refused):
    """No epoch can be opened now; the reason says why."""

    act = "audit.ledger.forked"
    what_to_do = "Run manage.py open_epoch again and read what it shows."


@dataclass(frozen=True, slots=True)
class Situation:
    """A closed ledger as the two persons are shown it."""

    origin: str
    header: chain.Header
    place: differences.Place
    reason: str
    closed_since: Any
    lost: differences.Loss

    @property
    def epoch(self) -> int:
        return self.header.epoch + 1

    def document(self, backup: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is signed: the heads, what is lost between them, and the new place."""
        kept = forks.head_of(self.header, self.header.log)
        return {
            "why": self.reason,
            "closed_since": self.closed_since,
            "old_head": self._old_head() or kept,
            "kept": kept,
            "lost": self.lost.as_told(),
            "new": {
                "origin": chain.log_of(self.origin, self.epoch),
                "epoch": self.epoch,
                "system_identifier": self.place.system_identifier,
                "timeline": self.place.timeline,
            },
            "backup": backup,
        }

    def _old_head(self) -> dict[str, Any] | None:
        """Return the longest history that is known elsewhere, where it goes beyond what is kept."""
        best = self.lost.best
        if best is None:
            return None
        number, digest = best.block or (None, None)
        return {
            "origin": chain.log_of(self.origin, best.epoch),
            "tree_size": best.tree_size,
            "root": best.root.hex(),
            "block": {"number": number, "hash": digest} if best.block else None,
        }


def situation(
    origin: str, outside: Outside, others: Iterable[differences.SeenElsewhere] = ()
) -> Situation:
    """Return how the closed ledger stands; raises EpochRefused when it is not closed."""
    now = standing.current()
    if now.is_open:
        raise EpochRefused(
            "the ledger is open, or the sealer has not looked at it yet",
            what_to_do="Start the sealer: it closes the ledger when something is missing.",
        )
    if now.fork_id is not None:
        raise EpochRefused("an epoch was opened already and waits for the sealer")
    last = Block.objects.order_by("-number").first()
    if last is None:
        raise EpochRefused(
            "this database has no sealed record: there is nothing to go on from",
            what_to_do="Restore a later backup, or begin a new ledger with another origin.",
        )
    header = chain.Header.decode(last.header.encode())
    if behind := differences.of_counter(header, sealer.next_transaction()):
        raise EpochRefused(behind, what_to_do="Restore a backup that `manage.py backup` made.")
    seen = elsewhere.everything(origin, outside, others, header.epoch)
    if later := [each.epoch for each in seen if each.epoch > header.epoch]:
        raise EpochRefused(
            f"epoch {max(later)} was opened already and is not in this database",
            what_to_do="Restore a backup that was made after it was opened.",
        )
    lost = differences.loss(
        header.tree_size,
        seen,
        sealer.root_at(header.tree_size),
        forks.losses()[: header.epoch],
    )
    place = differences.Place(origin, *sealer.cluster())
    return Situation(origin, header, place, now.reason, now.since, lost)


def open_epoch(
    shown: Situation,
    *,
    signed_by: Sequence[tuple[User, SigningProof]],
    reason: str,
    backup: dict[str, Any] | None = None,
) -> Record:
    """Write the fork record with both signatures; the sealer then opens the ledger.

    ``backup`` are the facts of the backup that was restored. Raises EpochRefused, or what
    ``signatures.sign`` refuses with; then nothing is written.
    """
    if len({user.pk for user, _ in signed_by}) != forks.SIGNERS:
        raise EpochRefused(f"an epoch is opened by {forks.SIGNERS} different persons")
    view = shown.document(backup)
    with transaction.atomic():
        _hold(shown)
        fork = ledger.append(
            stream=forks.STREAM,
            kind=chain.FORK_KIND,
            actor=actors.os_user_actor(),
            reason=reason,
            data=view,
        )
        done: list[User] = []
        for (user, proof), roles in zip(signed_by, ((Role.QA_APPROVER,), SECOND), strict=True):
            signatures.sign(
                fork,
                signer=user,
                proof=proof,
                meaning="approval",
                reason=reason,
                view=view,
                roles=roles,
                authors=done,
            )
            done.append(user)
        Standing.objects.update(fork_id=fork.pk)
    return fork


def _hold(shown: Situation) -> None:
    """Lock the standing and see that nobody else opened an epoch meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT is_open, fork_id, reason FROM audit_standing FOR UPDATE")
        is_open, fork_id, reason = cursor.fetchone()
    last = Block.objects.order_by("-number").values_list("number", flat=True).first()
    if is_open or fork_id is not None or (last, reason) != (shown.header.number, shown.reason):
        raise EpochRefused("the ledger is not as it was shown")
