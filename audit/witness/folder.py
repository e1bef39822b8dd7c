"""A witness's folder: its key, the logs it accepts, its state, and where it listens.

witness.key  witness.pub  logs.txt  state.sqlite3  address
"""

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import checkpoint
from audit.witness.state import State

_PEM = (
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)


class FolderRefused(RuntimeError):
    """The folder cannot be used as it is; the message says what to do."""


class Folder:
    """One witness's folder; ``make`` it once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.key_file, self.public_file = path / "witness.key", path / "witness.pub"
        self.logs_file, self.state_file = path / "logs.txt", path / "state.sqlite3"
        self.address_file = path / "address"

    @classmethod
    def make(cls, path: Path, name: str) -> "Folder":
        """Make a key under ``name`` and an empty state; raises FolderRefused where one is."""
        folder = cls(path)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.key_file.exists() or folder.state_file.exists():
            raise FolderRefused(f"{path} has a witness already: choose another folder")
        key = Ed25519PrivateKey.generate()
        public = checkpoint.cosigning_key(name, key)
        State.make(folder.state_file)
        _write(folder.public_file, f"{public}\n")
        _write(folder.key_file, key.private_bytes(*_PEM).decode())
        return folder

    @property
    def public(self) -> checkpoint.PublicKey:
        """The witness's public key, as those who trust it are given it."""
        try:
            return checkpoint.parse_vkey(self.public_file.read_text(encoding="utf-8").strip())
        except FileNotFoundError as error:
            raise FolderRefused(
                f"{self.path} has no witness: make one with the command key"
            ) from error

    def key(self) -> Ed25519PrivateKey:
        """The private key; refused when others can read it or it is not the public one's."""
        public = self.public
        if stat.S_IMODE(self.key_file.stat().st_mode) & 0o077:
            raise FolderRefused(f"{self.key_file} is readable by others: chmod 600 it")
        key = serialization.load_pem_private_key(self.key_file.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise FolderRefused(f"{self.key_file} holds no Ed25519 key")
        if checkpoint.cosigning_key(public.name, key) != public:
            raise FolderRefused(f"{self.key_file} is not the key of {self.public_file}")
        return key

    def logs(self) -> dict[str, list[checkpoint.PublicKey]]:
        """Return the keys of each accepted log by its origin, read anew at each call."""
        found: dict[str, list[checkpoint.PublicKey]] = {}
        if self.logs_file.exists():
            for line in self.logs_file.read_text(encoding="utf-8").splitlines():
                if line and not line.startswith("#"):
                    vkey, _, origin = line.partition(" ")
                    found.setdefault(origin, []).append(checkpoint.parse_vkey(vkey))
        return found

    def accept(self, origin: str, vkey: str) -> bool:
        """Accept checkpoints of ``origin`` that this key signed; False when it was accepted."""
        key = checkpoint.parse_vkey(vkey)
        if not origin or origin != origin.strip() or not origin.isprintable():
            raise FolderRefused(f"{origin!r} is no origin: it is the first line of a checkpoint")
        if key.algorithm == checkpoint.COSIGNATURE:
            raise FolderRefused(f"{key.name} is a witness's key: a log is accepted by its own")
        known = self.logs()
        if key in known.get(origin, ()):
            return False
        lines = [f"{one} {name}\n" for name, keys in known.items() for one in keys]
        _write(self.logs_file, "".join([*lines, f"{key} {origin}\n"]))
        return True

    def last_port(self) -> int:
        """Return the port of the last time, 0 when there was none."""
        try:
            return int(self.address_file.read_text(encoding="ascii").strip().rpartition(":")[2])
        except (FileNotFoundError, ValueError):
            return 0

    def note_address(self, address: str) -> None:
        _write(self.address_file, f"{address}\n")


def _write(path: Path, text: str) -> None:
    """Replace a file in one step by one of mode 0600, on disk when this returns."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
