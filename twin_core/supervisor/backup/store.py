"""What lies where in the folder that backups go to.

base/<moment>/   cluster.tar.zst.age  files.tar.zst.age  manifest.json  manifest.sha256
wal/             one encrypted file a log segment, and archived.json
checkpoints/     the outside checkpoints, as they are: they are public
"""

import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

from audit.recovery import archive, sealed_files
from audit.recovery.archive import STATE
from audit.recovery.sealed_files import ENDING, BackupBad, FileFacts
from audit.recovery.wal import Archived

CLUSTER, FILES = f"cluster.tar{ENDING}", f"files.tar{ENDING}"
# Of the data folder, beside the cluster: what the database points at, and how it was set up.
KEPT = ("mlflow", "checkpoints", "initialised")
KEYS = ("keys", "certificates")  # apart, in the escrow


@dataclass(frozen=True)
class Store:
    """The folder that backups go to: on another disk than the data, better on another machine."""

    path: Path

    @property
    def wal(self) -> Path:
        return self.path / "wal"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def make(self) -> None:
        for folder in (self.path, self.path / "base", self.wal, self.checkpoints):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def new_base(self, now: datetime) -> Path:
        folder = self.path / "base" / f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        folder.mkdir(mode=0o700)
        return folder

    def bases(self) -> list[Path]:
        """Return the finished base backups, the oldest first."""
        return archive.bases(self.path)

    def newest_base(self) -> Path:
        """Return the newest finished base backup; raises BackupBad when there is none."""
        bases = self.bases()
        if not bases:
            raise BackupBad(f"{self.path} holds no finished backup: run manage.py backup")
        return bases[-1]

    def segments(self) -> list[str]:
        """Return the names of the archived log segments, partial ones too."""
        return archive.segments(self.path)

    def archived(self) -> Archived | None:
        """Return how far the archive goes, as its process has told last."""
        return archive.archived(self.path)

    def tell_archived(self, archived: Archived) -> None:
        scratch = self.wal / f".{STATE}"
        told = {"until": archived.until.isoformat(), "lsn": archived.lsn}
        scratch.write_text(json.dumps(told), encoding="ascii")
        scratch.replace(self.wal / STATE)


def pack(root: Path, names: Iterable[str], path: Path, recipient: Any) -> FileFacts:
    """Seal the named files and folders below ``root`` into a tar of ``path``."""
    reading, writing = os.pipe()

    def work() -> None:
        with os.fdopen(writing, "wb") as target, tarfile.open(fileobj=target, mode="w|") as tar:
            for name in names:
                if (root / name).exists():
                    tar.add(root / name, arcname=name)

    thread = threading.Thread(target=work)
    thread.start()
    with os.fdopen(reading, "rb") as source:
        facts = sealed_files.seal(source, path, recipient)
    thread.join()
    return facts


def unpack(path: Path, into: Path, identity: Any, seen: Callable[[int], Any] = int) -> list[Path]:
    """Unpack a sealed tar below ``into``; return what came out. Raises BackupBad."""
    made = []
    with sealed_files.unsealed(path, identity) as source:
        try:
            with tarfile.open(fileobj=cast(IO[bytes], Counted(source, seen)), mode="r|") as tar:
                for member in tar:
                    tar.extract(member, into, filter="data", set_attrs=True)
                    made.append(into / member.name)
        except tarfile.TarError as error:
            raise BackupBad(f"{path.name} holds no readable archive: {error}") from error
    return made


class Counted:
    """A stream to read that says how many bytes went through."""

    def __init__(self, source: IO[bytes], seen: Callable[[int], Any]) -> None:
        self.source, self.seen = source, seen

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(size)
        self.seen(len(data))
        return data
