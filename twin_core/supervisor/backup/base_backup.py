"""A base backup: the whole cluster while it runs, and the files its database points at."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import psycopg

from audit.api import decode, software
from audit.recovery import sealed_files
from audit.recovery.sealed_files import BackupBad, FileFacts
from audit.recovery.wal import Segment
from twin_core.supervisor import database
from twin_core.supervisor.backup.store import CLUSTER, FILES, KEPT, KEYS, Counted, Store, pack
from twin_core.supervisor.postgres import installed_binaries

LAST_BLOCK = "SELECT header FROM audit_block ORDER BY number DESC LIMIT 1"
END = re.compile(r"end point: ([0-9A-F]+/[0-9A-F]+)")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup: where it lies, the digest of its manifest, and the manifest."""

    folder: Path
    digest: str
    manifest: dict[str, Any]


def back_up(
    store: Store,
    *,
    admin_url: str,
    twin: str,
    data: Path,
    recipient: str,
    seen: Callable[[int], Any] = int,
) -> Made:
    """Make a base backup of the server of ``admin_url`` and the files of the data folder.

    ``twin`` names the ledger's database. The head in the manifest is what the backup holds at
    least. Raises BackupBad; a backup that was broken off has no manifest and is no backup.
    """
    key = sealed_files.recipient_of(recipient)
    store.make()
    facts = facts_now(admin_url, twin)
    folder = store.new_base(facts["made_at"])
    cluster, end = copy_cluster(admin_url, folder / CLUSTER, key, seen)
    files = {CLUSTER: cluster, FILES: pack(data, KEPT, folder / FILES, key)}
    told = {
        **facts,
        "next_segment": str(Segment.holding(end, timeline=facts["timeline"]).next),
        "recipient": recipient,
        "software": software(),
    }
    digest = sealed_files.write_manifest(folder, told, files)
    return Made(folder, digest, {**told, "files": files})


def facts_now(admin_url: str, twin: str) -> dict[str, Any]:
    """Return moment, cluster, first log segment and the head of the ledger, before the copy."""
    with database.connect(admin_url, twin) as session:
        row = session.execute(
            "SELECT clock_timestamp(), system_identifier::text, timeline_id, "
            "pg_walfile_name(pg_current_wal_lsn()) "
            "FROM pg_control_system(), pg_control_checkpoint()"
        ).fetchone()
        header = session.execute(LAST_BLOCK).fetchone()
    assert row is not None
    made_at, system, timeline, segment = row
    return {
        "made_at": made_at,
        "twin": twin,
        "system_identifier": system,
        "timeline": timeline,
        "first_segment": segment,
        "tree_size": 0 if header is None else decode(header[0].encode())["tree_size"],
        "last_block": None if header is None else header[0],
    }


def copy_cluster(
    admin_url: str, path: Path, recipient: Any, seen: Callable[[int], Any]
) -> tuple[FileFacts, str]:
    """Stream pg_basebackup's tar through compression and encryption into ``path``.

    Returns its facts and the log position up to which the copy needs no archive.
    """
    command = [
        str(installed_binaries() / "pg_basebackup"),
        *("--dbname", psycopg.conninfo.make_conninfo(admin_url, application_name="twin_backup")),
        *("--pgdata", "-", "--format", "tar", "--wal-method", "fetch"),
        *("--checkpoint", "fast", "--manifest-checksums", "SHA256", "--no-password", "--verbose"),
    ]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        facts = sealed_files.seal(cast(IO[bytes], Counted(process.stdout, seen)), path, recipient)
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        path.unlink(missing_ok=True)
        raise BackupBad(f"pg_basebackup failed: {said}")
    ends = END.findall(said)
    if not ends:
        raise BackupBad(f"pg_basebackup did not say where the log ends: {said}")
    return facts, ends[-1]


def escrow_keys(data: Path, path: Path, recipient: str) -> FileFacts:
    """Seal the installation's keys and certificates into a file of their own."""
    if path.exists():
        raise BackupBad(f"{path} exists: keys are never written over others")
    return pack(data, KEYS, path, sealed_files.recipient_of(recipient))


def cluster_size(admin_url: str) -> int:
    """Return about how many bytes a copy of all databases will be."""
    with database.connect(admin_url) as session:
        row = session.execute("SELECT sum(pg_database_size(oid)) FROM pg_database").fetchone()
    return int(row[0]) if row else 0


def moment_of(manifest: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(manifest["made_at"])
