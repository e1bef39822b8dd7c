"""Bringing a backup back: keys, files, cluster, and the log up to the last archived moment."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from audit.api import timestamp
from audit.recovery import archive, sealed_files, wal
from audit.recovery.sealed_files import ENDING, BackupBad
from twin_core.supervisor import services
from twin_core.supervisor.backup.base_backup import moment_of
from twin_core.supervisor.backup.store import CLUSTER, FILES, Store, unpack
from twin_core.supervisor.folder import DataFolder, write_private
from twin_core.supervisor.postgres import Postgres, escaped
from twin_core.supervisor.spawning import end

RECOVERED_WITHIN = 900.0  # seconds
FACTS = "restored.json"  # what the fork record quotes
RECOVER = """\
# Written by manage.py restore; taken away again when the log has been applied.
restore_command = 'cp "{segments}/%f" "%p"'
recovery_target_timeline = 'latest'
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a backup: its identity file; the escrowed keys, None for a trial, and theirs."""

    identity: Path
    keys: Path | None = None
    identity_of_keys: Path | None = None

    @property
    def keys_identity(self) -> Path:
        return self.identity_of_keys or self.identity


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back, for the fork record."""

    facts: dict[str, Any]
    missing_segments: list[str]


def restore(
    store: Store,
    folder: DataFolder,
    opening: Opening,
    *,
    base: Path | None = None,
    seen: Callable[[int], Any] = int,
) -> Restored:
    """Bring a backup back into a data folder that does not exist yet, and apply the log.

    Leaves a stopped cluster on a new
    timeline: the sealer keeps its ledger closed until two persons open an epoch. Raises BackupBad.
    """
    if folder.path.exists() and any(folder.path.iterdir()):
        raise BackupBad(f"{folder.path} exists: a backup is brought back into a new folder")
    chosen = base or store.newest_base()
    manifest = sealed_files.read_manifest(chosen)
    secret = sealed_files.identity_in(opening.identity)
    folder.make()
    if opening.keys is not None:
        unpack(opening.keys, folder.path, sealed_files.identity_in(opening.keys_identity))
    unpack(chosen / FILES, folder.path, secret)
    _newer_checkpoints(store, folder)
    postgres = Postgres(folder)
    _unpack_cluster(chosen, postgres, secret, seen)
    missing = _apply_log(store, postgres, secret, manifest)
    facts = _facts(store, chosen, manifest, missing)
    write_private(folder.path / FACTS, json.dumps(facts, indent=1) + "\n")
    return Restored(facts, missing)


def _facts(
    store: Store, base: Path, manifest: dict[str, Any], missing: list[str]
) -> dict[str, Any]:
    return {
        "backup": base.name,
        "manifest": (base / sealed_files.DIGEST).read_text(encoding="ascii").split()[0],
        "made_at": manifest["made_at"],
        "complete_until": timestamp(complete_until(store, manifest, missing)),
        "missing_segments": missing,
    }


def complete_until(store: Store, manifest: dict[str, Any], missing: list[str]) -> datetime:
    """Return the moment up to which everything comes back with this base backup."""
    made, archived = moment_of(manifest), store.archived()
    return max(made, archived.until) if archived and not missing else made


def _newer_checkpoints(store: Store, folder: DataFolder) -> None:
    """Take the checkpoints that were archived since the backup was made."""
    for path in store.checkpoints.glob("*"):
        shutil.copy2(path, folder.path / "checkpoints" / path.name)


def _unpack_cluster(
    base: Path, postgres: Postgres, secret: Any, seen: Callable[[int], Any]
) -> None:
    postgres.cluster.mkdir(mode=0o700)
    made = unpack(base / CLUSTER, postgres.cluster, secret, seen)
    for path in (postgres.cluster, *made):
        postgres.account.own(path)


def _apply_log(
    store: Store, postgres: Postgres, secret: Any, manifest: dict[str, Any]
) -> list[str]:
    """Recover up to the end of the archive; return the segments that are missing before it."""
    names = store.segments()
    first = manifest["first_segment"]
    missing = archive.missing(store.path, manifest)
    segments = postgres.folder.services / "wal-restored"
    segments.mkdir(mode=0o700)
    postgres.account.own(segments)
    for name in names:
        if not wal.NAME.match(name) or name[:24] >= first:
            _unseal_segment(store, name, segments, postgres, secret)
    automatic = postgres.cluster / "postgresql.auto.conf"
    before = automatic.read_text(encoding="utf-8")
    settings = RECOVER.format(segments=escaped(segments))
    write_private(automatic, before + settings, account=postgres.account)
    write_private(postgres.cluster / "recovery.signal", "", account=postgres.account)
    with serving(postgres) as url:
        _wait_until_promoted(url)
    write_private(automatic, before, account=postgres.account)
    shutil.rmtree(segments)
    return missing


def _unseal_segment(store: Store, name: str, into: Path, postgres: Postgres, secret: Any) -> None:
    path = into / name.removesuffix(wal.PARTIAL)
    if path.exists():
        return  # the whole segment came first
    with path.open("wb") as target:
        sealed_files.unseal(store.wal / f"{name}{ENDING}", target, secret)
    postgres.account.own(path)


@contextmanager
def serving(postgres: Postgres) -> Iterator[str]:
    """Run the database server alone for the block; gives the administrator's address."""
    process = services.start(postgres, postgres.folder)
    try:
        try:
            services.wait_ready(postgres, process, postgres.folder)
        except services.ServiceFailed as error:
            raise BackupBad(f"the restored cluster does not start: {error}") from error
        yield postgres.url(database="postgres")
    finally:
        end(process, postgres.stop_signals, patience=60)
        postgres.folder.remove_run()


def _wait_until_promoted(url: str) -> None:
    deadline = time.monotonic() + RECOVERED_WITHIN
    with psycopg.connect(url, autocommit=True) as session:
        while (row := session.execute("SELECT pg_is_in_recovery()").fetchone()) and row[0]:
            if time.monotonic() > deadline:
                raise BackupBad(f"the log was not applied within {RECOVERED_WITHIN:.0f} s")
            time.sleep(0.1)
        session.execute("CHECKPOINT")
