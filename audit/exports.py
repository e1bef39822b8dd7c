"""The inspector's copy: a bundle of records with everything needed to check them elsewhere."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from audit import bundles, canonical, chain, checkpoint, keys, ledger, merkle, tiles
from audit.desk import scope
from audit.guards import contents
from audit.models import Block, DroppedRecord, Line, Record
from audit.outside import evidence
from audit.software import software

Progress = Callable[[int, int], None]


class ExportRefused(Exception):
    """An export that cannot be made, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a selection holds; everything that is given must fit."""

    stream: str = ""
    kind: str = ""  # a kind, or the beginning of kinds: "twin_core.recommendation"
    person: str = ""  # id of an actor
    since: datetime | None = None  # recorded at or after
    until: datetime | None = None  # recorded before
    text: str = ""  # anywhere in the payload, in either case

    def __bool__(self) -> bool:
        return any(self.as_told().values())

    def query(self) -> Q:
        found = Q()
        if self.stream:
            found &= Q(stream=self.stream)
        if self.kind:
            found &= Q(kind__startswith=self.kind)
        if self.person:
            found &= Q(payload__contains=f'"actor":{{"id":{_quoted(self.person)},')
        if self.since:
            found &= Q(recorded_at__gte=self.since)
        if self.until:
            found &= Q(recorded_at__lt=self.until)
        if self.text:
            found &= Q(payload__icontains=self.text)
        return found

    def as_told(self) -> dict[str, Any]:
        told = {
            "stream": self.stream,
            "kind": self.kind,
            "person": self.person,
            "since": self.since,
            "until": self.until,
            "text": self.text,
        }
        return {name: value for name, value in told.items() if value}


@dataclass(slots=True)
class Selection:
    """The sealed blocks up to a checkpoint and, unless all is wanted, the records chosen."""

    head: checkpoint.Checkpoint
    chosen: set[Any] | None = None
    transactions: list[int] = field(default_factory=list)  # of the chosen records, sorted

    def touches(self, block: Block) -> bool:
        if self.chosen is None:
            return True
        place = bisect_left(self.transactions, block.transaction_from)
        return place < len(self.transactions) and (
            self.transactions[place] < block.transaction_below
        )


def export(
    folder: Path,
    *,
    filters: Filters | None = None,
    actor: Any = None,
    reason: str | None = None,
    progress: Progress = lambda done, total: None,
) -> str:
    """Write a bundle of all sealed records, or of a selection; return its manifest's SHA-256.

    The export is itself a record. Raises ExportRefused when nothing is sealed yet or the folder
    exists.
    """
    filters, seen = filters or Filters(), scope.of(actor)
    selection = _select(filters, seen)
    try:
        digest = bundles.write(folder, _contents(selection, filters, progress))
    except bundles.BundleRefused as error:
        raise ExportRefused(str(error)) from error
    ledger.append(
        stream="ledger",
        kind="audit.export.made",
        actor=actor,
        reason=reason,
        data={
            "manifest": digest,
            "filters": filters.as_told(),
            "scope": seen.as_told(),
            "tree_size": selection.head.tree_size,
            "records": len(selection.chosen) if selection.chosen is not None else "all",
        },
    )
    return digest


def _select(filters: Filters, seen: scope.Scope) -> Selection:
    newest = evidence.head()
    if newest is None:
        raise ExportRefused("nothing is sealed yet: is the sealer running?")
    selection = Selection(checkpoint.parse(newest))
    is_part = filters or seen.is_limited
    if is_part or DroppedRecord.objects.exists():  # with gaps only a selection can be shown
        last = Block.objects.get(pk=selection.head.block_number)
        inside = filters.query() & seen.query()
        rows = Record.objects.filter(inside, transaction__lt=last.transaction_below)
        found = list(rows.values_list("id", "transaction"))
        selection.chosen = {identity for identity, _ in found}
        selection.transactions = sorted(xid for _, xid in found)
    return selection


def _contents(selection: Selection, filters: Filters, progress: Progress) -> bundles.Contents:
    head = selection.head
    return bundles.Contents(
        origin=_origin(head),
        scope="complete" if selection.chosen is None else "selection",
        tree_size=head.tree_size,
        software=software(),
        created_at=timezone.now(),
        filters=filters.as_told(),
        entries=_entries(selection, progress),
        headers=_headers(head),
        checkpoints=evidence.checkpoints(head),
        extras=evidence.tokens(head),
        proofs=_proofs(selection),
        keys=keys.public_keys(settings.LEDGER_PUBLIC_KEY_FILE),
        blobs=_blobs(selection),
    )


def _origin(head: checkpoint.Checkpoint) -> str:
    """Return the ledger's name: that of a checkpoint names its epoch too."""
    header = Block.objects.values_list("header", flat=True).get(pk=head.block_number)
    return chain.Header.decode(header.encode()).origin


def _blocks(head: checkpoint.Checkpoint) -> Iterator[Block]:
    rows = Block.objects.filter(number__lte=head.block_number).order_by("number")
    yield from rows.iterator(chunk_size=200)


def _headers(head: checkpoint.Checkpoint) -> Iterator[chain.Header]:
    for block in _blocks(head):
        yield chain.Header.decode(block.header.encode())


def _placed(selection: Selection) -> Iterator[tuple[Line, int, bytes]]:
    """Yield each record of the touched blocks with its sequence and the leaf that was sealed.

    The sealed leaf, not the stored one: where a record was altered, the verifier can name it.
    """
    for block in _blocks(selection.head):
        if selection.touches(block):
            records, sealed = ledger.lines_of(block), bytes(block.leaves)
            for place, record in enumerate(records):
                leaf = sealed[place * 32 : place * 32 + 32]
                is_whole = len(records) == block.count
                yield record, block.first_sequence + place, leaf if is_whole else bytes(record.leaf)


def _entries(
    selection: Selection, progress: Progress
) -> Iterator[tuple[bytes | None, chain.Entry]]:
    for record, sequence, leaf in _placed(selection):
        is_chosen = selection.chosen is None or record.pk in selection.chosen
        entry = chain.Entry(
            record.pk, bytes(leaf), record.recorded_at, sequence, record.transaction
        )
        progress(sequence + 1, selection.head.tree_size)
        yield text_of(record) if is_chosen else None, entry


def _proofs(selection: Selection) -> Iterator[tuple[int, Sequence[bytes]]]:
    size = selection.head.tree_size
    fetch = merkle.fetch_from_tiles(tiles.reader(size))
    if selection.chosen is not None:
        for record, sequence, _ in _placed(selection):
            if record.pk in selection.chosen:
                yield sequence, merkle.inclusion_proof(sequence, size, fetch)


def _blobs(selection: Selection) -> Iterator[tuple[str, list[bytes]]]:
    """Yield every content that the exported records cite, each once."""
    seen: set[str] = set()
    for record, _, _ in _placed(selection):
        if selection.chosen is None or record.pk in selection.chosen:
            for digest in canonical.decode(text_of(record))["blobs"]:
                if digest not in seen:
                    seen.add(digest)
                    yield digest, [_whole(digest)]


def _whole(digest: str) -> bytes:
    try:
        return contents.given_out(digest)
    except contents.ContentDamaged as error:
        raise ExportRefused(f"{error.reason}: nothing is exported with it") from error


def text_of(line: Line) -> bytes:
    """Return a record's payload; raises ExportRefused for one that was dropped meanwhile."""
    if line.payload is None:
        raise ExportRefused(f"record {line.pk} was dropped meanwhile: export again")
    return line.payload.encode()


def _quoted(text: str) -> str:
    return canonical.encode(text).decode()
