"""A PostgreSQL server of a test's own, to kill, freeze, fill and damage.

One cluster is made for all tests of a session and stopped; each test works on a copy. The clients
write through the product's own ``ledger.append`` and keep their own list of what was acknowledged.
"""

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import DatabaseError, InterfaceError, connection, connections, transaction

from audit import checkpoint, ledger, sealer, verification
from audit.models import Record
from audit.outcomes.once import OutcomeUnknown
from audit.outside import Outside
from tests.services import fresh_folder
from twin_core.config.environment import database_settings
from twin_core.supervisor import database, services
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.postgres import Postgres
from twin_core.supervisor.spawning import end

FORK = multiprocessing.get_context("fork")
ORIGIN = "localhost/ledger/faults"
NAME = "twin"
FASTER = ("max_connections=120", "shared_buffers=32MB", "autovacuum=off", "restart_after_crash=on")
TAKEN = ("USER", "PASSWORD", "HOST", "PORT", "NAME", "OPTIONS")


class Server(Postgres):
    """The product's server with settings and environment of the test."""

    def __init__(self, folder: DataFolder) -> None:
        super().__init__(folder)
        self.settings: list[str] = list(FASTER)
        self.variables: dict[str, str] = {}

    def argv(self) -> list[str]:
        return [*super().argv(), *(word for one in self.settings for word in ("-c", one))]

    def env(self) -> dict[str, str]:
        return {**super().env(), **self.variables}


@dataclass(frozen=True)
class Golden:
    """A stopped cluster with roles and tables, and the addresses of its roles."""

    cluster: Path
    passwords: dict[str, str]


def make_golden() -> Golden:
    """Make roles, database and tables once, and stop the server in good order."""
    made = services.Services(fresh_folder(), {})
    server = Server(made.folder)
    server.settings.append("fsync=off")  # while it is made alone
    process = services.start(server, made.folder)
    try:
        services.wait_ready(server, process, made.folder)
        database.initialise(server.url(database="postgres"), made.variables(), verbosity=0)
    finally:
        end(process, server.stop_signals, patience=30)
    roles = ("application", "sealer", "gate", "auditor")
    return Golden(server.cluster, {role: getattr(made.secrets, role) for role in roles})


class Store:
    """A copy of the golden cluster: started, broken, started again."""

    def __init__(self, golden: Golden) -> None:
        self.folder, self.golden = fresh_folder(), golden
        self.folder.make()
        self.server = Server(self.folder)
        subprocess.run(["cp", "-a", golden.cluster, self.server.cluster], check=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.was_started = False
        self.key = Ed25519PrivateKey.generate()
        self.outside = Outside(self.folder.path / "outside")

    # ------------------------------------------------------------- the server
    def start(self) -> float:
        """Start the server and wait until it answers; return the seconds that took.

        At the first start a sealer looks once: a started database takes no record before that.
        """
        begun = time.monotonic()
        self.process = services.start(self.server, self.folder)
        services.wait_ready(self.server, self.process, self.folder)
        if not self.was_started:
            self.was_started = True
            self.seal()
        return time.monotonic() - begun

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, self.server.stop_signals, patience=30)
            self.process = None

    def kill(self) -> None:
        """SIGKILL to the postmaster; its children notice and go."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=30)
        self.process = None

    def backends(self) -> list[psutil.Process]:
        """Return the processes that serve clients."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return [one for one in children if any("twin_application" in w for w in one.cmdline())]

    def everyone(self) -> list[psutil.Process]:
        assert self.process is not None
        whole = psutil.Process(self.process.pid)
        return [whole, *whole.children(recursive=True)]

    def log(self) -> str:
        return (self.folder.logs / "postgres.log").read_text(errors="replace")

    # ---------------------------------------------------------------- sessions
    def superuser(self) -> "psycopg.Connection[Any]":
        """Sign in as superuser, waiting for a server that is coming back."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return psycopg.connect(self.server.url(database=NAME), autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def address(self, role: str) -> dict[str, Any]:
        url = self.server.url(f"twin_{role}", self.golden.passwords[role], database=NAME)
        settings = database_settings("the test's store", url)
        return {**settings, "OPTIONS": {"connect_timeout": 2}}  # seconds

    @contextlib.contextmanager
    def as_role(self, role: str = "application") -> Iterator[None]:
        """Point Django, in every thread, at the store."""
        settings = connections["default"].settings_dict
        before = {name: settings[name] for name in TAKEN}
        connections["default"].close()
        settings.update({name: self.address(role)[name] for name in TAKEN})
        try:
            yield
        finally:
            connections["default"].close()
            settings.update(before)

    # ------------------------------------------------------------------ sealing
    @property
    def public_key(self) -> checkpoint.PublicKey:
        return checkpoint.public_key(ORIGIN, self.key)

    def seal(self) -> int:
        with self.as_role("sealer"):
            work = sealer.Sealer(key=self.key, origin=ORIGIN, outside=self.outside)
            sealed = work.seal()
            work.publish()
        return sealed

    def verify(self) -> verification.Verification:
        with self.as_role("auditor"):
            return verification.verify(keys=[self.public_key], outside=self.outside.all())

    @contextlib.contextmanager
    def sealing(self) -> Iterator[None]:
        """Let a sealer work in a process of its own, begun again as the supervisor would."""
        process = FORK.Process(target=self._seal_for_ever, daemon=True)
        process.start()
        try:
            yield
        finally:
            process.terminate()
            process.join(timeout=20)

    def _seal_for_ever(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        forget_connections()
        connections["default"].settings_dict.update(self.address("sealer"))
        while True:
            with contextlib.suppress(DatabaseError):
                work = sealer.Sealer(key=self.key, origin=ORIGIN, outside=self.outside)
                while True:
                    work.seal()
                    work.publish()
                    time.sleep(0.02)
            connections["default"].close()
            time.sleep(0.05)

    def told(self) -> list[str]:
        """Return the marks of all records that the test's clients wrote."""
        with self.superuser() as session:
            rows = session.execute(
                "SELECT payload::jsonb ->> 'reason' FROM audit_record WHERE stream = 'faults'"
            )
            return [mark for (mark,) in rows.fetchall()]

    def discard(self) -> None:
        self.stop()
        shutil.rmtree(self.folder.path, ignore_errors=True)


def forget_connections() -> None:
    """Drop what a forked child inherited, without a word to the server."""
    connections["default"].connection = None


def write(mark: str) -> None:
    """Append one record in a transaction of its own."""
    with transaction.atomic():
        ledger.append(stream="faults", kind="tests.fact.noted", reason=mark)


@dataclass
class Clients:
    """Threads that append until they are told to stop; ``acked`` is what was acknowledged."""

    count: int
    act: Callable[[str], Any] = write
    acked: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    longest: float = 0.0  # seconds that one answer took
    stop: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Clients":
        self.threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True)
            for number in range(self.count)
        ]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(timeout=60)

    def _work(self, client: int) -> None:
        number = 0
        while not self.stop.is_set():
            mark, number, begun = f"{client}-{number}-{os.getpid()}", number + 1, time.monotonic()
            try:
                self.act(mark)
            except (DatabaseError, InterfaceError, OutcomeUnknown) as error:
                self.failed.append(str(error))
                connection.close()
                time.sleep(0.02)
            else:
                self.acked.add(mark)
            self.longest = max(self.longest, time.monotonic() - begun)
        connection.close()

    def wait_for(self, more: int, *, within: float = 60.0) -> None:
        """Wait until so many more answers came; fails when they do not."""
        wanted, deadline = len(self.acked) + more, time.monotonic() + within
        while len(self.acked) < wanted:
            assert time.monotonic() < deadline, f"no answers any more: {self.failed[-1:]}"
            time.sleep(0.005)


def losses(store: Store, acked: set[str]) -> tuple[int, int]:
    """Return (acknowledged and lost, stored more than once)."""
    told = store.told()
    return len(acked - set(told)), len(told) - len(set(told))


def forks(store: Store) -> int:
    """Seal what is left, verify all; return 0 when the chain is one and whole."""
    store.seal()
    result = store.verify()
    assert result.unsealed == 0
    return 0 if result.ok else 1


def records() -> int:
    return Record.objects.count()


def moment(seed: int, run: int) -> random.Random:
    return random.Random(f"{seed} {run}")
