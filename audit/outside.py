"""Checkpoints kept outside the database: what its owner cannot rewrite with it."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path


class Outside:
    """A folder of checkpoint files: one a day to read back, and the latest by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def newest(self) -> Path:
        return self.folder / "latest"

    def latest(self) -> str | None:
        """Return the newest checkpoint, or None when there has been none."""
        return self.newest.read_text(encoding="utf-8") if self.newest.exists() else None

    def keep(self, note: str, *, day: str | None = None) -> None:
        """Add a checkpoint to the day's file and make it the latest, both flushed to disk."""
        day = day or datetime.now(UTC).strftime("%Y-%m-%d")
        _append(self.folder / f"{day}.jsonl", json.dumps(note, ensure_ascii=False) + "\n")
        fresh = self.newest.with_suffix(".new")
        _append(fresh, note, mode="w")
        fresh.replace(self.newest)

    def all(self) -> list[str]:
        """Return every kept checkpoint, oldest first."""
        return [
            json.loads(line)
            for path in sorted(self.folder.glob("*.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.endswith('"')  # a line cut by a crash was never acknowledged
        ]


def _append(path: Path, text: str, mode: str = "a") -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
