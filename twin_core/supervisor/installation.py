"""Bringing an installation up: the database made or migrated, the web's address chosen."""

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from twin_core.supervisor.folder import DataFolder, write_private
from twin_core.supervisor.roles import logins
from twin_core.supervisor.roster import CHECKOUT, INHERITED
from twin_core.supervisor.services import Services, log_of


class InstallationFailed(RuntimeError):
    """The installation cannot be brought up; the message says what to do."""


def schema_digest() -> str:
    """Return a digest over everything that decides roles, tables and triggers."""
    here = Path(__file__).parent
    files = [*CHECKOUT.glob("*/migrations/*.py"), here / "database.py", here / "roles.py"]
    total = hashlib.sha256()
    for file in sorted(files):
        total.update(file.name.encode() + b"\n" + file.read_bytes())
    return total.hexdigest()


def ensure_database(services: Services) -> None:
    """Run ``init_database`` on an embedded server, unless it has run for this schema already.

    A server of the site's own is an administrator's to initialise: its addresses are checked only.
    """
    logins(services.variables())
    admin_url = services.admin_url()
    marker = services.folder.path / "initialised"
    wanted = f"{schema_digest()}\n"
    if admin_url is None or (marker.exists() and marker.read_text() == wanted):
        return
    handed_on = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment = {
        **handed_on,
        **services.variables(),
        "TWIN_DATABASE_ADMIN_URL": admin_url,
        "TWIN_PROCESS": "init_database",
    }
    with log_of(services.folder, "init_database") as output:
        done = subprocess.run(
            [sys.executable, str(CHECKOUT / "manage.py"), "init_database"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise InstallationFailed(
            f"the database could not be made: see {services.folder.logs / 'init_database.log'}"
        )
    write_private(marker, wanted)


def choose_port(folder: DataFolder, wanted: int | None) -> int:
    """Return the web's port: the wanted one, the last one, or a new one if that is taken."""
    if wanted is not None:
        if not is_free(wanted):
            raise InstallationFailed(f"port {wanted} is taken: choose another with --port")
        return wanted
    last = last_port(folder)
    return last if last is not None and is_free(last) else free_port()


def last_port(folder: DataFolder) -> int | None:
    try:
        return int(folder.address.read_text().strip().rpartition(":")[2])
    except (OSError, ValueError):
        return None


def keep_address(folder: DataFolder, port: int) -> str:
    """Store and return the web's address, by name: an IP address is no passkey origin."""
    address = f"http://localhost:{port}"
    write_private(folder.address, f"{address}\n")
    return address


def local_addresses() -> list[tuple[socket.AddressFamily, str]]:
    """Return every address that the name localhost stands for here."""
    found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    return sorted({(family, str(address[0])) for family, _, _, _, address in found})


def is_free(port: int) -> bool:
    """Return whether a server may listen on the port on all of localhost's addresses."""
    for family, host in local_addresses():
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port() -> int:
    """Return a port that is free on all of localhost's addresses."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if is_free(port):
            return port
    raise InstallationFailed("no free port was found on localhost")
