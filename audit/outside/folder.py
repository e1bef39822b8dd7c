"""Checkpoints kept outside the database: what its owner cannot rewrite with it."""

import json
import os
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from audit import checkpoint
from audit.chain import epoch_of


class Outside:
    """A folder of checkpoint files: one a day to read back, and the latest by itself."""

    def __init__(self, folder: Path, *, make: bool = True) -> None:
        self.folder = folder
        self._one_at_a_time = threading.Lock()  # the sealer signs while the publisher publishes
        if make:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def newest(self) -> Path:
        return self.folder / "latest"

    def latest(self) -> str | None:
        """Return the last one kept, but no older one of the same log; None before the first."""
        return self.newest.read_text(encoding="utf-8") if self.newest.exists() else None

    def keep(self, note: str, *, day: str | None = None) -> None:
        """Add a checkpoint to the day's file, and make it the latest unless a larger tree is.

        Both are flushed to disk. A checkpoint may come again with more signature lines.
        """
        with self._one_at_a_time:
            self._keep(note, day or datetime.now(UTC).strftime("%Y-%m-%d"))

    def _keep(self, note: str, day: str) -> None:
        _append(self.folder / f"{day}.jsonl", json.dumps(note, ensure_ascii=False) + "\n")
        last = self.latest()
        if last is None or not is_older(note, last):
            fresh = self.newest.with_suffix(".new")
            _append(fresh, note, mode="w")
            fresh.replace(self.newest)

    def all(self) -> list[str]:
        """Return every kept checkpoint, oldest first; of one text that with the most lines."""
        return fullest(
            json.loads(line)
            for path in sorted(self.folder.glob("*.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.endswith('"')  # a line cut by a crash was never acknowledged
        )


def is_older(note: str, than: str) -> bool:
    """Whether a checkpoint is of a smaller tree of the same log, as one with later lines is."""
    one, other = checkpoint.parse(note), checkpoint.parse(than)
    return one.origin == other.origin and one.tree_size < other.tree_size


def age(note: str) -> tuple[int, int]:
    """Return (epoch, tree size): the later of two checkpoints of a ledger has the larger."""
    head = checkpoint.parse(note)
    return epoch_of(head.origin)[1], head.tree_size


def fullest(notes: Iterable[str]) -> list[str]:
    """Return one note for each text, the one with the most signature lines, in their order."""
    found: dict[str, str] = {}
    for note in notes:
        body = note.rpartition("\n\n")[0]
        if body not in found or note.count("\n") > found[body].count("\n"):
            found[body] = note
    return list(found.values())


def _append(path: Path, text: str, mode: str = "a") -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
