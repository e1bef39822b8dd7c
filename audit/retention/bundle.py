"""The bundle of one month: a selection by time, written block by block."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from audit import bundles, canonical, chain, checkpoint, keys, merkle, tiles
from audit.models import Blob, Block, Line
from audit.outside import evidence
from audit.retention import months
from audit.software import software

GROUP = 20_000  # records read at once
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class MonthBundle:
    """One month's records between its ``span``, under the checkpoint ``head``."""

    month: str
    span: months.Span
    head: checkpoint.Checkpoint
    sequences: list[int] = field(default_factory=list)  # of the month's records, when walked
    blobs: dict[str, None] = field(default_factory=dict)  # cited by them, in order

    def holds(self, identity: UUID) -> bool:
        first, below = months.bounds(self.month)
        return first <= identity < below

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in whose range transactions of the month lie."""
        rows = Block.objects.filter(
            transaction_below__gt=self.span.first,
            transaction_from__lte=self.span.last,
            number__lte=self.head.block_number,
        )
        yield from rows.order_by("number").iterator(chunk_size=200)

    def walk(self) -> Iterator[tuple[Block, list[Line]]]:
        """Yield each block that holds a record of the month, with all its lines."""
        for _, group in groupby(_numbered(self.blocks()), key=lambda pair: pair[0]):
            some = [block for _, block in group]
            yield from ((b, lines) for b, lines in _with_lines(some) if self._touches(lines))

    def _touches(self, lines: list[Line]) -> bool:
        return any(self.holds(line.pk) for line in lines)

    def entries(self, progress: Progress) -> Iterator[tuple[bytes | None, chain.Entry]]:
        done = 0
        for block, lines in self.walk():
            for place, line in enumerate(lines):
                entry = entry_of(block, place, line)
                if not self.holds(line.pk):
                    yield None, entry
                    continue
                payload = (line.payload or "").encode()
                self.sequences.append(entry.sequence)
                self.blobs.update(dict.fromkeys(canonical.decode(payload)["blobs"]))
                yield payload, entry
            done += len(lines)
            progress(min(done, self.span.count), self.span.count)

    def proofs(self) -> Iterator[tuple[int, Any]]:
        size = self.head.tree_size
        fetch = merkle.fetch_from_tiles(lru_cache(maxsize=4096)(tiles.reader(size)))
        for sequence in self.sequences:
            yield sequence, merkle.inclusion_proof(sequence, size, fetch)

    def contents_of_blobs(self) -> Iterator[tuple[str, list[bytes]]]:
        for digest in self.blobs:
            yield digest, [bytes(Blob.objects.get(pk=digest).content)]

    def first_flaw(self) -> chain.Finding | None:
        """Verify the blocks of the month as they lie in the database."""
        for block, lines in self.walk():
            before = Block.objects.filter(number=block.number - 1).first()
            header = chain.read_header(block.header.encode())
            payloads = [None if line.payload is None else line.payload.encode() for line in lines]
            entries = [entry_of(block, place, line) for place, line in enumerate(lines)]
            flaw = chain.first_flaw(
                header, after=chain.read_header(before.header.encode()) if before else None
            ) or chain.first_flaw_in_records(header, payloads, entries, bytes(block.leaves))
            if flaw:
                return flaw
        return None


def entry_of(block: Block, place: int, line: Line) -> chain.Entry:
    return chain.Entry(
        line.pk,
        bytes(line.leaf),
        line.recorded_at,
        block.first_sequence + place,
        line.transaction,
    )


def _numbered(blocks: Iterator[Block]) -> Iterator[tuple[int, Block]]:
    """Number blocks by groups of about GROUP records."""
    total = 0
    for block in blocks:
        yield total // GROUP, block
        total += block.count


def _with_lines(blocks: list[Block]) -> Iterator[tuple[Block, list[Line]]]:
    rows = list(
        Line.objects.filter(
            transaction__gte=blocks[0].transaction_from,
            transaction__lt=blocks[-1].transaction_below,
        ).order_by("transaction", "id")
    )
    transactions = [row.transaction for row in rows]
    for block in blocks:
        start = bisect_left(transactions, block.transaction_from)
        stop = bisect_left(transactions, block.transaction_below)
        yield block, rows[start:stop]


def origin_of(head: checkpoint.Checkpoint) -> str:
    """Return the ledger's name: that of a checkpoint names its epoch too."""
    block = Block.objects.get(pk=head.block_number)
    return chain.read_header(block.header.encode()).origin


def write(folder: Path, month: MonthBundle, progress: Progress) -> str:
    """Write the bundle; return its manifest's SHA-256. Raises bundles.BundleRefused."""
    head = month.head
    headers = Block.objects.filter(number__lte=head.block_number).order_by("number")
    return bundles.write(
        folder,
        bundles.Contents(
            origin=origin_of(head),
            scope="selection",
            tree_size=head.tree_size,
            software=software(),
            created_at=timezone.now(),
            filters={"month": month.month},
            entries=month.entries(progress),
            headers=(chain.read_header(b.header.encode()) for b in headers.iterator(500)),
            checkpoints=evidence.checkpoints(head),
            extras=evidence.tokens(head),
            proofs=month.proofs(),
            keys=keys.public_keys(settings.LEDGER_PUBLIC_KEY_FILE),
            blobs=month.contents_of_blobs(),
        ),
    )
