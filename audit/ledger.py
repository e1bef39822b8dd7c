"""Append and read: the only writer of records."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import connection, transaction
from django.utils import timezone

from audit import actors, canonical
from audit.merkle import leaf_hash
from audit.models import Blob, Block, Line, Record
from audit.recovery import clock
from audit.retention.citation import RecordDropped, is_dropped

FORMAT = 1
INSERT = (
    "INSERT INTO audit_record (stream, kind, payload) VALUES (%s, %s, %s) "
    "RETURNING id, leaf, transaction::text::bigint, recorded_at"
)
CITING = (  # the database looks the cited records up where the new one is written
    "INSERT INTO audit_record (stream, kind, payload) SELECT %s, %s, %s "
    "WHERE ledger_unknown_leaf(%s) IS NULL "
    "RETURNING id, leaf, transaction::text::bigint, recorded_at"
)
UNKNOWN = "SELECT encode(ledger_unknown_leaf(%s), 'hex')"
COPY = "COPY audit_record (stream, kind, payload) FROM STDIN (FORMAT binary)"
COLUMNS = ("id", "stream", "kind", "payload", "leaf", "transaction", "recorded_at")
CLOCK_PARTED = "audit.clock.parted"
LARGEST = 32_768  # bytes of a payload; what is larger is a blob

Change = tuple[Any, dict[str, Any] | None, dict[str, Any] | None]  # subject, old, new


class ParentUnknown(ValueError):
    """A record cites one that this ledger does not hold."""

    def __init__(self, kind: str, leaf: str) -> None:
        super().__init__(
            f"{kind} rests on {leaf}, which is no record of this ledger: write that record first, "
            "or cite the one that is meant"
        )


def append(
    *,
    stream: str,
    kind: str,
    subject: Any = None,
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    changes: Sequence[Change] = (),
    **told: Any,
) -> Record:
    """Write one record in the running transaction and return it.

    ``subject`` is a regulated row or a ``{"type", "id"}``; one change may be given by subject,
    old and new, several by ``changes``. ``told`` is what ``payload_of`` takes beside. Raises
    canonical.NotCanonical for content that has no canonical text, ValueError when it is larger
    than 32 KiB, ParentUnknown when it cites what is no record of this ledger.
    """
    changed = [*changes, (subject, old, new)] if subject is not None else changes
    told["parents"] = cited = list(map(bytes, told.get("parents", ())))
    payload = payload_of(stream=stream, kind=kind, changes=changed, **told)
    before = datetime.now(UTC)
    record = _insert(stream, kind, payload, cited)
    compare_clocks(before, record)
    return record


def append_many(acts: Iterable[dict[str, Any]]) -> int:
    """Write many records in the running transaction by one COPY; return how many.

    Each act is what ``append`` takes, changes given by ``changes``. Refuses what ``append``
    refuses; then nothing of the transaction can stay.
    """
    connection.ensure_connection()
    written, cited = 0, set()
    with (
        connection.wrap_database_errors,
        psycopg.Cursor(connection.connection) as cursor,
        cursor.copy(COPY) as copy,
    ):
        copy.set_types(["text", "text", "text"])
        for act in acts:
            act = {**act, "parents": list(map(bytes, act.get("parents", ())))}
            copy.write_row((act["stream"], act["kind"], payload_of(**act)))
            cited.update(act["parents"])
            written += 1
    require_known("one of many records", cited)
    return written


def payload_of(
    *,
    stream: str,
    kind: str,
    changes: Sequence[Change] = (),
    actor: Any = None,
    reason: str | None = None,
    parents: Iterable[bytes] = (),
    blobs: Iterable[str] = (),
    data: dict[str, Any] | None = None,
    occurred_at: datetime | None = None,
) -> str:
    """Return the canonical text of a record; ``parents`` are leaf hashes of what it rests on."""
    occurred_at = occurred_at or timezone.now()
    payload = canonical.encode(
        {
            "v": FORMAT,
            "stream": stream,
            "kind": kind,
            "occurred_at": occurred_at,
            "actor": actors.actor_of(actor).as_told(),
            "changes": [_change_as_told(*change) for change in changes],
            "reason": reason,
            "source": actors.source_as_told(),
            "parents": [parent.hex() for parent in map(bytes, parents)],
            "blobs": list(blobs),
            "data": data,
        }
    )
    if len(payload) > LARGEST:
        raise ValueError(f"{kind}: {len(payload)} bytes; put what is large into a blob")
    return payload.decode()


def compare_clocks(before: datetime, record: Record) -> None:
    """Record when the clock of this process and the time that the database gave are apart.

    ``before`` is this process's time before the insert. Told once, when it is committed.
    """
    parted = clock.own.parted(before, record.recorded_at, datetime.now(UTC))
    if parted is None or record.kind == CLOCK_PARTED:
        return
    append(
        stream="ledger",
        kind=CLOCK_PARTED,
        actor=actors.process_actor(),
        reason="this process and the database do not agree on the time",
        data={"ahead": canonical.number(round(parted, 6), "s"), "clock": "process"},
    )

    def note() -> None:
        clock.own.told = parted

    transaction.on_commit(note)


def _change_as_told(subject: Any, old: Any, new: Any) -> dict[str, Any]:
    named = subject if isinstance(subject, dict) else subject.subject()
    return {"subject": named, "old": old, "new": new}


def _insert(stream: str, kind: str, payload: str, cited: list[bytes]) -> Record:
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        if not cited:
            row = cursor.execute(
                INSERT, (stream, kind, payload), prepare=True, binary=True
            ).fetchone()
            assert row is not None
        else:
            row = _insert_citing(cursor, (stream, kind, payload), cited)
    return record_of(stream, kind, payload, row)


def record_of(stream: str, kind: str, payload: str, given: Sequence[Any]) -> Record:
    """Return the record as stored; ``given`` by the database: id, leaf, transaction, time."""
    identity, *rest = given
    values = (identity, stream, kind, payload, *rest)
    return Record.from_db(connection.alias, COLUMNS, values)


def _insert_citing(cursor: Any, told: tuple[str, str, str], cited: list[bytes]) -> Any:
    row = cursor.execute(CITING, (*told, cited), prepare=True, binary=True).fetchone()
    if row is None:
        (missing,) = cursor.execute(UNKNOWN, [cited]).fetchone()
        raise ParentUnknown(told[1], missing)
    return row


def require_known(kind: str, parents: Iterable[bytes]) -> None:
    """Raise ParentUnknown when a cited record is not in this ledger; nothing is asked of none.

    For records that are not written by ``append``, which looks for itself.
    """
    if cited := list(map(bytes, parents)):
        with connection.cursor() as cursor:
            cursor.execute(UNKNOWN, [cited])
            (missing,) = cursor.fetchone()
        if missing is not None:
            raise ParentUnknown(kind, missing)


def is_intact(record: Record) -> bool:
    """Whether the payload still is what the leaf hash was made of."""
    return leaf_hash(record.payload.encode()) == bytes(record.leaf)


def content(record: Record) -> dict[str, Any]:
    """Return the payload as an object; raises RecordDropped where its text was dropped."""
    if is_dropped(record):
        raise RecordDropped(f"record {record.pk} was dropped after its time: see {record.stream}")
    return canonical.decode(record.payload.encode())


def put_blob(data: bytes, media_type: str) -> str:
    """Keep a content under its SHA-256 (hex), once; return the digest to cite in ``blobs``."""
    digest = hashlib.sha256(data).hexdigest()
    Blob.objects.bulk_create(
        [Blob(digest=digest, content=data, media_type=media_type)], ignore_conflicts=True
    )
    return digest


class ContentMismatch(ValueError):
    """A kept content has another SHA-256 (``found``, hex) than the one that it is cited under."""

    def __init__(self, digest: str, found: str, size: int) -> None:
        super().__init__(f"content {digest} is damaged: it has another SHA-256")
        self.digest, self.found, self.size = digest, found, size


def get_blob(digest: str) -> bytes:
    """Return a kept content; raises ContentMismatch when it is not what its digest says."""
    data = bytes(Blob.objects.get(pk=digest).content)
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise ContentMismatch(digest, found, len(data))
    return data


def by_leaf(leaf: bytes) -> Record | None:
    return Record.objects.filter(leaf=leaf).order_by("id").first()


def block_of(record: Record) -> Block | None:
    """Return the block that holds a record; None while it is not sealed."""
    return (
        Block.objects.filter(transaction_below__gt=record.transaction)
        .order_by("transaction_below")
        .first()
    )


def lines_of(block: Block) -> list[Line]:
    """Return what is kept of each of a block's records, in sequence order."""
    return list(
        Line.objects.filter(
            transaction__gte=block.transaction_from, transaction__lt=block.transaction_below
        ).order_by("transaction", "id")
    )


def records_of(block: Block) -> list[Record]:
    """Return a block's records in sequence order, without those that were dropped."""
    return list(
        Record.objects.filter(
            transaction__gte=block.transaction_from, transaction__lt=block.transaction_below
        ).order_by("transaction", "id")
    )


def sequence_of(record: Record) -> int | None:
    """Return a record's place in the ledger, from 0; None while it is not sealed."""
    block = block_of(record)
    if block is None:
        return None
    before = Line.objects.filter(
        transaction__gte=block.transaction_from, transaction__lte=record.transaction
    ).exclude(transaction=record.transaction, id__gte=record.id)
    return block.first_sequence + before.count()


def wait_for_seal(record: Record, *, timeout: float = 10.0) -> int:
    """Return a record's sequence as soon as the sealer has placed it.

    Only outside any transaction: inside one the record is not committed and would never be
    sealed. Raises TimeoutError after ``timeout`` seconds.
    """
    if connection.in_atomic_block:
        raise RuntimeError("wait_for_seal inside a transaction would wait for itself")
    connection.ensure_connection()
    driver = connection.connection
    driver.execute("LISTEN ledger_sealed")
    try:
        deadline = time.monotonic() + timeout
        while (sequence := sequence_of(record)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{record} is stored but not sealed yet: is the sealer running?")
            list(driver.notifies(timeout=min(left, 0.5), stop_after=1))
        return sequence
    finally:
        driver.execute("UNLISTEN ledger_sealed")


def unsealed_count() -> int:
    """Return how many committed records wait for the sealer."""
    last = Block.objects.order_by("-number").first()
    sealed_below = last.transaction_below if last else 0
    return Record.objects.filter(transaction__gte=sealed_below).count()


def append_alone(**facts: Any) -> Record:
    """Write a record in a transaction of its own: for a refusal, after its act was undone."""
    if connection.in_atomic_block:
        raise RuntimeError("a refusal is recorded after the refused act's transaction has ended")
    with transaction.atomic():
        return append(**facts)
