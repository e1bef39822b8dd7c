"""Sealed records in their order, as bytes: a page of many for each question to the database.

Nothing is made of a record on the way: the database joins the payloads, which are the bytes that
were hashed, and sends the facts of the index lines in binary. Small blocks are read together.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import psycopg
from django.db import connection

from audit.exports.index_lines import ID, LEAF, TIME, XID, index_lines
from audit.models import Block, Record

PAGE = 2_000  # records a question; more in one are slower
BLOCKS = 1_000  # headers a question
NOTHING = UUID(int=0)
EPOCH, MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
T = TypeVar("T")
QUESTION = """
SELECT count(*), convert_to(string_agg(payload, E'\\n'), 'UTF8'), string_agg(leaf, ''::bytea),
    string_agg(uuid_send(id), ''::bytea), string_agg(timestamptz_send(recorded_at), ''::bytea),
    string_agg(xid8send(transaction), ''::bytea)
FROM (SELECT id, payload, leaf, recorded_at, transaction FROM audit_record
    WHERE transaction >= %s::text::xid8 AND transaction < %s::text::xid8
      AND (transaction, id) > (%s::text::xid8, %s::uuid)
    ORDER BY audit_record.transaction, audit_record.id LIMIT %s) ordered
"""


class SealedBlock(NamedTuple):
    """Where a block's records are found, and the leaves that it was sealed with."""

    number: int
    first_sequence: int
    count: int
    transaction_from: int
    transaction_below: int
    leaves: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Successive records: ``payloads`` holds a line with its newline for each."""

    first: int  # sequence of the first
    payloads: bytes
    leaves: bytes  # 32 bytes each
    ids: bytes  # 16 bytes each
    times: bytes  # 8 bytes each: microseconds since 2000
    xids: bytes  # 8 bytes each
    block: int  # number of the last block that it touches
    ends_block: bool  # whether it goes to that block's end

    @property
    def count(self) -> int:
        return len(self.ids) // ID

    def index(self) -> bytes:
        """Return the index lines, each with its newline."""
        return index_lines(
            ids=self.ids, leaves=self.leaves, times=self.times, xids=self.xids, first=self.first
        )


COLUMNS = SealedBlock._fields


def blocks(after: int, upto: int) -> Iterator[SealedBlock]:
    """Yield the blocks with after < number <= upto, in order."""
    while after < upto:
        rows = Block.objects.filter(number__gt=after, number__lte=upto).order_by("number")
        found = [
            SealedBlock(*row[:-1], bytes(row[-1])) for row in rows.values_list(*COLUMNS)[:BLOCKS]
        ]
        if not found:
            return
        yield from found
        after = found[-1].number


def pages(found: Iterable[SealedBlock]) -> Iterator[Page]:
    """Yield the records of the blocks, in order, as they are stored.

    The leaf of an index line is the sealed one, not the stored one, wherever a block has as many
    records as it was sealed with: where a record was altered, a verifier can then name it.
    """
    for span in _spans(found):
        yield from _fast(span)


def _spans(found: Iterable[SealedBlock]) -> Iterator[list[SealedBlock]]:
    """Yield runs of blocks whose transactions touch, of a page together or of one block."""
    span: list[SealedBlock] = []
    for block in found:
        touches = span and span[-1].transaction_below == block.transaction_from
        fits = block.first_sequence + block.count - span[0].first_sequence <= PAGE if span else True
        if span and not (touches and fits):
            yield span
            span = []
        span.append(block)
    if span:
        yield span


def _fast(span: Sequence[SealedBlock]) -> Iterator[Page]:
    """Read a span by pages; from the first page that is not as sealed on, record by record."""
    first, end = span[0].first_sequence, span[-1].first_sequence + span[-1].count
    leaves = b"".join(block.leaves for block in span)
    place, key = 0, ("0", NOTHING)
    while first + place < end:
        left = end - first - place
        wanted = min(left, PAGE)
        row = _ask(span, key, wanted + (wanted == left))  # one more would be one too many
        sealed = leaves[place * LEAF : (place + wanted) * LEAF]
        if row[0] != wanted or row[2] != sealed:
            yield from _slow(span, first + place)
            return
        ends = wanted == left
        yield _page(row, first + place, sealed, span[-1].number, ends_block=ends)
        place += wanted
        key = str(int.from_bytes(row[5][-XID:], "big")), UUID(bytes=row[3][-ID:])


def _ask(span: Sequence[SealedBlock], key: tuple[str, UUID], limit: int) -> tuple[Any, ...]:
    given = [span[0].transaction_from, span[-1].transaction_below, *key, limit]
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(QUESTION, [str(each) for each in given[:4]] + [limit], binary=True)
        row = cursor.fetchone()
    assert row is not None
    return row


def _page(row: tuple[Any, ...], first: int, leaves: bytes, block: int, *, ends_block: bool) -> Page:
    _, payloads, _, ids, times, xids = row
    return Page(first, payloads + b"\n", leaves, ids, times, xids, block, ends_block)


def _slow(span: Sequence[SealedBlock], start: int) -> Iterator[Page]:
    """Read the blocks of a span from ``start`` on, which are not as they were sealed."""
    for block in span:
        rows = list(_records(block))
        is_whole = len(rows) == block.count
        for place, record in enumerate(rows):
            if (sequence := block.first_sequence + place) >= start:
                sealed = block.leaves[place * LEAF : place * LEAF + LEAF]
                ends = place + 1 == len(rows)
                yield _single(record, sequence, sealed if is_whole else None, block.number, ends)


def _records(block: SealedBlock) -> Iterator[Record]:
    return (
        Record.objects.filter(
            transaction__gte=block.transaction_from, transaction__lt=block.transaction_below
        )
        .order_by("transaction", "id")
        .iterator(chunk_size=PAGE)
    )


def _single(record: Record, sequence: int, sealed: bytes | None, block: int, ends: bool) -> Page:
    since = (record.recorded_at - EPOCH) // MICROSECOND
    return Page(
        first=sequence,
        payloads=record.payload.encode() + b"\n",
        leaves=sealed or bytes(record.leaf),
        ids=record.pk.bytes,
        times=since.to_bytes(TIME, "big", signed=True),
        xids=record.transaction.to_bytes(XID, "big"),
        block=block,
        ends_block=ends,
    )


def ahead(make: Callable[[], Iterable[T]], *, depth: int = 3) -> Iterator[T]:
    """Yield what ``make()`` yields, made in a thread of its own while the caller works.

    The thread has its own database connection, closed at the end. What it raises is raised here.
    """
    ready: queue.Queue[Any] = queue.Queue(depth)
    stopped = threading.Event()

    def work() -> None:
        try:
            for each in make():
                ready.put((each, None))
                if stopped.is_set():
                    return
            ready.put((None, StopIteration()))
        except BaseException as error:  # handed to the caller, whatever it is
            ready.put((None, error))
        finally:
            connection.close()

    thread = threading.Thread(target=work, name="export-reader", daemon=True)
    thread.start()
    try:
        while True:
            each, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield each
    finally:
        stopped.set()
        while thread.is_alive():
            while not ready.empty():
                ready.get()
            thread.join(0.01)
