"""Write a bundle: a folder of records with all that is needed to check them elsewhere.

The writer puts down what it is given, as docs/design/records.md ("Bundle") says; whether it is
sound is for ``audit.verifier`` to judge, so that a tampered ledger can be exported as it stands.
"""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any, Literal

from audit import canonical
from audit.chain import Entry, Header
from audit.checkpoint import PublicKey

MANIFEST, MANIFEST_DIGEST = "manifest.json", "manifest.sha256"
TEXTS = ("README.txt", "fields.md", "verifier.py")
_TEXTS = Path(__file__).parent / "bundle_texts"
_VERIFIER = Path(__file__).parent / "verifier.py"
_HEX = re.compile(r"[0-9a-f]{64}")
_EXTRA = re.compile(
    r"tokens/(0|[1-9][0-9]*)\.(txt|tsr)|copies(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+|verifier\.html"
)

Chunks = Iterable[bytes]


class BundleRefused(ValueError):
    """The bundle cannot be written as asked; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a bundle says of itself."""

    origin: str
    scope: Literal["complete", "selection"]
    tree_size: int
    software: str
    created_at: datetime
    filters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What goes into a bundle. Iterables are read once, in the order of the ledger.

    ``entries`` yields (payload, entry) for each line of the index; the payload is None where a
    selection shows the index line alone. ``proofs`` yields (sequence, hashes) for each payload
    of a selection. ``blobs`` yields (hex digest, content), ``extras`` (path, content) for
    ``tokens/...``, ``copies/...`` and ``verifier.html``.
    """

    origin: str
    scope: Literal["complete", "selection"]
    tree_size: int
    software: str
    created_at: datetime
    entries: Iterable[tuple[bytes | None, Entry]]
    headers: Iterable[Header]
    checkpoints: Sequence[str]
    keys: Sequence[PublicKey]
    proofs: Iterable[tuple[int, Sequence[bytes]]] = ()
    blobs: Iterable[tuple[str, Chunks]] = ()
    extras: Iterable[tuple[str, Chunks]] = ()
    filters: dict[str, Any] = field(default_factory=dict)
    verifier: Path | None = _VERIFIER


def write(folder: Path, contents: Contents) -> str:
    """Write the bundle to ``folder`` and return the hex SHA-256 of its manifest.

    ``folder`` must not exist: it appears whole, by renaming, or not at all. Raises
    BundleRefused for contents that cannot make a bundle.
    """
    _refuse_impossible(folder, contents)
    with _appearing_whole(folder) as unfinished:
        files = Files(unfinished)
        _write_records(files, contents)
        _write_chain(files, contents)
        _write_attachments(files, contents)
        facts = facts_of(contents)
        write_texts(files, facts, keys=contents.keys, verifier=contents.verifier)
        return write_manifest(files, facts)


class Files:
    """Writes files below a folder and remembers their digests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: dict[str, str] = {}

    def has(self, name: str, digest: str) -> None:
        """Note a file that is written already, with the hex SHA-256 of its content."""
        self.digests[name] = digest

    def write(self, name: str, chunks: Chunks) -> None:
        if name in self.digests:
            raise BundleRefused(f"{name} was given twice")
        with self.stream(name) as put:
            for chunk in chunks:
                put(chunk)

    @contextmanager
    def stream(self, name: str) -> Iterator[Any]:
        """Give a function that appends bytes; the file is on disk when the block ends."""
        path, digest = self.folder / name, hashlib.sha256()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb", buffering=1 << 20) as file:

            def put(chunk: bytes) -> None:
                digest.update(chunk)
                file.write(chunk)

            yield put
            file.flush()
            os.fsync(file.fileno())
        self.digests[name] = digest.hexdigest()


def _refuse_impossible(folder: Path, contents: Contents) -> None:
    if folder.exists():
        raise BundleRefused(f"{folder} exists; name a folder that does not")
    if not contents.checkpoints:
        raise BundleRefused("no checkpoint covers these records; wait for the sealer, then export")
    if contents.scope == "complete" and contents.filters:
        raise BundleRefused("a complete bundle has no filters; export a selection")


@contextmanager
def _appearing_whole(folder: Path) -> Iterator[Path]:
    """Give a hidden folder beside the target; rename it at the end, remove it after an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.parent / f".{folder.name}.{secrets.token_hex(6)}.part"
    unfinished.mkdir()
    try:
        yield unfinished
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_records(files: Files, contents: Contents) -> None:
    with files.stream("records.jsonl") as put_record, files.stream("index.jsonl") as put_entry:
        for payload, entry in contents.entries:
            put_entry(entry.line + b"\n")
            if payload is not None:
                put_record(payload + b"\n")
            elif contents.scope == "complete":
                raise BundleRefused(f"a complete bundle lacks the record {entry.sequence}")
    if contents.scope == "selection":
        files.write("proofs.jsonl", (_proof_line(*proof) for proof in contents.proofs))


def _proof_line(sequence: int, hashes: Sequence[bytes]) -> bytes:
    return canonical.encode({"hashes": list(hashes), "sequence": sequence}) + b"\n"


def _write_chain(files: Files, contents: Contents) -> None:
    files.write("blocks.jsonl", (header.encode() + b"\n" for header in contents.headers))
    notes = (canonical.encode(note) + b"\n" for note in contents.checkpoints)
    files.write("checkpoints.jsonl", notes)
    files.write("keys.txt", (f"{key}\n".encode() for key in contents.keys))


def _write_attachments(files: Files, contents: Contents) -> None:
    for digest, chunks in contents.blobs:
        if not _HEX.fullmatch(digest):
            raise BundleRefused(f"{digest!r} is not a hex SHA-256, so it names no blob")
        files.write(f"blobs/{digest}", chunks)
    for name, chunks in contents.extras:
        if not _EXTRA.fullmatch(name):
            raise BundleRefused(f"{name!r} has no place in a bundle")
        files.write(name, chunks)


def facts_of(contents: Contents) -> Facts:
    """Return what the manifest and the README say of these contents."""
    return Facts(
        origin=contents.origin,
        scope=contents.scope,
        tree_size=contents.tree_size,
        software=contents.software,
        created_at=contents.created_at,
        filters=contents.filters,
    )


def write_texts(
    files: Files, facts: Facts, *, keys: Sequence[PublicKey], verifier: Path | None = _VERIFIER
) -> None:
    """Write what explains the bundle, and the checker unless ``verifier`` is None."""
    readme = Template((_TEXTS / "README.txt").read_text("utf-8"))
    said = {
        **asdict(facts),
        "created_at": canonical.timestamp(facts.created_at),
        "keys": "\n".join(f"    {key}" for key in keys),
    }
    files.write("README.txt", [readme.substitute(said).encode()])
    files.write("fields.md", [(_TEXTS / "fields.md").read_bytes()])
    if verifier is not None:
        files.write("verifier.py", [verifier.read_bytes()])


def write_manifest(files: Files, facts: Facts) -> str:
    """Write the manifest over every file so far, last of all; return its hex SHA-256."""
    manifest = {"bundle": 1, **asdict(facts), "files": dict(files.digests)}
    files.write(MANIFEST, [canonical.encode(manifest)])
    digest = files.digests[MANIFEST]
    files.write(MANIFEST_DIGEST, [f"{digest}  {MANIFEST}\n".encode()])
    return digest
