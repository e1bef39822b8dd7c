"""Build a bundle step by step in a working folder; a step that is done is never done again."""

from bisect import bisect_left
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from audit import bundles, canonical, keys
from audit.checkpoint import PublicKey
from audit.exports import copies, reading
from audit.exports.copies import lines
from audit.exports.cut import Cut
from audit.exports.filters import ExportRefused, Filters
from audit.exports.index_lines import ID
from audit.exports.journal import Growing, Journal, refuse_other
from audit.exports.proving import Prover
from audit.guards import contents
from audit.models import Blob, Block, Record
from audit.outside import evidence

PAGE = Path(__file__).parents[1] / "verifier_page" / "verifier.html"  # the second verifier
PART = 50_000  # records between two lines of the journal
LINES = ("records.jsonl", "index.jsonl", "proofs.jsonl")
MOST_CHOSEN = 5_000_000  # records of a selection: their keys are held in memory
TAIL = 8_192  # bytes that hold the last line of a file of short lines
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

    def steps(self) -> Generator[Progress, None, None]:
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
        for name in (*bundles.TEXTS, PAGE.name, bundles.MANIFEST, bundles.MANIFEST_DIGEST):
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
        files.write(PAGE.name, [PAGE.read_bytes()])
        return bundles.write_manifest(files, facts)

    # ------------------------------------------------------------------ records
    def _lines(self) -> Iterator[Progress]:
        """Write records, index and proofs, part after part."""
        chosen = self._chosen()
        total = self.head.tree_size if chosen is None else len(chosen.keys)
        part, prover = Part(), Prover(self.head.tree_size) if chosen else None
        with self.journal.growing(self.names) as files:
            for page in reading.ahead(lambda: self._pages(chosen)):
                part.put(files, page, chosen, prover)
                if page.ends_block and part.shown >= PART:
                    part = part.commit(files, page.block)
                    yield self._progress("records", self.records, total)
            part.commit(files, self.head.block_number)
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
        if self.cut.scope == "complete":
            return None
        rows = chosen_below(self.cut)
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
        notes = evidence.checkpoints(self.head)
        self.journal.write("checkpoints.jsonl", (canonical.encode(n) + b"\n" for n in notes))
        self.journal.write("keys.txt", (f"{key}\n".encode() for key in _public_keys()))
        for name, content in evidence.tokens(self.head):
            self.journal.write(name, content)

    def _blobs(self) -> Iterator[Progress]:
        """Write every content that the records cite, each once."""
        cited = {digest for part in self.journal.parts for digest in part["cited"]}
        for digest in sorted(cited):
            name = f"blobs/{digest}"
            if name in self.journal.digests:
                continue
            if Blob.objects.filter(pk=digest).exists():  # of a lost one the verifier tells
                self.journal.write(name, [_whole(digest)])
                yield self._progress("contents", self.records, self.records)

    def _copies(self) -> Iterator[Progress]:
        for done in copies.write(self.journal, self.cut, records=self.records):
            yield self._progress(done.step, done.done, self.records)

    def _progress(self, step: str, done: int, total: int) -> Progress:
        """Return the progress over all steps, each of which goes over the records once."""
        names = ("records", *self.cut.formats)
        place = names.index(step) if step in names else 0
        return Progress(step, place * total + done, len(names) * total)


def chosen_below(cut: Cut) -> QuerySet[Record]:
    """Return the records that fit the filters of a cut, of those that are sealed below it."""
    below = Block.objects.get(pk=cut.head.block_number).transaction_below
    condition = Filters.of_told(cut.filters).query()
    return Record.objects.filter(condition, transaction__lt=below)


@dataclass(slots=True)
class Part:
    """What was put since the last line of the journal: lines of the index, records, contents."""

    shown: int = 0
    records: int = 0
    cited: set[str] = field(default_factory=set)

    def put(
        self, files: Growing, page: reading.Page, chosen: Chosen | None, prover: Prover | None
    ) -> None:
        """Put a page's lines into their files."""
        files.put("index.jsonl", page.index())
        self.shown += page.count
        if chosen is not None and prover is not None:
            self._put_chosen(files, page, chosen, prover)
            return
        if page.payloads == reading.DROPPED:
            raise ExportRefused(f"record {page.first} was dropped meanwhile: export again")
        files.put("records.jsonl", page.payloads)
        self.records += page.count
        if CITES in page.payloads:
            self.cited.update(*map(_blobs_of, page.payloads.split(b"\n")))

    def _put_chosen(
        self, files: Growing, page: reading.Page, chosen: Chosen, prover: Prover
    ) -> None:
        lines = page.payloads.split(b"\n")
        for place in range(page.count):
            if page.ids[place * ID : (place + 1) * ID] in chosen.keys:
                sequence = page.first + place
                proof = {"hashes": prover.proof(sequence), "sequence": sequence}
                files.put("records.jsonl", lines[place] + b"\n")
                files.put("proofs.jsonl", canonical.encode(proof) + b"\n")
                self.cited.update(_blobs_of(lines[place]))
                self.records += 1

    def commit(self, files: Growing, block: int) -> "Part":
        """Let the part count, up to and with ``block``; return the next, empty one."""
        files.commit(block=block, records=self.records, cited=sorted(self.cited))
        return Part()


def _whole(digest: str) -> bytes:
    try:
        return contents.given_out(digest)
    except contents.ContentDamaged as error:
        raise ExportRefused(f"{error.reason}: nothing is exported with it") from error


def _blobs_of(payload: bytes) -> list[str]:
    """Return the contents that a record cites."""
    return canonical.decode(payload)["blobs"] if CITES in payload else []


def _headers(upto: int) -> Iterator[bytes]:
    """Yield the headers of all blocks up to one, as they are stored, each with its newline."""
    rows = Block.objects.filter(number__lte=upto).order_by("number")
    for header in rows.values_list("header", flat=True).iterator(chunk_size=2_000):
        yield header.encode() + b"\n"


def _public_keys() -> list[PublicKey]:
    return keys.public_keys(settings.LEDGER_PUBLIC_KEY_FILE)


def _ends(bundle: Path, records: int) -> dict[str, int | None]:
    """Return the sequences of the first and the last record in the bundle."""
    if not records:
        return {"first": None, "last": None}
    first = next(lines.read(bundle)).sequence
    name = "proofs.jsonl" if (bundle / "proofs.jsonl").exists() else "index.jsonl"
    return {"first": first, "last": _last_sequence(bundle / name)}


def _last_sequence(path: Path) -> int:
    """Return the sequence in the last line of a file that has one in each line."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - TAIL, 0))
        return int(canonical.decode(file.read().splitlines()[-1])["sequence"])
