"""What a witness has cosigned, one row a log: checked and replaced in one durable transaction."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from audit import checkpoint
from audit.witness.protocol import NOTHING, Answer, Held, Request

MOST_EVIDENCE = 1000  # requests kept of logs that contradicted themselves
_TABLES = """
CREATE TABLE head (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL,
    cosigned_at INTEGER NOT NULL
) STRICT;
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, origin TEXT NOT NULL, status INTEGER NOT NULL,
    held TEXT NOT NULL, request TEXT NOT NULL
) STRICT;
"""
Decide = Callable[[Held], Answer | None]
Cosign = Callable[[int], str]  # seconds since 1970 -> signature line


class StateMissing(RuntimeError):
    """The state is gone: a witness that forgot what it signed must not go on under its key."""


class State:
    """The state file. Every process and thread may have its own; SQLite's lock keeps order."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise StateMissing(
                f"{path} is missing: restore it, or retire this witness and make a new key; one "
                "that forgot what it signed can be led to sign another history"
            )
        self.path = path

    @classmethod
    def make(cls, path: Path) -> "State":
        """Make an empty state; raises FileExistsError rather than forget one."""
        path.touch(mode=0o600, exist_ok=False)
        state = cls(path)
        with closing(sqlite3.connect(path)) as database:
            database.executescript(_TABLES)
        return state

    def held(self, origin: str) -> Held:
        """Return the newest cosigned checkpoint of a log."""
        with self._transaction() as database:
            return _held(database, origin)

    def advance(self, request: Request, decide: Decide, cosign: Cosign) -> Answer:
        """Cosign the request's checkpoint in place of what is held, unless ``decide`` refuses.

        Both in one transaction that is on disk before this returns: two requests at once cannot
        both go on from the same size.
        """
        now = int(time.time())
        with self._transaction() as database:
            held = _held(database, request.head.origin)
            if (refusal := decide(held)) is None:
                line = cosign(now)
                _keep_head(database, now, request, checkpoint.add_line(request.note.text, line))
                return Answer(200, f"{line}\n")
            if refusal.is_evidence:
                _keep_evidence(database, now, refusal.status, held, request)
        return refusal

    def logs(self) -> list[tuple[str, int, int]]:
        """Return (origin, size, seconds since 1970 of the last cosignature) of each log."""
        with self._transaction() as database:
            rows = database.execute("SELECT origin, size, cosigned_at FROM head ORDER BY origin")
            return rows.fetchall()

    def evidence(self) -> list[tuple[int, str, int]]:
        """Return (at, origin, status) of each request that contradicted what was held."""
        with self._transaction() as database:
            return database.execute("SELECT at, origin, status FROM evidence").fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        place = f"{self.path.absolute().as_uri()}?mode=rw"  # never make an empty one in its place
        database = sqlite3.connect(place, uri=True, timeout=10, isolation_level=None)
        with closing(database):
            database.execute("PRAGMA synchronous = EXTRA")  # the journal's removal is synced too
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


def _held(database: sqlite3.Connection, origin: str) -> Held:
    row = database.execute(
        "SELECT size, root, note FROM head WHERE origin = ?", (origin,)
    ).fetchone()
    return Held(*row) if row else NOTHING


def _keep_head(database: sqlite3.Connection, now: int, request: Request, note: str) -> None:
    origin, size, root = request.head
    database.execute(
        "INSERT INTO head VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET "
        "size = excluded.size, root = excluded.root, note = excluded.note, "
        "cosigned_at = excluded.cosigned_at",
        (origin, size, root, note, now),
    )


def _keep_evidence(
    database: sqlite3.Connection, now: int, status: int, held: Held, request: Request
) -> None:
    (count,) = database.execute("SELECT count(*) FROM evidence").fetchone()
    if count < MOST_EVIDENCE:
        database.execute(
            "INSERT INTO evidence (at, origin, status, held, request) VALUES (?, ?, ?, ?, ?)",
            (now, request.head.origin, status, held.note, request.as_text()),
        )
