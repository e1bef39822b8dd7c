"""Files of a backup: compressed, then encrypted with age to a public key, and named by SHA-256.

Who makes a backup needs the recipient alone, who reads it the identity. Nothing lies on the disk
in clear on the way.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import pyrage
import zstandard

from audit import canonical

ENDING = ".zst.age"
MANIFEST, DIGEST = "manifest.json", "manifest.sha256"
PART = 1 << 20  # bytes read at a time


class BackupBad(Exception):
    """A backup or a key that cannot be used; the message says which part and why."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    sha256: str
    size: int  # bytes


class _Hashing:
    """A writer that knows the digest of what went through it."""

    def __init__(self, target: IO[bytes]) -> None:
        self.target, self.digest, self.size = target, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        self.target.write(data)
        return len(data)

    def flush(self) -> None:
        self.target.flush()


def recipient_of(text: str) -> Any:
    """Return the public key of ``age1...``; raises BackupBad for another text."""
    try:
        return pyrage.x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError as error:
        raise BackupBad(f"{text[:80]!r} is no age recipient (age1...): {error}") from error


def identity_in(path: Path) -> Any:
    """Return the secret key of an identity file as age-keygen writes it."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    keys = [line.strip() for line in lines if line.startswith("AGE-SECRET-KEY-")]
    try:
        [only] = keys
        return pyrage.x25519.Identity.from_str(only)
    except (ValueError, pyrage.IdentityError) as error:
        raise BackupBad(f"{path} holds no age identity (AGE-SECRET-KEY-...)") from error


def make_identity(path: Path) -> str:
    """Write a new identity to ``path`` (mode 0600, never over another); return its recipient."""
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    text = f"# public key: {recipient}\n{identity}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return recipient


def seal(source: IO[bytes], path: Path, recipient: Any) -> FileFacts:
    """Compress and encrypt a stream into ``path``, which appears whole and flushed to disk."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            target = _Hashing(file)
            packed = zstandard.ZstdCompressor(level=3).stream_reader(source, closefd=False)
            pyrage.encrypt_io(packed, target, [recipient])
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        _sync(path.parent)
    finally:
        scratch.unlink(missing_ok=True)
    return FileFacts(target.digest.hexdigest(), target.size)


def _sync(folder: Path) -> None:
    """Flush a folder's names to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unseal(path: Path, target: IO[bytes], identity: Any) -> None:
    """Decrypt and unpack ``path`` into a stream; raises BackupBad when it is damaged or cut."""
    try:
        with path.open("rb") as file:
            unpacking = zstandard.ZstdDecompressor().stream_writer(target, closefd=False)
            pyrage.decrypt_io(file, unpacking, [identity])
    except (pyrage.DecryptError, zstandard.ZstdError, OSError) as error:
        raise BackupBad(f"{path.name} does not open: {error}") from error


@contextmanager
def unsealed(path: Path, identity: Any) -> Iterator[IO[bytes]]:
    """Give the decrypted content as a stream to read; a damaged one raises at the end, too."""
    reading, writing = os.pipe()
    failures: list[BaseException] = []

    def work() -> None:
        with os.fdopen(writing, "wb") as target:
            try:
                unseal(path, target, identity)
            except BackupBad as error:
                failures.append(error)
            except BrokenPipeError:
                pass  # the reader has had enough

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with os.fdopen(reading, "rb") as source:
            yield source
            while source.read(PART):  # to the end: the last part proves that nothing is cut
                pass
    finally:
        thread.join()
        if failures:
            raise failures[0]


def digest_of(path: Path) -> FileFacts:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return FileFacts(found, path.stat().st_size)


def write_manifest(folder: Path, facts: dict[str, Any], files: dict[str, FileFacts]) -> str:
    """Write the manifest and its digest; return the digest (hex)."""
    told = {name: asdict(each) for name, each in files.items()}
    text = canonical.encode({"v": 1, **facts, "files": told})
    digest = hashlib.sha256(text).hexdigest()
    (folder / MANIFEST).write_bytes(text)
    (folder / DIGEST).write_text(f"{digest}  {MANIFEST}\n", encoding="ascii")
    for name in (MANIFEST, DIGEST):
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())
    return digest


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a backup, every file of it compared; raises BackupBad."""
    try:
        text = (folder / MANIFEST).read_bytes()
        digest = (folder / DIGEST).read_bytes()
    except OSError as error:
        raise BackupBad(f"{folder}: {error.strerror}: {error.filename}") from error
    if digest != f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode():
        raise BackupBad(f"{folder / MANIFEST} is not what {DIGEST} says")
    manifest: dict[str, Any] = json.loads(text)
    _check_files(folder, manifest["files"])
    return manifest


def _check_files(folder: Path, files: dict[str, Any]) -> None:
    for name, told in files.items():
        path = folder / name
        if not path.is_file():
            raise BackupBad(f"{path} is missing")
        if asdict(digest_of(path)) != told:
            raise BackupBad(f"{path} was changed or cut since the backup was made")
    there = {path.name for path in folder.iterdir()} - {MANIFEST, DIGEST}
    if added := sorted(there - set(files)):
        raise BackupBad(f"{folder / added[0]} does not belong to the backup")
