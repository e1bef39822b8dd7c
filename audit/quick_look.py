"""What many sealed blocks hold, computed at once: enough to say that a block is as it was sealed.

A block whose facts here are those of its header needs no second look. Any other is read again
record by record, by the walk that can name the place.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import InternalError

from audit.chain import Header
from audit.exports import reading
from audit.exports.index_lines import LEAF
from audit.merkle import leaf_hash
from audit.models import Block


@dataclass(frozen=True, slots=True)
class Facts:
    """A block's records as they lie in the database: digests over all of them."""

    records_digest: str
    index_digest: str
    leaves: bytes  # those that the payloads have, 32 bytes each
    first_transaction: int
    last_transaction: int

    def fits(self, header: Header) -> bool:
        """Whether the records are, byte for byte, those that the header was made of."""
        return (
            self.records_digest == header.records_digest
            and self.index_digest == header.index_digest
            and len(self.leaves) == LEAF * header.count
            and header.transaction_from <= self.first_transaction
            and self.last_transaction < header.transaction_below
        )


def groups(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Yield runs of successive blocks that are read together."""
    return reading.spans(blocks)


def facts_of(blocks: Sequence[Block], *, marks: Sequence[bytes]) -> dict[int, Facts]:
    """Return the facts of each block, by its number, that is as sealed and holds no mark.

    Blocks are left out when one of their payloads holds a mark (its records mean something to the
    walk), and all of them when a record is missing, added, altered or out of order.
    """
    try:
        rows = [row for page in reading.copied(blocks) for row in page]
    except InternalError:  # a page that cannot be read: the walk finds out which
        return {}
    if not rows:
        return {}
    found = reading.page_of(rows, blocks[0].first_sequence, blocks[-1].number)
    sealed = b"".join(bytes(block.leaves) for block in blocks)
    if found.leaves != sealed or not _is_ordered(found):
        return {}
    lines = found.index().split(b"\n")
    payloads = found.payloads.split(b"\n")  # canonical text holds no line break
    transactions = np.frombuffer(found.xids, ">u8")
    told, stop = {}, 0
    for block in blocks:
        start, stop = stop, stop + block.count
        texts = payloads[start:stop]
        joined = b"\n".join(texts) + b"\n"
        facts = Facts(
            records_digest=hashlib.sha256(joined).hexdigest(),
            index_digest=hashlib.sha256(b"\n".join(lines[start:stop]) + b"\n").hexdigest(),
            leaves=b"".join([leaf_hash(text) for text in texts]),
            first_transaction=int(transactions[start]),
            last_transaction=int(transactions[stop - 1]),
        )
        is_plain = not any(mark in joined for mark in marks)
        if is_plain and facts.leaves == bytes(block.leaves):
            told[block.number] = facts
    return told


def _is_ordered(page: reading.Page) -> bool:
    """Whether the records are strictly ordered by (transaction, id)."""
    transactions = np.frombuffer(page.xids, ">u8").astype(np.uint64)
    ids = np.frombuffer(page.ids, ">u8").reshape(-1, 2).astype(np.uint64)
    keys = np.column_stack([transactions, ids])
    before, after = keys[:-1], keys[1:]
    rises = before[:, 2] < after[:, 2]
    for column in (1, 0):
        same = before[:, column] == after[:, column]
        rises = (before[:, column] < after[:, column]) | (same & rises)
    return bool(rises.all())
