"""The end of the ledger as it stands on each page: last sealed record, last checkpoint."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Min

from audit.models import Block, Checkpoint, Record


class Head(NamedTuple):
    """``sequence`` is that of the last sealed record; ``checkpoint_at`` None before the first."""

    sequence: int
    checkpoint_at: datetime | None


class Unsealed(NamedTuple):
    """Committed records that wait for the sealer; ``since`` is when the oldest was written."""

    waiting: int
    since: datetime | None


def unsealed() -> Unsealed:
    """Return what waits for the sealer now."""
    last = Block.objects.only("transaction_below").order_by("-number").first()
    rows = Record.objects.filter(transaction__gte=last.transaction_below if last else 0)
    told = rows.aggregate(waiting=Count("id"), since=Min("recorded_at"))
    return Unsealed(told["waiting"], told["since"])


def head() -> Head | None:
    """Return the end of the ledger; None while nothing is sealed."""
    block = Block.objects.only("first_sequence", "count").order_by("-number").first()
    if block is None:
        return None
    newest = Checkpoint.objects.only("created_at").order_by("-tree_size").first()
    return Head(block.first_sequence + block.count - 1, newest.created_at if newest else None)
