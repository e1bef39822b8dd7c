"""The index compared with the ledger: every row derived anew, none missing, none too many."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from audit import canonical
from audit.desk import indexing

STORED = f"""
SELECT {", ".join(indexing.COLUMNS)}, ARRAY(
    SELECT parent FROM audit_searchedge WHERE child = sequence ORDER BY parent)
FROM audit_searchrow WHERE sequence > %s AND sequence <= %s ORDER BY sequence
"""  # noqa: S608  the columns are ours
EXTRA = "SELECT sequence FROM audit_searchrow WHERE sequence > %s ORDER BY sequence LIMIT 1"
MISPLACED = """
SELECT row.sequence, row.record_id FROM audit_searchrow row
JOIN audit_record record ON record.id = row.record_id
JOIN audit_block block ON block.first_sequence <= row.sequence
    AND block.first_sequence + block.count > row.sequence
WHERE row.sequence > %s AND row.sequence <= %s
    AND NOT (record.transaction >= block.transaction_from
        AND record.transaction < block.transaction_below) LIMIT 1
"""
LOOSE = """
SELECT child FROM audit_searchedge edge WHERE NOT EXISTS (
    SELECT FROM audit_searchrow WHERE sequence = edge.child) LIMIT 1
"""
BUCKETS = """
SELECT number, count, recorded_from, recorded_to FROM audit_searchbucket
EXCEPT SELECT bucket, count(*)::integer, min(recorded_at), max(recorded_at)
FROM audit_searchrow GROUP BY bucket
"""
KINDS = """
SELECT coalesce(had.kind, has.kind) FROM audit_searchkind AS had
FULL JOIN (SELECT DISTINCT kind FROM audit_searchrow) AS has ON has.kind = had.kind
WHERE had.kind IS NULL OR has.kind IS NULL LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class IndexState:
    """What a comparison found. ``waiting`` sealed records are not indexed yet, which is no flaw."""

    rows: int
    waiting: int
    digest: str  # SHA-256 over every row as the ledger tells it
    flaw: str | None

    def as_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in ("rows", "waiting", "digest", "flaw")}
        return {"ok": self.flaw is None, **told}


def compare(progress: Callable[[int], Any] = lambda rows: None) -> IndexState:
    """Compare the index with the ledger, stopping at the first difference."""
    digest, end, rows = hashlib.sha256(), indexing.mark().sequence, 0
    last = -1
    for told in indexing.sealed_rows():
        inside = [_line(row) for row in told if row.sequence <= end]
        upto = min(end, told[-1].sequence)
        flaw = _difference(inside, _stored(told[0].sequence - 1, upto)) if inside else None
        if flaw := flaw or _misplaced(last, upto):
            return IndexState(rows, 0, digest.hexdigest(), flaw)
        for _, line in inside:
            digest.update(line + b"\n")
        rows, last = rows + len(inside), upto
        progress(len(told))
        if told[-1].sequence > end:
            break
    return IndexState(rows, waiting(end), digest.hexdigest(), _too_many(end))


def _line(row: indexing.Row) -> tuple[int, bytes]:
    parents = sorted(set(row.parents))
    return row.sequence, canonical.encode([*row[: len(indexing.COLUMNS)], parents])


def _stored(after: int, upto: int) -> Iterator[tuple[int, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(STORED, [after, upto])
        for row in cursor.fetchall():
            yield row[0], canonical.encode(list(row))


def _difference(told: list[tuple[int, bytes]], stored: Iterator[tuple[int, bytes]]) -> str | None:
    found = dict(stored)
    for sequence, line in told:
        if sequence not in found:
            return f"record {sequence} is missing from the index"
        if found.pop(sequence) != line:
            return f"record {sequence} is not what the index says"
    return None


def _misplaced(after: int, upto: int) -> str | None:
    """Look where no records are: those of a month dropped after its time. Rows of it may stay until
    the index is rebuilt; a row of a record that is there stands where another does not know it.
    """
    with connection.cursor() as cursor:
        cursor.execute(MISPLACED, [after, upto])
        found = cursor.fetchone()
    return f"the index has record {found[1]} at {found[0]} too" if found else None


def _too_many(end: int) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute(EXTRA, [end])
        if extra := cursor.fetchone():
            return f"the index has a row {extra[0]} beyond its end"
        cursor.execute(LOOSE)
        if loose := cursor.fetchone():
            return f"the index has a descent of {loose[0]}, which has no row"
        cursor.execute(BUCKETS)
        if wrong := cursor.fetchone():
            return f"the summary of bucket {wrong[0]} is not that of its rows"
        cursor.execute(KINDS)
        if unknown := cursor.fetchone():
            return f"the list of kinds is not that of the rows: {unknown[0]}"
    return None


def waiting(end: int) -> int:
    """Return how many sealed records lie beyond sequence ``end``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT first_sequence + count FROM audit_block ORDER BY first_sequence DESC LIMIT 1"
        )
        last = cursor.fetchone()
        return max(0, last[0] - 1 - end) if last else 0
