"""Whether a stored record may be believed where it is shown.

The leaf beside a payload is computed by the database, so an edit by SQL gives it a new leaf, and an
edit on the disk leaves it with an old one. What was sealed stands in the block: both are compared.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from audit import canonical, ledger
from audit.models import Record

ALTERED = "Altered after it was recorded: not to be trusted"
PLACES = """
SELECT record.id, block.first_sequence + place.before,
    substring(block.leaves FROM 32 * place.before::integer + 1 FOR 32)
FROM audit_record record
JOIN LATERAL (
    SELECT first_sequence, transaction_from, leaves FROM audit_block
    WHERE transaction_below > record.transaction
    ORDER BY transaction_below LIMIT 1) block ON true
JOIN LATERAL (
    SELECT count(*) AS before FROM audit_line earlier
    WHERE earlier.transaction >= block.transaction_from
      AND (earlier.transaction, earlier.id) < (record.transaction, record.id)) place ON true
WHERE record.id = ANY(%s)
"""


class Place(NamedTuple):
    """Where a record was sealed, and the leaf that was sealed there."""

    sequence: int
    leaf: bytes


def places_of(records: Sequence[Record]) -> dict[UUID, Place]:
    """Return the place of each sealed record by its key, in one question."""
    with connection.cursor() as cursor:
        cursor.execute(PLACES, [[record.pk for record in records]])
        return {
            identity: Place(sequence, bytes(leaf)) for identity, sequence, leaf in cursor.fetchall()
        }


def is_trusted(record: Record, place: Place | None) -> bool:
    """Return whether stored text, stored leaf and sealed leaf are one; without a place, the two."""
    stored = ledger.is_intact(record)
    return stored and (place is None or place.leaf == bytes(record.leaf))


def untrusted(records: Sequence[Record]) -> set[UUID]:
    """Return the keys of those that must not be believed."""
    places = places_of(records)
    return {record.pk for record in records if not is_trusted(record, places.get(record.pk))}


def told(record: Record, *, is_trusted: bool) -> dict[str, Any]:
    """Return what a record tells; of one that is not to be trusted nothing but its place."""
    if is_trusted:
        return ledger.content(record)
    return {
        "stream": record.stream,
        "kind": record.kind,
        "occurred_at": canonical.timestamp(record.recorded_at),
        "actor": {"id": "unknown", "kind": "process", "name": "(not to be trusted)"},
        "changes": [],
        "reason": None,
        "source": {"address": None, "process": None, "session": None, "software": None},
        "parents": [],
        "blobs": [],
        "data": None,
    }
