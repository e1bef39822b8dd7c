"""That a record is in the tree a checkpoint signs: its place and inclusion proof (RFC 6962)."""

from dataclasses import dataclass

from audit import checkpoint, ledger, merkle, tiles
from audit.models import Block, Checkpoint, Record


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
    hashes = merkle.inclusion_proof(sequence, size, merkle.fetch_from_tiles(tiles.reader(size)))
    root = checkpoint.parse(newest.note).root
    leaf = merkle.leaf_hash(record.payload.encode())
    holds = merkle.verify_inclusion(leaf, index=sequence, size=size, proof=hashes, root=root)
    return Inclusion(sequence, block, newest, tuple(hashes), root, holds)
