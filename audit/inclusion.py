"""That a record is in the tree a checkpoint signs: its place and inclusion proof (RFC 6962)."""

from dataclasses import dataclass

from audit import checkpoint, ledger, merkle, sealer
from audit.models import Block, Checkpoint, Record

WIDTH = 256  # hashes of a tile


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A record's place and the proof that the checkpoint covers it."""

    sequence: int
    block: Block
    checkpoint: Checkpoint
    hashes: tuple[bytes, ...]
    root: bytes
    holds: bool  # the proof leads from the record's leaf to the checkpoint's root


def prove(record: Record) -> Inclusion | None:
    """Return a record's inclusion in the newest checkpoint; None until one covers it."""
    block, sequence = ledger.block_of(record), ledger.sequence_of(record)
    newest = Checkpoint.objects.order_by("-tree_size").first()
    if block is None or sequence is None or newest is None or newest.tree_size <= sequence:
        return None
    size = newest.tree_size
    hashes = merkle.inclusion_proof(sequence, size, merkle.fetch_from_tiles(_reader(size)))
    root = checkpoint.parse(newest.note).root
    leaf = merkle.leaf_hash(record.payload.encode())
    holds = merkle.verify_inclusion(leaf, index=sequence, size=size, proof=hashes, root=root)
    return Inclusion(sequence, block, newest, tuple(hashes), root, holds)


def _reader(size: int) -> merkle.ReadTile:
    """Return what reads tiles of the tree of ``size`` leaves, unfinished ones made on the way."""

    def read(level: int, number: int) -> bytes:
        first, last = number * WIDTH, min((number + 1) * WIDTH, size >> 8 * level)
        if level == 0:
            return sealer.leaves_between(first, last)
        return b"".join(
            merkle.root(sealer.split(tile)) for tile in sealer.full_tiles(level - 1, first, last)
        )

    return read
