"""Signatures as each page shows them, wherever it belongs to (21 CFR 11.50(b))."""

from django.urls import reverse

from audit import ledger, signatures
from audit.models import Record
from audit.pages import SignatureLine


def signature_lines(record: Record) -> list[SignatureLine]:
    """Return the signatures on a record, oldest first, each checked, for ``_signatures.html``."""
    return [_line(shown) for shown in signatures.signatures_of(record)]


def _line(shown: signatures.ShownSignature) -> SignatureLine:
    made = ledger.by_leaf(bytes.fromhex(shown.record_leaf))
    return SignatureLine(
        printed_name=shown.printed_name,
        meaning=shown.meaning,
        signed_at=shown.signed_at,
        reason=shown.reason,
        view_digest=shown.view,
        href=reverse("audit:record", args=[made.pk]) if made else "",
        is_valid=shown.is_valid,
        problem=f"This does not count as signed: {shown.flaw}." if shown.flaw else "",
    )
