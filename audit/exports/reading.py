"""Sealed records in their order, as bytes: a page of many for each question to the database.

Nothing is made of a record on the way: binary COPY sends the payload, which is the bytes that were
hashed, after facts of fixed width, from which index lines are made for a page at once. Small blocks
are read together.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import psycopg
from django.db import connection, transaction

from audit.exports.index_lines import ID, LEAF, TIME, XID, index_lines
from audit.models import Block, Line

PAGE = 2_000  # records handed on together
SPAN = 20_000  # records of one question: no transaction of an export is long
BLOCKS = 1_000  # headers a question
EPOCH, MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
DROPPED = b"\n"  # stands for the text of a record that was dropped after its time
T = TypeVar("T")
B = TypeVar("B", "SealedBlock", Block)
ORDERED = """
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off
"""  # by the index, whatever the statistics say: each row is read once, in its order
QUESTION = """
COPY (SELECT id, recorded_at, transaction, leaf, payload FROM audit_record
    WHERE transaction >= '{start}'::xid8 AND transaction < '{below}'::xid8
    ORDER BY transaction, id) TO STDOUT (FORMAT binary)
"""
# a row of binary COPY: 2 bytes, then each column after the 4 bytes of its length
HEADER, FACTS, PAYLOAD = 19, 82, 86  # bytes before the first row, and of a row
_ID, _TIME, _XID, _LEAF = slice(6, 22), slice(26, 34), slice(38, 46), slice(50, 82)


@dataclass(frozen=True, slots=True)
class SealedBlock:
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


COLUMNS = tuple(field.name for field in fields(SealedBlock))


def blocks(after: int, upto: int) -> Iterator[SealedBlock]:
    """Yield the blocks with after < number <= upto, in order."""
    while after < upto:
        rows = Block.objects.filter(number__gt=after, number__lte=upto).order_by("number")
        asked = rows.values_list(*COLUMNS)[:BLOCKS]
        found = [SealedBlock(n, first, count, a, b, bytes(v)) for n, first, count, a, b, v in asked]
        if not found:
            return
        yield from found
        after = found[-1].number


def pages(found: Iterable[SealedBlock]) -> Iterator[Page]:
    """Yield the records of the blocks, in order, as they are stored.

    The leaf of an index line is the sealed one, not the stored one, wherever a block has as many
    records as it was sealed with: where a record was altered, a verifier can then name it.
    """
    for span in spans(found):
        yield from _fast(span)


def spans(found: Iterable[B]) -> Iterator[list[B]]:
    """Yield runs of blocks whose transactions touch, of a question together or of one block."""
    span: list[B] = []
    for block in found:
        touches = span and span[-1].transaction_below == block.transaction_from
        fits = block.first_sequence + block.count - span[0].first_sequence <= SPAN if span else True
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
    place, is_sealed = 0, True
    for rows in copied(span):
        upto = place + len(rows)
        page = page_of(rows, first + place, span[-1].number, ends_block=first + upto == end)
        is_sealed = is_sealed and page.leaves == leaves[place * LEAF : upto * LEAF]
        if is_sealed:
            yield page
            place = upto
    if first + place < end or not is_sealed:
        yield from _slow(span, first + place)


def copied(span: Sequence[SealedBlock | Block]) -> Iterator[list[bytes]]:
    """Yield the rows of a span as binary COPY sends them, up to ``PAGE`` at a time."""
    start, below = span[0].transaction_from, span[-1].transaction_below
    rows: list[bytes] = []
    question = QUESTION.format(start=int(start), below=int(below))
    with transaction.atomic(), connection.wrap_database_errors:
        cursor = psycopg.Cursor(connection.connection)
        cursor.execute(ORDERED)
        with cursor.copy(question) as found:
            for row in found:
                rows.append(bytes(row))
                if len(rows) == PAGE:
                    yield _without_header(rows)
                    rows = []
    if rows := _without_header(rows):
        yield rows


def _without_header(rows: list[bytes]) -> list[bytes]:
    """Take the signature from the first row, and away the trailer that follows the last one."""
    if rows and rows[0].startswith(b"PGCOPY"):
        rows[0] = rows[0][HEADER:]
    if rows and len(rows[-1]) < PAYLOAD:
        rows.pop()
    return rows


def page_of(rows: Sequence[bytes], first: int, block: int, *, ends_block: bool = True) -> Page:
    """Return rows of binary COPY as a page whose first record has the sequence ``first``."""
    facts = np.frombuffer(b"".join([row[:FACTS] for row in rows]), np.uint8).reshape(-1, FACTS)
    return Page(
        first=first,
        payloads=b"\n".join([row[PAYLOAD:] for row in rows]) + b"\n",
        leaves=facts[:, _LEAF].tobytes(),
        ids=facts[:, _ID].tobytes(),
        times=facts[:, _TIME].tobytes(),
        xids=facts[:, _XID].tobytes(),
        block=block,
        ends_block=ends_block,
    )


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


def _records(block: SealedBlock) -> Iterator[Line]:
    return (
        Line.objects.filter(
            transaction__gte=block.transaction_from, transaction__lt=block.transaction_below
        )
        .order_by("transaction", "id")
        .iterator(chunk_size=PAGE)
    )


def _single(record: Line, sequence: int, sealed: bytes | None, block: int, ends: bool) -> Page:
    since = (record.recorded_at - EPOCH) // MICROSECOND
    return Page(
        first=sequence,
        payloads=DROPPED if record.payload is None else record.payload.encode() + b"\n",
        leaves=sealed or bytes(record.leaf),
        ids=record.pk.bytes,
        times=since.to_bytes(TIME, "big", signed=True),
        xids=record.transaction.to_bytes(XID, "big"),
        block=block,
        ends_block=ends,
    )


def ahead(make: Callable[[], Iterable[T]], *, depth: int = 8) -> Iterator[T]:
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
