"""Build a bundle step by step in a working folder; a step that is done is never done again."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from audit import bundles, canonical, keys
from audit.checkpoint import PublicKey
from audit.exports import copies, reading
from audit.exports.copies import lines
from audit.exports.cut import Cut
from audit.exports.filters import ExportRefused, Filters
from audit.exports.journal import Growing, Journal, refuse_other
from audit.exports.proving import Prover
from audit.models import Blob, Block, Checkpoint, Record

PART = 50_000  # records between two lines of the journal
LINES = ("records.jsonl", "index.jsonl", "proofs.jsonl")
MOST_CHOSEN = 5_000_000  # records of a selection: their keys are held in memory
CITES = b'"blobs":["'


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an export is: ``done`` of ``total`` lines to be written, and the step's name."""

    step: str
    done: int
    total: int


@dataclass(slots=True)
class Chosen:
    """The records of a selection: their keys, and their transactions in order."""

    keys: set[bytes]
    transactions: list[int] = field(default_factory=list)

    def touches(self, block: reading.SealedBlock) -> bool:
        place = bisect_left(self.transactions, block.transaction_from)
        return place < len(self.transactions) and (
            self.transactions[place] < block.transaction_below
        )


class Build:
    """One export under way in ``folder``. ``steps`` yields after each thing that counts."""

    def __init__(self, folder: Path, cut: Cut) -> None:
        refuse_other(folder, cut.encode())
        self.cut = cut
        self.head = cut.head
        self.journal = Journal(folder)
        self.names = LINES if cut.scope == "selection" else LINES[:2]

    @property
    def bundle(self) -> Path:
        return self.journal.bundle

    @property
    def records(self) -> int:
        """Return how many records are in the bundle so far."""
        return sum(part["records"] for part in self.journal.parts)

    def steps(self) -> Iterator[Progress]:
        """Do what is left to do, all but the manifest."""
        if self.names[0] not in self.journal.digests:
            yield from self._lines()
        self._chain()
        yield from self._blobs()
        yield from self._copies()

    def finish(self) -> str:
        """Write what explains the bundle and, last of all, its manifest; return its SHA-256."""
        files = bundles.Files(self.bundle)
        for name, digest in self.journal.digests.items():
            files.has(name, digest)
        for name in (*bundles.TEXTS, bundles.MANIFEST, bundles.MANIFEST_DIGEST):
            (self.bundle / name).unlink(missing_ok=True)
        facts = bundles.Facts(
            origin=self.cut.origin,
            scope=self.cut.scope,
            tree_size=self.cut.tree_size,
            software=self.cut.software,
            created_at=self.cut.moment,
            filters=self.cut.filters,
        )
        bundles.write_texts(files, facts, keys=_public_keys())
        return bundles.write_manifest(files, facts)

    # ------------------------------------------------------------------ records
    def _lines(self) -> Iterator[Progress]:
        """Write records, index and proofs, part after part."""
        chosen = self._chosen()
        total = self.head.tree_size if chosen is None else len(chosen.keys)
        prover = Prover(self.head.tree_size) if chosen else None
        records, shown, done = 0, 0, self.records  # of this part: exported, in the index
        with self.journal.growing(self.names) as files:
            for page in reading.ahead(lambda: self._pages(chosen)):
                records += _put(files, page, chosen, prover)
                shown += page.count
                if page.ends_block and shown >= PART:
                    files.commit(block=page.block, records=records)
                    done, records, shown = done + records, 0, 0
                    yield self._progress("records", done, total)
            files.commit(block=self.head.block_number, records=records)
        self.journal.finish(self.names)
        self.journal.note(**_ends(self.bundle, self.records))
        yield self._progress("records", self.records, total)

    def _pages(self, chosen: Chosen | None) -> Iterator[reading.Page]:
        after = self.journal.parts[-1]["block"] if self.journal.parts else -1
        found = reading.blocks(after, self.head.block_number)
        wanted = found if chosen is None else filter(chosen.touches, found)
        return reading.pages(wanted)

    def _chosen(self) -> Chosen | None:
        """Return the records that fit the filters below the cut: the same at each call."""
        if not self.cut.filters:
            return None
        below = Block.objects.get(pk=self.head.block_number).transaction_below
        condition = Filters.of_told(self.cut.filters).query()
        rows = Record.objects.filter(condition, transaction__lt=below)
        chosen = Chosen(set())
        for key, transaction in rows.values_list("id", "transaction").iterator(chunk_size=10_000):
            chosen.keys.add(key.bytes)
            chosen.transactions.append(transaction)
            if len(chosen.keys) > MOST_CHOSEN:
                raise ExportRefused(
                    f"more than {MOST_CHOSEN} records fit: narrow the filters, or export all"
                )
        chosen.transactions.sort()
        return chosen

    # ------------------------------------------------------------------ beside the records
    def _chain(self) -> None:
        self.journal.write("blocks.jsonl", _headers(self.head.block_number))
        rows = Checkpoint.objects.filter(tree_size__lte=self.head.tree_size).order_by("tree_size")
        notes = rows.values_list("note", flat=True)
        self.journal.write("checkpoints.jsonl", (canonical.encode(n) + b"\n" for n in notes))
        self.journal.write("keys.txt", (f"{key}\n".encode() for key in _public_keys()))

    def _blobs(self) -> Iterator[Progress]:
        """Write every content that the records cite, each once."""
        for digest in _cited(self.bundle / "records.jsonl"):
            name = f"blobs/{digest}"
            if name in self.journal.digests:
                continue
            kept = Blob.objects.filter(pk=digest).first()
            if (
                kept is not None
            ):  # one that is lost is named by the verifier, with the record that cites it
                self.journal.write(name, [bytes(kept.content)])
                yield self._progress("contents", self.records, self.records)

    def _copies(self) -> Iterator[Progress]:
        for done in copies.write(self.journal, self.cut, records=self.records):
            yield self._progress(done.step, done.done, self.records)

    def _progress(self, step: str, done: int, total: int) -> Progress:
        """Return the progress over all steps, each of which goes over the records once."""
        names = ("records", *self.cut.formats)
        place = names.index(step) if step in names else 0
        return Progress(step, place * total + done, len(names) * total)


def _put(files: Growing, page: reading.Page, chosen: Chosen | None, prover: Prover | None) -> int:
    """Put a page's lines into their files; return how many of its records are exported."""
    files.put("index.jsonl", page.index())
    if chosen is None or prover is None:
        files.put("records.jsonl", page.payloads)
        return page.count
    lines, put = page.payloads.split(b"\n"), 0
    for place in range(page.count):
        if page.ids[place * reading.ID : (place + 1) * reading.ID] in chosen.keys:
            sequence = page.first + place
            proof = {"hashes": prover.proof(sequence), "sequence": sequence}
            files.put("records.jsonl", lines[place] + b"\n")
            files.put("proofs.jsonl", canonical.encode(proof) + b"\n")
            put += 1
    return put


def _headers(upto: int) -> Iterator[bytes]:
    """Yield the headers of all blocks up to one, as they are stored, each with its newline."""
    rows = Block.objects.filter(number__lte=upto).order_by("number")
    for header in rows.values_list("header", flat=True).iterator(chunk_size=2_000):
        yield header.encode() + b"\n"


def _public_keys() -> list[PublicKey]:
    return keys.public_keys(settings.LEDGER_PUBLIC_KEY_FILE)


def _cited(records: Path) -> Iterator[str]:
    """Yield the digest of each content that the lines of a file cite, once."""
    seen: set[str] = set()
    with records.open("rb") as file:
        for line in file:
            if CITES in line:
                for digest in canonical.decode(line[:-1])["blobs"]:
                    if digest not in seen:
                        seen.add(digest)
                        yield digest


def _ends(bundle: Path, records: int) -> dict[str, int | None]:
    """Return the sequences of the first and the last record in the bundle."""
    if not records:
        return {"first": None, "last": None}
    first, last = (next(lines.read(bundle, start=at)) for at in (0, records - 1))
    return {"first": first.sequence, "last": last.sequence}
