"""The continuous archive: the database's log, received as it is written, encrypted a segment.

pg_receivewal takes the log through a replication slot, so that the server keeps what was not
received yet, and flushes it as it comes. Its folder lies beside the data; only what has been
encrypted into the store counts as archived.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from audit.recovery import sealed_files
from audit.recovery.sealed_files import ENDING, BackupBad
from audit.recovery.wal import NAME, PARTIAL, Archived
from twin_core.supervisor import database
from twin_core.supervisor.backup.base_backup import ENVIRONMENT
from twin_core.supervisor.backup.store import Store
from twin_core.supervisor.postgres import installed_binaries
from twin_core.supervisor.spawning import end

SLOT = "twin_archive"
NOW = "SELECT clock_timestamp(), pg_current_wal_flush_lsn()::text"
RECEIVED = (
    "SELECT coalesce(bool_or(flush_lsn >= %s::pg_lsn), false) FROM pg_stat_replication "
    "WHERE application_name = %s"
)


@dataclass
class Archiver:
    """Brings the store up to the database, as often as ``catch_up`` is called."""

    store: Store
    admin_url: str
    spool: Path
    recipient: Any
    checkpoints: Path | None = None
    sealed: dict[str, int] = field(default_factory=dict)  # partial segment -> its change time

    def catch_up(self, *, within: float = 30.0) -> Archived:
        """Archive all that was acknowledged until now; return how far the archive goes then.

        Raises BackupBad when the log does not come in time.
        """
        deadline = time.monotonic() + within
        with database.connect(self.admin_url) as session:
            row = session.execute(NOW).fetchone()
            assert row is not None
            reached = Archived(*row)
            while not self._is_received(session, reached.lsn):
                if time.monotonic() > deadline:
                    raise BackupBad(f"the log up to {reached.lsn} was not received in time")
                time.sleep(0.05)
        self._seal_segments()
        self._copy_checkpoints()
        self.store.tell_archived(reached)
        return reached

    @staticmethod
    def _is_received(session: psycopg.Connection[Any], lsn: str) -> bool:
        row = session.execute(RECEIVED, [lsn, SLOT]).fetchone()
        return bool(row and row[0])

    def _seal_segments(self) -> None:
        for path in sorted(self.spool.iterdir()):
            name = path.name
            if NAME.fullmatch(name):
                self._seal(path, name)
                (self.store.wal / f"{name}{PARTIAL}{ENDING}").unlink(missing_ok=True)
                path.unlink()
            elif name.endswith(PARTIAL):
                changed = path.stat().st_mtime_ns
                if self.sealed.get(name) != changed:
                    self._seal(path, name)
                    self.sealed = {name: changed}
            elif name.endswith(".history"):
                self._seal(path, name)

    def _seal(self, path: Path, name: str) -> None:
        with path.open("rb") as source:
            sealed_files.seal(source, self.store.wal / f"{name}{ENDING}", self.recipient)

    def _copy_checkpoints(self) -> None:
        if self.checkpoints is None:
            return
        for path in self.checkpoints.iterdir():
            copied = self.store.checkpoints / path.name
            if path.is_file() and (
                not copied.exists() or copied.stat().st_mtime_ns < path.stat().st_mtime_ns
            ):
                shutil.copy2(path, copied)


@contextmanager
def receiving(archiver: Archiver) -> Iterator["subprocess.Popen[bytes]"]:
    """Run pg_receivewal for the block; it goes on from where the archive ends."""
    archiver.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [
        str(installed_binaries() / "pg_receivewal"),
        *("--dbname", psycopg.conninfo.make_conninfo(archiver.admin_url, application_name=SLOT)),
        *("--directory", str(archiver.spool), "--slot", SLOT),
        *("--synchronous", "--status-interval", "1", "--no-password"),
    ]
    made = subprocess.run(
        [*command, "--create-slot", "--if-not-exists"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise BackupBad(f"no replication slot: {made.stderr.strip()}")
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        end(process, (signal.SIGINT,), patience=10)
