"""What stands first in every readable copy: scope, cut, filters, who exported and why, keys."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings

from audit import keys, signatures
from audit.checkpoint import PublicKey
from audit.exports.copies.lines import Line
from audit.exports.copies.readable import Signed
from audit.exports.cut import FORMATS, Cut
from audit.models import Block, Signature

FILTERS = {
    "stream": "Batch or stream",
    "kind": "Kind, or its beginning",
    "person": "Person (id)",
    "since": "Recorded at or after (UTC)",
    "until": "Recorded before (UTC)",
    "text": "Anywhere in the record",
    "reason": "In the reason",
    "subject_type": "Type of what was changed",
    "subject": "What was changed (id)",
    "within": "Scope of the person who exported",
}


def facts(
    cut: Cut, records: int, evidence: str, known: Sequence[PublicKey]
) -> list[tuple[str, str]]:
    """Return the cover's lines as (what, text); ``evidence`` is the digest of ``records.jsonl``,
    ``known`` the ledger's keys.
    """
    head = cut.head
    return [
        ("Ledger", cut.origin),
        ("Scope", _scope(cut, records)),
        ("Cut at checkpoint of size", str(head.tree_size)),
        ("Root of the tree at the cut", head.root.hex()),
        ("Last block in the cut", f"{head.block_number}, {head.block_hash}"),
        *((f"Filter: {FILTERS[name]}", _filter(value)) for name, value in cut.filters.items()),
        ("Exported by", f"{cut.actor['name']} ({cut.actor['kind'].replace('_', ' ')})"),
        ("Reason for the export", cut.reason or "(none given)"),
        ("Exported at (UTC)", cut.created_at),
        ("Copies made", ", ".join(FORMATS[name] for name in cut.formats)),
        ("Software", cut.software),
        ("SHA-256 of records.jsonl", evidence),
        *((f"Key {key.name}", fingerprint(key.raw)) for key in known),
    ]


def _scope(cut: Cut, records: int) -> str:
    if cut.scope == "complete":
        return f"complete: all {records} records below the cut"
    return f"selection: {records} records that fit the filters, of {cut.tree_size} below the cut"


def _filter(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def ledger_keys() -> Sequence[PublicKey]:
    """Return the public keys that this ledger is held to."""
    return keys.public_keys(settings.LEDGER_PUBLIC_KEY_FILE)


def fingerprint(raw: bytes) -> str:
    """Return the SHA-256 of a key or certificate in pairs of digits, to be read aloud."""
    digits = hashlib.sha256(raw).hexdigest().upper()
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def signed_in(cut: Cut, found: Sequence[Line]) -> Mapping[str, list[Signed]]:
    """Return the signatures on some records that stand in the ledger at the cut, by record id."""
    below = Block.objects.get(pk=cut.head.block_number).transaction_below
    told: dict[str, list[Signed]] = {}
    ids = iter([UUID(line.id) for line in found])
    while some := list(islice(ids, 1_000)):
        rows = Signature.objects.filter(signed__in=some, record__transaction__lt=below)
        for row in rows.select_related("signed", "proof", "record").order_by("id"):
            told.setdefault(str(row.signed_id), []).append(_signed(signatures.shown(row)))
    return told


def _signed(shown: signatures.ShownSignature) -> Signed:
    return Signed(
        printed_name=shown.printed_name,
        meaning=shown.meaning,
        signed_at=shown.signed_at.isoformat(),
        signed_at_site=shown.signed_at_site,
        reason=shown.reason,
        flaw=shown.flaw or "",
    )
