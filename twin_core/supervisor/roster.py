"""The processes of an installation on one machine, in the order in which they start."""

import http.client
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from twin_core.config.processes import APPLICATION
from twin_core.supervisor import witness
from twin_core.supervisor.processes import Child
from twin_core.supervisor.roles import MLFLOW, ROLES
from twin_core.supervisor.services import Services
from twin_core.virtual_plant import certificates

CHECKOUT = Path(__file__).resolve().parents[2]
ROLE_VARIABLES = {role.variable for role in (*ROLES, MLFLOW)}
INHERITED = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE")
# One thread a process: the same bits on each machine, and no fight for cores.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """Where a process runs: the web's port, the data folder and the installation's variables."""

    port: int
    data: Path
    variables: Environment


Arguments = Callable[[Place], tuple[str, ...]]


@dataclass(frozen=True)
class Entry:
    """A process of the product.

    ``arguments`` follow the Python interpreter; ``variable`` names the one database address that
    the process gets (``also`` further ones), None for a process that knows nothing of ours;
    ``ready`` is asked with the process's environment.
    """

    name: str
    arguments: Arguments
    variable: str | None = APPLICATION
    group: str = ""  # started only when asked for by this name; empty: always
    also: tuple[str, ...] = ()
    ready: Callable[[Environment, int], bool] = lambda _environment, _port: True
    ready_of: Callable[[Path], bool] = lambda _data: True  # asked with the data folder
    prepare: Callable[[Path], None] = lambda _data: None  # of the data folder, before each start
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    is_once: bool = False  # its end with status 0 is its success: it is not started again
    after: str = ""  # started when the entry of this name has ended so


def manage(*arguments: str) -> Arguments:
    """Return the arguments that run a management command."""
    return lambda _place: (str(CHECKOUT / "manage.py"), *arguments)


def web(place: Place) -> tuple[str, ...]:
    return (
        *("-m", "uvicorn", "twin_core.config.asgi:application"),
        *("--host", "localhost", "--port", str(place.port), "--no-access-log"),
        *("--timeout-graceful-shutdown", "5"),  # seconds: live streams do not end by themselves
    )


def worker(_place: Place) -> tuple[str, ...]:
    return (
        *("-m", "celery", "--app", "twin_core.config.celery", "worker", "--queues", "twin"),
        *("--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    )


def plant(asset: str) -> Arguments:
    """Return the arguments of a plant of the demonstration; its configuration is shipped."""
    shipped = CHECKOUT / "twin_core" / "virtual_plant" / "plants" / f"{asset}.plant.yaml"

    def arguments(place: Place) -> tuple[str, ...]:
        return (
            *("-m", "twin_core.virtual_plant", str(shipped)),
            *("--folder", str(place.data / "plants" / asset)),
            *("--certificates", str(certificates_of(place.data))),
            *("--speed", place.variables.get("TWIN_DEMO_SPEED", str(DEMO_SPEED))),
        )

    return arguments


def certificates_of(data: Path) -> Path:
    return data / "certificates"


def identities(*plants: str) -> Callable[[Path], None]:
    """Return what makes the certificates that are missing, before a process that needs them."""
    return lambda data: certificates.prepare(certificates_of(data), plants)


def answers(environment: Environment, port: int) -> bool:
    """Return whether the web answers at all: an error page is an answer, and stands in its log."""
    try:
        connection = http.client.HTTPConnection("localhost", port, timeout=5)
        connection.request("HEAD", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False


HOLDS_LOCK = (
    "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND usename = current_user"
)
HAS_SETTLED = (  # whether the sealer holds its lock and has opened the ledger, or closed it
    f"{HOLDS_LOCK} AND EXISTS (SELECT FROM audit_standing WHERE NOT is_open OR "
    "pg_sequence_last_value('audit_open') = ledger_server_start())"
)


def says(question: str) -> Callable[[Environment, int], bool]:
    """Return what asks the database, as the process's own role, whether there is a row."""

    def is_so(environment: Environment, port: int) -> bool:
        try:
            with psycopg.connect(environment[APPLICATION], connect_timeout=2) as session:
                return session.execute(question).fetchone() is not None
        except psycopg.OperationalError:
            return False

    return is_so


def watching(place: Place) -> tuple[str, ...]:
    folder = witness.folder_of(place.data)
    return ("-m", "audit.witness", "--folder", str(folder), "serve", "--same-port")


DEMO, DEMO_SPEED = "demo", 600  # process time over wall time, unless TWIN_DEMO_SPEED says else
SEALER = Entry("sealer", manage("run_sealer"), "TWIN_SEALER_DATABASE_URL", ready=says(HAS_SETTLED))
INDEXER = Entry(
    "indexer", manage("run_indexer"), "TWIN_INDEXER_DATABASE_URL", ready=says(HOLDS_LOCK)
)
WEB = Entry("web", web, ready=answers)
RELAY = Entry("relay", manage("run_relay"))
WATCH = Entry("watch", manage("run_watch"))
WORKER = Entry("worker", worker, stop_signals=(signal.SIGTERM, signal.SIGQUIT))
CONNECTOR = Entry("connector", manage("run_connector"), prepare=identities())
GATE = Entry("gate", manage("run_gate"), "TWIN_GATE_DATABASE_URL", prepare=identities())
TRACKING = Entry("tracking", manage("sync_tracking", "--every", "10"), also=(MLFLOW.variable,))
WITNESS = Entry(
    "witness",
    watching,
    variable=None,
    group=DEMO,
    prepare=witness.prepare,
    ready_of=witness.is_listening,
)
SET_UP = Entry("set-up", manage("set_up_demo"), group=DEMO, is_once=True)
DEMO_PLANTS = tuple(
    Entry(
        f"plant {asset}",
        plant(asset),
        variable=None,
        group=DEMO,
        prepare=identities(asset),
        after=after,
    )
    for asset, after in (("BR-101", ""), ("BR-201", SET_UP.name))  # the twin sees its first hour
)
ROSTER = (
    *(SEALER, WEB, WATCH, RELAY, WORKER, CONNECTOR, GATE, WITNESS),
    *(SET_UP, *DEMO_PLANTS, TRACKING, INDEXER),
)


def environment_of(entry: Entry, variables: Environment) -> dict[str, str]:
    """Return a child's whole environment: its own database address, nobody else's."""
    handed_on = {name: os.environ[name] for name in INHERITED if name in os.environ}
    plain = {
        **handed_on,
        **dict.fromkeys(ONE_THREAD, "1"),
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", str(CHECKOUT / ".cache" / "numba")),
        "PYTHONUNBUFFERED": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    if entry.variable is None:
        return plain
    shared = {name: value for name, value in variables.items() if name not in ROLE_VARIABLES}
    addresses = {name: variables[name] for name in entry.also}
    return {
        **plain,
        **shared,
        **addresses,
        APPLICATION: variables[entry.variable],
        "TWIN_PROCESS": entry.name,
    }


def child_of(entry: Entry, services: Services, port: int) -> Child:
    """Return the entry as a child to watch, with the addresses of these services."""
    variables = services.variables()
    environment = environment_of(entry, variables)
    place = Place(port, services.folder.path, variables)
    argv = (sys.executable, *entry.arguments(place))
    return Child(
        name=entry.name,
        argv=lambda: argv,
        env=environment,
        ready=lambda: entry.ready(environment, port) and entry.ready_of(services.folder.path),
        prepare=lambda: entry.prepare(services.folder.path),
        cwd=CHECKOUT,
        stop_signals=entry.stop_signals,
        is_once=entry.is_once,
        after=entry.after,
    )
