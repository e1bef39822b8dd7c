"""The action log of a plant process: what happened to a batch, on disk before it happens.

One file a batch, one JSON object a line, flushed to the disk before the plant moves. A plant is a
function of seed, recipe and actions; so playing the file again gives the very same batch, and a
killed process continues where it was. A line cut short by a crash never happened.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "batch-{:06d}.jsonl"


class JournalBroken(ValueError):
    """The log cannot be read; the text names file and line."""


class Journal:
    """The logs of one plant, in one folder; one process at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file: int | None = None

    def numbers(self) -> list[int]:
        """Return the numbers of the batches that ever started, in order."""
        return sorted(int(path.stem.split("-")[1]) for path in self._folder.glob("batch-*.jsonl"))

    def read(self, number: int) -> list[dict[str, Any]]:
        """Return the entries of a batch; a last line without its end is dropped."""
        path = self._path(number)
        entries = []
        whole = path.read_bytes()
        for place, line in enumerate(whole[: whole.rfind(b"\n") + 1].splitlines(), start=1):
            try:
                entries.append(json.loads(line))
            except ValueError as error:
                raise JournalBroken(f"{path}, line {place}: {error}") from error
        return entries

    def open(self, number: int) -> None:
        """Append to this batch from now on; cuts off a line that a crash left without its end."""
        self.close()
        path = self._path(number)
        whole = path.read_bytes() if path.exists() else b""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, whole.rfind(b"\n") + 1)
        os.lseek(self._file, 0, os.SEEK_END)
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)  # the new name itself survives a crash
        os.close(folder)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one entry and wait until the disk has it."""
        if self._file is None:
            raise RuntimeError("no batch is open")
        os.write(self._file, json.dumps(entry, allow_nan=False).encode() + b"\n")
        os.fsync(self._file)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _path(self, number: int) -> Path:
        return self._folder / NAME.format(number)
