"""All signed statements on a live ledger, checked by themselves: signatures, turns, quorum.

Whether the tree is the one they speak of is for ``audit.verification``.
"""

from collections.abc import Iterator, Sequence

from audit import checkpoint
from audit.chain import Finding
from audit.models import Checkpoint, Publication
from audit.outside.folder import age
from audit.outside.policy import Policy
from audit.outside.turning import authorised


class KeyTurns:
    """Follows the ledger's key through its checkpoints, oldest first."""

    def __init__(self, listed: Sequence[checkpoint.PublicKey]) -> None:
        self.order = [key for key in listed if key.algorithm == checkpoint.ED25519]
        self.in_force: checkpoint.PublicKey | None = None
        self.turned: list[checkpoint.PublicKey] = []

    def flaw(self, signers: Sequence[checkpoint.PublicKey]) -> str | None:
        """Take the next checkpoint's signers in; say what is wrong with them."""
        keys = [key for key in self.order if key in signers]
        fresh = [key for key in keys if key not in self.turned]
        if not fresh:
            return f"signed by {_ids(keys)} alone, which was turned before"
        former = self.in_force if self.in_force in keys else None
        if former is not None and fresh == [former]:
            return None
        following = [key for key in fresh if key != former][-1]
        if former is None and self.in_force is not None and not _lost(following):
            return f"signed by {_ids([following])}, to which {_ids([self.in_force])} did not turn"
        self.turned += [key for key in {self.in_force, *fresh} - {following} if key is not None]
        self.in_force = following
        return None


def _ids(keys: Sequence[checkpoint.PublicKey]) -> str:
    return " and ".join(f"key {key.key_id.hex()}" for key in keys)


def _lost(following: checkpoint.PublicKey) -> bool:
    """Whether two persons have signed that this key follows."""
    return authorised(following) is not None


class Signed:
    """The checkpoints in and outside the database, the published ones, and their signatures."""

    def __init__(
        self,
        *,
        keys: Sequence[checkpoint.PublicKey],
        outside: Sequence[str],
        policy: Policy | None,
    ) -> None:
        self.keys, self.outside, self.policy = keys, outside, policy
        self.heads: list[checkpoint.Checkpoint] = []
        self.published = 0
        self.words = "no witnesses are configured"

    def first_flaw(self) -> Finding | None:
        """Check every signature; afterwards ``heads`` holds what was signed."""
        read: list[tuple[tuple[int, int], list[checkpoint.PublicKey]]] = []
        for place, note in self._notes():
            try:
                head = checkpoint.verify(note, self._all_keys())
                signers = checkpoint.signers(checkpoint.parse_note(note), self.keys)
            except checkpoint.BadCheckpoint as error:
                return Finding(place, str(error))
            self.heads.append(head)
            read.append((age(note), signers))
        return self._flaw_of_turns(read) or self._flaw_of_quorum()

    def _notes(self) -> Iterator[tuple[str, str]]:
        for note in Checkpoint.objects.order_by("tree_size").values_list("note", flat=True):
            yield "checkpoint in the database", note
        for note in Publication.objects.order_by("tree_size").values_list("note", flat=True):
            yield "published checkpoint", note
        for note in self.outside:
            yield "checkpoint outside the database", note

    def _all_keys(self) -> list[checkpoint.PublicKey]:
        return [*self.keys, *(self.policy.keys if self.policy else ())]

    def _flaw_of_turns(
        self, read: Sequence[tuple[tuple[int, int], list[checkpoint.PublicKey]]]
    ) -> Finding | None:
        turns = KeyTurns(self.keys)
        for (_, size), signers in sorted(read, key=lambda one: one[0]):
            if what := turns.flaw(signers):
                return Finding(f"checkpoint of {size} records", what)
        return None

    def _flaw_of_quorum(self) -> Finding | None:
        """What is called published must have its quorum by the policy of now."""
        last = Publication.objects.order_by("-tree_size", "-id").first()
        if self.policy is None:
            return None
        if last is None:
            self.words = "nothing is published under witnesses yet"
            return None
        met, asked = len(self.policy.cosigners(last.note)), self.policy.quorum
        self.published = last.tree_size
        self.words = f"{last.tree_size} records under {met} witnesses of {asked} asked for"
        if met < asked:
            return Finding("published checkpoint", f"{met} witnesses cosigned it, {asked} must")
        return None
