"""Records of dropped months, read back from their bundles and held to the leaves kept here."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from audit import canonical, merkle
from audit.models import DroppedRecord

CHUNK = 1000  # records


class ArchiveWrong(ValueError):
    """A bundle holds a record that the ledger's leaf does not fit."""


def archived_records(archives: Sequence[Path]) -> Iterator[tuple[UUID, str]]:
    """Yield (key, payload) of every dropped record in the bundles, months in order.

    Each payload is held to the leaf that the ledger kept, so the bundles need no trust. Raises
    ArchiveWrong, naming the record.
    """
    for folder in sorted(archives, key=lambda folder: folder.name):
        chunk: list[tuple[UUID, bytes]] = []
        for pair in _records_of(folder):
            chunk.append(pair)
            if len(chunk) == CHUNK:
                yield from _held(folder, chunk)
                chunk = []
        yield from _held(folder, chunk)


def _records_of(folder: Path) -> Iterator[tuple[UUID, bytes]]:
    """Yield key and payload of each record of a selection: the proofs say which lines are its."""
    with (
        (folder / "proofs.jsonl").open("rb") as proofs,
        (folder / "records.jsonl").open("rb") as records,
        (folder / "index.jsonl").open("rb") as index,
    ):
        lines = (canonical.decode(line[:-1]) for line in index)
        for proof, payload in zip(proofs, records, strict=True):
            sequence = canonical.decode(proof[:-1])["sequence"]
            line = next(line for line in lines if line["sequence"] == sequence)
            yield UUID(line["id"]), payload[:-1]


def _held(folder: Path, chunk: Sequence[tuple[UUID, bytes]]) -> Iterator[tuple[UUID, str]]:
    kept: dict[Any, bytes] = {
        row.pk: bytes(row.leaf)
        for row in DroppedRecord.objects.filter(pk__in=[identity for identity, _ in chunk])
    }
    for identity, payload in chunk:
        if identity not in kept:
            continue  # its text is still in the ledger
        if merkle.leaf_hash(payload) != kept[identity]:
            raise ArchiveWrong(f"{folder}: record {identity} is not the one that was dropped")
        yield identity, payload.decode()
