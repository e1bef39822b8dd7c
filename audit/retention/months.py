"""The months of the ledger: which there are, how full, and in which state."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from audit import chain, checkpoint
from audit.models import ArchivedMonth, Block
from audit.outside import evidence
from audit.retention.policy import month_end

MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
PARTITIONS = """
SELECT to_char(to_date(right(relname, 6), 'YYYYMM'), 'YYYY-MM'), greatest(reltuples, 0)::bigint
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'audit_record'::regclass AND relname ~ '^audit_record_[0-9]{6}$' ORDER BY 1
"""
SPAN = """
SELECT count(*), min(transaction)::text, max(transaction)::text
FROM audit_record WHERE id >= %s AND id < %s
"""
TOLD = "SELECT DISTINCT stream, kind FROM audit_record WHERE id >= %s AND id < %s ORDER BY 1, 2"


class MonthWrong(ValueError):
    """A text that names no month of this ledger."""


@dataclass(frozen=True, slots=True)
class Span:
    """The records of a month: how many, and the transactions between which they lie."""

    count: int
    first: int
    last: int


def read(text: str) -> str:
    """Return a month like ``2026-01``; raises MonthWrong for another text."""
    if not MONTH.fullmatch(text):
        raise MonthWrong(f"{text!r} is no month: write it like 2026-01")
    return text


def bounds(month: str) -> tuple[UUID, UUID]:
    """Return the keys between which a month's records lie."""
    return _bound(month_start(month)), _bound(month_end(month))


def month_start(month: str) -> datetime:
    return datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)


def _bound(moment: datetime) -> UUID:
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def partitions() -> list[tuple[str, int]]:
    """Return (month, records as the database estimates them) of each partition, oldest first."""
    return _rows(PARTITIONS)


def span_of(month: str) -> Span:
    [(count, first, last)] = _rows(SPAN, bounds(month))
    return Span(count, int(first or 0), int(last or 0))


def told_in(month: str) -> list[tuple[str, str]]:
    """Return the (stream, kind) pairs among a month's records."""
    return _rows(TOLD, bounds(month))


def holds_on(month: str) -> list[tuple[str, str, str]]:
    """Return (scope, value, matter) of each hold that lies on a month, as the database finds."""
    return _rows("SELECT scope, value, matter FROM ledger_holds_on(%s)", [month])


def now() -> datetime:
    """Return the database's time."""
    return _rows("SELECT clock_timestamp()")[0][0]


def newest_head() -> checkpoint.Checkpoint | None:
    """Return the newest checkpoint that others may rely on."""
    newest = evidence.head()
    return checkpoint.parse(newest) if newest else None


def reasons_against_archiving(month: str, span: Span, at: datetime) -> list[str]:
    """Return why a month cannot be archived yet; empty when it can."""
    end = month_end(month)
    reasons = [] if end <= at else [f"{month} is not over before {end:%Y-%m-%d} UTC"]
    if ArchivedMonth.objects.filter(month=month).exists():
        reasons.append(f"{month} is archived already")
    if span.count == 0:
        reasons.append(f"{month} holds no records")
    head = newest_head()
    last = Block.objects.get(pk=head.block_number) if head else None
    if last is None or span.last >= last.transaction_below:
        reasons.append(f"not all records of {month} are sealed and under a checkpoint")
    elif _sealed_at(last) < end:
        reasons.append("nothing was sealed since its end: late records could still come")
    return reasons


def _sealed_at(block: Block) -> datetime:
    return chain.Header.decode(block.header.encode()).sealed_at


def _rows(query: str, values: Any = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, list(values))
        return cursor.fetchall()
