"""Check a report: its signature, that nothing was added, and that it shows what was recorded.

Three things are compared: the bytes with the signature, the attached records with the ledger or a
bundle, and the pages with those which this software makes of the attached records. The last one
catches a document that a holder of the key has altered and signed anew.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from asn1crypto import x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.general import SigningError, UnacceptableSignerError
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.status import SignatureCoverageLevel

from audit import canonical, checkpoint, merkle
from audit.exports.copies import lines
from audit.exports.copies.cover import fingerprint
from audit.exports.copies.document_seal import certificates, context
from audit.exports.copies.report import Basis, compiled
from audit.models import Checkpoint, Record
from audit.software import software

REVISIONS = 2  # the document as it was set, and its signature
ATTACHED = {"records.jsonl", "index.jsonl", "basis.json"}
_UNREADABLE = (
    PdfError,
    SigningError,
    UnacceptableSignerError,
    SignatureValidationError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    RecursionError,
    NotImplementedError,
    EOFError,
)


class ReportRefused(Exception):
    """A report that is not what left the installation, or not what is recorded."""


def check(document: bytes, *, trust: bytes, bundle: Path | None = None) -> list[str]:
    """Return what was proved of a report, in words; raises ReportRefused at the first flaw.

    ``trust`` is a certificate (PEM or DER) that came another way. The records are compared with
    ``bundle``, a folder, or with this installation's ledger.
    """
    try:
        said, attached = _signed_by(document, certificates(trust))
        basis, found = _contents(attached)
    except ReportRefused:
        raise
    except _UNREADABLE as error:
        raise ReportRefused(f"it cannot be read as a signed report: {error}") from error
    said += [_compare_bundle(basis, found, bundle) if bundle else _compare_ledger(basis, found)]
    return [*said, _compare_pages(document, basis, found)]


def _signed_by(
    document: bytes, trusted: tuple[x509.Certificate, ...]
) -> tuple[list[str], dict[str, bytes]]:
    reader = PdfFileReader(io.BytesIO(document))
    if len(reader.embedded_signatures) != 1:
        raise ReportRefused(f"it has {len(reader.embedded_signatures)} signatures, not one")
    if reader.xrefs.total_revisions != REVISIONS:
        raise ReportRefused("something was added to the document after it was signed")
    [signature] = reader.embedded_signatures
    moment = signature.self_reported_timestamp
    trust = context(trusted, moment=moment, best_signature_time=moment)
    status = validate_pdf_signature(signature, trust, skip_diff=True)
    if not (status.intact and status.valid):
        raise ReportRefused("the signature does not fit the document: it was altered")
    if status.coverage != SignatureCoverageLevel.ENTIRE_FILE:
        raise ReportRefused("the signature does not cover all of the document")
    if not status.trusted:
        raise ReportRefused("it is signed, but not with the certificate that you trust")
    if not status.bottom_line:
        raise ReportRefused(f"the signature is not acceptable: {status.summary()}")
    name = status.signing_cert.subject.human_friendly
    print_of = fingerprint(status.signing_cert.dump())
    said = [f"signed with the document key of {name} at {moment}, certificate {print_of}"]
    return said, dict(_attachments(reader))


def _attachments(reader: PdfFileReader) -> Iterator[tuple[str, bytes]]:
    """Yield the files embedded in the document; one name twice is a flaw."""
    seen = set()
    for name, spec in _leaves(reader.root["/Names"]["/EmbeddedFiles"]):
        if name in seen:
            raise ReportRefused(f"{name} is attached twice")
        seen.add(name)
        yield name, spec["/EF"]["/F"].data


def _leaves(node: Any) -> Iterator[tuple[str, Any]]:
    names = node.get("/Names", [])
    for place in range(0, len(names), 2):
        yield str(names[place]), names[place + 1]
    for child in node.get("/Kids", []):
        yield from _leaves(child)


def _contents(attached: dict[str, bytes]) -> tuple[Basis, list[lines.Line]]:
    """Return what is attached, after the payloads were hashed against their index lines."""
    if set(attached) != ATTACHED:
        raise ReportRefused(f"it should carry {sorted(ATTACHED)}, not {sorted(attached)}")
    basis = Basis.decode(attached["basis.json"])
    payloads = attached["records.jsonl"].split(b"\n")[:-1]
    entries = attached["index.jsonl"].split(b"\n")[:-1]
    found = [lines.joined(entry, payload) for entry, payload in zip(entries, payloads, strict=True)]
    for line in found:
        if merkle.leaf_hash(line.payload).hex() != line.leaf:
            raise ReportRefused(f"the attached record {line.sequence} does not fit its leaf")
    return basis, found


def _compare_ledger(basis: Basis, found: Sequence[lines.Line]) -> str:
    """Compare the attached records and the cut with the ledger of this installation."""
    kept = Checkpoint.objects.filter(tree_size=basis.cut.tree_size).first()
    body = checkpoint.parse_note(basis.cut.note).body
    if kept is None or checkpoint.parse_note(kept.note).body != body:
        raise ReportRefused("its checkpoint is not one of this ledger")
    rows = Record.objects.in_bulk([line.id for line in found])
    by_id = {str(key): row for key, row in rows.items()}
    for line in found:
        record = by_id.get(line.id)
        if record is None or record.payload.encode() != line.payload:
            raise ReportRefused(f"the attached record {line.sequence} is not that of the ledger")
        told = canonical.decode(line.entry)
        facts = (canonical.timestamp(record.recorded_at), str(record.transaction))
        if (told["recorded_at"], told["transaction"]) != facts:
            raise ReportRefused(
                f"time or transaction of record {line.sequence} are not the ledger's"
            )
    return f"{len(found)} attached records are those of this ledger, at size {basis.cut.tree_size}"


def _compare_bundle(basis: Basis, found: Sequence[lines.Line], bundle: Path) -> str:
    """Compare the attached records and the cut with a bundle that was exported with them."""
    with (bundle / "records.jsonl").open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != basis.evidence:
            raise ReportRefused("it was not made from the records.jsonl of this bundle")
    notes = (bundle / "checkpoints.jsonl").read_bytes().splitlines()
    last = checkpoint.parse_note(canonical.decode(notes[-1])).body
    if last != checkpoint.parse_note(basis.cut.note).body:
        raise ReportRefused("its checkpoint is not the last one of this bundle")
    start, stop = basis.volume.start, basis.volume.stop
    if list(lines.read(bundle, start=start, stop=stop)) != list(found):
        raise ReportRefused("its attached records are not those of this bundle")
    return f"{len(found)} attached records are those of the bundle, at size {basis.cut.tree_size}"


def _compare_pages(document: bytes, basis: Basis, found: Sequence[lines.Line]) -> str:
    """Compare the pages with those made anew; another version of the software sets them its way."""
    if basis.cut.software != software():
        return f"pages not compared: they were set by {basis.cut.software}, this is {software()}"
    made = compiled(basis, found)
    if document[: len(made)] != made:
        raise ReportRefused("its pages do not show what its attached records say")
    return "the pages show what the attached records say, byte for byte"
