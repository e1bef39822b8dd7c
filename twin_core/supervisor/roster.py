"""The processes of an installation on one machine, in the order in which they start."""

import http.client
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from twin_core.config.processes import APPLICATION
from twin_core.supervisor.processes import Child
from twin_core.supervisor.roles import MLFLOW, ROLES
from twin_core.supervisor.services import Services

CHECKOUT = Path(__file__).resolve().parents[2]
ROLE_VARIABLES = {role.variable for role in (*ROLES, MLFLOW)}
INHERITED = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE")
# One thread a process: the same bits on each machine, and no fight for cores.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Entry:
    """A process of the product.

    ``arguments`` follow the Python interpreter; ``variable`` names the one database address that
    the process gets (``also`` further ones); ``ready`` is asked with the process's environment.
    """

    name: str
    arguments: Callable[[int], tuple[str, ...]]  # of the web's port
    variable: str = APPLICATION
    group: str = ""  # started only when asked for by this name; empty: always
    also: tuple[str, ...] = ()
    ready: Callable[[Environment, int], bool] = lambda _environment, _port: True


def manage(*arguments: str) -> Callable[[int], tuple[str, ...]]:
    """Return the arguments that run a management command."""
    return lambda _port: (str(CHECKOUT / "manage.py"), *arguments)


def web(port: int) -> tuple[str, ...]:
    return (
        *("-m", "uvicorn", "twin_core.config.asgi:application"),
        *("--host", "localhost", "--port", str(port), "--no-access-log"),
        *("--timeout-graceful-shutdown", "5"),  # seconds: live streams do not end by themselves
    )


def answers(environment: Environment, port: int) -> bool:
    """Return whether the web answers at all: an error page is an answer, and stands in its log."""
    try:
        connection = http.client.HTTPConnection("localhost", port, timeout=5)
        connection.request("HEAD", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False


def holds_lock(environment: Environment, port: int) -> bool:
    """Return whether a session of the process's role holds an advisory lock: the sealer's."""
    try:
        with psycopg.connect(environment[APPLICATION], connect_timeout=2) as session:
            return bool(
                session.execute(
                    "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) "
                    "WHERE locktype = 'advisory' AND granted AND usename = current_user"
                ).fetchone()
            )
    except psycopg.OperationalError:
        return False


SEALER = Entry("sealer", manage("run_sealer"), "TWIN_SEALER_DATABASE_URL", ready=holds_lock)
WEB = Entry("web", web, ready=answers)
ROSTER = (SEALER, WEB)


def environment_of(entry: Entry, variables: Environment) -> dict[str, str]:
    """Return a child's whole environment: its own database address, nobody else's."""
    handed_on = {name: os.environ[name] for name in INHERITED if name in os.environ}
    shared = {name: value for name, value in variables.items() if name not in ROLE_VARIABLES}
    addresses = {name: variables[name] for name in entry.also}
    return {
        **handed_on,
        **dict.fromkeys(ONE_THREAD, "1"),
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", str(CHECKOUT / ".cache" / "numba")),
        "PYTHONUNBUFFERED": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **shared,
        **addresses,
        APPLICATION: variables[entry.variable],
        "TWIN_PROCESS": entry.name,
    }


def child_of(entry: Entry, services: Services, port: int) -> Child:
    """Return the entry as a child to watch, with the addresses of these services."""
    environment = environment_of(entry, services.variables())
    argv = (sys.executable, *entry.arguments(port))
    return Child(
        name=entry.name,
        argv=lambda: argv,
        env=environment,
        ready=lambda: entry.ready(environment, port),
        cwd=CHECKOUT,
    )
