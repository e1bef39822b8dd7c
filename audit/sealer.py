"""Turns committed records into chained blocks and Merkle tiles; one at a time.

Writers insert plain rows and take no lock. The sealer asks PostgreSQL below which transaction id
nothing is running any more, puts the committed records below it in order, and chains them.
"""

import time
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.db import connection, transaction

from audit import canonical, chain, checkpoint, ledger, merkle, tiles
from audit.models import Block, Checkpoint, Tile
from audit.outside import Outside

LOCK = 7_166_433_210  # advisory lock: one sealer a database
MOST = 20_000  # records in one block
CLOCK_TOLERANCE = 0.1  # seconds between the database's clock and a monotonic one
LATE = 1.0  # seconds of seal lag that raise an alarm

log = structlog.get_logger("sealer")


class SealingRefused(Exception):
    """The ledger is not the one that was sealed last: a person has to decide."""


class Row(NamedTuple):
    """A committed record as the sealer reads it back."""

    id: UUID
    payload: bytes
    leaf: bytes
    transaction: int
    recorded_at: datetime


def acquire() -> None:
    """Take the sealer's lock for this session, or raise SealingRefused."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            raise SealingRefused("another sealer holds the lock of this database")


def horizon() -> int:
    """Return the transaction id below which every transaction has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        return int(cursor.fetchone()[0])


def cluster() -> tuple[str, int]:
    """Return (system identifier, timeline) of the PostgreSQL cluster."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT system_identifier::text, timeline_id "
            "FROM pg_control_system(), pg_control_checkpoint()"
        )
        return cursor.fetchone()


def rows_between(start: int, below: int) -> list[Row]:
    """Return committed records with start <= transaction < below, in order, whole transactions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, payload, leaf, transaction::text, recorded_at FROM audit_record "
            "WHERE transaction >= %s::text::xid8 AND transaction < %s::text::xid8 "
            "ORDER BY audit_record.transaction, id LIMIT %s",
            [str(start), str(below), MOST + 1],
        )
        return [
            Row(identity, payload.encode(), bytes(leaf), int(xid), at)
            for identity, payload, leaf, xid, at in cursor
        ]


class Sealer:
    """Seals until it is stopped; holds the right edge of the tree in memory."""

    def __init__(self, *, key: Any, origin: str, outside: Outside) -> None:
        self.key, self.origin, self.outside = key, origin, outside
        self.system_identifier, self.timeline = cluster()
        self.last = Block.objects.order_by("-number").first()
        self.header = chain.Header.decode(self.last.header.encode()) if self.last else None
        self._check_identity()
        self.tree = tiles.restore(self.header.tree_size if self.header else 0)
        self._check_tree()
        self._check_outside()
        newest = Checkpoint.objects.order_by("-tree_size").first()
        self.checkpointed = newest.tree_size if newest else 0
        self.clock = self._clock_offset()

    # ------------------------------------------------------------------ start
    def _check_identity(self) -> None:
        if self.header is None:
            return
        was = (self.header.origin, self.header.system_identifier, self.header.timeline)
        now = (self.origin, self.system_identifier, self.timeline)
        if was != now:
            raise SealingRefused(
                f"the last block was sealed as {was}, this is {now}: a restored or copied "
                "database goes on only with a signed fork record and a new epoch"
            )

    def _check_tree(self) -> None:
        if self.header is not None and chain.flaw_of_tree(self.header, self.tree):
            raise SealingRefused(
                f"block {self.header.number}: the stored leaves do not give its root; "
                "run manage.py verify_ledger"
            )

    def _check_outside(self) -> None:
        note = self.outside.latest()
        if note is None:
            return
        seen = checkpoint.parse(note)
        if seen.tree_size > self.tree.size:
            raise SealingRefused(
                f"a checkpoint outside the database covers {seen.tree_size} records, the database "
                f"has {self.tree.size}: records were lost, or this is an old backup"
            )
        if seen.tree_size == self.tree.size and seen.root != self.tree.root:
            raise SealingRefused("the checkpoint outside the database has another root: a fork")

    # ------------------------------------------------------------------- work
    def seal(self) -> int:
        """Seal what is committed; return how many records were placed."""
        below = horizon()
        start = self.header.transaction_below if self.header else 0
        rows = rows_between(start, below)
        if len(rows) > MOST:  # a whole transaction goes into one block
            below = rows[-1].transaction
            rows = [row for row in rows if row.transaction < below] or self._one_large(below)
        if not rows:
            return 0
        self._read_back(rows)
        self._store(rows, start, below)
        return len(rows)

    def _one_large(self, xid: int) -> list[Row]:
        raise SealingRefused(f"transaction {xid} wrote more than {MOST} records; raise the limit")

    def _read_back(self, rows: list[Row]) -> None:
        for row in rows:
            if merkle.leaf_hash(row.payload) != row.leaf:
                raise SealingRefused(f"record {row.id}: stored leaf is not that of its payload")

    def _store(self, rows: list[Row], start: int, below: int) -> None:
        leaves = [row.leaf for row in rows]
        tree = merkle.Tree.restore(self.tree.size, self.tree.right_edge)
        full = tree.append(leaves)
        header = self._next_header(rows, tree, start, below)
        with transaction.atomic():
            _insert_block(header, leaves)
            Tile.objects.bulk_create(
                Tile(level=level, position=position, hashes=hashes)
                for level, position, hashes in full
            )
            with connection.cursor() as cursor:
                cursor.execute("NOTIFY ledger_sealed")
        self.tree, self.header = tree, header

    def _next_header(self, rows: list[Row], tree: Any, start: int, below: int) -> Any:
        last = self.header
        first = last.end if last else 0
        entries = [
            chain.Entry(row.id, row.leaf, row.recorded_at, first + place, row.transaction)
            for place, row in enumerate(rows)
        ]
        now = _database_now()
        return chain.Header(
            origin=self.origin,
            epoch=last.epoch if last else 0,
            system_identifier=self.system_identifier,
            timeline=self.timeline,
            number=last.number + 1 if last else 0,
            first_sequence=first,
            count=len(rows),
            transaction_from=start,
            transaction_below=below,
            records_digest=chain.records_digest(row.payload for row in rows),
            index_digest=chain.index_digest(entry.line for entry in entries),
            previous=last.hash if last else chain.GENESIS,
            tree_size=tree.size,
            root=tree.root.hex(),
            sealed_at=max(now, last.sealed_at) if last else now,
        )

    def publish(self) -> bool:
        """Sign a checkpoint of the tree if it has grown; store it inside and outside."""
        if self.header is None or self.tree.size == self.checkpointed:
            return False
        head = checkpoint.Checkpoint(
            origin=self.origin,
            tree_size=self.tree.size,
            root=self.tree.root,
            block_number=self.header.number,
            block_hash=self.header.hash,
        )
        note = checkpoint.sign(head, name=self.origin, key=self.key)
        self.outside.keep(note)
        Checkpoint.objects.create(tree_size=self.tree.size, note=note)
        self.checkpointed = self.tree.size
        return True

    # ------------------------------------------------------------------ watch
    def _clock_offset(self) -> float:
        return _database_now().timestamp() - time.monotonic()

    def watch_clock(self) -> None:
        """Record a step of the database's clock against a monotonic one."""
        offset = self._clock_offset()
        step, self.clock = offset - self.clock, offset
        if abs(step) > CLOCK_TOLERANCE:
            log.warning("clock stepped", seconds=step)
            ledger.append_alone(
                stream="ledger",
                kind="audit.clock.stepped",
                reason="the database's clock and a monotonic clock parted",
                data={"step": canonical.number(round(step, 6), "s")},
            )

    def lag(self) -> float:
        """Return the age in seconds of the oldest record that waits for its place."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT extract(epoch FROM clock_timestamp() - recorded_at) FROM audit_record "
                "WHERE transaction >= %s::text::xid8 ORDER BY transaction, id LIMIT 1",
                [str(self.header.transaction_below if self.header else 0)],
            )
            oldest = cursor.fetchone()
            return float(oldest[0]) if oldest else 0.0

    def watch_lag(self) -> None:
        """Name the session that holds the horizon back when sealing is late."""
        if (late := self.lag()) > LATE:
            log.warning("sealing is late", seconds=late, blocked_by=_oldest_session())


def _insert_block(header: Any, leaves: list[bytes]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_block (number, header, leaves) VALUES (%s, %s, %s)",
            [header.number, header.encode().decode(), b"".join(leaves)],
        )


def _database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def _oldest_session() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid, usename, application_name, state FROM pg_stat_activity "
            "WHERE backend_xid IS NOT NULL OR backend_xmin IS NOT NULL "
            "ORDER BY xact_start NULLS LAST LIMIT 1"
        )
        return str(cursor.fetchone())


def make_partitions(ahead: int = 2) -> None:
    """Make the record table's partitions of this month and the next ones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_make_partitions(%s)", [ahead])
