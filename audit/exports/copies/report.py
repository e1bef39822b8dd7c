"""The readable report (PDF/A-3b): same cut, same bytes; its entries are attached as hashed.

Compiled by typst with the fonts that it carries, dated by the export, signed with the document key.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import typst

from audit import canonical
from audit.checkpoint import parse_vkey
from audit.exports.copies import Done, lines
from audit.exports.copies.cover import facts, fingerprint, ledger_keys, signed_in
from audit.exports.copies.document_seal import DocumentSeal
from audit.exports.copies.readable import Entry, Signed, code_point, entry_of, visible
from audit.exports.copies.volumes import Volume, volumes
from audit.exports.cut import MOST_READABLE, Cut
from audit.exports.filters import ExportRefused
from audit.exports.journal import Journal

VOLUME = 500  # entries a document
FORMAT = 1  # of what travels inside
_HERE = Path(__file__).parent
RULES = (
    "Each value stands as it was recorded; nothing is rounded, converted or shortened. Times are "
    "UTC. A quantity is its recorded digits and its unit. (none) means null, (empty) an empty "
    "text, (absent) that the member was not there. A character that the fonts of this document "
    "cannot show is written as its code point between angle brackets. The attachment "
    "records.jsonl holds the entries byte for byte as they were hashed into the ledger."
)
STATEMENT = (
    "It is the seal of the installation that made this copy, not the signature of a person on "
    "what is written here. It shows that this document left the installation as it is, at the "
    "time in the signature. The electronic signatures of persons (21 CFR 11.50) are printed at "
    "the entries that they belong to. Certificate (SHA-256): {}"
)


def write(journal: Journal, cut: Cut, records: int) -> Iterator[Done]:
    """Write ``copies/report-NNNN.pdf``; raises ExportRefused for more than can be read."""
    if records > MOST_READABLE:
        raise ExportRefused(
            f"{records} records are too many for a PDF report (at most {MOST_READABLE}): narrow "
            "the filters, or leave the report out"
        )
    seal = DocumentSeal.of_installation()
    for volume in volumes(records, VOLUME):
        name = volume.name("report", "pdf")
        if name not in journal.digests:
            journal.write(name, [_report(journal, cut, volume, records, seal)])
            yield Done("pdf", volume.stop)


def _report(journal: Journal, cut: Cut, volume: Volume, records: int, seal: DocumentSeal) -> bytes:
    found = list(lines.read(journal.bundle, start=volume.start, stop=volume.stop))
    basis = Basis(
        cut=cut,
        volume=volume,
        records=records,
        evidence=journal.digests["records.jsonl"],
        certificate=fingerprint(seal.certificate),
        keys=tuple(map(str, ledger_keys())),
        signatures=dict(signed_in(cut, found)),
    )
    return seal.sign(compiled(basis, found), reason=f"Copy of records of {cut.origin}")


@dataclass(frozen=True, slots=True)
class Basis:
    """What a report is made from beside its entries; it travels inside, as ``basis.json``."""

    cut: Cut
    volume: Volume
    records: int  # of the whole export
    evidence: str  # SHA-256 of the export's records.jsonl
    certificate: str  # fingerprint of the document key's
    keys: tuple[str, ...]  # of the ledger, as in keys.txt
    signatures: dict[str, list[Signed]]  # by record id

    def encode(self) -> bytes:
        return canonical.encode({**asdict(self), "volume": self.volume._asdict(), "report": FORMAT})

    @classmethod
    def decode(cls, text: bytes) -> "Basis":
        """Read an attached basis; raises ValueError, KeyError or TypeError for what is none."""
        told = canonical.decode(text)
        if told.pop("report") != FORMAT:
            raise ValueError("the report has a format that this software does not know")
        told["cut"] = Cut(**{**told["cut"], "formats": tuple(told["cut"]["formats"])})
        told["volume"] = Volume(**told["volume"])
        told["keys"] = tuple(told["keys"])
        told["signatures"] = {
            record: [Signed(**each) for each in made] for record, made in told["signatures"].items()
        }
        return cls(**told)

    def told(self, found: Sequence[lines.Line]) -> dict[str, Any]:
        """Return everything that the report shows, as text."""
        cut, start, stop = self.cut, self.volume.start, self.volume.stop
        moment = cut.moment
        keys = [parse_vkey(key) for key in self.keys]
        cover = facts(cut, self.records, self.evidence, keys)
        return {
            "title": f"Entries {start + 1 if self.records else 0} to {stop} of {self.records}",
            "author": shown(cut.actor["name"]),
            "origin": shown(cut.origin),
            "date": list(moment.timetuple()[:6]),
            "footer": f"cut at size {cut.tree_size}, root {cut.head.root.hex()[:16]}",
            "cover": [[shown(name), shown(text)] for name, text in cover],
            "statement": STATEMENT.format(self.certificate),
            "rules": RULES,
            "entries": [
                _entry(entry_of(line, self.signatures.get(line.id, ())), is_first=place == 0)
                for place, line in enumerate(found)
            ],
        }

    def attachments(self, found: Sequence[lines.Line]) -> dict[str, bytes]:
        """Return the files that travel inside the report, by name."""
        return {
            "records.jsonl": b"".join(line.payload + b"\n" for line in found),
            "index.jsonl": b"".join(line.entry + b"\n" for line in found),
            "basis.json": self.encode(),
        }


def _entry(entry: Entry, *, is_first: bool) -> dict[str, Any]:
    return {
        "first": is_first,
        "number": str(entry.sequence),
        "headline": shown(entry.headline),
        "facts": [[name, shown(text)] for name, text in entry.facts],
        "subjects": [
            {
                "name": shown(f"{subject.type} {subject.id}"),
                "rows": [
                    [shown(row.member), shown(row.old), shown(row.new), row.is_same]
                    for row in subject.changes
                ],
            }
            for subject in entry.subjects
        ],
        "data": [[shown(name), shown(text)] for name, text in entry.data],
        "signatures": [_signature(signed) for signed in entry.signatures],
    }


def _signature(signed: Signed) -> dict[str, str]:
    return {
        "name": shown(signed.printed_name),
        "meaning": shown(signed.meaning),
        "at": shown(signed.signed_at),
        "site": shown(signed.signed_at_site),
        "reason": shown(signed.reason),
        "flaw": shown(signed.flaw),
    }


def _beyond_fonts() -> re.Pattern[str]:
    """Return what finds a character that the fonts carried by typst cannot show."""
    ranges = (_HERE / "repertoire.txt").read_text("ascii").split()
    known = "".join(
        "-".join(f"\\U{int(end, 16):08x}" for end in part.split("-")) for part in ranges
    )
    return re.compile(f"[^{known}]")


BEYOND_FONTS = _beyond_fonts()


def shown(text: str) -> str:
    """Return text that the fonts can show; any other character as its code point."""
    if text.isascii() and text.isprintable():
        return text
    return BEYOND_FONTS.sub(lambda found: code_point(found[0]), visible(text))


def compiled(basis: Basis, found: Sequence[lines.Line]) -> bytes:
    """Return the PDF, not signed yet: the same bytes for the same content."""
    inputs = {"told": orjson.dumps(basis.told(found)).decode()}
    for name, content in basis.attachments(found).items():
        inputs[name.partition(".")[0]] = content.decode()
    compiler = typst.Compiler(_HERE / "report.typ", root=_HERE, ignore_system_fonts=True)
    try:
        made = compiler.compile(
            format="pdf",
            sys_inputs=inputs,
            pdf_standards=["a-3b"],
            timestamp=int(basis.cut.moment.timestamp()),
        )
    except typst.TypstError as error:
        raise ExportRefused(f"the report cannot be set: {error}") from error
    assert isinstance(made, bytes)
    return made
