"""Keeping a second or an old copy of a ledger from going on as if it were the only one."""

from typing import Any

from audit import checkpoint, merkle, tiles
from audit.outside.publishing import fence
from audit.outside.witnesses import largest_seen


def contradiction(work: Any) -> str | None:
    """Say why a sealer must not begin: a witness has seen more of its log, or another root."""
    epoch = work.header.epoch if work.header else 0
    seen = largest_seen(checkpoint.epoch_origin(work.origin, epoch))
    if seen is None:
        return None
    if seen.size > work.tree.size:
        return (
            f"{seen.where} has seen {seen.size} records of this ledger, the database has "
            f"{work.tree.size}: records were lost, or another host goes on with it"
        )
    root = tiles.restore(seen.size).root if seen.size else merkle.EMPTY_ROOT
    if root != seen.root:
        return f"{seen.where} has seen another tree of {seen.size} records: a fork"
    return None


def refuse_if_fenced(work: Any) -> None:
    """Raise SealingRefused, after recording it, when a witness has seen more or another tree."""
    from audit.sealer import SealingRefused

    if reason := contradiction(work):
        fence(reason)
        raise SealingRefused(reason)
