"""The data folder: what lies where, and who may look at it.

    env  address  status.json  lock  in-use     files, mode 0600
    keys/ logs/ checkpoints/                    folders, mode 0700
    services/                                   PostgreSQL and Valkey, of their account
    run/                                        sockets

Run as root, services drop to an unprivileged account that must pass through the folder on the way
to its own part: the folder is then 0710 with that account's group, and 0700 otherwise. Where a
folder above it keeps the account out (a checkout in /root), the services' part lies in /var/lib.
"""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from twin_core.supervisor.account import Account, can_reach, service_account

PRODUCT = "pharma-digital-twin"
SYSTEM_HOME = Path("/var/lib") / PRODUCT
LONGEST_SOCKET_PATH = 99  # characters; the kernel's own limit is 107 on Linux, 103 on macOS
LONGEST_SOCKET_NAME = "postgres/.s.PGSQL.5432.lock"


class FolderInUse(RuntimeError):
    """Another process has started the services of this data folder."""


def write_private(path: Path, text: str, *, account: Account | None = None) -> None:
    """Replace ``path`` in one step by a file of mode 0600 (of ``account`` when given)."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if account is not None:
        account.own(scratch)
    scratch.replace(path)


def make_private(path: Path, account: Account | None = None) -> Path:
    """Make the folder with mode 0700 if there is none yet, and return it."""
    if not path.exists():
        path.mkdir(mode=0o700)
        if account is not None:
            account.own(path)
    return path


@dataclass(frozen=True)
class DataFolder:
    """One installation's data; ``make`` before use."""

    path: Path

    @property
    def env(self) -> Path:
        return self.path / "env"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def status(self) -> Path:
        return self.path / "status.json"

    @property
    def address(self) -> Path:
        return self.path / "address"

    @cached_property
    def account(self) -> Account:
        return service_account()

    @cached_property
    def services(self) -> Path:
        """The folder that holds the services' data, inside ours unless it says otherwise."""
        pointer = self.path / "services.path"
        return Path(pointer.read_text().strip()) if pointer.exists() else self.path / "services"

    @cached_property
    def run(self) -> Path:
        """The folder for sockets: with the services, or a short one where that path is too long."""
        usual = self.services / "run"
        if len(str(usual / LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            return usual
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()
        return Path(tempfile.gettempdir()) / f"twin-{os.geteuid()}-{digest[:12]}"

    def make(self) -> str | None:
        """Make what is missing; return a sentence when the services' data had to go elsewhere."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        note = None
        if self.account.drop:
            note = self._make_room_for_account()
        for folder in (self.keys, self.logs, self.path / "checkpoints"):
            make_private(folder)
        make_private(self.services, self.account)
        return note

    def _make_room_for_account(self) -> str | None:
        if (self.path / "services.path").exists():
            return None
        if can_reach(self.account, self.path):
            os.chown(self.path, 0, self.account.gid)
            self.path.chmod(0o710)
            return None
        home = free_home(self.path)
        write_private(self.path / "services.path", f"{home}\n")
        self.__dict__.pop("services", None)  # the answer cached before the pointer was there
        return f"the account {self.account.name} cannot reach {self.path}: services keep {home}"

    def make_run(self) -> Path:
        """Make the folder for sockets; refuse one that another user has put in its place."""
        run = make_private(self.run, self.account)
        if run.is_symlink() or run.stat().st_uid not in {self.account.uid, os.geteuid()}:
            raise FolderInUse(f"{run} belongs to another user; remove it or set TMPDIR")
        return run

    def remove_run(self) -> None:
        """Remove a socket folder that lies outside the services' folder."""
        if self.run.parent != self.services and self.run.exists():
            for part in sorted(self.run.rglob("*"), reverse=True):
                part.rmdir() if part.is_dir() else part.unlink()
            self.run.rmdir()

    @contextlib.contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Hold the folder for one starter of services; raise FolderInUse when another has it."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = file.read().strip() or "another process"
                raise FolderInUse(
                    f"{self.path} is in use by {holder}; stop it first, or choose another folder "
                    "with --data DIR"
                ) from None
            file.seek(0)
            file.truncate()
            file.write(f"{what} (process {os.getpid()})\n")
            file.flush()
            yield

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Say that a command uses the running services: their starter waits for its end."""
        with (self.path / "in-use").open("a") as file:
            os.fchmod(file.fileno(), 0o600)
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    @contextlib.contextmanager
    def unused(self) -> Iterator[None]:
        """Wait until no command uses the services, and let none begin to for the block."""
        with (self.path / "in-use").open("a") as file:
            os.fchmod(file.fileno(), 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def free_home(data: Path) -> Path:
    """Return a folder below /var/lib that no earlier data folder of this path has left."""
    SYSTEM_HOME.mkdir(mode=0o755, exist_ok=True)
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    candidates = (SYSTEM_HOME / f"{digest}-{n}" for n in range(1, 1000))
    return next(c for c in candidates if not c.exists())
