"""The working folder of an export: what is written so far, with digests, so that it can go on.

Long files grow by parts. A part counts once its line stands in the journal, and the line is
written after the part is on disk; what lies beyond the last line is cut off when work goes on.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from audit.exports.filters import ExportRefused

STEP = 1 << 20  # bytes read at a time
JOURNAL, CUT, BUNDLE = "journal.jsonl", "cut.json", "bundle"


class Journal:
    """One working folder; ``digests`` holds the finished files by their name in the bundle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bundle = folder / BUNDLE
        self.bundle.mkdir(parents=True, exist_ok=True)
        self.digests: dict[str, str] = {}
        self.facts: dict[str, Any] = {}  # what was noted beside files, by its name
        self.parts: list[dict[str, Any]] = []  # parts of the growing files, in order
        self.running: dict[str, Any] = {}  # the hash of each growing file as far as it counts
        self._read()
        self._cut_off()

    # ------------------------------------------------------------------ what is there
    def _read(self) -> None:
        path = self.folder / JOURNAL
        kept = b""
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else []:
            if not line.endswith(b"\n") or not self._take(orjson.loads(line)):
                break
            kept += line
        replace_file(path, kept)

    def _take(self, entry: dict[str, Any]) -> bool:
        """Take over what a line says; False when what it tells of is not there as it was."""
        if "file" in entry:
            path = self.bundle / entry["file"]
            if not path.is_file() or digest_of(path) != entry["sha256"]:
                return False
            self.digests[entry["file"]] = entry["sha256"]
        elif "part" in entry:
            running = {name: self._hash(name, *told) for name, told in entry["part"].items()}
            if None in running.values():
                return False
            self.running = running
            self.parts.append(entry)
        else:
            self.facts.update(entry["fact"])
        return True

    def _hash(self, name: str, size: int, sha256: str) -> Any:
        """Return the hash of a growing file up to ``size``; None when it is another one."""
        path, start = self.bundle / name, self.size_of(name)
        if not path.is_file() or path.stat().st_size < size:
            return None
        known = self.running.get(name)
        digest = known.copy() if known else hashlib.sha256()
        hash_file(path, digest, start, size)
        return digest if digest.hexdigest() == sha256 else None

    def size_of(self, name: str) -> int:
        """Return how much of a growing file counts, in bytes."""
        return self.parts[-1]["part"][name][0] if self.parts else 0

    def _cut_off(self) -> None:
        """Remove what no line of the journal tells of."""
        growing = self.parts[-1]["part"] if self.parts else {}
        for path in sorted(self.bundle.rglob("*")):
            name = path.relative_to(self.bundle).as_posix()
            if path.is_file() and name not in self.digests:
                if name in growing:
                    os.truncate(path, growing[name][0])
                else:
                    path.unlink()

    # ------------------------------------------------------------------ going on
    def note(self, **facts: Any) -> None:
        self.facts.update(facts)
        self.add({"fact": facts})

    def add(self, entry: dict[str, Any]) -> None:
        with (self.folder / JOURNAL).open("ab") as file:
            file.write(orjson.dumps(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file in one go, unless it is there already."""
        if name not in self.digests:
            with self.file(name) as file:
                for chunk in chunks:
                    file.write(chunk)

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        """Give a new file to write; it counts when the block ends well."""
        path = self.bundle / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb", buffering=STEP) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        self._count(name, digest_of(path))

    def finish(self, names: Iterable[str]) -> None:
        """Say that growing files are complete."""
        for name in names:
            self._count(name, self.running[name].hexdigest())

    def _count(self, name: str, digest: str) -> None:
        self.digests[name] = digest
        self.add({"file": name, "sha256": self.digests[name]})

    @contextmanager
    def growing(self, names: Iterable[str]) -> Iterator["Growing"]:
        files = Growing(self, list(names))
        try:
            yield files
        finally:
            files.close()


class Growing:
    """Files that grow together; ``commit`` makes what was put since the last one count.

    A part goes to disk while the next one is being written.
    """

    def __init__(self, journal: Journal, names: list[str]) -> None:
        self.journal = journal
        self.files = {name: (journal.bundle / name).open("ab", buffering=STEP) for name in names}
        for name in names:
            journal.running.setdefault(name, hashlib.sha256())
        self.disk = ThreadPoolExecutor(1, thread_name_prefix="export-disk")
        self.pending: Future[None] | None = None

    def put(self, name: str, chunk: bytes) -> None:
        self.files[name].write(chunk)
        self.journal.running[name].update(chunk)

    def commit(self, **facts: Any) -> None:
        """Put the part on disk, then its line into the journal, with ``facts`` beside."""
        part = {}
        for name, file in self.files.items():
            file.flush()
            part[name] = [file.tell(), self.journal.running[name].hexdigest()]
        self._wait()
        entry = {"part": part, **facts}
        self.pending = self.disk.submit(self._keep, entry)
        self.journal.parts.append(entry)

    def _keep(self, entry: dict[str, Any]) -> None:
        for file in self.files.values():
            os.fdatasync(file.fileno())
        self.journal.add(entry)

    def _wait(self) -> None:
        if self.pending is not None:
            self.pending.result()
            self.pending = None

    def close(self) -> None:
        """Wait until what was committed is on disk."""
        try:
            self._wait()
        finally:
            self.disk.shutdown()
            for file in self.files.values():
                file.close()


def digest_of(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    digest = hashlib.sha256()
    hash_file(path, digest, 0, path.stat().st_size)
    return digest.hexdigest()


def hash_file(path: Path, digest: Any, start: int, stop: int) -> None:
    """Feed the bytes of a file from ``start`` to ``stop`` to a hash."""
    left = stop - start
    with path.open("rb") as file:
        file.seek(start)
        while left > 0 and (chunk := file.read(min(STEP, left))):
            digest.update(chunk)
            left -= len(chunk)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def refuse_other(folder: Path, cut: bytes) -> None:
    """Keep the cut in a new working folder; refuse one that another export has begun."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CUT
    if not path.exists():
        replace_file(path, cut)
    elif path.read_bytes() != cut:
        raise ExportRefused(f"{folder} holds the beginning of another export; remove it first")
