"""The services of one data folder, and the variables that lead to them."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Protocol

import psutil

from twin_core.supervisor import envfile
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.postgres import Postgres
from twin_core.supervisor.roles import MLFLOW, ROLES
from twin_core.supervisor.secrets import Secrets, load_or_make
from twin_core.supervisor.spawning import end, spawn
from twin_core.supervisor.valkey import Valkey

DATABASE = "twin"
MLFLOW_DATABASE = "mlflow"
# Not handed on: an administrator's address, the name of one process, another folder.
PER_PROCESS = {"TWIN_DATABASE_ADMIN_URL", "TWIN_PROCESS", "TWIN_DATA_DIR"}
LEFTOVERS_END_WITHIN = 20.0  # seconds
READY_WITHIN = 60.0  # seconds; crash recovery included


def is_handed_on(name: str, value: str) -> bool:
    """Return whether a variable of ours is the site's own choice, for every process."""
    if name == "TWIN_PUBLIC_URL" and value.startswith("http://localhost:"):
        return False  # our own, of an earlier start: the port may be another by now
    return name.startswith("TWIN_") and name not in PER_PROCESS


class Service(Protocol):
    """A server program: what it needs before its start, and how to tell that it answers."""

    name: str
    death_signal: signal.Signals
    stop_signals: tuple[signal.Signals, ...]

    def leftovers(self) -> list[psutil.Process]: ...
    def prepare(self) -> None: ...
    def argv(self) -> list[str]: ...
    def env(self) -> dict[str, str]: ...
    def ready(self) -> bool: ...


class ServiceFailed(RuntimeError):
    """A service ended or did not answer in time; the message names its log."""


class Services:
    """PostgreSQL and Valkey of a data folder, each unless the environment names another."""

    def __init__(self, folder: DataFolder, environment: Mapping[str, str] | None = None) -> None:
        given = dict(os.environ if environment is None else environment)
        self.folder = folder
        self.external: dict[str, str] = {}
        self.note = folder.make()
        self.secrets: Secrets = load_or_make(folder)
        self.postgres: Postgres | None = Postgres(folder)
        self.valkey: Valkey | None = Valkey(folder, self.secrets.valkey)
        own = self.variables()  # a sourced env file leads back to ourselves
        if given.get("TWIN_DATABASE_URL", own["TWIN_DATABASE_URL"]) != own["TWIN_DATABASE_URL"]:
            self.postgres = None
        if given.get("TWIN_REDIS_URL", own["TWIN_REDIS_URL"]) != own["TWIN_REDIS_URL"]:
            self.valkey = None
        self.external = {name: value for name, value in given.items() if is_handed_on(name, value)}

    def embedded(self) -> list[Service]:
        return [service for service in (self.postgres, self.valkey) if service is not None]

    def admin_url(self) -> str | None:
        """Return the administrator's address of an embedded server (peer: no password)."""
        return None if self.postgres is None else self.postgres.url(database="postgres")

    def variables(self, database: str = DATABASE) -> dict[str, str]:
        """Return every TWIN_* that a process may need; what the environment sets stays."""
        made = {
            "TWIN_DATA_DIR": str(self.folder.path),
            "TWIN_SECRET_KEY": self.secrets.secret_key,
            "TWIN_LEDGER_ORIGIN": self.secrets.ledger_origin,
            "TWIN_LEDGER_KEY_FILE": str(self.folder.keys / "ledger.key"),
            "TWIN_WITNESSES": str(self.folder.path / "witnesses.txt"),
            "TWIN_PUBLIC_URL": self.public_url(),
        }
        if self.postgres is not None:
            made |= self.database_urls(self.postgres, database)
        if self.valkey is not None:
            made["TWIN_REDIS_URL"] = self.valkey.url()
        return made | self.external

    def database_urls(self, postgres: Postgres, database: str) -> dict[str, str]:
        passwords = vars(self.secrets)
        urls = {
            role.variable: postgres.url(
                role.name, passwords[role.name.removeprefix("twin_")], database=database
            )
            for role in ROLES
        }
        mlflow = postgres.url(MLFLOW.name, self.secrets.mlflow, database=MLFLOW_DATABASE)
        return urls | {MLFLOW.variable: mlflow}

    def public_url(self) -> str:
        """Return the web's address as it was last given out."""
        if self.folder.address.exists():
            return self.folder.address.read_text().strip()
        return "http://localhost:8000"

    def write_env(self) -> None:
        """Write the folder's env file, without the administrator's address."""
        envfile.write(self.folder, self.variables())


def start(service: Service, folder: DataFolder) -> "subprocess.Popen[bytes]":
    """Start one service without waiting for it; its output goes to ``logs/NAME.log``."""
    wait_for_leftovers(service)
    service.prepare()
    with log_of(folder, service.name) as output:
        return spawn(
            service.argv(),
            env=service.env(),
            output=output,
            account=folder.account,
            death_signal=service.death_signal,
            cwd=folder.services,
        )


def wait_for_leftovers(service: Service) -> None:
    """Wait until no process of an earlier server works on the data, or raise ServiceFailed."""
    deadline = time.monotonic() + LEFTOVERS_END_WITHIN
    while left := service.leftovers():
        if time.monotonic() > deadline:
            numbers = ", ".join(str(process.pid) for process in left)
            raise ServiceFailed(
                f"{service.name} still runs on this data: process {numbers}; end it first"
            )
        time.sleep(0.05)


def log_of(folder: DataFolder, name: str) -> BinaryIO:
    descriptor = os.open(folder.logs / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab")


def wait_ready(service: Service, process: "subprocess.Popen[bytes]", folder: DataFolder) -> None:
    """Return when the service answers; raise ServiceFailed when it ends or takes too long."""
    log = folder.logs / f"{service.name}.log"
    deadline = time.monotonic() + READY_WITHIN
    while not service.ready():
        if (status := process.poll()) is not None:
            raise ServiceFailed(f"{service.name} ended with status {status}: see {log}")
        if time.monotonic() > deadline:
            end(process, service.stop_signals, patience=5)
            raise ServiceFailed(f"{service.name} did not answer in {READY_WITHIN:.0f} s: see {log}")
        time.sleep(0.02)


@contextlib.contextmanager
def running(services: Services) -> Iterator[Services]:
    """Run the embedded services for the length of the block (the caller holds the lock)."""
    started: list[tuple[Service, subprocess.Popen[bytes]]] = []
    try:
        for service in services.embedded():
            process = start(service, services.folder)
            started.append((service, process))
            wait_ready(service, process, services.folder)
        services.write_env()
        yield services
    finally:
        for service, process in reversed(started):
            end(process, service.stop_signals, patience=20)
        services.folder.remove_run()
