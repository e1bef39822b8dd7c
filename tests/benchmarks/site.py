"""A server set aside for one benchmark: the embedded PostgreSQL, its databases, a real sealer."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.services import TestServices

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = "tests.benchmarks.settings"
BATCHES = ("payload", "text")


class Site:
    """Services that run, and what a benchmark asks of them."""

    def __init__(self, services: TestServices) -> None:
        self.services = services
        self.databases = 0

    def environment(self, name: str, role: str = "application") -> dict[str, str]:
        """Return the environment of a process of the product on database ``name``."""
        variables = self.services.environment(name)
        own = {key: value for key, value in os.environ.items() if not key.startswith("TWIN_")}
        address = variables["TWIN_DATABASE_URL"]
        if role != "application":
            address = variables[f"TWIN_{role.upper()}_DATABASE_URL"]
        return {
            **own,
            **variables,
            "TWIN_DATABASE_URL": address,
            "TWIN_PROCESS": "benchmark",
            "TWIN_CHECKPOINT_DIR": str(self.services.services.folder.path / f"checkpoints-{name}"),
            "DJANGO_SETTINGS_MODULE": SETTINGS,
        }

    def python(
        self, *arguments: str, name: str, role: str = "application"
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment(name, role),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def sealing(self, name: str) -> Iterator[subprocess.Popen[str]]:
        """Run the product's sealer on a database."""
        process = self.python("manage.py", "run_sealer", name=name, role="sealer")
        assert process.stdout is not None
        assert "sealing" in process.stdout.readline()
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)

    def server_seconds(self) -> float:
        """Return the CPU seconds that the database server's processes have used so far."""
        postgres = self.services.services.postgres
        if postgres is None:
            return 0.0
        line = (postgres.cluster / "postmaster.pid").read_text(encoding="ascii").split("\n")[0]
        server = psutil.Process(int(line))
        total = 0.0
        for process in [server, *server.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # it ended: its parent has counted it
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def write(
        self, variant: str, name: str, *, writers: int, count: int, sealed: bool
    ) -> dict[str, float]:
        """Let processes write ``count`` acts each at once; return rate and CPU of all together."""
        processes = [
            self.python("-m", "tests.benchmarks.writer", variant, str(count), str(n), name=name)
            for n in range(writers)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        server, started = self.server_seconds(), time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [_answer(process) for process in processes]
        if sealed:
            self.wait_until_sealed(name)
        seconds = time.perf_counter() - started
        acts = count * writers
        return {
            "rate": acts / seconds,
            "client": sum(each["cpu"] for each in told) / acts * 1e5,
            "server": (self.server_seconds() - server) / acts * 1e5,
        }

    def wait_until_sealed(self, name: str) -> None:
        with self.services.connect("auditor", name) as session:
            session.autocommit = True
            newest = session.execute("SELECT max(transaction) FROM audit_record").fetchone()
            while True:
                below = session.execute("SELECT max(transaction_below) FROM audit_block").fetchone()
                if newest is None or newest[0] is None:
                    return
                if below and below[0] is not None and int(below[0]) > int(newest[0]):
                    return
                time.sleep(0.002)


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError(f"a writer ended with {process.returncode}: {out}")
    return json.loads(out)


def manage(site: Site, name: str, *arguments: str, role: str = "application") -> str:
    """Run a management command on a database; return what it printed."""
    process = site.python("manage.py", *arguments, name=name, role=role)
    out, _ = process.communicate(timeout=1200)
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {process.returncode}: {out}")
    return out


def statements(session: Any, texts: Sequence[str]) -> None:
    for text in texts:
        session.execute(text)
