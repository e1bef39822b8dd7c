"""Turns committed records into chained blocks and Merkle tiles; one at a time.

Writers insert plain rows and take no lock. The sealer asks PostgreSQL below which transaction id
nothing is running any more, puts the committed records below it in order, and chains them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import structlog
from django.db import connection, transaction

from audit import canonical, chain, checkpoint, ledger, merkle, tiles
from audit.models import Block, Checkpoint, Tile
from audit.outside import Outside
from audit.recovery import clock, differences, elsewhere, forks, standing

LOCK = 7_166_433_210  # advisory lock: one sealer a database
MOST = 20_000  # records in one block
COMMITTED = (
    "SELECT id, payload, leaf, transaction::text::bigint, recorded_at FROM audit_record "
    "WHERE transaction >= %s::text::xid8 AND transaction < %s::text::xid8 "
    "ORDER BY audit_record.transaction, id LIMIT %s"
)
LATE = 1.0  # seconds of seal lag that raise an alarm

log = structlog.get_logger("sealer")


class SealingRefused(Exception):
    """The ledger is not the one that was sealed last: a person has to decide."""


class LedgerClosed(SealingRefused):
    """The ledger is closed: it goes on once two persons have opened an epoch."""


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


def next_transaction() -> int:
    """Return the transaction id that the server gives out next; it never falls on one cluster."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        return int(cursor.fetchone()[0])


def cluster() -> tuple[str, int]:
    """Return (system identifier, timeline) of the PostgreSQL cluster."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT system_identifier::text, timeline_id "
            "FROM pg_control_system(), pg_control_checkpoint()"
        )
        return cursor.fetchone()


def rows_between(start: int, below: int, most: int | None = MOST + 1) -> list[Row]:
    """Return committed records with start <= transaction < below, in order."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        asked = (str(start), str(below), most)
        found = cursor.execute(COMMITTED, asked, prepare=True, binary=True).fetchall()
    return [Row(key, text.encode(), bytes(leaf), xid, at) for key, text, leaf, xid, at in found]


class Sealer:
    """Seals until it is stopped; holds the right edge of the tree in memory."""

    def __init__(
        self,
        *,
        key: Any,
        origin: str,
        outside: Outside,
        others: Sequence[differences.SeenElsewhere] = (),
    ) -> None:
        self.key, self.origin, self.outside, self.others = key, origin, outside, others
        self.next_key: Any = None  # signs the next checkpoint too, and alone after it
        self.second_key: Any = None  # of another kind (ML-DSA-44), beside the key in force
        self.place = differences.Place(origin, *cluster())
        self.last = Block.objects.order_by("-number").first()
        self.header = chain.Header.decode(self.last.header.encode()) if self.last else None
        self._check_origin()
        self.tree = tiles.restore(self.header.tree_size if self.header else 0)
        self._check_tree()
        newest = Checkpoint.objects.order_by("-tree_size").first()
        self.checkpointed = newest.tree_size if newest else 0
        self.clock = clock.Watch(clock.look())
        self.found = self._compare()

    # ------------------------------------------------------------------ start
    def _check_origin(self) -> None:
        if self.header is not None and self.header.origin != self.origin:
            raise SealingRefused(
                f"the ledger is called {self.header.origin}, not {self.origin}: set "
                "TWIN_LEDGER_ORIGIN to its name"
            )

    def _check_tree(self) -> None:
        if self.header is not None and chain.flaw_of_tree(self.header, self.tree):
            standing.close("the stored leaves do not give the root of the last block")
            raise SealingRefused(
                f"block {self.header.number}: the stored leaves do not give its root; "
                "run manage.py verify_ledger"
            )

    def _compare(self) -> list[str]:
        """Open the ledger when it is the one that was sealed last, or close it; return why."""
        epoch = self.header.epoch if self.header else 0
        found = differences.differences(
            self.header,
            self.place,
            elsewhere.newest(self.origin, self.outside, self.others, epoch),
            root_at(self.tree.size),
            forks.losses()[:epoch],
            next_transaction=next_transaction(),
        )
        if found:
            standing.close("after a restore, or a copy: " + "; ".join(found))
        else:
            standing.open_ledger()
        return found

    # ------------------------------------------------------------------- work
    def seal(self) -> int:
        """Seal what is committed; return how many records were placed.

        Raises LedgerClosed while the ledger is closed and nobody has opened an epoch.
        """
        if self.found:
            return self._begin_epoch()
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

    def _begin_epoch(self) -> int:
        """Seal the fork record, and whatever waits with it, as the first block of an epoch."""
        fork = forks.pending()
        why = (
            "nobody has opened an epoch"
            if fork is None
            else forks.flaw(fork, self.header, self.place)
        )
        if fork is None or why:
            raise LedgerClosed(f"{'; '.join(self.found)}; {why}: see manage.py open_epoch")
        below, start = horizon(), self.header.transaction_below if self.header else 0
        if fork.transaction >= below:
            return 0
        rows = rows_between(start, below, most=None)
        self._read_back(rows)
        self._store(rows, start, below, opens_epoch=True)
        self.publish()
        self.found = []
        standing.open_ledger()
        return len(rows)

    def _one_large(self, xid: int) -> list[Row]:
        raise SealingRefused(f"transaction {xid} wrote more than {MOST} records; raise the limit")

    def _read_back(self, rows: list[Row]) -> None:
        for row in rows:
            if merkle.leaf_hash(row.payload) != row.leaf:
                raise SealingRefused(f"record {row.id}: stored leaf is not that of its payload")

    def _store(self, rows: list[Row], start: int, below: int, *, opens_epoch: bool = False) -> None:
        leaves = [row.leaf for row in rows]
        tree = merkle.Tree.restore(self.tree.size, self.tree.right_edge)
        full = tree.append(leaves)
        header = self._next_header(rows, tree, start, below, opens_epoch)
        with transaction.atomic():
            self._check_last()
            _insert_block(header, leaves)
            Tile.objects.bulk_create(
                Tile(level=level, position=position, hashes=hashes)
                for level, position, hashes in full
            )
            with connection.cursor() as cursor:
                cursor.execute("NOTIFY ledger_sealed")
        self.tree, self.header = tree, header

    def _check_last(self) -> None:
        """Refuse to build on a block that is not there any more: the tail was cut meanwhile."""
        if self.header is None:
            return
        stored = Block.objects.filter(pk=self.header.number).values_list("hash", flat=True)
        if [bytes(found).hex() for found in stored] != [self.header.hash]:
            raise SealingRefused(
                f"block {self.header.number}, sealed by this process, is not in the database any "
                "more: run manage.py verify_ledger"
            )

    def _next_header(
        self, rows: list[Row], tree: Any, start: int, below: int, opens_epoch: bool
    ) -> Any:
        last = self.header
        first = last.end if last else 0
        entries = [
            chain.Entry(row.id, row.leaf, row.recorded_at, first + place, row.transaction)
            for place, row in enumerate(rows)
        ]
        now = clock.database_now()
        return chain.Header(
            origin=self.origin,
            epoch=(last.epoch if last else 0) + opens_epoch,
            system_identifier=self.place.system_identifier,
            timeline=self.place.timeline,
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
            origin=self.header.log,
            tree_size=self.tree.size,
            root=self.tree.root,
            block_number=self.header.number,
            block_hash=self.header.hash,
        )
        note = self._signed(head, at=int(self.header.sealed_at.timestamp()))
        self.outside.keep(note)
        Checkpoint.objects.create(tree_size=self.tree.size, note=note)
        self.checkpointed = self.tree.size
        self.key, self.next_key = self.next_key or self.key, None
        return True

    def _signed(self, head: checkpoint.Checkpoint, *, at: int) -> str:
        """Sign with each key that is in force for this checkpoint; the same text gives the same."""
        note = checkpoint.sign(head, name=self.origin, key=self.key)
        if self.next_key is not None:
            line = checkpoint.signature_line(head.body, name=self.origin, key=self.next_key)
            note = checkpoint.add_line(note, line)
        if self.second_key is not None:
            line = checkpoint.cosign(head.body, name=self.origin, key=self.second_key, at=at)
            note = checkpoint.add_line(note, line)
        return note

    # ------------------------------------------------------------------ watch
    def watch_clock(self) -> None:
        """Record what has changed about the time: steps, drift, differences, its source."""
        for event in self.clock.see(clock.look()):
            tell = log.error if event.is_alarm else log.warning
            tell(f"clock {event.what}", seconds=event.seconds, why=event.reason)
            ledger.append_alone(
                stream="ledger",
                kind=f"audit.clock.{event.what}",
                reason=event.reason,
                data=_facts_of(event),
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


def root_at(size: int) -> differences.RootAt:
    """Return what gives the stored tree's root at any size up to ``size``, and None above."""
    return lambda asked: tiles.restore(asked).root if asked <= size else None


def _insert_block(header: Any, leaves: list[bytes]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_block (number, header, leaves) VALUES (%s, %s, %s)",
            [header.number, header.encode().decode(), b"".join(leaves)],
        )


def _facts_of(event: clock.Event) -> dict[str, Any]:
    facts: dict[str, Any] = {"clock": event.clock}
    if event.seconds is not None:
        grave = abs(event.seconds) >= clock.GRAVE
        facts["level"] = "grave" if grave else "alarm" if event.is_alarm else "note"
        facts["seconds"] = canonical.number(round(event.seconds, 6), "s")
    if (quality := event.quality) is not None:
        facts |= {"quality": quality.word, "source": quality.source, "error": None}
        if quality.error is not None:
            facts["error"] = canonical.number(quality.error, "s")
    return facts


def _oldest_session() -> str:
    """Name the session whose transaction is the oldest: it holds the horizon.

    Locks are shown to every role, while another role's times and states are not.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.pid, a.usename, a.datname, a.application_name, l.transactionid::text "
            "FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) "
            "WHERE l.locktype = 'transactionid' AND l.granted AND l.mode = 'ExclusiveLock' "
            "ORDER BY age(l.transactionid) DESC LIMIT 1"
        )
        row = cursor.fetchone()
    if row is None:
        return "no open transaction"
    pid, role, database, program, xid = row
    return f"process {pid} of {role} in {database} ({program or 'unnamed'}), transaction {xid}"


def make_partitions(ahead: int = 2) -> None:
    """Make the record table's partitions of this month and the next ones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_make_partitions(%s)", [ahead])
