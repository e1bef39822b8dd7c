"""What is known of the ledger outside its database: the folder of checkpoints, and witnesses."""

from collections.abc import Iterable

import structlog

from audit import chain, checkpoint
from audit.outside import Outside
from audit.recovery.differences import Seen, SeenElsewhere

log = structlog.get_logger("sealer")
FOLDER = "the folder of checkpoints"


def epoch_of(origin: str, log: str) -> int:
    """Return the epoch of a checkpoint's first line; raises BadCheckpoint for another ledger's."""
    found, epoch = (origin, 0) if log == origin else chain.epoch_of(log)
    if found != origin:
        raise checkpoint.BadCheckpoint(f"the checkpoint is of {log}, not of {origin}")
    return epoch


def newest(
    origin: str, outside: Outside, others: Iterable[SeenElsewhere], epoch: int
) -> list[Seen]:
    """Return the largest tree that each place has seen.

    Witnesses are asked about the log of ``epoch``; a place that does not answer is passed over
    and named in the log: publishing to it will show whether it disagrees.
    """
    note = outside.latest()
    found = [] if note is None else [_of_note(origin, note)]
    for other in others:
        try:
            seen = other.seen_elsewhere()
        except OSError as error:
            log.warning("not asked about the ledger's size", where=other.name, error=str(error))
            continue
        if seen is not None:
            found.append(Seen(other.name, *seen, epoch=epoch))
    return found


def everything(
    origin: str, outside: Outside, others: Iterable[SeenElsewhere], epoch: int
) -> list[Seen]:
    """Return every tree that was seen: how far two histories agree needs the small ones too."""
    kept = [_of_note(origin, note) for note in outside.all()]
    return kept + newest(origin, outside, others, epoch)


def _of_note(origin: str, note: str) -> Seen:
    head = checkpoint.parse(note)
    block = (head.block_number, head.block_hash)
    return Seen(FOLDER, head.tree_size, head.root, epoch_of(origin, head.origin), block)
