"""Fills the index beside the ledger from sealed records; one at a time, by its own role.

Rows are derived by the database's own functions (``desk_words``, ``desk_about``), the same that
the search uses for records not indexed yet. They are read first and written by COPY in short
transactions, because an open transaction that has written holds sealing back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

NOTHING = UUID(int=0)
LOCK = 7_166_433_214  # advisory lock: one indexer a database
BUCKET = 1 << 14  # rows; the table's generated column says the same
BATCH = 250  # rows of one transaction: some tens of milliseconds
READ = 4_000  # rows read at once
COLUMNS = (
    *("sequence", "record_id", "recorded_at", "kind", "stream"),
    *("actor_id", "actor_kind", "reason", "about", "words"),
)
DERIVED = """
    record.id, record.recorded_at, record.kind, record.stream,
    told #>> '{actor,id}', told #>> '{actor,kind}', desk_fold(told ->> 'reason'),
    desk_about(told), desk_words(told)
"""
# The blocks that hold what comes after a place, with each of their records in sequence order.
SEALED = f"""
SELECT placed.sequence, {DERIVED}, record.transaction::text,
    ARRAY(SELECT decode(cited.leaf, 'hex')
        FROM jsonb_array_elements_text(told -> 'parents') AS cited (leaf))
FROM (
    SELECT inside.id, block.first_sequence - 1 + row_number() OVER (
        PARTITION BY block.number ORDER BY inside.transaction, inside.id) AS sequence
    FROM (
        SELECT number, first_sequence, transaction_from, transaction_below FROM audit_block
        WHERE first_sequence >= (
            SELECT coalesce(max(first_sequence), 0) FROM audit_block
            WHERE first_sequence <= %(after)s + 1)
            AND first_sequence <= %(after)s + %(read)s
    ) AS block
    JOIN audit_record AS inside ON inside.transaction >= block.transaction_from
        AND inside.transaction < block.transaction_below
) AS placed
JOIN audit_record AS record ON record.id = placed.id
CROSS JOIN LATERAL (SELECT record.payload::jsonb AS told) AS parsed
WHERE placed.sequence > %(after)s AND placed.sequence <= %(after)s + %(read)s
ORDER BY placed.sequence
"""  # noqa: S608  the columns are ours
NEXT_BLOCK = """
SELECT first_sequence FROM audit_block block WHERE first_sequence > %s AND EXISTS (
    SELECT FROM audit_record record WHERE record.transaction >= block.transaction_from
        AND record.transaction < block.transaction_below)
ORDER BY first_sequence LIMIT 1
"""
INTO_BUCKET = """
INSERT INTO audit_searchbucket AS bucket (number, count, recorded_from, recorded_to,
    last_sequence, last_transaction, last_record)
VALUES (%s, %s, %s, %s, %s, %s::text::xid8, %s)
ON CONFLICT (number) DO UPDATE SET
    count = bucket.count + excluded.count,
    recorded_from = least(bucket.recorded_from, excluded.recorded_from),
    recorded_to = greatest(bucket.recorded_to, excluded.recorded_to),
    last_sequence = excluded.last_sequence,
    last_transaction = excluded.last_transaction,
    last_record = excluded.last_record
"""
INTO_KINDS = """
INSERT INTO audit_searchkind SELECT unnest(%s::text[]) EXCEPT SELECT kind FROM audit_searchkind
"""


class IndexingRefused(Exception):
    """The index cannot be filled; the message says why."""


class Row(NamedTuple):
    """A row of the index, with what it hangs on: its transaction and its parents' leaves."""

    sequence: int
    record_id: UUID
    recorded_at: datetime
    kind: str
    stream: str
    actor_id: str
    actor_kind: str
    reason: str | None
    about: list[str]
    words: str
    transaction: str
    parents: list[bytes]


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the index goes: the last record in it. Nothing is indexed yet at ``sequence`` -1."""

    sequence: int = -1
    transaction: int = 0
    record_id: UUID = NOTHING


def acquire() -> None:
    """Take the indexer's lock for this session, or raise IndexingRefused."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            raise IndexingRefused("another indexer holds the lock of this database; stop it first")


def mark() -> Mark:
    """Return how far the index goes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT last_sequence, last_transaction::text, last_record "
            "FROM audit_searchbucket ORDER BY number DESC LIMIT 1"
        )
        found = cursor.fetchone()
    return Mark(found[0], int(found[1]), found[2]) if found else Mark()


def rows_after(sequence: int, *, read: int = READ) -> list[Row]:
    """Return the next sealed records as rows, in order; records that were dropped leave a gap."""
    with connection.cursor() as cursor:
        cursor.execute(SEALED, {"after": sequence, "read": read})
        rows = [Row(*row) for row in cursor.fetchall()]
        if rows:
            return rows
        cursor.execute(NEXT_BLOCK, [sequence])
        beyond = cursor.fetchone()
    return rows_after(beyond[0] - 1, read=read) if beyond else []


def sealed_rows(after: int = -1) -> Iterator[list[Row]]:
    """Yield every sealed record as rows, some thousands at a time."""
    while rows := rows_after(after):
        yield rows
        after = rows[-1].sequence


def index() -> int:
    """Index sealed records that are not yet; return how many there were of the next ones."""
    rows = rows_after(mark().sequence)
    for start in range(0, len(rows), BATCH):
        with transaction.atomic():
            write(rows[start : start + BATCH])
    return len(rows)


def write(rows: Sequence[Row]) -> None:
    """Store rows inside the caller's transaction."""
    connection.ensure_connection()
    driver = connection.connection
    with driver.cursor() as cursor:
        with cursor.copy(f"COPY audit_searchrow ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row[: len(COLUMNS)])
        with cursor.copy("COPY audit_searchedge (child, parent) FROM STDIN") as copy:
            for row in rows:
                for parent in set(row.parents):
                    copy.write_row((row.sequence, parent))
        cursor.execute(INTO_KINDS, [sorted({row.kind for row in rows})])
        for number in sorted({row.sequence // BUCKET for row in rows}):
            inside = [row for row in rows if row.sequence // BUCKET == number]
            cursor.execute(INTO_BUCKET, _summed(number, inside))


def _summed(number: int, rows: Sequence[Row]) -> list[Any]:
    last = rows[-1]
    return [
        number,
        len(rows),
        min(row.recorded_at for row in rows),
        max(row.recorded_at for row in rows),
        last.sequence,
        last.transaction,
        last.record_id,
    ]


def empty() -> None:
    """Throw the index away; the search then reads the records themselves until it is filled."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE audit_searchrow, audit_searchedge, audit_searchbucket, audit_searchkind"
        )


def rebuild(progress: Callable[[int], Any] = lambda rows: None) -> int:
    """Empty the index and fill it from the ledger; return how many rows it has."""
    empty()
    done = 0
    while count := index():
        done += count
        progress(count)
    return done
