"""What stands between a ledger and what is known of it elsewhere: pure, no database.

The sealer asks at its start. An empty answer means: this is the ledger that was sealed last.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from audit.chain import Header


class SeenElsewhere(Protocol):
    """A place outside the database that remembers how large the ledger was."""

    @property
    def name(self) -> str: ...

    def seen_elsewhere(self) -> tuple[int, bytes] | None:
        """Return (size, root) of the largest tree seen in this epoch; None when none was."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What one place remembers; ``block`` is (number, hash) where it keeps whole checkpoints."""

    where: str
    tree_size: int
    root: bytes
    epoch: int = 0
    block: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Which ledger in which database cluster; the cluster's part changes with a restore."""

    origin: str
    system_identifier: str
    timeline: int


@dataclass(frozen=True, slots=True)
class Loss:
    """The records with ``start`` <= sequence < ``stop`` that were signed and are here no more.

    ``best`` is the largest tree seen elsewhere, the old head where something is lost.
    """

    start: int
    stop: int
    best: Seen | None = field(default=None, compare=False)

    @property
    def count(self) -> int:
        return self.stop - self.start

    def __str__(self) -> str:
        if not self.count:
            return "nothing is lost"
        last = self.stop - 1
        if self.count == 1:
            return f"1 record is lost: sequence {last}"
        return f"{self.count} records are lost: sequences {self.start} to {last}"

    def as_told(self) -> dict[str, Any]:
        return {"from": self.start, "below": self.stop}


RootAt = Callable[[int], bytes | None]  # the tree's root at a size, None above its own


def place_of(header: Header) -> Place:
    """Return where the last block was sealed."""
    return Place(header.origin, header.system_identifier, header.timeline)


def is_told(size: int, epoch: int, losses: Sequence[Loss]) -> bool:
    """Whether a tree of an earlier epoch went beyond what was kept, as its fork record says.

    ``losses[n]`` is what the fork record lost that ended epoch n.
    """
    return epoch < len(losses) and losses[epoch].start < size <= losses[epoch].stop


def differences(
    last: Header | None,
    now: Place,
    seen: Iterable[Seen],
    root_at: RootAt,
    losses: Sequence[Loss],
    *,
    next_transaction: int,
) -> list[str]:
    """Return in words everything that is not as it was when the last block was sealed.

    ``next_transaction`` is the id that the server gives out next.
    """
    found = [] if last is None else list(_of_place(place_of(last), now))
    if last is not None and (behind := of_counter(last, next_transaction)):
        found.append(behind)
    size = 0 if last is None else last.tree_size
    for each in seen:
        if not is_told(each.tree_size, each.epoch, losses):
            found += _of_seen(each, size, root_at)
    return found


def _of_place(was: Place, now: Place) -> Iterable[str]:
    if was.system_identifier != now.system_identifier:
        yield "it lies in another database cluster than the one that sealed it"
    elif was.timeline != now.timeline:
        yield f"the database was recovered: its timeline was {was.timeline} and is {now.timeline}"


def of_counter(last: Header, next_transaction: int) -> str:
    """Return in words that the server counts transactions from below the last block; empty else.

    Records made there would sort before sealed ones: such a ledger is not gone on with.
    """
    if next_transaction >= last.transaction_below:
        return ""
    return (
        f"the server's next transaction is {next_transaction}, below {last.transaction_below} "
        "where the last block ends: a logical dump was brought into a server that counts anew; "
        "restore a backup of the whole cluster instead"
    )


def _of_seen(seen: Seen, size: int, root_at: RootAt) -> Iterable[str]:
    if seen.tree_size > size:
        lacking = seen.tree_size - size
        yield (
            f"{seen.where} has seen {seen.tree_size} records, the database has {size}: "
            f"{lacking} {'is' if lacking == 1 else 'are'} missing"
        )
    elif root_at(seen.tree_size) != seen.root:
        yield f"{seen.where} has seen another history of the first {seen.tree_size} records: a fork"


def loss(size: int, seen: Iterable[Seen], root_at: RootAt, losses: Sequence[Loss] = ()) -> Loss:
    """Return what is lost: from the end of the common history to the end of the longest one.

    What was neither signed nor seen elsewhere cannot be counted.
    """
    open_ones = [each for each in seen if not is_told(each.tree_size, each.epoch, losses)]
    ordered = sorted(open_ones, key=lambda each: (each.tree_size, each.block is not None))
    beyond = [each for each in ordered if each.tree_size > size]
    parted = [each for each in ordered if each.tree_size <= size and _parts(each, root_at)]
    if not parted:
        return Loss(size, beyond[-1].tree_size, beyond[-1]) if beyond else Loss(size, size)
    agreed = [s.tree_size for s in ordered if s.tree_size < parted[0].tree_size]
    best = (beyond or parted)[-1]
    return Loss(max(agreed, default=0), best.tree_size, best)


def _parts(seen: Seen, root_at: RootAt) -> bool:
    return root_at(seen.tree_size) != seen.root
