"""The end of the ledger as it stands on each page: last sealed record, last checkpoint."""

from datetime import datetime
from typing import NamedTuple

from audit.models import Block, Checkpoint


class Head(NamedTuple):
    """``sequence`` is that of the last sealed record; ``checkpoint_at`` None before the first."""

    sequence: int
    checkpoint_at: datetime | None


def head() -> Head | None:
    """Return the end of the ledger; None while nothing is sealed."""
    block = Block.objects.only("first_sequence", "count").order_by("-number").first()
    if block is None:
        return None
    newest = Checkpoint.objects.only("created_at").order_by("-tree_size").first()
    return Head(block.first_sequence + block.count - 1, newest.created_at if newest else None)
