"""Whether a backup is one: it is restored, started, recomputed, and held to what is outside."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from audit.api import Verification, verify_against
from audit.recovery import escrow, sealed_files
from audit.recovery.sealed_files import BackupBad
from twin_core.supervisor import database
from twin_core.supervisor.backup.references import dangling
from twin_core.supervisor.backup.restoring import Opening, restore, serving
from twin_core.supervisor.backup.store import Store
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.postgres import Postgres

MOST_TOLD = 20  # flaws in the record of a failed verification


@dataclass
class Report:
    """What was found; a backup is good when there is no flaw."""

    base: str
    flaws: list[str] = field(default_factory=list)
    records: int = 0
    checkpoints: int = 0
    complete_until: str | None = None
    keys_checked: bool = False

    @property
    def is_good(self) -> bool:
        return not self.flaws

    def as_told(self) -> dict[str, Any]:
        return {
            "backup": self.base,
            "flaws": [flaw[:300] for flaw in self.flaws[:MOST_TOLD]],
            "flaw_count": len(self.flaws),
            "records": self.records,
            "checkpoints": self.checkpoints,
            "complete_until": self.complete_until,
            "keys_checked": self.keys_checked,
        }


@dataclass(frozen=True)
class Trust:
    """What a restored ledger is held to: public keys, checkpoints from outside, MLflow's place."""

    keys_file: Path
    checkpoints: list[str]
    origin: str
    mlflow: str | None = None


def verify_backup(
    store: Store,
    opening: Opening,
    *,
    trust: Trust,
    base: Path | None = None,
    seen: Callable[[int], Any] = int,
) -> Report:
    """Restore the newest backup (or ``base``) into a temporary folder and check all of it.

    Never raises for what is wrong with the backup: it is in the report.
    """
    name = base.name if base else "none"
    with tempfile.TemporaryDirectory(prefix="twin-trial-") as place:
        report = Report(name)
        Path(place).chmod(0o711)  # the server's account passes through; the data folder is closed
        try:
            chosen = base or store.newest_base()
            report.base = chosen.name
            folder = DataFolder(Path(place) / "data")
            _check(report, store, chosen, folder, opening, trust, seen)
        except BackupBad as error:
            report.flaws.append(str(error))
    return report


def _check(
    report: Report,
    store: Store,
    base: Path,
    folder: DataFolder,
    opening: Opening,
    trust: Trust,
    seen: Callable[[int], Any],
) -> None:
    done = restore(store, folder, opening, base=base, seen=seen)
    report.complete_until = done.facts["complete_until"]
    report.flaws += [f"log segment {name} is missing" for name in done.missing_segments]
    manifest = sealed_files.read_manifest(base)
    with serving(Postgres(folder)) as url:
        result = _verify(url, manifest, trust)
        report.records, report.checkpoints = result.records, result.checkpoints
        report.flaws += _flaws_of(result, manifest)
        with contextlib.ExitStack() as stack:
            twin = stack.enter_context(database.connect(url, manifest["twin"]))
            mlflow = stack.enter_context(_session_on(url, trust.mlflow))
            report.flaws += dangling(twin, mlflow, folder.path)
    if opening.keys is not None:
        key, keys_file = folder.keys / "ledger.key", trust.keys_file
        if flaw := escrow.flaw_of_key(key, origin=trust.origin, keys_file=keys_file):
            report.flaws.append(flaw)
        report.keys_checked = True


def _verify(url: str, manifest: dict[str, Any], trust: Trust) -> Verification:
    with database.django_connected(url, database=manifest["twin"]):
        return verify_against(trust.keys_file, trust.checkpoints)


def _flaws_of(result: Verification, manifest: dict[str, Any]) -> Iterator[str]:
    if result.finding is not None:
        yield f"the ledger: {result.finding.place}: {result.finding.what}"
    if manifest["tree_size"] > result.records:
        yield f"the ledger ends after {result.records} records, it had {manifest['tree_size']}"


@contextlib.contextmanager
def _session_on(url: str, name: str | None) -> Iterator[psycopg.Connection[Any] | None]:
    """Give a session on a database, or None where the cluster has none of this name."""
    with database.connect(url) as server:
        known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if name is None or not known:
        yield None
        return
    with database.connect(url, name) as session:
        yield session
